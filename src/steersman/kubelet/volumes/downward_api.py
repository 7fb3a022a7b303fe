"""downwardAPI: fields of the pod as files."""

from pathlib import Path

from steersman.kubelet import field_paths
from steersman.kubelet.volumes import items, payload
from steersman.kubelet.volumes.payload import File
from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta import times
from steersman.meta.objects import Object

REFRESHED = True


async def set_up(name: str, source: Object, context: Context) -> Path:
    files = files_of(source, source.get("defaultMode", items.DEFAULT_MODE), context)
    folder = context.folder("downward-api", name)
    payload.write(folder, files, stamp=times.format_micros(context.now), group=context.fs_group)
    return folder


def files_of(source: Object, default_mode: int, context: Context) -> dict[str, File]:
    files = {}
    for item in source.get("items") or []:
        mode = item.get("mode")
        try:
            text = _text(item, context)
        except field_paths.Unknown as unknown:
            raise MountError(str(unknown)) from unknown
        files[item["path"]] = File(text.encode(), default_mode if mode is None else mode)
    return files


def _text(item: Object, context: Context) -> str:
    if item.get("fieldRef"):
        return field_paths.value(context.pod, item["fieldRef"]["fieldPath"], (), context.options.addresses)
    reference = item.get("resourceFieldRef") or {}
    spec = context.pod["spec"]
    for one in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        if one["name"] == reference.get("containerName"):
            divisor = str(reference.get("divisor") or "")
            return field_paths.resource_value(one, reference["resource"], divisor, context.allocatable)
    raise MountError(f"container {reference.get('containerName')} not found")
