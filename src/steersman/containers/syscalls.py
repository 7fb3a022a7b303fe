"""The system calls that Python's `os` lacks, with errors as OSError.

Small imports only: the shim, which must stay small, uses it too.
"""

import ctypes
import errno
import fcntl
import functools
import os
import signal
import struct
from collections.abc import Callable
from typing import Any

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_STRICTATIME = 1 << 14, 1 << 18, 1 << 19, 1 << 20, 1 << 24
MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8

CLONE_FS, CLONE_FILES = 0x00000200, 0x00000400
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = (
    0x01,
    0x02,
    0x04,
    0x08,
    0x10,
)

IN_CLOSE_WRITE, IN_MOVED_TO, IN_GONE = 0x08, 0x80, 0x40 | 0x200  # (moved away or deleted)

_PR_SET_KEEPCAPS, _PR_SET_NAME, _PR_CAPBSET_DROP = 8, 15, 24
_CAPABILITIES_MAX = 64
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 36, 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_SPLICE_F_NONBLOCK = 2
_SYS_OPENAT2, _SYS_PIDFD_GETFD = 437, 438  # the same number on every architecture
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH, _OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = -100, 0x1000, 1, os.O_CLOEXEC
_MOUNT_ATTR_IDMAP, _MOVE_MOUNT_F_EMPTY_PATH = 0x00100000, 0x00000004
# struct pidfd_info has grown; 64 bytes is its first published size, which every kernel with the ioctl takes.
_PIDFD_INFO_SIZE = 64
_PIDFD_GET_INFO = (3 << 30) | (_PIDFD_INFO_SIZE << 16) | (0xFF << 8) | 11
_PIDFD_INFO_EXIT = 1 << 3

_libc = ctypes.CDLL(None, use_errno=True)
_libc.tee.restype = ctypes.c_ssize_t
_libc.tee.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint)
_libc.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_libc.syscall.restype = ctypes.c_long


def _call(function: Any, *arguments: Any, about: str = "") -> int:
    """Call, again where a signal came between; errors become OSError."""
    while True:
        result = int(function(*arguments))
        if result >= 0:
            return result
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code), about or None)


