"""A layer's tar into a folder, as overlayfs wants it; nothing in the tar can reach outside the folder.

Every path is opened with openat2(RESOLVE_IN_ROOT), so links lead nowhere else, whatever order the entries come in. Entries with
`..` are refused. Device nodes are left out (containers get their /dev from the runtime), and so are attributes that would
speak to overlayfs. Whiteouts become overlayfs' own: a 0:0 character device for a removed name, an attribute for an opaque folder.
"""

import contextlib
import errno
import os
import shutil
import stat
import tarfile
from typing import IO, Any, BinaryIO

from steersman.containers import syscalls, trees

WHITEOUT_PREFIX, OPAQUE_NAME = ".wh.", ".wh..wh..opq"
ENTRIES_MAX = 2_000_000  # of one layer: far beyond real ones, short of filling a disk's inodes with one
DEPTH_MAX = (
    400  # folders in folders: far beyond real ones, so that whoever walks through a layer may do it by recursion
)
COPY_BYTES = 1 << 20
_XATTR_PREFIX = "SCHILY.xattr."


class HostileLayer(ValueError):
    """The tar tries something no honest one does."""


def unpack(tar: BinaryIO, folder: str, *, rootless: bool) -> int:
    """Returns the unpacked size in bytes. Raises HostileLayer, tarfile.TarError, OSError."""
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        unpacker = _Unpacker(root, rootless=rootless)
        with tarfile.open(fileobj=tar, mode="r|") as archive:
            for member in archive:
                unpacker.add(archive, member)
                archive.members.clear()  # type: ignore[attr-defined] # tarfile would remember every entry
        unpacker.finish()
        return unpacker.size
    except OverflowError as beyond:
        raise HostileLayer(f"an owner or a time that no file can have: {beyond}") from beyond
    finally:
        os.close(root)


