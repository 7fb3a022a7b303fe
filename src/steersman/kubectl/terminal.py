"""The keyboard's side of a session: input as it comes, a terminal made raw and given back, its size as it changes.

Keeps true: a terminal is as it was before, however the session ends; nobody waits for input that never comes.
"""

import asyncio
import contextlib
import os
import signal
import termios
import threading
import tty
from collections.abc import AsyncGenerator, Iterator
from typing import BinaryIO

PIECE_BYTES = 32 * 1024
PIECES_WAITING_MAX = 16


def size(stream: BinaryIO) -> tuple[int, int] | None:
    """(width, height) of the terminal behind a stream; None where there is none."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return found.columns, found.lines


@contextlib.contextmanager
def raw(stream: BinaryIO) -> Iterator[None]:
    """Every key goes through as it is, Ctrl-C too."""
    handle = stream.fileno()
    before = termios.tcgetattr(handle)
    tty.setraw(handle)
    try:
        yield
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


async def sizes(stream: BinaryIO) -> AsyncGenerator[tuple[int, int], None]:
    """The size now, and again whenever the window changes."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    changed.set()
    loop.add_signal_handler(signal.SIGWINCH, changed.set)
    try:
        last = None
        while True:
            await changed.wait()
            changed.clear()
            found = size(stream)
            if found is not None and found != last:
                last = found
                yield found
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)


class Input:
    """A stream's bytes as they come, read by a thread of its own: files, pipes and terminals alike, and none of them holds
    up the end of the process."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(PIECES_WAITING_MAX)
        self._thread = threading.Thread(target=self._read, name="input", daemon=True)
        self._thread.start()

    async def receive(self) -> bytes:
        """b"" at the end."""
        data = await self._pieces.get()
        self._room.release()
        if not data:
            self._pieces.put_nowait(b"")  # whoever asks again
        return data

    def _read(self) -> None:
        while True:
            try:
                data = self._read_some()
            except (OSError, ValueError):
                data = b""
            self._room.acquire()
            with contextlib.suppress(RuntimeError):  # the session is over, and the loop with it
                self._loop.call_soon_threadsafe(self._pieces.put_nowait, data)
            if not data or self._loop.is_closed():
                return

    def _read_some(self) -> bytes:
        try:
            handle = self._stream.fileno()
        except (OSError, ValueError, AttributeError):  # in memory
            return self._stream.read(PIECE_BYTES)
        return os.read(handle, PIECE_BYTES)
