"""How requests reach an API server (or a kubelet): in process, or over HTTP(S) with a pool of connections.

Whatever the way, an answer is a `messages.Response`: whole, as a stream of bytes, or a raw connection after 101.
"""

import asyncio
import base64
import collections
import contextlib
import datetime
import urllib.parse
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.client import proxying
from steersman.client.access import Access
from steersman.client.http_connection import Connection, RawConnection, Stream, Unreachable
from steersman.serving.messages import Duplex, Handler, MemoryDuplex, Peer, Request, Response, Upgrade

__all__ = ["HttpTransport", "InProcessTransport", "Transport", "Unreachable", "streaming"]

# Named limits: connections at one time (watches and upgrades included), kept idle ones, and for how long. Servers close
# idle connections themselves; this is for those that do not.
CONNECTIONS_MAX = 1000
# Requests under way at one time: enough to fill the server's group commits.
REQUESTS_MAX = 32
# A handshake costs both ends ten requests' worth, and a burst is over before many of them pay. So requests make connections one at
# a time, as long as there are few, and take what comes free meanwhile; beyond those, and where a handshake takes long, who has
# waited so long makes one.
EAGER_CONNECTIONS_MAX = 8
PATIENCE_SECONDS = 0.2
IDLE_CONNECTIONS_MAX = 64
IDLE_SECONDS_MAX = 90.0
CONNECT_SECONDS = 10.0
# A TLS connection is closed once the other side has said goodbye, too; one that does not is cut.
GOODBYE_SECONDS = 1.0
NO_CONNECTION = "dial tcp"  # how the text of Unreachable begins when nothing has been sent
# client-go has no deadline of its own; the API server ends every request but watches after 60 seconds.
REQUEST_SECONDS = 65.0
# Service account tokens on disk are rotated; client-go reads them again after a minute.
TOKEN_FILE_SECONDS = 60.0

_SAFE = "/:@!$&'()*+,;=~"  # characters of a path that need no escape (RFC 3986)
_WITH_BODY = frozenset(("POST", "PUT", "PATCH"))


class Transport(Protocol):
    async def request(self, request: Request) -> Response:
        """The whole answer. Raises Unreachable."""

    async def stream(self, request: Request) -> Response:
        """An answer whose `stream` is read piece by piece; a refusal (400 and up) has its whole `body` instead."""

    async def upgrade(self, request: Request) -> tuple[Response, Duplex | None]:
        """Status and headers of 101 and the raw connection, or the whole answer and None."""

    async def close(self) -> None: ...


@contextlib.asynccontextmanager
async def streaming(transport: Transport, request: Request) -> AsyncIterator[Response]:
    """A streamed answer that is closed on the way out, so that its connection is freed."""
    response = await transport.stream(request)
    try:
        yield response
    finally:
        await _close_stream(response)


