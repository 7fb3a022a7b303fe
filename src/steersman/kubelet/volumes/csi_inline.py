"""csi: a volume that a driver makes for one pod, and takes away with it."""

from pathlib import Path

from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta.objects import Object

REFRESHED = False


async def set_up(name: str, source: Object, context: Context) -> Path:
    if context.csi is None:
        raise MountError("no volume plugin matched csi")
    return await context.csi.set_up_inline(name, source, context)
