"""Where a container sees volumes: mounts and block devices. And paths that may not lead out of something."""

from collections.abc import Mapping

from steersman.api.validation import fields
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

_PROPAGATIONS = ("Bidirectional", "HostToContainer", "None")
_RECURSIONS = ("Disabled", "Enabled", "IfPossible")
_AS_DEVICES = ("persistentVolumeClaim", "ephemeral")  # volumes that may be block devices


def validate(container: Object, path: str, volumes: Mapping[str, Object]) -> list[FieldError]:
    """The volumeMounts of a container, and its volumeDevices."""
    errors = []
    if container.get("volumeMounts"):
        errors += _mounts(container, f"{path}.volumeMounts", volumes)
    if container.get("volumeDevices"):
        errors += _devices(container, f"{path}.volumeDevices", volumes)
    return errors


def _mounts(container: Object, path: str, volumes: Mapping[str, Object]) -> list[FieldError]:
    """What is wrong with a sub path or how mounts propagate is told of the whole list, as upstream does."""
    errors = []
    devices = {one.get("name", ""): one.get("devicePath", "") for one in container.get("volumeDevices") or ()}
    privileged = bool((container.get("securityContext") or {}).get("privileged"))
    points: set[str] = set()
    for index, mount in enumerate(container["volumeMounts"]):
        here = f"{path}[{index}]"
        name, point = mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            errors.append(fields.required(f"{here}.name"))
        if name not in volumes:
            errors.append(fields.not_found(f"{here}.name", name))
        if not point:
            errors.append(fields.required(f"{here}.mountPath"))
        if point in points:
            errors.append(fields.invalid(f"{here}.mountPath", point, "must be unique"))
        points.add(point)
        if devices:
            errors += _against(here, "mountPath", mount, devices, "volumeDevices")
        if mount.get("subPath") or mount.get("subPathExpr"):
            errors += _sub_path(mount, here, path)
        errors += _propagation(mount, path, privileged=privileged)
    return errors


def _against(path: str, field: str, one: Object, others: Mapping[str, str], of_others: str) -> list[FieldError]:
    """A volume is either mounted or a device, and so is a path."""
    name, point, errors = one.get("name", ""), one.get(field, ""), []
    if name in others:
        errors.append(fields.invalid(f"{path}.name", name, f"must not already exist in {of_others}"))
    if point in others.values():
        errors.append(fields.invalid(f"{path}.{field}", point, f"must not already exist as a path in {of_others}"))
    return errors


def _sub_path(mount: Object, path: str, of_all: str) -> list[FieldError]:
    plain, expression, errors = mount.get("subPath"), mount.get("subPathExpr"), []
    if plain:
        errors += check_descending(f"{of_all}.subPath", plain)
    if plain and expression:
        errors.append(
            fields.invalid(f"{path}.subPathExpr", expression, "subPathExpr and subPath are mutually exclusive")
        )
    if expression:
        errors += check_descending(f"{of_all}.subPathExpr", expression)
    return errors


def _propagation(mount: Object, path: str, *, privileged: bool) -> list[FieldError]:
    """How far mounts below it are shared, and whether they are read-only as well."""
    way, recursive, errors = mount.get("mountPropagation"), mount.get("recursiveReadOnly"), []
    if way is not None and way not in _PROPAGATIONS:
        errors.append(fields.not_supported(f"{path}.mountPropagation", way, _PROPAGATIONS))
    if way == "Bidirectional" and not privileged:
        text = "Bidirectional mount propagation is available only to privileged containers"
        errors.append(fields.forbidden(f"{path}.mountPropagation", text))
    if recursive is not None and recursive not in _RECURSIONS:
        errors.append(fields.not_supported(f"{path}.recursiveReadOnly", recursive, _RECURSIONS))
    elif recursive in ("Enabled", "IfPossible"):
        if not mount.get("readOnly"):
            errors.append(fields.forbidden(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true"))
        if way not in (None, "None"):
            text = "may only be specified when mountPropagation is None or not specified"
            errors.append(fields.forbidden(f"{path}.recursiveReadOnly", text))
    return errors


def _devices(container: Object, path: str, volumes: Mapping[str, Object]) -> list[FieldError]:
    errors = []
    mounts = {one.get("name", ""): one.get("mountPath", "") for one in container.get("volumeMounts") or ()}
    named: set[str] = set()
    seen: set[str] = set()
    for index, device in enumerate(container["volumeDevices"]):
        here, name, point = f"{path}[{index}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            errors.append(fields.required(f"{here}.name"))
        elif name in named:
            errors.append(fields.invalid(f"{here}.name", name, "must be unique"))
        if name not in volumes:
            errors.append(fields.not_found(f"{here}.name", name))
        elif not any(volumes[name].get(kind) for kind in _AS_DEVICES):
            text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            errors.append(fields.invalid(f"{here}.name", name, text))
        if not point:
            errors.append(fields.required(f"{here}.devicePath"))
        if point in seen:
            errors.append(fields.invalid(f"{here}.devicePath", point, "must be unique"))
        if point and check_no_way_up(here, point):
            errors.append(fields.invalid(f"{here}.devicePath", point, "can not contain backsteps ('..')"))
        else:
            seen.add(point)
        errors += _against(here, "devicePath", device, mounts, "volumeMounts")
        named.add(name)
    return errors


def check_descending(path: str, value: str) -> list[FieldError]:
    """A path below something: relative, never upwards."""
    errors = [fields.invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return [*errors, *check_no_way_up(path, value)]


def check_no_way_up(path: str, value: str) -> list[FieldError]:
    if ".." in value.split("/"):
        return [fields.invalid(path, value, "must not contain '..'")]
    return []
