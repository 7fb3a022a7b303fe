"""Folders that others have filled, perhaps in bad faith: removed, walked through and measured without following a link that
leads out of them, however deep they are and whoever changes them meanwhile.

Neither recursion nor a path's length (4,096 bytes) is a limit: a container makes a folder in a folder as long as it likes.
"""

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator

from steersman.containers import syscalls

OPEN_MOST = 32  # folders held open at once while a tree is removed; what lies deeper is lifted to the top first
ANCHOR_LENGTH = 2048  # of a relative path: longer ones begin at a folder that is held open
ANCHORS_MOST = 64  # deeper than any honest tree (128 KiB of path): what is below is not looked at

_FOLDER = os.O_RDONLY | os.O_DIRECTORY


def remove(path: str | os.PathLike[str]) -> None:
    """Raises OSError; FileNotFoundError where there is nothing."""
    parent, name = os.path.split(os.fspath(path).rstrip("/"))
    folder = os.open(parent or ".", _FOLDER | os.O_CLOEXEC)
    try:
        remove_at(folder, name)
    finally:
        os.close(folder)


def remove_at(folder: int, name: str) -> None:
    """The folder `name` in an open one. Raises OSError."""
    top = os.open(name, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        while _empty(top, top, 1):
            pass
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=folder)


def _empty(folder: int, top: int, depth: int) -> bool:
    """One pass over a folder; whether there was anything in it. What is too deep moves to `top`, where a later pass finds it."""
    found = False
    with os.scandir(folder) as entries:
        for entry in entries:
            found = True
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
            elif depth < OPEN_MOST:
                inner = os.open(entry.name, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                try:
                    while _empty(inner, top, depth + 1):
                        pass
                finally:
                    os.close(inner)
                os.rmdir(entry.name, dir_fd=folder)
            else:
                _lift(folder, entry.name, top)
    return found


def _lift(folder: int, name: str, top: int) -> None:
    for number in itertools.count():
        try:
            os.rename(name, f"..{number}", src_dir_fd=folder, dst_dir_fd=top)
            return
        except OSError as refused:
            if refused.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):  # the name is taken
                raise


def walk(top: str | os.PathLike[str]) -> Iterator[tuple[int, str, os.stat_result]]:
    """(open folder, name in it, what lstat says) of everything below `top` on the same file system. The folder is open until
    the next step only. What vanishes meanwhile, or cannot be reached, is not told."""
    with contextlib.suppress(OSError):
        folder = os.open(top, _FOLDER | os.O_CLOEXEC)
        try:
            yield from _walk(folder, os.fstat(folder).st_dev, 0)
        finally:
            os.close(folder)


def _walk(anchor: int, device: int, anchors: int) -> Iterator[tuple[int, str, os.stat_result]]:
    waiting = [""]
    while waiting:
        path = waiting.pop()
        try:
            folder = syscalls.open_beneath(anchor, path, _FOLDER)
        except OSError:
            continue
        try:
            if len(path) > ANCHOR_LENGTH:
                if anchors < ANCHORS_MOST:
                    yield from _walk(folder, device, anchors + 1)
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    if found.st_dev != device:
                        continue
                    if stat.S_ISDIR(found.st_mode):
                        waiting.append(f"{path}/{entry.name}" if path else entry.name)
                    yield folder, entry.name, found
        except OSError:
            continue
        finally:
            os.close(folder)
