"""subPath: a part of a volume, opened so that no link in the volume leads out of it.

The part is bound to a private folder of the kubelet's (the runtime could not be trusted to resolve the path again).
"""

import contextlib
import errno
import os
import stat
from pathlib import Path

from steersman.containers import syscalls


class NotMade(OSError):
    """The part is not there and could not be made."""


def bind(volume: Path, sub_path: str, target: Path) -> Path:
    """`target` becomes the part `sub_path` of `volume`; made as a folder where it does not exist. Raises NotMade, OSError."""
    root = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        part = _open_or_make(root, sub_path)
        try:
            _bind_descriptor(part, target)
        finally:
            os.close(part)
    finally:
        os.close(root)
    return target


def _open_or_make(root: int, sub_path: str) -> int:
    """New folders are as open as the volume itself, as upstream's, so that any user of it can write there."""
    try:
        return syscalls.open_inside(root, sub_path, os.O_PATH)
    except FileNotFoundError:
        pass
    so_far, mode = "", stat.S_IMODE(os.fstat(root).st_mode)
    try:
        for part in Path(sub_path).parts:
            parent = syscalls.open_inside(root, so_far, os.O_PATH | os.O_DIRECTORY)
            try:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, mode, dir_fd=parent)
                    made = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
                    try:
                        os.fchmod(made, mode)
                    finally:
                        os.close(made)
            finally:
                os.close(parent)
            so_far = f"{so_far}/{part}" if so_far else part
        return syscalls.open_inside(root, sub_path, os.O_PATH)
    except OSError as failure:
        raise NotMade(failure.errno, failure.strerror, sub_path) from failure


def _bind_descriptor(part: int, target: Path) -> None:
    """What a restarted container finds bound already stays; what is not the part any more, because a container took that away
    and something else is there now, is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        if os.path.samestat(os.fstat(part), target.stat()):
            return
        _unbind(target)
    if stat.S_ISDIR(os.fstat(part).st_mode):
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    syscalls.mount(f"/proc/self/fd/{part}", str(target), None, syscalls.MS_BIND)


def _unbind(target: Path) -> None:
    """All that is bound there; then the place itself, which may be of the wrong sort."""
    while True:
        try:
            syscalls.unmount(str(target))
        except OSError as failure:
            if failure.errno != errno.EINVAL:
                raise
            break
    if target.is_dir():
        target.rmdir()
    else:
        target.unlink()