class HttpTransport:
    """An API server or a kubelet at a URL, as one identity."""

    def __init__(
        self,
        access: Access,
        *,
        clock: Clock,
        request_seconds: float = REQUEST_SECONDS,
        requests_max: int = REQUESTS_MAX,
        in_a_hurry: bool = False,
    ) -> None:
        """`in_a_hurry`: a request makes a connection at once where none is free, for it has a deadline."""
        url = urllib.parse.urlsplit(access.server)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(f"not an http or https URL: {access.server!r}")
        self._clock = clock
        self._request_seconds = request_seconds
        self._host = url.hostname
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._base_path = url.path.rstrip("/")
        self._host_header = url.netloc.rpartition("@")[2]
        self._server_name = access.server_name or url.hostname
        self._tls = access.tls_context() if url.scheme == "https" else None
        self._authorization = _Authorization(access, clock)
        self._proxy = access.proxy
        self._idle: list[tuple[float, Connection]] = []
        self._in_use: set[Connection] = set()
        self._leaving: list[Connection] = []  # closed, until the other side has answered
        self._in_a_hurry = in_a_hurry
        self.answers: collections.Counter[tuple[str, int]] = collections.Counter()  # (method, code), 0: none
        self._asking = 0  # connections that carry a request, without streams
        self._connecting_since: float | None = None  # for a request
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._slots = asyncio.Semaphore(CONNECTIONS_MAX)
        self._request_slots = asyncio.Semaphore(requests_max)

    async def request(self, request: Request) -> Response:
        data = self._bytes_of(request)
        is_head = request.method == "HEAD"
        try:
            async with self._request_slots, self._slots, self._clock.timeout(self._request_seconds):
                while True:
                    connection = self._take_kept() or await self._take_next()
                    self._asking += 1
                    try:
                        answer = await connection.exchange(data, is_head=is_head)
                        self.answers[request.method, answer.status] += 1
                        return answer
                    except Unreachable:
                        if not (connection.can_retry and request.method in ("GET", "HEAD")):
                            self.answers[request.method, 0] += 1
                            raise
                    finally:
                        self._asking -= 1
                        self._give_back(connection)
        except TimeoutError as late:
            raise Unreachable(f"no answer within {self._request_seconds:g} s") from late

    async def stream(self, request: Request) -> Response:
        response, connection = await self._open(request)
        if response.status < 400:
            response.stream = Stream(connection, self._release)
        else:
            self._release(connection)
        return response

    async def upgrade(self, request: Request) -> tuple[Response, Duplex | None]:
        response, connection = await self._open(request)
        if response.status == 101:
            return response, RawConnection(connection, self._release)
        if response.status < 400:
            response.stream = Stream(connection, self._release)
            return await _whole(response), None
        self._release(connection)
        return response, None

    async def close(self) -> None:
        """Close idle connections and cut those in use; all are gone when this returns."""
        cut = [*self._in_use]
        for connection in cut:
            connection.abort()
        for _, connection in self._idle:
            self._leave(connection)
        self._idle.clear()
        try:
            async with self._clock.timeout(GOODBYE_SECONDS):
                for connection in self._leaving:
                    await connection.gone.wait()
        except TimeoutError:
            for connection in self._leaving:
                connection.abort()
        for connection in (*cut, *self._leaving):
            await connection.gone.wait()

    def become(self, access: Access) -> None:
        """The same identity with a renewed certificate: what is under way goes on, the next request shows it."""
        self._tls = access.tls_context()
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()

    def statistics(self) -> dict[str, int]:
        return {"idle": len(self._idle), "in_use": len(self._in_use)}

    async def _open(self, request: Request) -> tuple[Response, Connection]:
        """The head of the answer (a refusal: all of it), on a connection the caller must release."""
        data = self._bytes_of(request)
        await self._slots.acquire()
        try:
            async with self._clock.timeout(self._request_seconds):
                while True:
                    connection = self._take_kept() or await self._connect()
                    try:
                        answer = await connection.open(data)
                        self.answers[request.method, answer.status] += 1
                        return answer, connection
                    except BaseException as failed:
                        self._give_back(connection)
                        if not (isinstance(failed, Unreachable) and connection.can_retry):
                            raise
        except BaseException as failed:
            self._slots.release()
            if isinstance(failed, TimeoutError):
                raise Unreachable(f"no answer within {self._request_seconds:g} s") from failed
            raise

    def _release(self, connection: Connection) -> None:
        if connection in self._in_use:
            self._give_back(connection)
            self._slots.release()

    def _take_kept(self) -> Connection | None:
        """The one used last first."""
        oldest = self._clock.monotonic() - IDLE_SECONDS_MAX
        while self._idle:
            since, connection = self._idle.pop()
            if connection.reusable and since >= oldest:
                return self._taken_again(connection)
            self._leave(connection)
        return None

    def _taken_again(self, connection: Connection) -> Connection:
        connection.is_reused = True
        self._in_use.add(connection)
        return connection

    async def _take_next(self) -> Connection:
        """One that comes free, or a new one, once it is our turn to make it."""
        began = self._clock.monotonic()
        while self._is_to_wait(began):
            if free := await self._wait_for_free():
                return free
        self._connecting_since = self._clock.monotonic()
        try:
            return await self._connect()
        finally:
            self._connecting_since = None
            if self._are_few:
                self._wake_next(None)

    @property
    def _are_few(self) -> bool:
        return self._asking < EAGER_CONNECTIONS_MAX

    def _is_to_wait(self, began: float) -> bool:
        if self._in_a_hurry:
            return False
        just_now = self._clock.monotonic() - PATIENCE_SECONDS
        is_connecting = self._connecting_since is not None and self._connecting_since > just_now
        return is_connecting or (not self._are_few and began > just_now)

    async def _wait_for_free(self) -> Connection | None:
        """None: look again."""
        waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with self._clock.timeout(PATIENCE_SECONDS):
                return await waiting
        except TimeoutError:
            return None if waiting.cancelled() else waiting.result()  # told in the same moment
        except BaseException:
            if not waiting.cancelled():
                self._pass_on(waiting.result())
            raise

    def _pass_on(self, connection: Connection | None) -> None:
        if connection is not None:
            self._give_back(connection)
        else:
            self._wake_next(None)

    def _wake_next(self, connection: Connection | None) -> bool:
        """Whether anybody was waiting for `connection`, or (None) to look again."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return True
        return False

    async def _connect(self) -> Connection:
        name = self._server_name if self._tls is not None else None
        try:
            async with self._clock.timeout(CONNECT_SECONDS):
                where: dict[str, Any] = {"host": self._host, "port": self._port}
                if self._proxy:
                    where = {"sock": await proxying.connect(self._proxy, self._host, self._port)}
                connection: Connection
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection, **where, ssl=self._tls, server_hostname=name
                )
        except TimeoutError as late:
            raise Unreachable(
                f"{NO_CONNECTION} {self._host}:{self._port}: no connection in {CONNECT_SECONDS:g} s"
            ) from late
        except OSError as failed:  # refused, no route, and every TLS error
            raise Unreachable(f"{NO_CONNECTION} {self._host}:{self._port}: {failed}") from failed
        self._in_use.add(connection)
        return connection

    def _give_back(self, connection: Connection) -> None:
        self._in_use.discard(connection)
        if connection.reusable and self._wake_next(connection):
            self._taken_again(connection)
        elif connection.reusable and len(self._idle) < IDLE_CONNECTIONS_MAX:
            self._idle.append((self._clock.monotonic(), connection))
        else:
            self._leave(connection)

    def _leave(self, connection: Connection) -> None:
        connection.close()
        self._leaving = [one for one in (*self._leaving, connection) if one.is_open]

    def _bytes_of(self, request: Request) -> bytes:
        target = self._base_path + urllib.parse.quote(request.path, safe=_SAFE)
        if request.query:
            target += f"?{request.query}"
        parts = [f"{request.method} {target} HTTP/1.1\r\nhost: {self._host_header}\r\n"]
        for name, value in request.headers.items():  # several values of one name are lines of one text
            parts.extend(f"{name}: {line}\r\n" for line in (value.split("\n") if "\n" in value else (value,)))
        if "authorization" not in request.headers:
            parts.append(self._authorization.line())
        if request.body or request.method in _WITH_BODY:
            parts.append(f"content-length: {len(request.body)}\r\n")
        parts.append("\r\n")
        return "".join(parts).encode("latin-1") + request.body


class _Authorization:
    """The header line that says who we are, beside a client certificate; a token file is read again now and then."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._clock = clock
        self._token_file = access.token_file
        self._lender = access.lender
        self._lent_until: datetime.datetime | None = None
        self._read_again_at = 0.0
        self._line = ""
        if access.token:
            self._token_file = ""
            self._line = f"authorization: Bearer {access.token}\r\n"
        elif access.username:
            pair = base64.b64encode(f"{access.username}:{access.password}".encode()).decode()
            self._line = f"authorization: Basic {pair}\r\n"

    def line(self) -> str:
        if self._lender is not None and (
            not self._line or (self._lent_until is not None and self._lent_until <= self._clock.now())
        ):
            token, self._lent_until = self._lender()
            self._line = f"authorization: Bearer {token}\r\n"
        if self._token_file and self._clock.monotonic() >= self._read_again_at:
            self._line = f"authorization: Bearer {Path(self._token_file).read_text().strip()}\r\n"
            self._read_again_at = self._clock.monotonic() + TOKEN_FILE_SECONDS
        return self._line


