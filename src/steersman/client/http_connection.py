"""One HTTP/1.1 connection as a client: a request at a time, its answer whole, streamed, or a raw connection after 101.

A small protocol over httptools' parser instead of an HTTP library: the same code serves requests, watches and upgrades,
is quicker per request, and saves every process an import of 14 MB and 170 ms (docs/design/client.md).
Reads and writes: the socket. Leaves to others: pooling, deadlines, credentials (`transport`).
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Self, cast

import httptools

from steersman.serving.messages import Response

# Reading pauses while this much of a stream waits for its reader, so that a slow reader costs bounded memory.
UNREAD_BYTES_MAX = 1024 * 1024
# A peer that vanished without a word is noticed after this (TCP keep-alive), also on watches that are silent for minutes.
KEEP_ALIVE_IDLE_SECONDS, KEEP_ALIVE_PROBES = 15, 3


class Unreachable(Exception):
    """There was no answer: it is unknown whether the request was carried out. Temporary: try again later."""


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`; used by one request at a time."""

    def __init__(self) -> None:
        self.is_open = False
        self.gone = asyncio.Event()
        self.is_reused = False
        self.reusable = False
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_optional_cr_before_lf=True
        )  # servers behind the proxy; Go takes it, too
        self._response = Response()
        self._headers: dict[str, str] = {}
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._reading_paused = False
        self._streaming = False
        self._has_length = False
        self._raw = False
        self._complete = True
        self._answered = False  # a byte of the answer has come
        self._lost: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None

    # Using it

    async def exchange(self, data: bytes, *, is_head: bool = False) -> Response:
        """Send a request and read its whole answer. Raises Unreachable; the connection is then closed."""
        self._begin(streaming=is_head, data=data)
        try:
            while not self._complete and not (is_head and self._response.status):
                await self._wait()
        except BaseException:
            self.abort()
            raise
        if is_head and not self._complete:
            self.abort()
        return self._finish()

    async def open(self, data: bytes) -> Response:
        """Send a request and read the head of its answer; `receive` reads the rest. A refusal is read whole."""
        self._begin(streaming=True, data=data)
        try:
            while not self._response.status:
                await self._wait()
            if self._response.status >= 400:
                self._streaming = False
                self._resume_reading()
                while not self._complete:
                    await self._wait()
                return self._finish()
        except BaseException:
            self.abort()
            raise
        return self._response

    async def receive(self) -> bytes:
        """What came after the head since the last call; b"" at the end. Raises Unreachable when it was cut off."""
        while not self._pieces:
            if self._complete:
                return b""
            await self._wait()
        return self._take()

    async def receive_raw(self) -> bytes:
        """After 101: the next bytes, b"" at the end."""
        while not self._pieces:
            if self._lost is not None:
                return b""
            await self._wait()
        return self._take()

    async def send_raw(self, data: bytes) -> None:
        if self._lost is not None:
            raise Unreachable(str(self._lost))
        self._transport.write(data)
        if self._writable is not None:
            await asyncio.shield(self._writable)

    @property
    def can_retry(self) -> bool:
        """The server closed a kept connection before it saw, or at least answered, this request."""
        return self.is_reused and not self._answered

    def close(self) -> None:
        """Close after what has been written."""
        self.reusable = False
        if self.is_open:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self.reusable = False
        if self.is_open:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_IDLE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEP_ALIVE_IDLE_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEP_ALIVE_PROBES)

    def data_received(self, data: bytes) -> None:
        self._answered = True
        if self._raw:
            self._push(data)
            self._wake()
            return
        if self._complete:  # bytes nobody asked for
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._raw = True
            rest = data[upgrade.args[0] :]
            if rest:
                self._push(rest)
        except httptools.HttpParserError as broken:
            self._lost = broken
            self.abort()
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = self.reusable = False
        self.gone.set()
        if not self._complete and error is None and self._response.status and not self._has_length:
            self._complete = True  # the end of the connection is the end of the body
        self._lost = self._lost or error or ConnectionResetError("connection closed by the server")
        self._wake()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # httptools' callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers = self._headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._headers = {}
            return
        self._has_length = "content-length" in self._headers or "transfer-encoding" in self._headers
        self._response.status = status
        self._response.headers = self._headers

    def on_body(self, body: bytes) -> None:
        self._push(body)

    def on_message_complete(self) -> None:
        if self._response.status:
            self._complete = True
            self.reusable = self.is_open and self._response.status != 101 and self._parser.should_keep_alive()

    # Inside

    def _begin(self, *, streaming: bool, data: bytes) -> None:
        assert self._complete, "one request at a time"
        self._response = Response(status=0)
        self._headers = {}
        self._complete = self._answered = self._has_length = self.reusable = False
        self._streaming = streaming
        if self._lost is None:
            self._transport.write(data)

    def _finish(self) -> Response:
        pieces = self._pieces
        self._response.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread = 0
        return self._response

    async def _wait(self) -> None:
        """Until something came or ended that the current mode cares for. Raises Unreachable."""
        if self._lost is not None:
            raise Unreachable(str(self._lost) or type(self._lost).__name__) from self._lost
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._streaming or self._raw or self._complete or self._lost is not None:
            waiter.set_result(None)

    def _push(self, data: bytes) -> None:
        self._pieces.append(data)
        self._unread += len(data)
        if self._unread > UNREAD_BYTES_MAX and (self._streaming or self._raw) and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _take(self) -> bytes:
        """Everything that waits, in one piece."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._unread = 0
        self._resume_reading()
        return data

    def _resume_reading(self) -> None:
        if self._reading_paused:
            self._reading_paused = False
            if self.is_open:
                self._transport.resume_reading()


class Stream:
    """The body of an answer, piece by piece; `aclose` frees the connection, also when nothing was read."""

    def __init__(self, connection: Connection, release: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._release = release

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._connection.receive()
        if not piece:
            self._release(self._connection)
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._release(self._connection)


class RawConnection:
    """`messages.Duplex` over an upgraded connection."""

    def __init__(self, connection: Connection, release: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._release = release

    async def receive(self) -> bytes:
        return await self._connection.receive_raw()

    async def send(self, data: bytes) -> None:
        await self._connection.send_raw(data)

    async def close(self) -> None:
        self._connection.close()
        self._release(self._connection)
