"""The raw connection after 101: an asyncio transport seen as `messages.Duplex`.

Keeps true: at most about `RECEIVE_BUFFER_BYTES` wait unread; beyond that the transport is not read.
"""

import asyncio
import collections
from collections.abc import Awaitable, Callable

RECEIVE_BUFFER_BYTES = 262144  # enough for a full TCP window on loopback; more only hides a slow reader


class TransportDuplex:
    """`feed`/`feed_end` are called by the protocol as bytes arrive."""

    def __init__(self, transport: asyncio.Transport, drain: Callable[[], Awaitable[None]]) -> None:
        self._transport = transport
        self._drain = drain
        self._pieces: collections.deque[bytes] = collections.deque()
        self._waiting_bytes = 0
        self._ended = False
        self._reader: asyncio.Future[None] | None = None

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > RECEIVE_BUFFER_BYTES and self._transport.is_reading():
            self._transport.pause_reading()
        self._wake()

    def feed_end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def receive(self) -> bytes:
        while not self._pieces:
            if self._ended:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._waiting_bytes = 0
        if not self._ended and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        """Raises ConnectionError when the peer is gone."""
        if data:
            self._transport.write(data)
        await self._drain()

    async def close(self) -> None:
        self._transport.close()
