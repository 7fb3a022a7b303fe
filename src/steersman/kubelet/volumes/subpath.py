"""subPath: a part of a volume, opened so that no link in the volume leads out of it.

The part is bound to a private folder of the kubelet's (the runtime could not be trusted to resolve the path again).
"""

import contextlib
import os
import stat
from pathlib import Path

from steersman.containers import syscalls
from steersman.kubelet.volumes.volume import MountError


def bind(volume: Path, sub_path: str, target: Path) -> Path:
    """`target` becomes the part `sub_path` of `volume`; made as a folder where it does not exist. Raises MountError."""
    if Path(sub_path).is_absolute() or ".." in Path(sub_path).parts:
        raise MountError(f'subPath "{sub_path}" must be a relative path without ".."')
    root = os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        part = _open_or_make(root, sub_path)
        try:
            _bind_descriptor(part, target)
        finally:
            os.close(part)
    except OSError as error:
        raise MountError(f'failed to prepare subPath "{sub_path}": {error}') from error
    finally:
        os.close(root)
    return target


def _open_or_make(root: int, sub_path: str) -> int:
    """New folders are as open as the volume itself, as upstream's, so that any user of it can write there."""
    try:
        return syscalls.open_in_root(root, sub_path, os.O_PATH)
    except FileNotFoundError:
        pass
    so_far, mode = "", stat.S_IMODE(os.fstat(root).st_mode)
    for part in Path(sub_path).parts:
        parent = syscalls.open_in_root(root, so_far, os.O_PATH | os.O_DIRECTORY)
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
    return syscalls.open_in_root(root, sub_path, os.O_PATH)


def _bind_descriptor(part: int, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_mount():
        return
    if Path(f"/proc/self/fd/{part}").is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
        if _is_bound(part, target):
            return
    syscalls.mount(f"/proc/self/fd/{part}", str(target), None, syscalls.MS_BIND)


def _is_bound(part: int, target: Path) -> bool:
    """Whether a file was bound before (`is_mount` sees folders only where devices differ)."""
    return os.path.samestat(os.fstat(part), target.stat())
