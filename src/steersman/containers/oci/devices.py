"""Device nodes of this machine, as a specification names them."""

import os
import stat
from collections.abc import Iterator
from typing import Any

# The container gets its own of these.
_OWN_FOLDERS = frozenset({"pts", "shm", "fd", "mqueue", "termination-log"})
_OWN_NODES = frozenset({"/dev/console", "/dev/ptmx"})


def of_host(folder: str = "/dev") -> list[dict[str, Any]]:
    """All of them, for privileged containers."""
    return [found for path in _paths(folder) if (found := describe(path)) is not None]


def describe(path: str, inside: str = "") -> dict[str, Any] | None:
    """A node as it is on the host, to be made at `inside` (default: the same path); None: no device, or gone."""
    try:
        found = os.stat(path, follow_symlinks=bool(inside))
    except OSError:
        return None
    kind = "c" if stat.S_ISCHR(found.st_mode) else "b" if stat.S_ISBLK(found.st_mode) else ""
    if not kind:
        return None
    return {
        "path": inside or path,
        "type": kind,
        "major": os.major(found.st_rdev),
        "minor": os.minor(found.st_rdev),
        "fileMode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
    }


def _paths(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _OWN_FOLDERS:
                    yield from _paths(entry.path)
            elif not entry.is_symlink() and entry.path not in _OWN_NODES:
                yield entry.path
