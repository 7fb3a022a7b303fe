"""secret: its keys as files, in memory where the machine allows it."""

from pathlib import Path

from steersman.kubelet.volumes import items, payload, tmpfs
from steersman.kubelet.volumes.volume import Context
from steersman.meta import times
from steersman.meta.objects import Object

REFRESHED = True


async def set_up(name: str, source: Object, context: Context) -> Path:
    mode = source.get("defaultMode", items.DEFAULT_MODE)
    files = await items.files_of("Secret", source, source.get("secretName", ""), mode, context)
    folder = context.folder("secret", name)
    tmpfs.mount_if_possible(folder)
    payload.write(folder, files, stamp=times.format_micros(context.now), group=context.fs_group)
    return folder
