"""Answers that come piece by piece, as the messages of a WebSocket for clients that ask for one: logs and watches.

Keeps true: a refusal stays a plain answer; the connection ends with the stream, and the stream with the connection.
Leaves to others: commands and forwarded ports, which have channels (`serving.channels`).
Source: upstream's wsstream reader (logs) and its handler of watches.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

from steersman.apiserver import authentication
from steersman.serving import channels, websocket
from steersman.serving.messages import Duplex, Request, Response

BINARY, BASE64 = "binary.k8s.io", "base64.binary.k8s.io"

# (socket, pieces of the answer, chosen sub-protocol) → sends them all
_Send = Callable[[websocket.WebSocket, AsyncIterator[bytes], str], Coroutine[None, None, None]]


def of_bytes(request: Request, response: Response) -> Response:
    """A log: messages of bytes, or of their base64 as text."""
    return _answer(request, response, _send_bytes, (BINARY, BASE64))


def of_lines(request: Request, response: Response) -> Response:
    """A watch: each event is one message of text, whatever sub-protocol the client has named first."""
    return _answer(request, response, _send_lines, tuple(websocket.offered(request.headers)))


def _answer(request: Request, response: Response, send: _Send, known: tuple[str, ...]) -> Response:
    if not websocket.is_asked(request.headers) or response.status != 200:
        return response

    async def upgrade(duplex: Duplex, protocol: str) -> None:
        socket = websocket.WebSocket(duplex)
        await _while_open(socket, send(socket, _pieces(response), protocol))

    return channels.websocket_answer(_without_token(request.headers), known, upgrade)


async def _while_open(socket: websocket.WebSocket, sending: Coroutine[None, None, None]) -> None:
    """Send to the end, or until the client is gone; what it says meanwhile is not heard."""
    tasks = [asyncio.create_task(sending), asyncio.create_task(_hear(socket))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await socket.close()


async def _hear(socket: websocket.WebSocket) -> None:
    while await socket.receive() is not None:
        pass


async def _send_bytes(socket: websocket.WebSocket, pieces: AsyncIterator[bytes], protocol: str) -> None:
    """An empty message comes first: it tells that the connection stands."""
    is_base64 = protocol == BASE64
    with contextlib.suppress(ConnectionError):
        await (socket.send_text("") if is_base64 else socket.send(b""))
        async for piece in pieces:
            await (socket.send_text(base64.b64encode(piece).decode()) if is_base64 else socket.send(piece))


async def _send_lines(socket: websocket.WebSocket, pieces: AsyncIterator[bytes], _protocol: str) -> None:
    with contextlib.suppress(ConnectionError):
        async for piece in pieces:
            for line in piece.splitlines(keepends=True):
                await socket.send_text(line.decode())


async def _pieces(response: Response) -> AsyncIterator[bytes]:
    if response.body:
        yield response.body
    if response.stream is not None:
        async for piece in response.stream:
            yield piece


def _without_token(headers: Mapping[str, str]) -> dict[str, str]:
    """A token among the offered sub-protocols was for the authentication only."""
    named = [name for name in websocket.offered(headers) if not name.startswith(authentication.WEBSOCKET_TOKEN)]
    return {**headers, "sec-websocket-protocol": ", ".join(named)}
