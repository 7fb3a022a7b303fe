"""Tells which file of a folder was written or taken away, when it happens: inotify, read by the loop.

A file that is deleted and made again between two looks at its folder is the same to who looks, but not to who is told.
"""

import asyncio
import os
import struct
from collections.abc import AsyncGenerator
from pathlib import Path

from steersman.containers import syscalls

EVENT = struct.Struct("iIII")  # watch, mask, cookie, length of the name that follows
READ_BYTES = 1 << 16


async def changes(folder: Path) -> AsyncGenerator[tuple[str, bool]]:
    """(name, whether it is gone), until the folder itself goes. Raises OSError: no such folder, or too many watches."""
    descriptor = syscalls.inotify(str(folder), syscalls.IN_CLOSE_WRITE | syscalls.IN_MOVED_TO | syscalls.IN_GONE)
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            for name, gone in parse(os.read(descriptor, READ_BYTES)):
                if not name:
                    return
                yield name, gone
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def parse(data: bytes) -> list[tuple[str, bool]]:
    found, at = [], 0
    while at < len(data):
        _, mask, _, length = EVENT.unpack_from(data, at)
        at += EVENT.size
        found.append((os.fsdecode(data[at : at + length].rstrip(b"\0")), bool(mask & syscalls.IN_GONE)))
        at += length
    return found
