"""Volumes of a pod or template: names, one source each, what each source needs."""

from steersman.api.validation import claims, csi, fields, mounts, projections
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
    errors += projections.check_mode(source.get("defaultMode"), f"{here}.defaultMode")
    match kind:
        case "secret" | "configMap":
            errors += projections.check_items(source.get("items") or (), f"{here}.items")
        case "hostPath":
            errors += mounts.check_no_way_up(f"{here}.path", source.get("path", ""))
            if source.get("type", "") not in _HOST_PATH_TYPES:
                errors.append(fields.not_supported(f"{here}.type", source["type"], _HOST_PATH_TYPES))
        case "projected":
            errors += projections.validate(source, here)
        case "csi":
            errors += csi.check_driver_name(f"{here}.driver", source.get("driver", ""))
        case "ephemeral":
            if source.get("volumeClaimTemplate"):
                errors += claims.validate_template(source["volumeClaimTemplate"], f"{here}.volumeClaimTemplate")
        case "downwardAPI":
            errors += projections.check_downward(source.get("items") or (), here)
    return errors
