"""A root filesystem as a copy of its layers, merged as overlayfs would show them.

Nothing is followed on the way: a link of one layer is replaced, never walked through, by what a higher layer has in its place.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable

FICLONE = 0x40049409  # shares the blocks where the file system can (btrfs, XFS)
OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def copy(layers: Iterable[str], target: str) -> None:
    """`layers`: folders, the lowest first. Raises OSError (a full disk)."""
    for layer in layers:
        _merge(layer, target, {})


def _merge(source: str, target: str, links: dict[int, str]) -> None:
    """A folder of a layer onto one that is there. `links`: where a file with several names was copied to, by inode."""
    if any(name in os.listxattr(source, follow_symlinks=False) for name in OPAQUE):
        for entry in os.scandir(target):
            _remove(entry.path)
    for entry in os.scandir(source):
        path = os.path.join(target, entry.name)
        found = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            if not _is_folder(path):
                _remove(path)
                os.mkdir(path, 0o700)
            _merge(entry.path, path, links)
        else:
            _remove(path)
            if not _is_whiteout(found):
                _copy_one(entry.path, path, found, links)
    _copy_facts(source, target, os.stat(source, follow_symlinks=False))


def _copy_one(source: str, target: str, found: os.stat_result, links: dict[int, str]) -> None:
    if found.st_ino in links:
        os.link(links[found.st_ino], target, follow_symlinks=False)
        return
    if stat.S_ISLNK(found.st_mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISREG(found.st_mode):
        _copy_content(source, target)
    elif stat.S_ISFIFO(found.st_mode):
        os.mkfifo(target)
    else:
        return  # sockets and devices of an image are of no use in a container
    if found.st_nlink > 1:
        links[found.st_ino] = target
    _copy_facts(source, target, found)


def _copy_content(source: str, target: str) -> None:
    with open(source, "rb") as reading, open(target, "xb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), FICLONE, reading.fileno())
        except OSError:
            shutil.copyfileobj(reading, writing, 1 << 20)


def _copy_facts(source: str, target: str, found: os.stat_result) -> None:
    """Owner, mode, attributes, times: in this order, as a change of owner takes set-user-id bits and capabilities away."""
    with contextlib.suppress(PermissionError):  # in a user namespace not every owner can be given
        os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        os.chmod(target, stat.S_IMODE(found.st_mode))
    for name in os.listxattr(source, follow_symlinks=False):
        if ".overlay." not in name:
            try:
                os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
            except OSError as refused:
                if refused.errno not in (errno.EPERM, errno.ENOTSUP):
                    raise
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _is_whiteout(found: os.stat_result) -> bool:
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _remove(path: str) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
