"""A kubeconfig's text as Go reads it: YAML by Go's rules, and fields of the right types. Pure."""

from typing import Any

from steersman.client.kubeconfig import KubeconfigError
from steersman.kubectl import plain_yaml
from steersman.kubectl.config_shape import SECTIONS
from steersman.meta.objects import Object

_BOOLS = frozenset(("insecure-skip-tls-verify", "disable-compression"))
_NOT_TEXTS = frozenset(("as-groups", "as-user-extra", "auth-provider", "exec", "extensions", *_BOOLS))
_GO_SECTION = {"clusters": "Cluster", "users": "AuthInfo", "contexts": "Context"}
_ANY_OBJECT = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
_OLDER_EXEC = ("client.authentication.k8s.io/v1alpha1", "client.authentication.k8s.io/v1beta1")


def parse(text: str, path: str) -> Object:
    """Raises KubeconfigError."""
    try:
        found: Any = plain_yaml.read(text) or {}
    except plain_yaml.NotPlain:
        found = _read_any(text, path)
    problem = _problem(found)
    if problem:
        before = "" if isinstance(found, dict) else "couldn't get version/kind; json parse error: "
        raise KubeconfigError(f'error loading config file "{path}": {before}json: cannot unmarshal {problem}')
    for entry in found.get("users") or []:
        plugin = (entry.get("user") or {}).get("exec") or {}
        if plugin.get("apiVersion") in _OLDER_EXEC:
            plugin.setdefault("interactiveMode", "IfAvailable")
    result: Object = found
    return result


def _read_any(text: str, path: str) -> Any:
    from steersman.kubectl import go_yaml

    try:
        return next((document for document in go_yaml.read_all(text) if document is not None), {})
    except go_yaml.BadYaml as broken:
        raise KubeconfigError(f'error loading config file "{path}": {broken}') from broken


def _problem(found: Any) -> str:
    """What has the wrong type, in encoding/json's words; "" when all is well."""
    if not isinstance(found, dict):
        return f"{_json_type(found)} into Go value of type {_ANY_OBJECT}"
    for section, key in SECTIONS.items():
        entries = found.get(section)
        if entries is None:
            continue
        if not isinstance(entries, list):
            return (
                f"{_json_type(entries)} into Go struct field Config.{section} of type []v1.Named{_GO_SECTION[section]}"
            )
        for entry in entries:
            for field, value in (entry.get(key) or {}).items():
                wanted = "bool" if field in _BOOLS else "" if field in _NOT_TEXTS else "string"
                if value is not None and wanted and _json_type(value) != wanted:
                    go_field = f"{_GO_SECTION[section]}.{section}.{key}.{field}"
                    return f"{_json_type(value)} into Go struct field {go_field} of type {wanted}"
    return ""


def _json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return "number"
