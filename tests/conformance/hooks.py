"""A pod with webhooks (`hook_server.py`), one for all tests of a run, and configurations that ask it.

The pod has no image of its own: it runs the Python of this machine, which it sees through its node.
"""

import base64
import dataclasses
import datetime
import pathlib
import tempfile
import threading
from typing import Any

import pytest

from steersman.cluster import pki
from tests.conformance.live import CLOCK, IMAGE, Api, Object, Refused, Space, unique, wait

SCRIPT = pathlib.Path(__file__).with_name("hook_server.py")
PYTHON = pathlib.Path("/usr/bin/python3")
HOST_FOLDERS = {"usr": "/usr", "lib": "/usr/lib", "lib64": "/usr/lib64"}
GROUP = "/apis/admissionregistration.k8s.io/v1"


@dataclasses.dataclass(frozen=True)
class Hooks:
    space: Space
    authority: str

    def client(self, path: str) -> Object:
        service = {"name": "hooks", "namespace": self.space.name, "path": path, "port": 8443}
        return {"service": service, "caBundle": self.authority}


_made: dict[str, Hooks] = {}
_making = threading.Lock()


def deployed(api: Api) -> Hooks:
    if not PYTHON.exists():
        pytest.skip("needs the Python of Debian")
    with _making:
        if api.url not in _made:
            _made[api.url] = _deploy(Space.made(api, unique("hooks")))
        return _made[api.url]


def python_pod(name: str, script: pathlib.Path, **volumes: Object) -> Object:
    """A pod that runs the script of the ConfigMap of its name, with the machine's Python."""
    shown = {"script": {"configMap": {"name": name}}, **volumes}
    shown |= {folder: {"hostPath": {"path": path}} for folder, path in HOST_FOLDERS.items()}
    container = {
        "name": "main",
        "image": IMAGE,
        "command": [str(PYTHON), "-u", f"/script/{script.name}"],
        "volumeMounts": [{"name": one, "mountPath": f"/{one}", "readOnly": True} for one in shown],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": one, **source} for one, source in shown.items()],
        "terminationGracePeriodSeconds": 0,
    }
    return {"metadata": {"name": name, "labels": {"name": name}}, "spec": spec}


def _deploy(space: Space) -> Hooks:
    with tempfile.TemporaryDirectory() as folder:
        authority = pki.Authority(pathlib.Path(folder), CLOCK.now().astimezone(datetime.UTC))
        pair = authority.server("server", "server", [f"hooks.{space.name}.svc"])
        files = {"tls.crt": pair.certificate.read_text(), "tls.key": pair.key.read_text()}
        bundle = base64.b64encode(authority.pair.certificate.read_bytes()).decode()
    space.create("configmaps", {"metadata": {"name": "hooks"}, "data": {SCRIPT.name: SCRIPT.read_text()}})
    space.create("secrets", {"metadata": {"name": "certs"}, "stringData": files})
    ports = [{"port": 8443, "targetPort": 8444}]
    space.create("services", {"metadata": {"name": "hooks"}, "spec": {"selector": {"name": "hooks"}, "ports": ports}})
    server = python_pod("hooks", SCRIPT, certs={"secret": {"secretName": "certs"}})
    server["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8444}, "periodSeconds": 1}
    space.create("pods", server)
    space.running("hooks")
    return Hooks(space, bundle)


def rule(resource: str, *operations: str, group: str = "") -> Object:
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "resources": [resource],
        "operations": list(operations or ("CREATE",)),
    }


class Registered:
    """A configuration with webhooks that see one namespace only; in force once it is made."""

    def __init__(self, space: Space, kind: str, *webhooks: Object, **meta: Any) -> None:
        self.space = space
        self.root = f"{GROUP}/{kind}webhookconfigurations"
        name = unique(kind)
        made = space.api.create(self.root, {"metadata": {"name": name, **meta}, "webhooks": list(webhooks)})
        self.address = f"{self.root}/{made['metadata']['name']}"

    def __enter__(self) -> "Registered":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.space.api.delete(self.address)
        except Refused as refused:
            if refused.code != 404:
                raise


def webhook(space: Space, path: str, *rules: Object, **fields: Any) -> Object:
    return {
        "name": f"{path.strip('/').replace('/', '-')}.k8s.io",
        "rules": list(rules),
        "clientConfig": deployed(space.api).client(path),
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}},
        **fields,
    }


def in_force(space: Space, body: Object, said: str = "denied the request") -> None:
    """Wait until a ConfigMap like `body` is refused in these words: not because the webhook cannot be reached yet."""

    def look() -> bool:
        try:
            space.create("configmaps", body | {"metadata": {"generateName": "marker-"}}, dryRun="All")
        except Refused as refused:
            return said in refused.message
        return False

    wait("the configuration is in force", look)
