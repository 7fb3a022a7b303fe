"""fsGroup: a volume belongs to the pod's group, which may do what its owner may. Source: upstream's volume_linux.go."""

import os
import stat
from pathlib import Path

_MAY_READ_WRITE, _MAY_READ = 0o660, 0o440
_MAY_ENTER = stat.S_ISGID | 0o110  # new files below belong to the group too


def give(root: Path, group: int, *, read_only: bool = False, on_mismatch_only: bool = False) -> None:
    """Change all below `root` and at last `root` itself: right at the root means that it was done to the end. Raises OSError."""
    if on_mismatch_only and _is_right(root, group, read_only):
        return
    for folder, folders, files in os.walk(root, topdown=False):
        for name in files:
            _give_one(f"{folder}/{name}", group, read_only)
        for name in folders:
            _give_one(f"{folder}/{name}", group, read_only)
    _give_one(str(root), group, read_only)


def _give_one(path: str, group: int, read_only: bool) -> None:
    """Links are changed themselves, not what they lead to. What went meanwhile needs nothing."""
    try:
        found = os.lstat(path)
        os.lchown(path, -1, group)
        if not stat.S_ISLNK(found.st_mode):
            Path(path).chmod(stat.S_IMODE(found.st_mode) | _wanted(found.st_mode, read_only))
    except FileNotFoundError:
        return


def _is_right(root: Path, group: int, read_only: bool) -> bool:
    found = root.stat()
    wanted = _wanted(found.st_mode, read_only)
    return found.st_gid == group and found.st_mode & wanted == wanted


def _wanted(mode: int, read_only: bool) -> int:
    return (_MAY_READ if read_only else _MAY_READ_WRITE) | (_MAY_ENTER if stat.S_ISDIR(mode) else 0)
