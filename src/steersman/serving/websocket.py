"""WebSocket messages over a raw connection after 101, for either side.

The handshake's headers are here as pure functions; frames are wsproto's. Keeps true: a message that is too long, or
bytes that are not WebSocket, end the connection with the right close code and never with a crash.
"""

import asyncio
import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence

import wsproto.connection
import wsproto.events
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from steersman.serving.messages import Duplex

# Messages of remote commands are small pieces; a longer one is a client gone wrong.
MESSAGE_MOST_BYTES = 16 * 1024 * 1024
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def is_asked(headers: Mapping[str, str]) -> bool:
    """Whether a request asks to become a WebSocket."""
    return "upgrade" in headers.get("connection", "").lower() and headers.get("upgrade", "").lower() == "websocket"


def offered(headers: Mapping[str, str]) -> list[str]:
    """The sub-protocols a client offers, in its order."""
    return [name.strip() for name in headers.get("sec-websocket-protocol", "").split(",") if name.strip()]


def choose(headers: Mapping[str, str], known: Iterable[str]) -> str | None:
    """The first known one of what is offered; "" when nothing is offered, None when nothing fits."""
    names = offered(headers)
    if not names:
        return ""
    understood = set(known)
    return next((name for name in names if name in understood), None)


def accept(headers: Mapping[str, str], protocol: str) -> dict[str, str]:
    """The answer's headers. Raises ValueError for a handshake that is none."""
    key = headers.get("sec-websocket-key", "")
    if not key or headers.get("sec-websocket-version") != "13":
        raise ValueError("not a WebSocket handshake of version 13")
    answer = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": accept_value(key)}
    if protocol:
        answer["sec-websocket-protocol"] = protocol
    return answer


def accept_value(key: str) -> str:
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def ask(protocols: Sequence[str], key: str = "c3RlZXJzbWFuLWNsaWVudA==") -> dict[str, str]:
    """A client's request headers."""
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": key,
    }
    if protocols:
        headers["sec-websocket-protocol"] = ", ".join(protocols)
    return headers


class WebSocket:
    """One end. One task may receive while others send."""

    def __init__(self, duplex: Duplex, *, client: bool = False) -> None:
        kind = wsproto.connection.ConnectionType.CLIENT if client else wsproto.connection.ConnectionType.SERVER
        self._connection = wsproto.connection.Connection(kind)
        self._duplex = duplex
        self._parts: list[bytes] = []
        self._size = 0
        self._ready: list[bytes] = []
        self._ended = False
        self._sending = asyncio.Lock()
        self.close_code: int | None = None

    async def receive(self) -> bytes | None:
        """The next whole message (text as UTF-8); None when the connection has ended."""
        while not self._ready:
            if self._ended:
                return None
            data = await self._duplex.receive()
            if not data:
                self._ended = True
                return None
            try:
                self._connection.receive_data(data)
                await self._take_events()
            except RemoteProtocolError as error:
                hint = error.event_hint
                code = getattr(hint, "code", CloseReason.PROTOCOL_ERROR)
                await self.close(int(code), str(error))
        return self._ready.pop(0)

    async def send(self, data: bytes) -> None:
        await self._send(wsproto.events.BytesMessage(data=data))

    async def send_text(self, text: str) -> None:
        await self._send(wsproto.events.TextMessage(data=text))

    async def ping(self) -> None:
        """A sign of life; the other side answers by itself."""
        await self._send(wsproto.events.Ping())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye and end the connection; harmless when it has ended."""
        self._ended = True
        try:
            await self._send(wsproto.events.CloseConnection(code=code, reason=reason[:100] or None))
        finally:
            await self._duplex.close()

    async def _send(self, event: wsproto.events.Event) -> None:
        async with self._sending:
            try:
                data = self._connection.send(event)
            except LocalProtocolError:  # closed by either side before: nobody listens any more
                return
            await self._duplex.send(data)

    async def _take_events(self) -> None:
        for event in self._connection.events():
            if isinstance(event, (wsproto.events.BytesMessage, wsproto.events.TextMessage)):
                await self._take_message(event)
            elif isinstance(event, wsproto.events.Ping):
                await self._send(event.response())
            elif isinstance(event, wsproto.events.CloseConnection):
                self.close_code = event.code
                if not self._ended:
                    self._ended = True
                    await self._send(event.response())
                    await self._duplex.close()

    async def _take_message(self, event: wsproto.events.BytesMessage | wsproto.events.TextMessage) -> None:
        data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
        self._size += len(data)
        if self._size > MESSAGE_MOST_BYTES:
            await self.close(CloseReason.MESSAGE_TOO_BIG, "message too long")
            return
        self._parts.append(data)
        if event.message_finished:
            self._ready.append(b"".join(self._parts))
            self._parts, self._size = [], 0
