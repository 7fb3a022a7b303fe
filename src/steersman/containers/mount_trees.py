"""Mounts held by descriptors, before they have a place: taken from somewhere, given attributes, put somewhere else (Linux 5.12).

Small imports only: the shim uses this.
"""

import ctypes
import os
import struct

from steersman.containers import syscalls

RDONLY, NOSUID, NODEV, NOEXEC, RELATIME = 0x01, 0x02, 0x04, 0x08, 0x00
ACCESS = RDONLY | NOSUID | NODEV | NOEXEC

_OPEN_TREE, _MOVE_MOUNT, _FSCONFIG, _FSMOUNT, _MOUNT_SETATTR = (
    428,
    429,
    431,
    432,
    442,
)  # the same numbers on every architecture
_FROM_ITSELF, _TO_ITSELF = 0x04, 0x40  # MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH
_EMPTY_PATH, _RECURSIVE, _CLONE = 0x1000, 0x8000, 1
_CREATE = 6  # FSCONFIG_CMD_CREATE
_HERE = -100  # AT_FDCWD


def clone(source: str, *, at: int = _HERE, recursive: bool = False) -> int:
    """A copy of what is mounted at `source` (empty: at the descriptor `at`), seen nowhere yet."""
    flags = _CLONE | os.O_CLOEXEC | (_RECURSIVE if recursive else 0) | (0 if source else _EMPTY_PATH)
    path = ctypes.c_char_p(os.fsencode(source))
    return syscalls.call(_OPEN_TREE, at, path, ctypes.c_ulong(flags), about=source)


def create(context: int, attributes: int) -> int:
    """A new file system as its context (fsopen) says."""
    none = ctypes.c_char_p(None)
    syscalls.call(_FSCONFIG, context, _CREATE, none, none, 0)
    return syscalls.call(_FSMOUNT, context, 1, ctypes.c_ulong(attributes))


def make_private(tree: int) -> None:
    """With all below it: nothing is mounted into it or out of it any more."""
    _set(tree, _RECURSIVE, 0, 0, syscalls.MS_PRIVATE)


def set_attributes(tree: int, wanted: int, unwanted: int = 0) -> None:
    """Of the mount itself, not of those below it."""
    _set(tree, 0, wanted, unwanted & ~wanted, 0)


def move(tree: int, target: int) -> None:
    """Put it onto the folder or file that the descriptor `target` is."""
    empty = ctypes.c_char_p(b"")
    syscalls.call(_MOVE_MOUNT, tree, empty, target, empty, ctypes.c_ulong(_FROM_ITSELF | _TO_ITSELF))


def _set(tree: int, flags: int, wanted: int, unwanted: int, propagation: int) -> None:
    attributes = struct.pack("=QQQQ", wanted, unwanted, propagation, 0)
    raw, size = ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes))
    syscalls.call(_MOUNT_SETATTR, tree, ctypes.c_char_p(b""), ctypes.c_ulong(flags | _EMPTY_PATH), raw, size)
