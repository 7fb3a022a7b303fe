"""Which server, as whom: kubeconfig files and the flags that override what they say. As client-go's clientcmd decides it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steersman.client import kubeconfig
from steersman.client.access import Access
from steersman.client.kubeconfig import KubeconfigError
from steersman.kubectl.flags import Values
from steersman.kubectl.problems import CommandError
from steersman.meta import times
from steersman.meta.objects import Object

# What clientcmd falls back to without any kubeconfig.
DEFAULT_SERVER = "http://localhost:8080"


def paths(flags: Values, environment: Mapping[str, str]) -> list[Path]:
    chosen = flags["kubeconfig"]
    return [Path(chosen)] if chosen else kubeconfig.default_paths(environment)


def access(flags: Values, environment: Mapping[str, str]) -> Access:
    """Raises KubeconfigError, CommandError."""
    chosen = flags["kubeconfig"]
    if chosen and not Path(chosen).exists():
        raise CommandError(f"stat {chosen}: no such file or directory")
    config = kubeconfig.load(paths(flags, environment))
    found = _from_files(config, flags, environment)
    changes: dict[str, Any] = {
        field: flags[flag] for field, flag in _OVERRIDES.items() if flags.get(flag) not in ("", None)
    }
    if flags["server"] and "://" not in flags["server"]:
        changes["server"] = f"http://{flags['server']}"
    if flags["insecure-skip-tls-verify"]:
        changes |= {"insecure": True, "authority": b""}
    for field, flag in _FILES.items():
        if flags[flag]:
            changes[field] = _read(flags[flag], flag)
    if flags["token"]:
        changes["token_file"] = ""
    found = dataclasses.replace(found, **changes)
    headers = _impersonation(flags)
    return dataclasses.replace(found, headers=(*found.headers, *headers)) if headers else found


_OVERRIDES = {
    "server": "server",
    "token": "token",
    "username": "username",
    "password": "password",
    "server_name": "tls-server-name",
}
_FILES = {"authority": "certificate-authority", "certificate": "client-certificate", "key": "client-key"}


def timeout_seconds(flags: Values) -> float:
    """--request-timeout; 0 for none. Raises CommandError."""
    text = flags["request-timeout"]
    if text.lstrip("+-").isdecimal():
        return float(text)
    try:
        return times.parse_duration(text)
    except ValueError:
        raise CommandError(
            "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a corresponding "
            "time unit (e.g. 1s | 2m | 3h)"
        ) from None


def _from_files(config: Object, flags: Values, environment: Mapping[str, str]) -> Access:
    context = flags["context"]
    if context and kubeconfig.named(config, "contexts", context) is None:
        raise KubeconfigError(f"context was not found for specified context: {context}")
    if not context and not config.get("current-context"):
        if not config["clusters"] and not flags["server"]:
            try:
                return kubeconfig.in_pod(environment)
            except (KubeconfigError, OSError):
                return Access(server=DEFAULT_SERVER)
        return Access(server=flags["server"] or DEFAULT_SERVER)
    user = flags["user"]
    if not isinstance(user, str):  # a binding's --user says whom it is for
        user = ""
    return kubeconfig.access(config, context, cluster=flags["cluster"], user=user, server=flags["server"])


def _impersonation(flags: Values) -> tuple[tuple[str, str], ...]:
    found = []
    if flags["as"]:
        found.append(("impersonate-user", flags["as"]))
    if flags["as-group"]:
        found.append(("impersonate-group", "\n".join(flags["as-group"])))
    if flags["as-uid"]:
        found.append(("impersonate-uid", flags["as-uid"]))
    return tuple(found)


def _read(path: str, flag: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as missing:
        raise CommandError(f"unable to read {flag} {path} due to open {path}: {missing.strerror}") from missing
