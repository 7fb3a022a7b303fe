"""Folders whose folders have nothing to do with each other, on file systems that would keep them together.

ext4 puts a new file near its neighbours. Without a journal it may not give an inode out again for five seconds, and passes over
every such one near by before it finds a free one: where pods come and go that costs half a millisecond for each file, more than
all else that the node does. The folders of pods therefore get regions of their own (`chattr +T`), where nobody has been of late.
With a journal nothing needs to be done, and the look for a region (0.1 ms on 250 GB) would be wasted.
"""

import contextlib
import fcntl
import os
import struct

_FS_IOC_GETFLAGS, _FS_IOC_SETFLAGS, _FS_TOPDIR_FL = 0x80086601, 0x40086602, 0x00020000


def make(folder: str) -> None:
    """Make the folder where it is missing; then see to it that the folders in it are scattered. Idempotent."""
    os.makedirs(folder, exist_ok=True)
    if not _is_without_journal(folder):
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # it is only a hint
            (flags,) = struct.unpack_from("=L", fcntl.ioctl(opened, _FS_IOC_GETFLAGS, bytes(8)))
            fcntl.ioctl(opened, _FS_IOC_SETFLAGS, struct.pack("=LL", flags | _FS_TOPDIR_FL, 0))
    finally:
        os.close(opened)


def _is_without_journal(folder: str) -> bool:
    device = os.stat(folder).st_dev
    name = os.path.basename(os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))
    try:
        with open(f"/sys/fs/ext4/{name}/journal_task") as file:
            return file.read().strip() == "<none>"
    except OSError:  # another file system, or a kernel that does not tell
        return False
