"""emptyDir: a folder that lives as long as the pod, on disk or (medium Memory) in memory."""

import os
from pathlib import Path

from steersman.containers import syscalls
from steersman.kubelet import qos
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
        try:
            tmpfs.mount(folder, _size(source, context))
        except OSError as error:
            raise MountError(f"cannot mount tmpfs for emptyDir: {error}") from error
    elif str(source.get("medium") or "").startswith("HugePages"):
        _mount_huge_pages(folder, str(source["medium"]).removeprefix("HugePages").removeprefix("-"), context)
    if is_new:
        folder.chmod(0o777)
        if context.fs_group is not None:
            os.chown(folder, -1, context.fs_group)
            folder.chmod(0o2777)
    return folder


def _size(source: Object, context: Context) -> int:
    """What is written there is the pod's memory: never more than it may have, or the node."""
    whole = qos.pod_resources(context.pod)[2] or int(quantities.whole(context.allocatable.get("memory", "0")))
    wanted = int(quantities.whole(str(source["sizeLimit"]))) if source.get("sizeLimit") else 0
    return min(filter(None, (wanted, whole)), default=0)


def _mount_huge_pages(folder: Path, size: str, context: Context) -> None:
    """`size` as in 2Mi; empty: the only one that the pod's containers ask for."""
    spec = context.pod["spec"]
    both = [*(spec.get("initContainers") or []), *spec["containers"]]
    asked = {
        name.removeprefix(qos.HUGE_PAGES)
        for one in both
        for name in ((one.get("resources") or {}).get("limits") or {})
        if name.startswith(qos.HUGE_PAGES)
    }
    if not size:
        if len(asked) != 1:
            raise MountError("medium HugePages can only be used when the pod asks for one size of huge pages")
        size = next(iter(asked))
    if not folder.is_mount():
        try:
            syscalls.mount("nodev", str(folder), "hugetlbfs", 0, f"pagesize={quantities.whole(size)}")
        except OSError as error:
            raise MountError(f"cannot mount hugetlbfs for emptyDir: {error}") from error
