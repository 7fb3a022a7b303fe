"""Write files of a volume so that a reader sees either all of the old or all of the new ones.

Layout, as upstream's AtomicWriter: `NAME → ..data/NAME`, `..data → ..TIME`, and the files in the folder `..TIME`. A change
writes a new folder, swaps the link `..data` by rename and removes the old folder.
"""

import dataclasses
import itertools
import os
from collections.abc import Mapping
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
    fresh = _new_folder(folder, stamp)
    for path, file in files.items():
        _write_file(fresh / path, file, group)
    _swap_link(folder, fresh.name)
    _link_names(folder, files)
    if current is not None:
        trees.remove(current)
    return True


def _current(folder: Path) -> Path | None:
    link = folder / DATA
    if not link.is_symlink():
        return None
    name = str(link.readlink())
    if "/" in name or not name.startswith("..") or name == "..":
        return None  # not ours: what it leads to is not to be removed
    found = folder / name
    return found if found.is_dir() and not found.is_symlink() else None


def _new_folder(folder: Path, stamp: str) -> Path:
    for number in itertools.count():
        fresh = folder / f"..{stamp}.{number}"
        if not fresh.exists():
            fresh.mkdir(mode=0o755)
            return fresh
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


def _write_file(path: Path, file: File, group: int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    path.write_bytes(file.data)
    if file.user is not None or group is not None:
        os.chown(path, -1 if file.user is None else file.user, -1 if group is None else group)
    path.chmod(mode_of(file, group))


def _swap_link(folder: Path, target: str) -> None:
    fresh = folder / f"{DATA}_tmp"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(folder / DATA)


def _link_names(folder: Path, files: Mapping[str, File]) -> None:
    wanted = {Path(path).parts[0] for path in files}
    for name in wanted:
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
    for entry in folder.iterdir():
        if not entry.name.startswith("..") and entry.name not in wanted:
            entry.unlink()