def inotify(path: str, mask: int) -> int:
    """A descriptor that tells what happens to the entries of a folder; reading it does not wait."""
    descriptor = _call(_libc.inotify_init1, os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _call(_libc.inotify_add_watch, descriptor, os.fsencode(path), mask, about=path)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def checked(function: Any, *arguments: Any) -> int:
    """A function of the C library; errors become OSError."""
    return _call(function, *arguments)


def call(number: int, *arguments: Any, about: str = "") -> int:
    """A system call by its number."""
    return _call(_libc.syscall, ctypes.c_long(number), *arguments, about=about)


def prepared(number: int, *kinds: Any) -> Callable[..., int]:
    """The same for one that is made often, whose arguments are of these types: in half of the time."""
    function = _libc["syscall"]  # another one each time, unlike the attribute
    function.restype = ctypes.c_long
    function.argtypes = (ctypes.c_long, *kinds)
    return functools.partial(_call, function, number)


def mount(source: str, target: str, kind: str | None, flags: int = 0, options: str = "") -> None:
    data = options.encode() if options else None
    fstype = kind.encode() if kind else None
    _call(_libc.mount, os.fsencode(source), os.fsencode(target), fstype, flags, data, about=target)


def mount_idmapped(source: str, target: str, user_namespace: str) -> None:
    """Bind `source` to `target` so that owners on disk are those inside the user namespace (a path to it). Linux 5.12."""
    at = ctypes.c_long(_AT_FDCWD)
    tree = _call(
        _libc.syscall,
        ctypes.c_long(_SYS_OPEN_TREE),
        at,
        ctypes.c_char_p(os.fsencode(source)),
        ctypes.c_ulong(_OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC),
        about=source,
    )
    try:
        with open(user_namespace) as namespace:
            attributes = struct.pack("=QQQQ", _MOUNT_ATTR_IDMAP, 0, 0, namespace.fileno())
            empty, raw = ctypes.c_char_p(b""), ctypes.c_char_p(attributes)
            size = ctypes.c_size_t(len(attributes))
            flags = ctypes.c_ulong(_AT_EMPTY_PATH)
            _call(_libc.syscall, ctypes.c_long(_SYS_MOUNT_SETATTR), tree, empty, flags, raw, size, about=source)
        _call(
            _libc.syscall,
            ctypes.c_long(_SYS_MOVE_MOUNT),
            tree,
            ctypes.c_char_p(b""),
            at,
            ctypes.c_char_p(os.fsencode(target)),
            ctypes.c_ulong(_MOVE_MOUNT_F_EMPTY_PATH),
            about=target,
        )
    finally:
        os.close(tree)


def unmount(target: str, flags: int = MNT_DETACH | UMOUNT_NOFOLLOW) -> None:
    _call(_libc.umount2, os.fsencode(target), flags, about=target)


def pivot_root() -> None:
    """The working directory becomes the root, and the old root lies on it (pivot_root(2): "pivot_root(., .)")."""
    _call(_libc.pivot_root, b".", b".")


def unshare(flags: int) -> None:
    _call(_libc.unshare, flags)


def setns(fd: int, kind: int = 0) -> None:
    _call(_libc.setns, fd, kind)


def set_hostname(name: str) -> None:
    raw = name.encode()
    _call(_libc.sethostname, raw, len(raw))


def set_process_name(name: str) -> None:
    _call(_libc.prctl, _PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)


def keep_capabilities() -> None:
    """Of root, when this thread becomes another user: what it may use it still has, but has to take again."""
    _call(_libc.prctl, _PR_SET_KEEPCAPS, 1, 0, 0, 0)


def bound_capabilities(most: int) -> None:
    """No program that is executed from here on has more than these bits, and one of root's has just these."""
    for number in range(_CAPABILITIES_MAX):
        if not most >> number & 1 and _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
            code = ctypes.get_errno()
            if code == errno.EINVAL:  # the kernel knows no more
                break
            raise OSError(code, os.strerror(code))
    _call(_libc.prctl, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)


def take_capabilities() -> None:
    """All that this thread may use it uses, and hands none on."""
    header = ctypes.c_char_p(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    found = ctypes.create_string_buffer(24)  # twice: effective, permitted, inheritable
    _call(_libc.capget, header, found)
    _, low, _, _, high, _ = struct.unpack("=6I", found.raw)
    _call(_libc.capset, header, ctypes.c_char_p(struct.pack("=6I", low, low, 0, high, high, 0)))


def give_up_new_privileges() -> None:
    """Set-user-ID programs and file capabilities give none."""
    _call(_libc.prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def become_subreaper() -> None:
    """From now on orphaned descendants become this process's children."""
    _call(_libc.prctl, _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def tee(source: int, target: int, size: int) -> int:
    """Copy what waits in one pipe to another without taking it; BlockingIOError when nothing waits."""
    return _call(_libc.tee, source, target, size, _SPLICE_F_NONBLOCK)


def open_in_root(root: int, path: str, flags: int) -> int:
    """Open `path` as if the folder `root` were `/`: neither `..` nor links lead out of it (openat2)."""
    return _open_at(root, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def open_inside(root: int, path: str, flags: int) -> int:
    """Open `path` below the folder `root`; OSError (EXDEV) where `..` or a link leads out of it (openat2)."""
    return _open_at(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)


def open_beneath(root: int, path: str, flags: int, *, other_mounts: bool = False) -> int:
    """Open `path` below the folder `root`, over no link at all, and on the same mount unless others may be entered (openat2)."""
    same = 0 if other_mounts else RESOLVE_NO_XDEV
    return _open_at(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | same)


def _open_at(root: int, path: str, flags: int, resolve: int) -> int:
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, resolve)
    return _openat2(root, os.fsencode(path) or b".", how, len(how), about=path)


_openat2 = prepared(_SYS_OPENAT2, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)


def take_descriptor(pidfd: int, descriptor: int) -> int:
    """A copy of another process's file descriptor (pidfd_getfd)."""
    return _call(_libc.syscall, ctypes.c_long(_SYS_PIDFD_GETFD), pidfd, descriptor, 0)


def exit_status_of(pidfd: int, pid: int) -> int | None:
    """The wait status, as `os.waitpid` gives it, of a process that has ended and is not our child.

    As long as its parent has not reaped it, /proc tells; afterwards the kernel (6.15 and newer) tells holders of a pidfd.
    None: too late, or it has not ended.
    """
    waiting = _status_of_zombie(pid) if _is_unreaped(pidfd) else None
    # Asked again: only if it is still there was it the same process that /proc told about.
    if waiting is not None and _is_unreaped(pidfd):
        return waiting
    return _status_kept(pidfd)


def _is_unreaped(pidfd: int) -> bool:
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except ProcessLookupError:
        return False
    return True


def _status_of_zombie(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[49]) if fields[0] == b"Z" else None


def _status_kept(pidfd: int) -> int | None:
    request = bytearray(struct.pack("=Q", _PIDFD_INFO_EXIT).ljust(_PIDFD_INFO_SIZE, b"\0"))
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, request)
    except OSError:
        return None
    (mask,) = struct.unpack_from("=Q", request)
    # mask u64, cgroupid u64, pid tgid ppid ruid rgid euid egid suid sgid fsuid fsgid (11 × u32), exit_code i32
    (status,) = struct.unpack_from("=i", request, 16 + 11 * 4)
    return status if mask & _PIDFD_INFO_EXIT else None
