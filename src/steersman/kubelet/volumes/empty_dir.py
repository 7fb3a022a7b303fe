"""emptyDir: a folder that lives as long as the pod, on disk or (medium Memory) in memory."""

import os
from pathlib import Path

from steersman.kubelet.volumes import tmpfs
from steersman.kubelet.volumes.volume import Context, MountError
from steersman.meta import quantities
from steersman.meta.objects import Object

REFRESHED = False


async def set_up(name: str, source: Object, context: Context) -> Path:
    folder = context.folder("empty-dir", name)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if source.get("medium") == "Memory":
        limit = quantities.whole(str(source["sizeLimit"])) if source.get("sizeLimit") else 0
        try:
            tmpfs.mount(folder, limit)
        except OSError as error:
            raise MountError(f"cannot mount tmpfs for emptyDir: {error}") from error
    elif str(source.get("medium") or "").startswith("HugePages"):
        raise MountError("emptyDir of medium HugePages is not supported on this node")
    if is_new:
        folder.chmod(0o777)
        if context.fs_group is not None:
            os.chown(folder, -1, context.fs_group)
            folder.chmod(0o2777)
    return folder
