"""HTTP/1.1 over TCP, TLS or Unix sockets: bytes in, `messages.Request` to a handler, `messages.Response` out.

Keeps true: one request of a connection at a time, in order; a request is cancelled as soon as its client is gone; a slow
reader slows its own stream and nothing else; every buffer, header and body has a limit.
Leaves to others: what the requests mean.

It sits on httptools alone (docs/design/apiserver.md says why not on uvicorn). The event loop is the process's own choice.
"""

import asyncio
import email.utils
import socket
import ssl
import types

from steersman.aio import clock as clocks
from steersman.serving import messages
from steersman.serving.http_connection import Connection, Limits


async def serve(
    handler: messages.Handler,
    *,
    sockets: list[socket.socket],
    ssl_context: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    clock: clocks.Clock | None = None,
) -> "Server":
    """Start to answer on all `sockets` (listening; TCP, Unix or inherited) and return; `Server.close` ends it.

    With `ssl_context`, TCP sockets speak TLS; Unix sockets are plain, their file mode guards them.
    """
    server = Server(handler, limits or Limits(), clock or clocks.SystemClock())
    await server.start(sockets, ssl_context)
    return server


class Server:
    """The listening side; owns its connections and their running requests."""

    def __init__(self, handler: messages.Handler, limits: Limits, clock: clocks.Clock) -> None:
        self.handler = handler
        self.limits = limits
        self.connections: set[Connection] = set()
        self.closing = False
        self._clock = clock
        self.loop = asyncio.get_running_loop()
        self._listeners: list[asyncio.Server] = []
        self._date = b""
        self._date_until = -1.0
        self._sweep_seconds = min(limits.idle_seconds, limits.head_seconds, limits.request_seconds) / 4
        self._sweep = self.loop.call_later(self._sweep_seconds, self._drop_slow)

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        await self.close()

    async def start(self, sockets: list[socket.socket], ssl_context: ssl.SSLContext | None) -> None:
        for listener in sockets:
            secure = None if listener.family == socket.AF_UNIX else ssl_context
            self._listeners.append(await self.loop.create_server(lambda: Connection(self), sock=listener, ssl=secure))

    async def close(self, grace_seconds: float = 2.0) -> None:
        """Stop accepting, end streams, let running requests finish for `grace_seconds`, then cancel them."""
        self.closing = True
        self._sweep.cancel()
        for listener in self._listeners:
            listener.close()
        for connection in list(self.connections):
            connection.finish()
        running = [connection.task for connection in self.connections if connection.task]
        if running:
            await asyncio.wait(running, timeout=grace_seconds)
        for connection in list(self.connections):
            connection.abort()
        running = [task for task in running if not task.done()]
        if running:
            await asyncio.wait(running)

    def date(self) -> bytes:
        """The Date header line, made once a second."""
        now = self.loop.time()
        if now >= self._date_until:
            text = email.utils.format_datetime(self._clock.now(), usegmt=True)
            self._date = f"Date: {text}\r\n".encode()
            self._date_until = now + 1.0
        return self._date

    def _drop_slow(self) -> None:
        now = self.loop.time()
        for connection in list(self.connections):
            if connection.is_slow(now):
                connection.abort()
        self._sweep = self.loop.call_later(self._sweep_seconds, self._drop_slow)