class _Unpacker:
    def __init__(self, root: int, *, rootless: bool) -> None:
        self.size = 0
        self._root = root
        self._rootless = rootless
        self._count = 0
        self._parent: tuple[str, int] | None = None
        self._folder_times: dict[str, float] = {}

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self._count += 1
        if self._count > ENTRIES_MAX:
            raise HostileLayer(f"more than {ENTRIES_MAX} entries")
        path = _clean(member.name)
        if path and path.count("/") > DEPTH_MAX:
            raise HostileLayer(f"more than {DEPTH_MAX} folders in each other")
        if path is None:
            self._root_entry(member)
            return
        parent, _, name = path.rpartition("/")
        folder = self._open_parent(parent)
        if name == OPAQUE_NAME:
            _set_xattr(folder, "user.overlay.opaque" if self._rootless else "trusted.overlay.opaque", b"y")
        elif name.startswith(WHITEOUT_PREFIX):
            self._white_out(folder, name.removeprefix(WHITEOUT_PREFIX))
        else:
            self._add_entry(archive, member, folder, name, path)

    def finish(self) -> None:
        """Folders last: what was put into them changed their times."""
        for path, mtime in self._folder_times.items():
            with contextlib.suppress(OSError):
                fd = syscalls.open_in_root(self._root, path, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.utime(fd, (mtime, mtime))
                finally:
                    os.close(fd)
        self._forget_parent()

    def _add_entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo, folder: int, name: str, path: str) -> None:
        if member.isdir():
            self._make_folder(folder, name)
        elif member.isreg():
            self._make_file(archive, member, folder, name)
        elif member.issym():
            _replace(folder, name)
            os.symlink(member.linkname, name, dir_fd=folder)
        elif member.islnk():
            self._make_link(member, folder, name)
            return
        elif member.isfifo():
            _replace(folder, name)
            os.mkfifo(name, 0o600, dir_fd=folder)
        else:
            return  # a device node
        self._set_owner(member, folder, name)
        if member.isdir():
            self._folder_times[path] = member.mtime

    def _make_folder(self, folder: int, name: str) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=folder)
                os.mkdir(name, 0o700, dir_fd=folder)

    def _make_file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, folder: int, name: str) -> None:
        _replace(folder, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=folder)
        with os.fdopen(fd, "wb") as file:
            if member.sparse is None:
                content = archive.extractfile(member)
                assert content is not None
                shutil.copyfileobj(content, file, COPY_BYTES)
            else:
                _copy_parts(archive, member, file)
        self.size += member.size

    def _make_link(self, member: tarfile.TarInfo, folder: int, name: str) -> None:
        """A hard link to an earlier entry."""
        target = _clean(member.linkname)
        if target is None:
            raise HostileLayer(f"{member.name}: a link to {member.linkname!r}")
        parent, _, target_name = target.rpartition("/")
        source = syscalls.open_in_root(self._root, parent, os.O_PATH | os.O_DIRECTORY)
        try:
            _replace(folder, name)
            os.link(target_name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(source)

    def _white_out(self, folder: int, name: str) -> None:
        if name in ("", ".", ".."):
            raise HostileLayer(f"a whiteout of {name!r}")
        _replace(folder, name)
        os.mknod(name, stat.S_IFCHR | 0o000, os.makedev(0, 0), dir_fd=folder)

    def _root_entry(self, member: tarfile.TarInfo) -> None:
        if member.isdir():
            os.fchmod(self._root, stat.S_IMODE(member.mode))
            with _tolerated(self._rootless):
                os.fchown(self._root, member.uid, member.gid)

    def _set_owner(self, member: tarfile.TarInfo, folder: int, name: str) -> None:
        """Owner before mode: changing the owner clears set-user-id."""
        if member.uid or member.gid:
            with _tolerated(self._rootless):
                os.chown(name, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
        if not member.issym():
            os.chmod(name, stat.S_IMODE(member.mode), dir_fd=folder)
        if not member.isdir():
            os.utime(name, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)
        for key, value in member.pax_headers.items():
            if key.startswith(_XATTR_PREFIX):
                self._set_attribute(folder, name, key.removeprefix(_XATTR_PREFIX), value)

    def _set_attribute(self, folder: int, name: str, key: str, value: str) -> None:
        if ".overlay." in key or key.startswith("trusted."):
            return
        with _tolerated(True), _opened(folder, name) as fd:
            _set_xattr(fd, key, value.encode("utf-8", "surrogateescape"))

    def _open_parent(self, path: str) -> int:
        """Entries of one folder come together: keep it open."""
        if self._parent is not None and self._parent[0] == path:
            return self._parent[1]
        self._forget_parent()
        fd = self._open_folder(path)
        self._parent = (path, fd)
        return fd

    def _forget_parent(self) -> None:
        if self._parent is not None:
            os.close(self._parent[1])
            self._parent = None

    def _open_folder(self, path: str) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY
        with contextlib.suppress(FileNotFoundError):
            return syscalls.open_in_root(self._root, path, flags)
        above, _, name = path.rpartition("/")
        parent = self._open_folder(above)
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, 0o755, dir_fd=parent)
        finally:
            os.close(parent)
        return syscalls.open_in_root(self._root, path, flags)


def _copy_parts(archive: tarfile.TarFile, member: tarfile.TarInfo, file: IO[bytes]) -> None:
    """A file with holes: they cost a layer nothing and would fill the disk. Its parts stand in the tar one after the other."""
    source: Any = archive.fileobj
    parts: Any = member.sparse  # (where, how many bytes); the type stubs take it for a number
    source.seek(member.offset_data)
    for begin, size in parts:
        file.seek(begin)
        while size > 0:
            data = source.read(min(size, COPY_BYTES))
            if not data:
                raise tarfile.ReadError("unexpected end of data")
            file.write(data)
            size -= len(data)
    file.truncate(member.size)


def _clean(name: str) -> str | None:
    """`./a//b/` is `a/b`; None is the root itself. Raises HostileLayer."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise HostileLayer(f"an entry named {name!r}")
    return "/".join(parts) or None


def _replace(folder: int, name: str) -> None:
    """A later entry of the same name wins."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as refused:
        if refused.errno not in (errno.EISDIR, errno.EPERM):
            raise
        trees.remove_at(folder, name)


@contextlib.contextmanager
def _tolerated(tolerate: bool):  # type: ignore[no-untyped-def]
    """Without root other owners and some attributes cannot be given: the image then runs with what is possible."""
    try:
        yield
    except OSError as refused:
        if not tolerate or refused.errno not in (errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOVERFLOW):
            raise


@contextlib.contextmanager
def _opened(folder: int, name: str):  # type: ignore[no-untyped-def]
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def _set_xattr(fd: int, key: str, value: bytes) -> None:
    os.setxattr(fd, key, value)
