"""Write files of a volume so that a reader sees either all of the old or all of the new ones.

Layout, as upstream's AtomicWriter: `NAME → ..data/NAME`, `..data → ..TIME`, and the files in the folder `..TIME`. A change
writes a new folder, swaps the link `..data` by rename and removes the old folder.
"""

import contextlib
import dataclasses
import itertools
import os
import stat
from collections.abc import Mapping, Set
from pathlib import Path

from steersman.containers import trees

DATA = "..data"


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    data: bytes
    mode: int = 0o644
    user: int | None = None


def write(folder: Path, files: Mapping[str, File], *, stamp: str, group: int | None = None) -> bool:
    """Make `folder` hold exactly `files` (relative paths). `stamp` names the new folder. True when something changed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    current = _current(folder)
    if current is not None and _same(current, files, group):
        return False
    root = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        name = _new_folder(root, stamp)
        fresh = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
        try:
            for path, file in files.items():
                _write_file(fresh, path, file, group)
        finally:
            os.close(fresh)
        _swap_link(root, name)
        wanted = {Path(path).parts[0] for path in files}
        _link_names(root, wanted)
    finally:
        os.close(root)
    if current is not None:
        _remove_others(folder, wanted)
        trees.remove(current)
    return True


def _current(folder: Path) -> Path | None:
    try:
        name = str((folder / DATA).readlink())
    except OSError:  # there is none, or it is no link
        return None
    if "/" in name or not name.startswith("..") or name == "..":
        return None  # not ours: what it leads to is not to be removed
    found = folder / name
    return found if found.is_dir() and not found.is_symlink() else None


def _new_folder(root: int, stamp: str) -> str:
    for number in itertools.count():
        name = f"..{stamp}.{number}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=root)
            return name
    raise AssertionError("counting has no end")


def _same(current: Path, files: Mapping[str, File], group: int | None) -> bool:
    there = {str(path.relative_to(current)): path for path in current.rglob("*") if path.is_file()}
    if set(there) != {str(Path(path)) for path in files}:
        return False
    for path, file in files.items():
        found = there[str(Path(path))]
        status = found.stat()
        if (status.st_mode & 0o7777) != mode_of(file, group) or found.read_bytes() != file.data:
            return False
    return True


def mode_of(file: File, group: int | None) -> int:
    """With an fsGroup its members may read what the owner may."""
    return file.mode | ((file.mode >> 3) & 0o050) if group is not None else file.mode


def _write_file(root: int, path: str, file: File, group: int | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    for parent in reversed(Path(path).parents[:-1]):
        with contextlib.suppress(FileExistsError):
            os.mkdir(parent, 0o755, dir_fd=root)
    fd = os.open(path, flags, 0o600, dir_fd=root)
    with open(fd, "wb", buffering=0) as there:
        there.write(file.data)
        if file.user is not None or group is not None:
            os.fchown(fd, -1 if file.user is None else file.user, -1 if group is None else group)
        os.fchmod(fd, mode_of(file, group))


def _swap_link(root: int, target: str) -> None:
    fresh = f"{DATA}_tmp"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh, dir_fd=root)
    os.symlink(target, fresh, dir_fd=root)
    os.rename(fresh, DATA, src_dir_fd=root, dst_dir_fd=root)


def _link_names(root: int, wanted: Set[str]) -> None:
    for name in wanted:
        try:
            os.symlink(f"{DATA}/{name}", name, dir_fd=root)
        except FileExistsError:
            if not stat.S_ISLNK(os.lstat(name, dir_fd=root).st_mode):
                raise


def _remove_others(folder: Path, wanted: Set[str]) -> None:
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
