"""Files as the tar streams that `cp` sends into containers and takes out of them.

Keeps true: nothing an archive names lands outside the destination, whatever its members are called; symbolic links that come
out of a container are not made here; what goes in keeps its links, modes and times.
Reads and writes: local files. Leaves to others: the tar process in the container (`commands.cp`).
Source: kubectl's pkg/cmd/cp.
"""

import dataclasses
import io
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Iterator
from typing import IO

from steersman.kubectl.problems import CommandError

PIECE_BYTES = 64 * 1024


class FileSpecError(CommandError):
    """The text is upstream's."""


class CopyError(CommandError):
    """The archive cannot be what it should be; the text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class FileSpec:
    """`[[namespace/]pod:]path`"""

    path: str
    pod: str = ""
    namespace: str = ""


def parse_spec(text: str) -> FileSpec:
    """Raises FileSpecError."""
    pod, colon, path = text.partition(":")
    if not colon:
        return FileSpec(_without_last_slash(text))
    pieces = pod.split("/")
    if not pod or len(pieces) > 2:
        raise FileSpecError("filespec must match the canonical format: [[namespace/]pod:]file/path")
    remote = _without_last_slash(path).replace("\\", "/")
    return FileSpec(remote, pieces[-1], pieces[0] if len(pieces) == 2 else "")


# --- into a container ----------------------------------------------------------------------------------------------------


def pack(source: str, name: str) -> Iterator[bytes]:
    """A tar stream of a local file or folder, whose members begin with `name`. Raises CopyError."""
    try:
        yield from _pack(clean(source), name)
    except OSError as failed:
        raise _copy_error("open", failed) from failed
    yield tarfile.NUL * (2 * tarfile.BLOCKSIZE)


def _pack(path: str, name: str) -> Iterator[bytes]:
    if os.path.isdir(path) and not os.path.islink(path):
        members = sorted(os.listdir(path))
        for member in members:
            yield from _pack(os.path.join(path, member), posixpath.join(name, member))
        if not members:
            yield _header(path, name)
        return
    yield _header(path, name)
    if os.path.isfile(path) and not os.path.islink(path):
        yield from _content(path)


def _header(path: str, name: str) -> bytes:
    archive = tarfile.TarFile(fileobj=io.BytesIO(), mode="w", format=tarfile.PAX_FORMAT)
    member = archive.gettarinfo(path, arcname=name)
    if member is None:  # a socket
        raise OSError(f"archive/tar: sockets not supported: {path}")
    return member.tobuf(tarfile.PAX_FORMAT)


def _content(path: str) -> Iterator[bytes]:
    size = 0
    with open(path, "rb") as file:
        while data := file.read(PIECE_BYTES):
            size += len(data)
            yield data
    if rest := size % tarfile.BLOCKSIZE:
        yield tarfile.NUL * (tarfile.BLOCKSIZE - rest)


# --- out of a container --------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Unpacking:
    """`prefix` is what every member's name begins with; `how_with_links` is a command that would bring the links as well."""

    prefix: str
    destination: str
    how_with_links: str
    warn: Callable[[str], None]


def unpack(stream: IO[bytes], to: Unpacking) -> None:
    """Raises CopyError."""
    is_told = False
    try:
        with tarfile.open(fileobj=stream, mode="r|", format=tarfile.PAX_FORMAT) as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined]  # which it would keep all
                target = place(member.name, to)
                if target is None:
                    continue
                _make_folder(os.path.dirname(target) or ".")
                if member.isdir():
                    _make_folder(target)
                elif member.issym():
                    to.warn(_link_warning(target, member.linkname, "" if is_told else to.how_with_links))
                    is_told = True
                else:
                    _write(archive.extractfile(member) if member.isreg() else None, target)
    except tarfile.ReadError as broken:
        if "empty file" not in str(broken):
            raise CopyError(
                "unexpected EOF" if "unexpected end" in str(broken) else f"archive/tar: {broken}"
            ) from broken


def place(name: str, to: Unpacking) -> str | None:
    """Where a member goes; None (and a warning) for a name that leads outside. Raises CopyError."""
    if not name.startswith(to.prefix):
        raise CopyError("tar contents corrupted")
    inner = _without_last_slash(name[len(to.prefix) :]).replace("\\", "/")
    target = clean(os.path.join(to.destination, inner.lstrip("/"))) if inner else clean(to.destination)
    if not is_inside(to.destination, target):
        to.warn(f'warning: file "{target}" is outside target destination, skipping\n')
        return None
    return target


def is_inside(base: str, target: str) -> bool:
    """By name alone."""
    relative = os.path.relpath(target, base or ".")
    return relative == "." or relative == strip_shortcuts(relative)


def remote_prefix(path: str) -> str:
    """What the names of members begin with when tar is asked for `path`: without what leads upward or to the root."""
    return strip_shortcuts(posixpath.normpath(path.lstrip("/\\") or "."))


def strip_shortcuts(path: str) -> str:
    while path.startswith("../"):
        path = path[3:]
    if path in (".", ".."):
        return ""
    return path.removeprefix("/")


def clean(path: str) -> str:
    """Go's filepath.Clean."""
    found = os.path.normpath(path) if path else "."
    return found[1:] if found.startswith("//") else found


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, 0o755, exist_ok=True)
    except FileExistsError:
        raise CopyError(f"mkdir {path}: not a directory") from None
    except OSError as failed:
        raise _copy_error("mkdir", failed) from failed


def _write(content: IO[bytes] | None, target: str) -> None:
    try:
        with open(target, "wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, PIECE_BYTES)
    except OSError as failed:
        raise _copy_error("open" if failed.filename else "write", failed) from failed


def _copy_error(verb: str, failed: OSError) -> CopyError:
    """In Go's words: `open /tmp/x: permission denied`."""
    why = os.strerror(failed.errno).lower() if failed.errno else str(failed)
    return CopyError(f"{verb} {failed.filename}: {why}" if failed.filename else f"{verb}: {why}")


def _link_warning(target: str, link: str, how: str) -> str:
    text = f'warning: skipping symlink: "{target}" -> "{link}"'
    return f'{text} (consider using "{how}")\n' if how else f"{text}\n"


def _without_last_slash(path: str) -> str:
    return path[:-1] if len(path) > 1 and path.endswith("/") else path
