"""Volumes of a pod or template: names, one source each, what each source needs."""

from steersman.api.validation import claims, csi, environment, fields, mounts
from steersman.meta import names
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

# Fields without which a source means nothing; sources not listed have none.
_NEEDED: dict[str, tuple[str, ...]] = {
    "secret": ("secretName",),
    "configMap": ("name",),
    "hostPath": ("path",),
    "persistentVolumeClaim": ("claimName",),
    "nfs": ("server", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "gitRepo": ("repository",),
    "ephemeral": ("volumeClaimTemplate",),
}

_HOST_PATH_TYPES = frozenset((
    "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice",
))  # fmt: skip
_MODE_MAX = 0o777
_MODE_RANGE = "must be a number between 0 and 0777 (octal), both inclusive"


def validate(volumes: list[Object], path: str) -> list[FieldError]:
    errors = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        here = f"{path}[{index}]"
        name = volume.get("name", "")
        wrong = fields.check_name(f"{here}.name", name, names.label_errors)
        if not wrong and name in seen:
            wrong = [fields.duplicate(f"{here}.name", name)]
        seen.add(name)
        errors += [*wrong, *_source(volume, here)]
    return errors


def _source(volume: Object, path: str) -> list[FieldError]:
    given = [field for field, source in volume.items() if field != "name" and source is not None]
    if not given:
        return [fields.required(path, "must specify a volume type")]
    errors = [fields.forbidden(f"{path}.{one}", "may not specify more than 1 volume type") for one in given[1:]]
    kind, here = given[0], f"{path}.{given[0]}"
    source = volume[kind]
    errors += [fields.required(f"{here}.{field}") for field in _NEEDED.get(kind, ()) if not source.get(field)]
    mode = source.get("defaultMode")
    if mode is not None and not 0 <= mode <= _MODE_MAX:
        errors.append(fields.invalid(f"{here}.defaultMode", mode, _MODE_RANGE))
    match kind:
        case "secret" | "configMap":
            errors += _items(source.get("items") or (), f"{here}.items")
        case "hostPath":
            errors += mounts.check_no_way_up(f"{here}.path", source.get("path", ""))
            if source.get("type", "") not in _HOST_PATH_TYPES:
                errors.append(fields.not_supported(f"{here}.type", source["type"], _HOST_PATH_TYPES))
        case "projected":
            errors += _projected(source, here)
        case "csi":
            errors += csi.check_driver_name(f"{here}.driver", source.get("driver", ""))
        case "ephemeral":
            if source.get("volumeClaimTemplate"):
                errors += claims.validate_template(source["volumeClaimTemplate"], f"{here}.volumeClaimTemplate")
        case "downwardAPI":
            errors += _downward(source.get("items") or (), f"{here}.items")
    return errors


def _items(items: object, path: str) -> list[FieldError]:
    errors = []
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        here = f"{path}[{index}]"
        if not item.get("key"):
            errors.append(fields.required(f"{here}.key"))
        errors += _file_path(item.get("path", ""), f"{here}.path")
        mode = item.get("mode")
        if mode is not None and not 0 <= mode <= _MODE_MAX:
            errors.append(fields.invalid(f"{here}.mode", mode, _MODE_RANGE))
    return errors


def _file_path(value: str, path: str) -> list[FieldError]:
    if not value:
        return [fields.required(path)]
    if value.startswith(".."):
        return [fields.invalid(path, value, "must not start with '..'")]
    return mounts.check_descending(path, value)


def _projected(source: Object, path: str) -> list[FieldError]:
    errors = []
    for index, part in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        given = [field for field, value in part.items() if value is not None]
        errors += [
            fields.forbidden(f"{here}.{one}", "may not specify more than 1 volume type per source") for one in given[1:]
        ]
        for kind in given[:1]:
            value = part[kind]
            if kind in ("secret", "configMap"):
                if not value.get("name"):
                    errors.append(fields.required(f"{here}.{kind}.name"))
                errors += _items(value.get("items") or (), f"{here}.{kind}.items")
            elif kind == "serviceAccountToken":
                errors += _token(value, f"{here}.serviceAccountToken")
            elif kind == "downwardAPI":
                errors += _downward(value.get("items") or (), f"{here}.downwardAPI.items")
    return errors


def _token(token: Object, path: str) -> list[FieldError]:
    errors = [] if token.get("path") else [fields.required(f"{path}.path")]
    seconds = token.get("expirationSeconds", 3600)
    if seconds < 600:
        errors.append(
            fields.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
        )
    if seconds > 1 << 32:
        text = "may not specify a duration larger than 2^32 seconds"
        errors.append(fields.invalid(f"{path}.expirationSeconds", seconds, text))
    return errors


def _downward(items: object, path: str) -> list[FieldError]:
    errors = []
    for index, item in enumerate(items if isinstance(items, list | tuple) else ()):
        here = f"{path}[{index}]"
        errors += _file_path(item.get("path", ""), f"{here}.path")
        field, amount = item.get("fieldRef"), item.get("resourceFieldRef")
        if field is not None:
            errors += environment.validate_field(field, f"{here}.fieldRef", of_volume=True)
            if amount is not None:
                text = "fieldRef and resourceFieldRef can not be specified simultaneously"
                errors.append(fields.invalid(here, "resource", text))
        elif amount is not None:
            errors += environment.validate_amount(amount, f"{here}.resourceFieldRef", of_volume=True)
        else:
            errors.append(fields.required(here, "one of fieldRef and resourceFieldRef is required"))
        mode = item.get("mode")
        if mode is not None and not 0 <= mode <= _MODE_MAX:
            errors.append(fields.invalid(f"{here}.mode", mode, _MODE_RANGE))
    return errors
