"""Mounts held by descriptors, before they have a place: made or taken, given attributes, put somewhere (Linux 5.12).

Small imports only: the shim uses this.
"""

import ctypes
import os
import struct

from steersman.containers import syscalls

RDONLY, NOSUID, NODEV, NOEXEC, RELATIME = 0x01, 0x02, 0x04, 0x08, 0x00
ACCESS = RDONLY | NOSUID | NODEV | NOEXEC

# The same numbers on every architecture.
_OPEN_TREE, _MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = 428, 429, 430, 431, 432, 442
_FROM_ITSELF, _TO_ITSELF = 0x04, 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
_EMPTY_PATH, _RECURSIVE, _CLONE = 0x1000, 0x8000, 1
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6  # FSCONFIG_…
STRING_BYTES_MAX = 255  # of a value that a file system is told
_HERE = -100  # AT_FDCWD


def clone(source: str, *, at: int = _HERE, recursive: bool = False) -> int:
    """A copy of what is mounted at `source` (empty: at the descriptor `at`), seen nowhere yet."""
    flags = _CLONE | os.O_CLOEXEC | (_RECURSIVE if recursive else 0) | (0 if source else _EMPTY_PATH)
    path = ctypes.c_char_p(os.fsencode(source))
    return syscalls.call(_OPEN_TREE, at, path, ctypes.c_ulong(flags), about=source)


def open_context(kind: str) -> int:
    """Of a file system that is to be; to be closed by the caller."""
    return syscalls.call(_FSOPEN, ctypes.c_char_p(kind.encode()), 1)


def tell(context: int, key: str, value: str | None = None) -> None:
    """An option of `create`'s; None: one without a value. Raises OSError for what the kernel does not know."""
    text = None if value is None else os.fsencode(value)
    command = _SET_FLAG if value is None else _SET_STRING
    syscalls.call(_FSCONFIG, context, command, ctypes.c_char_p(key.encode()), ctypes.c_char_p(text), 0)


def create(context: int, attributes: int) -> int:
    """A new file system as its context says; it belongs to nobody's group of mounts."""
    none = ctypes.c_char_p(None)
    syscalls.call(_FSCONFIG, context, _CREATE, none, none, 0)
    return syscalls.call(_FSMOUNT, context, 1, ctypes.c_ulong(attributes))


def make_private(tree: int) -> None:
    """With all below it: nothing is mounted into it or out of it any more."""
    _set(tree, _RECURSIVE, 0, 0, syscalls.MS_PRIVATE)


def set_attributes(tree: int, wanted: int, unwanted: int = 0, *, private: bool = False) -> None:
    """Of the mount itself, not of those below it. `private`: as with `make_private`."""
    _set(tree, 0, wanted, unwanted & ~wanted, syscalls.MS_PRIVATE if private else 0)


def move(tree: int, target: int) -> None:
    """Put it onto the folder or file that the descriptor `target` is."""
    empty = ctypes.c_char_p(b"")
    syscalls.call(_MOVE_MOUNT, tree, empty, target, empty, ctypes.c_ulong(_FROM_ITSELF | _TO_ITSELF))


def _set(tree: int, flags: int, wanted: int, unwanted: int, propagation: int) -> None:
    attributes = struct.pack("=QQQQ", wanted, unwanted, propagation, 0)
    raw, size = ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes))
    syscalls.call(_MOUNT_SETATTR, tree, ctypes.c_char_p(b""), ctypes.c_ulong(flags | _EMPTY_PATH), raw, size)
