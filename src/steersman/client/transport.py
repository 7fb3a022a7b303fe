"""How requests reach an API server (or a kubelet): in process here, over HTTPS in `http_transport`.

Whatever the way, an answer is a `messages.Response`: whole, as a stream of bytes, or a raw connection after 101.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from steersman.aio import tasks
from steersman.serving.messages import Duplex, Handler, MemoryDuplex, Peer, Request, Response, Upgrade


class Unreachable(Exception):
    """There was no answer: it is unknown whether the request was carried out. Temporary: try again later."""


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