class InProcessTransport:
    """Calls a handler directly: no sockets, no TLS. The user is named as a client certificate would name it."""

    def __init__(self, handler: Handler, user: str = "", groups: tuple[str, ...] = ()) -> None:
        self._handler = handler
        self._peer = Peer("in-process", user, groups)
        self._upgraded = tasks.Tasks("in-process upgrades")

    async def request(self, request: Request) -> Response:
        return await _whole(await self._handle(request))

    async def stream(self, request: Request) -> Response:
        response = await self._handle(request)
        if response.status >= 400:
            return await _whole(response)
        if response.stream is None:
            response.stream = _once(response.body)
        return response

    async def upgrade(self, request: Request) -> tuple[Response, Duplex | None]:
        response = await self._handle(request)
        if response.upgrade is None:
            return await _whole(response), None
        ours, theirs = MemoryDuplex.pair()
        self._upgraded.start("upgraded connection", _serve(response.upgrade, theirs))
        return response, ours

    async def close(self) -> None:
        await self._upgraded.close()

    async def _handle(self, request: Request) -> Response:
        request.peer = self._peer
        return await self._handler(request)


async def _serve(upgrade: Upgrade, duplex: MemoryDuplex) -> None:
    try:
        await upgrade(duplex)
    finally:
        await duplex.close()


async def _whole(response: Response) -> Response:
    """The answer with its stream read to the end."""
    if response.stream is not None:
        try:
            response.body = b"".join([piece async for piece in response.stream])
        finally:
            await _close_stream(response)
            response.stream = None
    return response


async def _close_stream(response: Response) -> None:
    close = getattr(response.stream, "aclose", None)
    if close is not None:
        await close()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
