"""The file that `steersman backup` writes: a gzipped tar of the store, the certificates and keys, and the options.

Keeps true: what is read from it is only what `backup` writes, whatever else somebody put in; a file is there whole or not at all.
"""

import dataclasses
import io
import pathlib
import re
import tarfile
import zlib
from collections.abc import Iterator

import msgspec

FORMAT = 1
_ABOUT, _STORE, _OPTIONS = "backup.json", "store.db", "options.json"
_KNOWN = re.compile(r"backup\.json|store\.db|options\.json|pki/[A-Za-z0-9][-_.A-Za-z0-9]*").fullmatch


class NoBackup(Exception):
    """The file is none, or one that this version cannot read."""


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """`at` is RFC 3339. `version` is Steersman's."""

    name: str
    at: str
    version: str
    format: int = FORMAT


def write(path: pathlib.Path, about: About, store: pathlib.Path, options: pathlib.Path, pki: pathlib.Path) -> None:
    """It holds keys and secrets: only its owner may read it."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        partial.touch(0o600)
        with tarfile.open(partial, "w:gz", compresslevel=1) as archive:
            content = msgspec.json.encode(about)
            member = tarfile.TarInfo(_ABOUT)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
            archive.add(store, _STORE, recursive=False)
            archive.add(options, _OPTIONS, recursive=False)
            for file in sorted(pki.iterdir()):
                if file.is_file() and not file.is_symlink() and _KNOWN(f"pki/{file.name}"):
                    archive.add(file, f"pki/{file.name}", recursive=False)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read(path: pathlib.Path, folder: pathlib.Path) -> About:
    """Unpack into an empty folder. Raises NoBackup, OSError."""
    found: dict[str, About] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in _expected(archive):
                content = archive.extractfile(member)
                assert content is not None, "a regular file"
                target = folder / member.name
                target.parent.mkdir(mode=0o700, exist_ok=True)
                target.touch(0o644 if member.name.endswith(".crt") else 0o600)
                with content, target.open("wb") as file:
                    while piece := content.read(1 << 20):
                        file.write(piece)
                if member.name == _ABOUT:
                    found[_ABOUT] = msgspec.json.decode(target.read_bytes(), type=About)
                    target.unlink()
    except (tarfile.TarError, EOFError, msgspec.DecodeError, OSError, zlib.error) as problem:
        raise NoBackup(f"{path} is no backup of a cluster: {problem}") from problem
    about = found.get(_ABOUT)
    if about is None or not all((folder / part).exists() for part in (_STORE, _OPTIONS, "pki")):
        raise NoBackup(f"{path} is no backup of a cluster.")
    if about.format > FORMAT:
        raise NoBackup(f"{path} was written by a newer Steersman ({about.version}).")
    return about


def about(path: pathlib.Path) -> About:
    """What it is, which stands first. Raises NoBackup, OSError."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            first = archive.next()
            content = archive.extractfile(first) if first is not None and first.name == _ABOUT else None
            if content is not None:
                with content:
                    return msgspec.json.decode(content.read(), type=About)
    except (tarfile.TarError, EOFError, msgspec.DecodeError, zlib.error) as problem:
        raise NoBackup(f"{path} is no backup of a cluster: {problem}") from problem
    raise NoBackup(f"{path} is no backup of a cluster.")


def _expected(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        if not member.isfile() or not _KNOWN(member.name):
            raise tarfile.TarError(f"it holds {member.name!r}")
        yield member
