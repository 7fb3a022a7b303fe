"""A kubeconfig in the shape that clientcmd writes: known fields in order, entries by name, nothing that says nothing. Pure."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steersman.meta.objects import Object

# Section of the file → what an entry's body is called.
SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}

# Fields in Go's order; those that are written even when they are empty, with what then stands there.
FIELDS = {
    "clusters": (
        "server",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "certificate-authority",
        "certificate-authority-data",
        "proxy-url",
        "disable-compression",
        "extensions",
    ),
    "contexts": ("cluster", "user", "namespace", "extensions"),
    "users": (
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
        "token",
        "tokenFile",
        "as",
        "as-uid",
        "as-groups",
        "as-user-extra",
        "username",
        "password",
        "auth-provider",
        "exec",
        "extensions",
    ),
}
_EXEC_FIELDS = ("command", "args", "env", "apiVersion", "installHint", "provideClusterInfo", "interactiveMode")
_ALWAYS: Mapping[str, Any] = {"server": "", "cluster": "", "user": ""}
_ALWAYS_IN_EXEC: Mapping[str, Any] = {"command": "", "args": None, "env": None, "provideClusterInfo": False}

_OMITTED = "DATA+OMITTED"
_REDACTED = "REDACTED"
_SECRETS = {
    "certificate-authority-data": _OMITTED,
    "client-certificate-data": _OMITTED,
    "client-key-data": _OMITTED,
    "token": _REDACTED,
    "password": _REDACTED,
}


def normal(config: Object) -> Object:
    result: Object = {"kind": "Config", "apiVersion": "v1", "preferences": _only_said(config.get("preferences") or {})}
    for section in SECTIONS:
        entries = sorted(config.get(section) or [], key=lambda entry: str(entry["name"]))
        result[section] = [
            {"name": entry["name"], SECTIONS[section]: body(section, entry.get(SECTIONS[section]) or {})}
            for entry in entries
        ] or None
    result["current-context"] = config.get("current-context") or ""
    if config.get("extensions"):
        result["extensions"] = config["extensions"]
    return result


def body(section: str, entry: Object) -> Object:
    """One cluster, user or context."""
    always = _ALWAYS if section != "users" else {}
    found = _ordered(entry, FIELDS[section], always)
    if found.get("exec"):
        found["exec"] = _ordered(found["exec"], _EXEC_FIELDS, _ALWAYS_IN_EXEC)
    return found


def _ordered(given: Object, fields: Sequence[str], always: Mapping[str, Any]) -> Object:
    return {field: given.get(field) or always.get(field) for field in fields if given.get(field) or field in always}


def _only_said(given: Object) -> Object:
    return {key: value for key, value in given.items() if value}


def redacted(config: Object) -> Object:
    """Without what must not be seen over somebody's shoulder."""
    return _mapped(config, lambda section, entry: {k: _SECRETS.get(k, v) for k, v in entry.items()})


def flattened(config: Object, read: Callable[[str], bytes]) -> Object:
    """With the content of files in their place."""

    def flat(section: str, entry: Object) -> Object:
        result = dict(entry)
        for field in ("certificate-authority", "client-certificate", "client-key"):
            path = result.pop(field, "")
            if path and not result.get(f"{field}-data"):
                result[f"{field}-data"] = base64.b64encode(read(path)).decode()
        return body(section, result)

    return _mapped(config, flat)


class NoContext(Exception):
    """The text is for the user."""


def minified(config: Object) -> Object:
    """Only the current context and what it uses. Raises NoContext."""
    name = config.get("current-context")
    if not name:
        raise NoContext("current-context must exist in order to minify")
    context = find(config, "contexts", name)
    if context is None:
        raise NoContext(f"cannot locate context {name}")
    kept = {"contexts": name, "clusters": context.get("cluster"), "users": context.get("user")}
    result = dict(config)
    for section, one in kept.items():
        result[section] = [entry for entry in config.get(section) or [] if entry["name"] == one] or None
    return result


def find(config: Object, section: str, name: str) -> Object | None:
    """The body of an entry."""
    for entry in config.get(section) or []:
        if entry["name"] == name:
            found: Object = entry.get(SECTIONS[section]) or {}
            return found
    return None


def names(config: Object, section: str) -> list[str]:
    return sorted(entry["name"] for entry in config.get(section) or [])


def _mapped(config: Object, change: Callable[[str, Object], Object]) -> Object:
    result = dict(config)
    for section, key in SECTIONS.items():
        entries = config.get(section)
        if entries:
            result[section] = [{"name": entry["name"], key: change(section, entry[key])} for entry in entries]
    return result
