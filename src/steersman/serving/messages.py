"""One request and one response, the same over HTTPS and in process.

A handler is `async (Request) -> Response`. The HTTP server turns connections into these; the in-process transport passes
them straight through, with no sockets, TLS or framing.
"""

import asyncio
import dataclasses
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Protocol


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as far as the connection itself tells.

    `certificate_user` and `certificate_groups` are CN and O of a client certificate that our CA signed ("" and () without).
    """

    address: str = ""
    certificate_user: str = ""
    certificate_groups: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class Request:
    """`path` is decoded, without the query; `query` is raw; header names are lower case.

    A header that is sent several times has its values separated by line feeds; one that came so, by commas."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    peer: Peer = Peer()

    def parameters(self) -> dict[str, list[str]]:
        if "%" in self.query or "+" in self.query:
            return urllib.parse.parse_qs(self.query, keep_blank_values=True)
        found: dict[str, list[str]] = {}
        for pair in filter(None, self.query.split("&")):  # most queries have nothing escaped in them
            name, _, value = pair.partition("=")
            found.setdefault(name, []).append(value)
        return found

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.parameters().get(name) if self.query else None
        return values[0] if values else default


class NoAnswer(Exception):
    """Raised by a handler or a stream: the connection is cut without an answer, or in the middle of it."""


class Duplex(Protocol):
    """A raw two-way byte stream after `101 Switching Protocols`."""

    async def receive(self) -> bytes:
        """Next bytes; b"" at end of file."""

    async def send(self, data: bytes) -> None:
        """Send, waiting while the peer is slow."""

    async def close(self) -> None: ...


Upgrade = Callable[[Duplex], Awaitable[None]]


@dataclasses.dataclass(slots=True)
class Response:
    """`body` in one piece, or `stream` piece by piece, or (status 101) `upgrade`, called once with the raw connection.

    A stream whose length is known says so in the header `content-length`.
    """

    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None
    upgrade: Upgrade | None = None


Handler = Callable[[Request], Awaitable[Response]]


class MemoryDuplex:
    """One end of an in-process byte stream; `MemoryDuplex.pair()` makes both ends."""

    def __init__(self, incoming: "asyncio.Queue[bytes]", outgoing: "asyncio.Queue[bytes]") -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._ended = False

    @classmethod
    def pair(cls, limit: int = 64) -> "tuple[MemoryDuplex, MemoryDuplex]":
        """At most `limit` pieces wait in each direction."""
        there: asyncio.Queue[bytes] = asyncio.Queue(limit)
        back: asyncio.Queue[bytes] = asyncio.Queue(limit)
        return cls(there, back), cls(back, there)

    async def receive(self) -> bytes:
        if self._ended:
            return b""
        data = await self._incoming.get()
        self._ended = data == b""
        return data

    async def send(self, data: bytes) -> None:
        if data:
            await self._outgoing.put(data)

    async def close(self) -> None:
        await self._outgoing.put(b"")
