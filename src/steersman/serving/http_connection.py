"""One HTTP/1.1 connection of the server: bytes parsed into requests and answered in order."""

import asyncio
import collections
import dataclasses
import http
import logging
import urllib.parse
from typing import Any, Protocol, cast

import httptools
import orjson

from steersman.meta import errors
from steersman.serving import duplex, messages, tls

log = logging.getLogger(__name__)

# A body up to this size is joined to its head: one TLS record run, one system call. Larger ones leave in pieces of this size.
WRITE_AT_ONCE_BYTES = 65536
STREAM_BUFFER_BYTES = 262144  # a stream waits for its reader beyond this


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Beyond these a request is refused and its connection closed."""

    body_bytes: int = 3 * 1024 * 1024  # upstream's limit for API requests
    header_bytes: int = 65536  # tokens and impersonation headers fit; nothing legitimate is larger
    url_bytes: int = 65536
    pipelined: int = 16  # requests sent ahead on one connection before it is no longer read
    connections: int = 20000
    idle_seconds: float = 180.0  # longer than the 90 s after which Go clients drop an idle connection themselves
    head_seconds: float = (
        32.0  # upstream's ReadHeaderTimeout: from the first byte of a request to the end of its headers
    )
    request_seconds: float = (
        60.0  # upstream's: to the end of its body, and as long a stop of who reads an answer that has an end
    )


class Owner(Protocol):
    """What a connection asks of the server that it belongs to."""

    handler: messages.Handler
    limits: Limits
    connections: "set[Connection]"
    closing: bool
    loop: asyncio.AbstractEventLoop

    def date(self) -> bytes: ...


@dataclasses.dataclass(slots=True)
class _Pending:
    """A request that is complete, or refused with `refusal` before it reached the handler."""

    request: messages.Request
    keep_alive: bool
    upgrade: bool = False
    chunked: bool = True
    refusal: messages.Response | None = None


class Connection(asyncio.Protocol):
    """One client. The `on_…` methods are httptools' callbacks while bytes are parsed."""

    __slots__ = (
        "_began_at",
        "_blocked_at",
        "_body",
        "_body_size",
        "_buffer_full",
        "_duplex",
        "_early",
        "_expects_continue",
        "_has_head",
        "_header_size",
        "_headers",
        "_loop",
        "_parser",
        "_peer",
        "_queue",
        "_refused",
        "_server",
        "_streaming",
        "_transport",
        "_upgrading",
        "_url",
        "_writable",
        "active_at",
        "task",
    )

    def __init__(self, server: Owner) -> None:
        self._server = server
        self._loop = server.loop
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._peer = messages.Peer()
        self._queue: collections.deque[_Pending] = collections.deque()
        self._writable: asyncio.Future[None] | None = None
        self._buffer_full = False
        self._duplex: duplex.TransportDuplex | None = None
        self._early = b""
        self._upgrading = False
        self._streaming = False
        self._refused = False
        self._blocked_at = 0.0
        self.task: asyncio.Task[None] | None = None
        self.active_at = self._loop.time()
        self.on_message_begin()
        self._began_at = 0.0

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)  # uvloop's transports are not subclasses of asyncio's
        self._transport = transport
        if self._server.closing or len(self._server.connections) >= self._server.limits.connections:
            transport.abort()
            return
        transport.set_write_buffer_limits(high=STREAM_BUFFER_BYTES)
        self._peer = tls.peer_of(transport.get_extra_info("peername"), transport.get_extra_info("peercert"))
        self._server.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        self._queue.clear()
        if self._duplex is not None:
            self._duplex.feed_end()
        elif self.task is not None:
            self.task.cancel()
        self.resume_writing()

    def pause_writing(self) -> None:
        self._buffer_full = True
        self._blocked_at = self._loop.time()

    def resume_writing(self) -> None:
        self._buffer_full = False
        self._blocked_at = 0.0
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was written; ConnectionError when it is gone."""
        if self._transport.is_closing():
            raise ConnectionResetError("the peer is gone")
        if self._buffer_full:
            if self._writable is None:
                self._writable = self._loop.create_future()
            await self._writable
            if self._transport.is_closing():
                raise ConnectionResetError("the peer is gone")

    def data_received(self, data: bytes) -> None:
        self.active_at = self._loop.time()
        if self._duplex is not None:
            self._duplex.feed(data)
        elif self._upgrading:
            self._early += data
            if len(self._early) > self._server.limits.body_bytes:
                self._transport.abort()
        elif not self._refused:
            self._parse(data)

    def is_slow(self, now: float) -> bool:
        """Whether it has done nothing for too long, sends too slowly, or does not take an answer that has an end.

        Who reads an endless stream may stop as long as it likes: a log that somebody looks at. What must not wait (watches) ends
        by itself."""
        limits = self._server.limits
        if self._began_at:
            limit = limits.request_seconds if self._has_head else limits.head_seconds
            return now - self._began_at > limit
        if self._blocked_at and not self._streaming and self._duplex is None:
            return now - self._blocked_at > limits.request_seconds
        return self.task is None and now - self.active_at > limits.idle_seconds

    def finish(self) -> None:
        """No further request: close now if idle, end a stream, else after the running answer."""
        if self.task is None:
            self._transport.close()
        elif self._streaming:
            self.task.cancel()

    def abort(self) -> None:
        if self.task is not None:
            self.task.cancel()
        self._transport.abort()

    # --- parsing ---

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._early += data[stop.args[0] :]
        except httptools.HttpParserError:
            if not self._refused:
                self._refuse(errors.status(400, "BadRequest", "the request is not HTTP/1.1"))

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._header_size = 0
        self._body: bytes | list[bytes] = b""
        self._body_size = 0
        self._expects_continue = False
        self._has_head = False
        self._began_at = self._loop.time()

    def on_url(self, url: bytes) -> None:
        self._url = self._url + url if self._url else url
        if len(self._url) > self._server.limits.url_bytes:
            self._refuse(errors.status(414, "RequestURITooLong", "the request URI is too long"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_size += len(name) + len(value)
        if self._header_size > self._server.limits.header_bytes:
            self._refuse(errors.status(431, "RequestHeaderFieldsTooLarge", "the request headers are too large"))
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if key in self._headers:
            self._headers[key] += ", " + text
            return
        self._headers[key] = text
        if key == "expect" and text.lower() == "100-continue":
            self._expects_continue = True

    def on_headers_complete(self) -> None:
        self._has_head = True
        length = self._headers.get("content-length")
        if length is not None and length.isdigit() and int(length) > self._server.limits.body_bytes:
            self._refuse_body()
        elif self._expects_continue and not self._refused and self.task is None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body_size += len(body)
        if self._body_size > self._server.limits.body_bytes:
            self._refuse_body()
        elif not self._body:
            self._body = body
        elif isinstance(self._body, list):
            self._body.append(body)
        else:
            self._body = [self._body, body]

    def on_message_complete(self) -> None:
        self._began_at = 0.0
        if self._refused:
            return
        self._upgrading = self._parser.should_upgrade()
        keep_alive = self._parser.should_keep_alive() and not self._server.closing
        chunked = self._parser.get_http_version() != "1.0"
        self._enqueue(_Pending(self._request(), keep_alive, self._upgrading, chunked))

    def _request(self) -> messages.Request:
        url = self._url
        if not url.startswith(b"/") and b"://" in url:
            _, _, rest = url.partition(b"://")
            _, slash, tail = rest.partition(b"/")
            url = slash + tail or b"/"
        path, _, query = url.partition(b"?")
        text = path.decode("utf-8", "replace")
        if "%" in text:
            text = urllib.parse.unquote(text)
        body = b"".join(self._body) if isinstance(self._body, list) else self._body
        method = self._parser.get_method().decode("latin-1")
        return messages.Request(method, text, query.decode("utf-8", "replace"), self._headers, body, self._peer)

    def _refuse_body(self) -> None:
        limit = self._server.limits.body_bytes
        text = f"Request entity too large: limit is {limit}"
        self._refuse(errors.status(413, "RequestEntityTooLarge", text))

    def _refuse(self, status: dict[str, Any]) -> None:
        """Answer in turn, then close: what follows on this connection cannot be told apart any more."""
        if self._refused:
            return
        self._refused = True
        self._began_at = 0.0
        refusal = _status_response(status)
        self._enqueue(_Pending(messages.Request("", ""), keep_alive=False, refusal=refusal))

    # --- answering ---

    def _enqueue(self, pending: _Pending) -> None:
        if self.task is None:
            self.task = self._loop.create_task(self._answer(pending))
            return
        self._queue.append(pending)
        if len(self._queue) >= self._server.limits.pipelined:
            self._transport.pause_reading()

    async def _answer(self, pending: _Pending) -> None:
        try:
            response = pending.refusal or await self._server.handler(pending.request)
        except errors.StatusError as refusal:
            response = _status_response(refusal.status)
        except messages.NoAnswer:
            self._transport.abort()
            return
        except Exception:
            log.exception("the handler failed on %s %s", pending.request.method, pending.request.path)
            response = _status_response(errors.internal("the server was unable to complete your request").status)
        try:
            await self._respond(pending, response)
        except (ConnectionError, messages.NoAnswer):
            self._transport.abort()
        except Exception:
            # A stream failed half-way: the missing last chunk tells the client so.
            log.exception("a stream failed on %s %s", pending.request.method, pending.request.path)
            self._transport.abort()

    async def _respond(self, pending: _Pending, response: messages.Response) -> None:
        keep_alive = pending.keep_alive and not self._server.closing
        if response.upgrade is not None:
            await self._switch(pending, response)
            return
        if pending.upgrade:
            keep_alive = False
        if response.stream is None:
            await self._send_whole(pending.request.method, response, keep_alive)
        else:
            keep_alive = keep_alive and (pending.chunked or "content-length" in response.headers)
            await self._send_stream(pending, response, keep_alive)
        self._next(keep_alive)

    def _next(self, keep_alive: bool) -> None:
        if not keep_alive:
            self.task = None
            self._transport.close()
        elif self._queue:
            self.task = self._loop.create_task(self._answer(self._queue.popleft()))
            if not self._transport.is_reading() and len(self._queue) < self._server.limits.pipelined:
                self._transport.resume_reading()
        else:
            self.task = None

    async def _send_whole(self, method: str, response: messages.Response, keep_alive: bool) -> None:
        body = response.body
        length = b"" if response.status in (204, 304) else b"Content-Length: %d\r\n" % len(body)
        head = self._head(response, length, keep_alive)
        if method == "HEAD":
            self._transport.write(head)
        elif len(body) <= WRITE_AT_ONCE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            view = memoryview(body)
            for start in range(0, len(body), WRITE_AT_ONCE_BYTES):
                self._transport.write(view[start : start + WRITE_AT_ONCE_BYTES])
                await self.drain()

    async def _send_stream(self, pending: _Pending, response: messages.Response, keep_alive: bool) -> None:
        stream, endless = response.stream, "content-length" not in response.headers
        assert stream is not None
        chunked = endless and pending.chunked
        framing = b"Transfer-Encoding: chunked\r\n" if chunked else b""
        self._transport.write(self._head(response, framing, keep_alive))
        self._streaming = endless
        try:
            if pending.request.method != "HEAD":
                await self._pump(stream, chunked)
        except asyncio.CancelledError:
            # The server closes: end the stream as a complete answer, so that clients reconnect without an error.
            if chunked and self._server.closing:
                self._transport.write(b"0\r\n\r\n")
                self._transport.close()
            raise
        finally:
            self._streaming = False
            close = getattr(stream, "aclose", None)
            if close is not None:
                await close()
        if chunked and pending.request.method != "HEAD":
            self._transport.write(b"0\r\n\r\n")

    async def _pump(self, stream: Any, chunked: bool) -> None:
        write = self._transport.write
        async for piece in stream:
            if not piece:
                continue
            write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await self.drain()

    async def _switch(self, pending: _Pending, response: messages.Response) -> None:
        """101: hand the raw connection over, and close it when the new protocol is done with it."""
        assert response.upgrade is not None
        self._transport.write(self._head(response, b"", keep_alive=None))
        self._duplex = duplex.TransportDuplex(self._transport, self.drain)
        if self._early:
            self._duplex.feed(self._early)
            self._early = b""
        try:
            await response.upgrade(self._duplex)
        finally:
            self._transport.close()

    def _head(self, response: messages.Response, framing: bytes, keep_alive: bool | None) -> bytes:
        lines = [f"{_STATUS_LINES.get(response.status) or _status_line(response.status)}"]
        for name, value in response.headers.items():
            if "\n" in value or "\r" in value:
                value = value.replace("\r", " ").replace("\n", " ")
            lines.append(f"{name}: {value}\r\n")
        ending = b"Connection: close\r\n\r\n" if keep_alive is False else b"\r\n"
        return "".join(lines).encode("latin-1", "replace") + self._server.date() + framing + ending


def _status_response(status: dict[str, Any]) -> messages.Response:
    return messages.Response(status["code"], {"content-type": "application/json"}, orjson.dumps(status))


def _status_line(code: int) -> str:
    try:
        phrase = http.HTTPStatus(code).phrase
    except ValueError:
        phrase = "Unknown"
    return f"HTTP/1.1 {code} {phrase}\r\n"


_STATUS_LINES = {int(code): _status_line(int(code)) for code in http.HTTPStatus}
