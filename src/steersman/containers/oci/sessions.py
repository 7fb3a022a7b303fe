"""Exec and attach: pipes or a terminal between the caller and a process in a container."""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Awaitable, Callable

from steersman.containers.oci import protocol, readiness

CHUNK_BYTES = 65536
OUTPUT_WAITING_MAX = 16  # chunks read ahead of a slow reader
END, STDOUT, STDERR = 0, 1, 2


class Session:
    """Streams by descriptors. `wait_exit` answers the exit code; `release` is called once when the session is closed."""

    def __init__(
        self,
        outputs: dict[int, int],
        stdin: int,
        *,
        terminal: int = -1,
        wait_exit: Callable[[], Awaitable[int]],
        release: Callable[[], Awaitable[None]],
        end_stdin: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`outputs`: stream number → descriptor to read."""
        self._stdin = stdin
        self._terminal = terminal
        self._wait_exit = wait_exit
        self._release = release
        self._end_stdin = end_stdin
        self._open = dict(outputs)
        self._queue: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(OUTPUT_WAITING_MAX)
        self._paused: set[int] = set()
        self._closed = False
        for number, fd in outputs.items():
            os.set_blocking(fd, False)
            self._resume(number)
        if stdin >= 0:
            os.set_blocking(stdin, False)
        if not self._open:
            self._queue.put_nowait((END, b""))

    @property
    def tty(self) -> bool:
        return self._terminal >= 0

    async def read(self) -> tuple[int, bytes]:
        stream, data = await self._queue.get()
        if stream == END:
            self._queue.put_nowait((END, b""))
        for number in tuple(self._paused):
            self._resume(number)
        return stream, data

    async def write_stdin(self, data: bytes) -> None:
        """Waits while the process is slow; what is written after its end is dropped."""
        while data and self._stdin >= 0:
            try:
                data = data[os.write(self._stdin, data) :]
            except BlockingIOError:
                await readiness.wait_writable(self._stdin)
            except OSError:
                await self.close_stdin()

    async def close_stdin(self) -> None:
        if self._stdin >= 0 and self._stdin != self._terminal:
            os.close(self._stdin)
            self._stdin = -1
            if self._end_stdin is not None:
                await self._end_stdin()

    async def resize(self, width: int, height: int) -> None:
        if self._terminal >= 0:
            fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def wait(self) -> int:
        return await self._wait_exit()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for number in tuple(self._open):
            self._end_output(number)
        await self.close_stdin()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = self._stdin = -1
        await self._release()

    def _resume(self, number: int) -> None:
        self._paused.discard(number)
        if number in self._open:
            asyncio.get_running_loop().add_reader(self._open[number], self._read_ready, number)

    def _read_ready(self, number: int) -> None:
        if self._queue.qsize() >= OUTPUT_WAITING_MAX - 2:  # room for the last output and the end mark
            asyncio.get_running_loop().remove_reader(self._open[number])
            self._paused.add(number)
            return
        try:
            data = os.read(self._open[number], CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:  # EIO: a terminal whose other side is closed
            data = b""
        if data:
            self._queue.put_nowait((number, data))
        else:
            self._end_output(number)

    def _end_output(self, number: int) -> None:
        fd = self._open.pop(number)
        asyncio.get_running_loop().remove_reader(fd)
        if fd != self._terminal:
            os.close(fd)
        if not self._open and not self._queue.full():
            self._queue.put_nowait((END, b""))


class ConsoleReceiver:
    """Waits for the terminal that crun hands out."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "console")
        self._sock = protocol.listen(self.path, socket.SOCK_STREAM, backlog=1)
        self._sock.setblocking(False)

    async def receive(self) -> int:
        loop = asyncio.get_running_loop()
        connection, _ = await loop.sock_accept(self._sock)
        with connection:
            while True:
                await readiness.wait_readable(connection.fileno())
                with contextlib.suppress(BlockingIOError):
                    _, received, _, _ = socket.recv_fds(connection, 4096, 1)
                    os.set_inheritable(received[0], False)
                    return received[0]

    def close(self) -> None:
        self._sock.close()
