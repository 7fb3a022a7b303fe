"""Credential plugins: a program that the kubeconfig names tells who we are, for a while.

Source of the protocol: client.authentication.k8s.io (KEP 541); of the sentences: client-go's plugin/pkg/client/auth/exec.
The program is waited for where it is: a command line has nothing else to do, and it may ask its user something.
"""

import dataclasses
import datetime
import json
import os
import subprocess
import sys
from typing import Any

from steersman.client.http_connection import Unreachable
from steersman.meta import times
from steersman.meta.objects import Object

GROUP = "client.authentication.k8s.io"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
_UNKNOWN_PLUGIN = (
    "\n\nIt looks like you are trying to use a client-go credential plugin that is not installed.\n\n"
    "To learn more about this feature, consult the documentation available at:\n"
    "      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Credential:
    """`until` is when it must be asked for again; None: not before it is refused."""

    token: str = dataclasses.field(default="", repr=False)
    certificate: bytes = b""
    key: bytes = dataclasses.field(default=b"", repr=False)
    until: datetime.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Plugin:
    """`config` is the user's `exec`, `cluster` the cluster's entry."""

    config: Object
    cluster: Object

    def ask(self) -> Credential:
        """Raises Unreachable."""
        command = self.config["command"]
        interactive = self._is_interactive()
        environment = {
            **os.environ,
            **{one["name"]: one.get("value", "") for one in self.config.get("env") or ()},
            "KUBERNETES_EXEC_INFO": json.dumps(question(self.config, self.cluster, interactive=interactive)),
        }
        try:
            done = subprocess.run(
                [command, *(self.config.get("args") or ())],
                env=environment,
                stdin=None if interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=False,
            )
        except OSError as problem:
            if "/" in command or not isinstance(problem, FileNotFoundError):
                raise _failed(f"fork/exec {command}: {(problem.strerror or str(problem)).lower()}") from problem
            hint = self.config.get("installHint", "")
            advice = f"{_UNKNOWN_PLUGIN}\n\n{hint}" if hint else _UNKNOWN_PLUGIN
            raise _failed(f"executable {command} not found{advice}") from problem
        if done.returncode:
            raise _failed(f"executable {command} failed with exit code {done.returncode}")
        return answer(done.stdout, self.config["apiVersion"])

    def _is_interactive(self) -> bool:
        match self.config.get("interactiveMode") or "IfAvailable":
            case "Never":
                return False
            case "Always":
                if not sys.stdin.isatty():
                    raise _failed("exec plugin cannot support interactive mode: standard input is not a terminal")
                return True
        return sys.stdin is not None and sys.stdin.isatty()


def question(config: Object, cluster: Object, *, interactive: bool) -> Object:
    """What the plugin is told in $KUBERNETES_EXEC_INFO."""
    spec: dict[str, Any] = {"interactive": interactive}
    if config.get("provideClusterInfo"):
        fields = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
        spec["cluster"] = {field: cluster[field] for field in fields if cluster.get(field)}
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == f"{GROUP}/exec":
                spec["cluster"]["config"] = extension.get("extension")
    return {"kind": "ExecCredential", "apiVersion": config["apiVersion"], "spec": spec}


def answer(text: bytes, api_version: str) -> Credential:
    """Raises Unreachable for what is no credential."""
    try:
        found = json.loads(text)
        status = found.get("status")
    except (ValueError, AttributeError) as wrong:
        raise _failed(f"decoding stdout: {wrong}") from wrong
    if found.get("apiVersion") != api_version:
        said = found.get("apiVersion", "")
        raise _failed(f"plugin is configured to use API version {api_version}, plugin returned version {said}")
    if not isinstance(status, dict):
        raise _failed("exec plugin didn't return a status field")
    certificate, key = status.get("clientCertificateData", ""), status.get("clientKeyData", "")
    if not (status.get("token") or certificate or key):
        raise _failed("exec plugin didn't return a token or cert/key pair")
    if bool(certificate) != bool(key):
        raise _failed("exec plugin returned only certificate or key, not both")
    until = status.get("expirationTimestamp")
    return Credential(
        status.get("token", ""), certificate.encode(), key.encode(), times.parse(until) if until else None
    )


def _failed(why: str) -> Unreachable:
    return Unreachable(f"getting credentials: exec: {why}")
