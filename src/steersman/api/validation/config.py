"""ConfigMaps, Secrets and ServiceAccounts."""

import base64

from steersman.api.validation import fields, metadata
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

SIZE_MAX = 1024 * 1024  # of all values of a ConfigMap or Secret

ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
_FROZEN = "field is immutable when `immutable` is set"

# The keys each type of Secret must have.
_KEYS: dict[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def validate_config_map(new: Object, old: Object | None) -> list[FieldError]:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    errors = metadata.validate(new, old)
    size = 0
    for key, value in data.items():
        errors += fields.each_invalid(f"data[{key}]", key, names.config_key_errors(key))
        if key in binary:
            errors.append(fields.invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        size += len(value)
    for key, value in binary.items():
        errors += fields.each_invalid(f"binaryData[{key}]", key, names.config_key_errors(key))
        size += _decoded_size(value)
    if size > SIZE_MAX:
        errors.append(fields.too_long("[]", SIZE_MAX))
    if old is not None:
        errors += _frozen(new, old, ("data", "binaryData"))
    return errors


def validate_secret(new: Object, old: Object | None) -> list[FieldError]:
    data, kind = new.get("data") or {}, new.get("type", "")
    errors = metadata.validate(new, old)
    size = 0
    for key, value in data.items():
        errors += fields.each_invalid(f"data[{key}]", key, names.config_key_errors(key))
        size += _decoded_size(value)
    if size > SIZE_MAX:
        errors.append(fields.too_long("data", SIZE_MAX))
    errors += [fields.required(f"data[{key}]") for key in _KEYS.get(kind, ()) if key not in data]
    if kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        errors += [fields.required("data[username]"), fields.required("data[password]")]
    if kind == ACCOUNT_TOKEN and not ((new["metadata"].get("annotations") or {}).get(ACCOUNT_NAME)):
        errors.append(fields.required(f"metadata.annotations[{ACCOUNT_NAME}]"))
    if kind == "kubernetes.io/dockerconfigjson" and ".dockerconfigjson" in data:
        errors += _json(data[".dockerconfigjson"], "data[.dockerconfigjson]")
    if old is not None:
        errors += fields.check_immutable("type", kind, old.get("type", ""))
        errors += _frozen(new, old, ("data",))
    return errors


def validate_service_account(new: Object, old: Object | None) -> list[FieldError]:
    return metadata.validate(new, old)


def _frozen(new: Object, old: Object, kept: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [fields.forbidden("immutable", _FROZEN)]
    for field in kept:
        if (new.get(field) or {}) != (old.get(field) or {}):
            errors.append(fields.forbidden(field, _FROZEN))
    return errors


def _decoded_size(encoded: str) -> int:
    return len(encoded) // 4 * 3 - encoded[-2:].count("=")


def _json(encoded: str, path: str) -> list[FieldError]:
    import json

    try:
        json.loads(base64.b64decode(encoded))
    except ValueError as why:
        return [fields.invalid(path, "<secret contents redacted>", str(why))]
    return []
