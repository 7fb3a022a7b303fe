"""Mounts held by descriptors, before they have a place: made or taken, given attributes, put somewhere (Linux 5.12).

Small imports only: the shim uses this.
"""

import ctypes
import os
import struct

from steersman.containers import syscalls

RDONLY, NOSUID, NODEV, NOEXEC, RELATIME = 0x01, 0x02, 0x04, 0x08, 0x00
ACCESS = RDONLY | NOSUID | NODEV | NOEXEC

_INT, _LONG, _SIZE, _TEXT = ctypes.c_int, ctypes.c_ulong, ctypes.c_size_t, ctypes.c_char_p
# The same numbers on every architecture.
_open_tree = syscalls.prepared(428, _INT, _TEXT, _LONG)
_move_mount = syscalls.prepared(429, _INT, _TEXT, _INT, _TEXT, _LONG)
_fsopen = syscalls.prepared(430, _TEXT, _INT)
_fsconfig = syscalls.prepared(431, _INT, _INT, _TEXT, _TEXT, _INT)
_fsmount = syscalls.prepared(432, _INT, _INT, _LONG)
_mount_setattr = syscalls.prepared(442, _INT, _TEXT, _LONG, _TEXT, _SIZE)
_FROM_ITSELF, _TO_ITSELF = 0x04, 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
_EMPTY_PATH, _RECURSIVE, _CLONE = 0x1000, 0x8000, 1
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6  # FSCONFIG_…
STRING_BYTES_MAX = 255  # of a value that a file system is told
_HERE = -100  # AT_FDCWD


def clone(source: str, *, at: int = _HERE, recursive: bool = False) -> int:
    """A copy of what is mounted at `source` (empty: at the descriptor `at`), seen nowhere yet."""
    flags = _CLONE | os.O_CLOEXEC | (_RECURSIVE if recursive else 0) | (0 if source else _EMPTY_PATH)
    return _open_tree(at, os.fsencode(source), flags, about=source)


def open_context(kind: str) -> int:
    """Of a file system that is to be; to be closed by the caller."""
    return _fsopen(kind.encode(), 1)


def tell(context: int, key: str, value: str | None = None) -> None:
    """An option of `create`'s; None: one without a value. Raises OSError for what the kernel does not know."""
    text = None if value is None else os.fsencode(value)
    command = _SET_FLAG if value is None else _SET_STRING
    _fsconfig(context, command, key.encode(), text, 0)


def create(context: int, attributes: int) -> int:
    """A new file system as its context says; it belongs to nobody's group of mounts."""
    _fsconfig(context, _CREATE, None, None, 0)
    return _fsmount(context, 1, attributes)


def make_private(tree: int) -> None:
    """With all below it: nothing is mounted into it or out of it any more."""
    _set(tree, _RECURSIVE, 0, 0, syscalls.MS_PRIVATE)


def set_attributes(tree: int, wanted: int, unwanted: int = 0, *, private: bool = False) -> None:
    """Of the mount itself, not of those below it. `private`: as with `make_private`."""
    _set(tree, 0, wanted, unwanted & ~wanted, syscalls.MS_PRIVATE if private else 0)


def move(tree: int, target: int) -> None:
    """Put it onto the folder or file that the descriptor `target` is."""
    _move_mount(tree, b"", target, b"", _FROM_ITSELF | _TO_ITSELF)


def _set(tree: int, flags: int, wanted: int, unwanted: int, propagation: int) -> None:
    attributes = struct.pack("=QQQQ", wanted, unwanted, propagation, 0)
    _mount_setattr(tree, b"", flags | _EMPTY_PATH, attributes, len(attributes))
