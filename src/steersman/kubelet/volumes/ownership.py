"""fsGroup: a volume belongs to the pod's group, which may do what its owner may. Source: upstream's volume_linux.go.

Another pod may use the volume meanwhile and put links where files were: each file is held open while it is changed, and no link
is followed.
"""

import os
import stat
from pathlib import Path

from steersman.containers import trees

_MAY_READ_WRITE, _MAY_READ = 0o660, 0o440
_MAY_ENTER = stat.S_ISGID | 0o110  # new files below belong to the group too


def give(root: Path, group: int, *, read_only: bool = False, on_mismatch_only: bool = False) -> None:
    """Change all below `root` and at last `root` itself: right at the root means that it was done to the end. Raises OSError."""
    if on_mismatch_only and _is_right(root, group, read_only):
        return
    for folder, name, found in trees.walk(root):
        try:
            if stat.S_ISLNK(found.st_mode):
                os.chown(name, -1, group, dir_fd=folder, follow_symlinks=False)
            else:
                _give_one(os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder), group, read_only)
        except FileNotFoundError:
            continue  # what went meanwhile needs nothing
    _give_one(os.open(root, os.O_PATH | os.O_CLOEXEC), group, read_only)


def _give_one(file: int, group: int, read_only: bool) -> None:
    """Closes it. Such a descriptor's file is changed by the descriptor's path in /proc, which leads to it and nowhere else."""
    try:
        found, own_path = os.fstat(file), f"/proc/self/fd/{file}"
        if not stat.S_ISLNK(found.st_mode):  # it may have become one between the two looks
            os.chown(own_path, -1, group)
            Path(own_path).chmod(stat.S_IMODE(found.st_mode) | _wanted(found.st_mode, read_only))
    finally:
        os.close(file)


def _is_right(root: Path, group: int, read_only: bool) -> bool:
    found = root.stat()
    wanted = _wanted(found.st_mode, read_only)
    return found.st_gid == group and found.st_mode & wanted == wanted


def _wanted(mode: int, read_only: bool) -> int:
    return (_MAY_READ if read_only else _MAY_READ_WRITE) | (_MAY_ENTER if stat.S_ISDIR(mode) else 0)
