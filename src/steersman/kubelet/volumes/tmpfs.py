"""Folders in memory."""

import errno
import os
from pathlib import Path

from steersman.containers import syscalls


def mount(folder: Path, size_bytes: int = 0, mode: int = 0o777) -> None:
    """Idempotent. `size_bytes` 0: half of the machine's memory (the kernel's default). Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.is_mount():
        return
    options = f"mode={mode:o}" + (f",size={size_bytes}" if size_bytes else "")
    syscalls.mount("tmpfs", str(folder), "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)


def mount_if_possible(folder: Path) -> None:
    """Secrets belong in memory; without the right to mount they are files that only this user can reach."""
    if os.geteuid() != 0:
        folder.mkdir(parents=True, exist_ok=True)
        return
    try:
        mount(folder, mode=0o755)
    except PermissionError:
        return
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS):
            raise


def unmount_below(folder: Path) -> None:
    """Take away every mount below `folder`, deepest first. Raises OSError when one stays: what is below is not ours to remove."""
    for point in (found := mounts_below(folder)):
        syscalls.unmount(point)
    if found and (left := mounts_below(folder)):
        raise OSError(errno.EBUSY, "still mounted", left[0])


def mounts_below(folder: Path) -> list[str]:
    if not folder.exists():
        return []
    there = folder.resolve()
    prefix = f"{there}/"
    return sorted((point for point in _mount_points(there.name) if point.startswith(prefix)), reverse=True)


def is_mounted(folder: Path) -> bool:
    """Without touching what is mounted there."""
    return str(folder.parent.resolve() / folder.name) in _mount_points("/")


def _mount_points(part: str) -> list[str]:
    """Those with `part` in them, which is to be the rarest part: a node has several mounts for each pod."""
    part = _escaped(part)
    with open("/proc/self/mountinfo") as table:
        return [_unescaped(line.split(" ")[4]) for line in table if part in line]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")


def _unescaped(text: str) -> str:
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
