"""Environment variables of a container and where their values come from; references to fields and amounts."""

from collections.abc import Mapping
from typing import Any

from steersman.api.validation import fields, mounts
from steersman.meta import names, quantities
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
    "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_MAPS = ("metadata.annotations", "metadata.labels")
_VOLUME_FIELDS = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_AMOUNTS = tuple(
    f"{which}.{name}" for which in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_HUGE = ("limits.hugepages-", "requests.hugepages-")
_BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_DIVISORS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "cpu": ("values 1m and 1 are supported with the cpu resource", ("1m", "1")),
    "memory": (f"values {', '.join(_BYTES)} are supported with the memory resource", _BYTES),
    "ephemeral-storage": (
        f"values {', '.join(_BYTES)} are supported with the local ephemeral storage resource",
        _BYTES,
    ),
}
_OF_HUGE_PAGES = (f"values {', '.join(_BYTES)} are supported with the hugepages resource", _BYTES)


def validate(variables: Any, path: str, volumes: Mapping[str, Object]) -> list[FieldError]:
    errors = []
    for index, variable in enumerate(variables):
        here = f"{path}[{index}]"
        errors += fields.check_name(f"{here}.name", variable.get("name"), names.env_name_errors)
        source = variable.get("valueFrom")
        if source is not None:
            errors += _source(source, variable.get("value", ""), f"{here}.valueFrom", volumes)
    return errors


def validate_from(sources: Any, path: str) -> list[FieldError]:
    errors = []
    for index, source in enumerate(sources):
        here = f"{path}[{index}]"
        errors += fields.check_optional_name(f"{here}.prefix", source.get("prefix"), names.env_name_errors)
        given = [field for field in ("configMapRef", "secretRef") if source.get(field) is not None]
        for field in given:
            errors += fields.check_name(f"{here}.{field}.name", source[field].get("name"), names.subdomain_errors)
        if not given:
            errors.append(fields.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            errors.append(fields.invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def _source(source: Object, value: str, path: str, volumes: Mapping[str, Object]) -> list[FieldError]:
    given = [field for field in _SOURCES if source.get(field) is not None]
    errors: list[FieldError] = []
    for kind in given:
        reference, here = source[kind], f"{path}.{kind}"
        match kind:
            case "fieldRef":
                errors += validate_field(reference, here)
            case "resourceFieldRef":
                errors += validate_amount(reference, here)
            case "fileKeyRef":
                errors += _file(reference, here, volumes)
            case _:
                errors += fields.check_name(f"{here}.name", reference.get("name"), names.subdomain_errors)
                errors += fields.check_name(f"{here}.key", reference.get("key"), names.config_key_errors)
    if not given:
        text = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        errors.append(fields.invalid(path, "", text))
    elif value:
        errors.append(fields.invalid(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        errors.append(fields.invalid(path, "", "may not have more than one field specified at a time"))
    return errors


def validate_field(reference: Object, path: str, *, of_volume: bool = False) -> list[FieldError]:
    """A field of the pod: in the environment, or as a file."""
    name = reference.get("fieldPath")
    if not name:
        return [fields.required(f"{path}.fieldPath")]
    base, bracket, rest = name.partition("[")
    if bracket and rest.startswith("'") and rest.endswith("']"):
        if base not in _MAPS:
            return [fields.invalid(path, base, "does not support subscript")]
        key = rest[1:-2].lower() if base == _MAPS[0] else rest[1:-2]
        return fields.each_invalid(path, key, names.qualified_name_errors(key))
    if name not in _FIELDS and name not in _MAPS:
        text = f"error converting fieldPath: field label not supported: {name}"
        return [fields.invalid(f"{path}.fieldPath", name, text)]
    supported = _VOLUME_FIELDS if of_volume else _FIELDS
    return [] if name in supported else [fields.not_supported(f"{path}.fieldPath", name, supported)]


def validate_amount(reference: Object, path: str, *, of_volume: bool = False) -> list[FieldError]:
    """A request or limit of a container: in its environment, or as a file."""
    name, divisor, errors = reference.get("resource", ""), str(reference.get("divisor", "0")), []
    if of_volume and not reference.get("containerName"):
        errors.append(fields.required(f"{path}.containerName"))
    elif not name:
        errors.append(fields.required(f"{path}.resource"))
    elif name not in _AMOUNTS and not name.startswith(_HUGE):
        errors.append(fields.not_supported(f"{path}.resource", name, _AMOUNTS))
    if divisor != "0" and quantities.parse(divisor).nanos:
        of = name.partition(".")[2]
        text, supported = _OF_HUGE_PAGES if name.startswith(_HUGE) else _DIVISORS.get(of, ("", (divisor,)))
        if divisor not in supported:
            errors.append(fields.invalid(f"{path}.divisor", name, f"only divisor's {text}"))
    return errors


def _file(reference: Object, path: str, volumes: Mapping[str, Object]) -> list[FieldError]:
    """A value of a file that an earlier container left in an emptyDir."""
    name, file, errors = reference.get("volumeName", ""), reference.get("path", ""), []
    errors += fields.check_name(f"{path}.key", reference.get("key"), names.env_name_errors)
    if not name:
        errors.append(fields.required(f"{path}.volumeName"))
    elif name not in volumes:
        errors.append(fields.not_found(f"{path}.volumeName", name))
    elif volumes[name].get("emptyDir") is None:
        errors.append(fields.invalid(f"{path}.volumeName", name, "referenced volume must be of type emptyDir"))
    if not file:
        errors.append(fields.required(f"{path}.path"))
    else:
        errors += mounts.check_descending(f"{path}.path", file)
    return errors
