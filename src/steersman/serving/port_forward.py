"""Port-forward as clients speak it: the server's side.

Three ways: SPDY streams in pairs (data and error, by requestID), the same SPDY tunnelled in WebSocket messages (kubectl
since 1.30), and WebSocket channels (two per port of the query). Source: KEP-4006 and the kubelet's portforward package.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from steersman.meta import errors
from steersman.serving import channels, spdy, websocket
from steersman.serving.messages import Duplex, Request, Response

SPDY_PROTOCOL = "portforward.k8s.io"
TUNNEL_PROTOCOL = "SPDY/3.1+portforward.k8s.io"
CHANNEL_PROTOCOLS = (TUNNEL_PROTOCOL, "v4.channel.k8s.io", "v4.base64.channel.k8s.io")
CONNECTIONS_MOST = 1000  # of one client at a time
# A connection that knows no half close gets this long for its answer after the client has said all.
LINGER_SECONDS = 5.0

Connect = Callable[[int], Awaitable[Duplex]]
"""Opens a connection to a port of the pod; raises OSError or ForwardFailed with the user's text."""


class ForwardFailed(Exception):
    pass


async def serve_port_forward(request: Request, connect: Connect) -> Response:
    """101, or 400/403."""
    if websocket.is_asked(request.headers):
        try:
            ports = [_port(text) for value in request.parameters().get("port", []) for text in value.split(",")]
        except ValueError as error:
            return channels.refused(errors.bad_request(str(error)))

        async def upgrade(duplex: Duplex, protocol: str) -> None:
            socket = websocket.WebSocket(duplex)
            if protocol == TUNNEL_PROTOCOL:
                await _serve_spdy(Tunnel(socket), connect)
            else:
                await _WebSocketForward(socket, connect, ports, "base64" in protocol).run()

        if not ports and TUNNEL_PROTOCOL not in websocket.offered(request.headers):
            return channels.refused(errors.bad_request('query parameter "port" is required'))
        return channels.websocket_answer(request.headers, CHANNEL_PROTOCOLS, upgrade)
    if channels.is_spdy(request.headers):
        return channels.spdy_answer(request.headers, (SPDY_PROTOCOL,), lambda duplex: _serve_spdy(duplex, connect))
    return channels.refused(errors.bad_request("Upgrade request required"))


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError(f'port "{text}" must be a number from 1 to 65535')
    return int(text)


# --- SPDY ----------------------------------------------------------------------------------------------------------------


class _Pairs:
    """Streams of one session, joined into pairs by requestID."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._waiting: dict[str, dict[str, spdy.Stream]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def opened(self, stream: spdy.Stream) -> None:
        kind = stream.headers.get("streamtype", "")
        number = stream.headers.get("requestid") or self._guess(stream, kind)
        pair = self._waiting.setdefault(number, {})
        if kind not in ("data", "error") or kind in pair or len(self.tasks) >= CONNECTIONS_MOST:
            self._start(stream.reset())
            return
        pair[kind] = stream
        if len(pair) == 2:
            del self._waiting[number]
            self._start(self._forward(pair["data"], pair["error"]))

    def _guess(self, stream: spdy.Stream, kind: str) -> str:
        """Clients before requestID open the error stream first and the data stream two numbers later."""
        return str(stream.id if kind == "error" else stream.id - 2)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _forward(self, data: spdy.Stream, error: spdy.Stream) -> None:
        try:
            port = _port(data.headers.get("port", ""))
            pod = await self._connect(port)
        except (ForwardFailed, OSError, ValueError) as failure:
            await self._refuse(data, error, str(failure))
            return
        try:
            await copy_both_ways(data, pod)
            await data.finish()  # also when the pod's side did not end by itself
        except (spdy.Closed, OSError):
            await data.reset()
        await error.finish()

    async def _refuse(self, data: spdy.Stream, error: spdy.Stream, why: str) -> None:
        await error.send(why.encode())
        await error.finish()
        await data.reset()


async def _serve_spdy(duplex: Duplex, connect: Connect) -> None:
    pairs = _Pairs(connect)
    session = spdy.Session(duplex, on_stream=pairs.opened)
    try:
        await session.run()
    finally:
        tasks = list(pairs.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await session.close()


class Tunnel:
    """A raw connection inside WebSocket messages."""

    def __init__(self, socket: websocket.WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> bytes:
        while True:
            message = await self._socket.receive()
            if message is None:
                return b""
            if message:
                return message

    async def send(self, data: bytes) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()


async def copy_both_ways(left: "Duplex | spdy.Stream", right: Duplex) -> None:
    """Until the pod's side has ended, or the client's has and the pod had its time to answer."""
    there = asyncio.create_task(_copy(left, right), name="port-forward in")
    back = asyncio.create_task(_copy(right, left), name="port-forward out")
    try:
        await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        if there.done() and not back.done():  # the client has said all; the answer may still come
            there.result()
            await asyncio.wait([back], timeout=None if _can_end_writing(right) else LINGER_SECONDS)
        if back.done():
            back.result()
    finally:
        for task in (there, back):
            task.cancel()
        await asyncio.wait([there, back])
        await right.close()


async def _copy(source: "Duplex | spdy.Stream", target: "Duplex | spdy.Stream") -> None:
    while data := await source.receive():
        await target.send(data)
    await _end_writing(target)


def _can_end_writing(target: Duplex) -> bool:
    return hasattr(target, "end_writing")


async def _end_writing(target: "Duplex | spdy.Stream") -> None:
    """A half close where the target knows one; otherwise it stays open for the other direction."""
    half = getattr(target, "end_writing", None) or getattr(target, "finish", None)
    if half is not None:
        await half()


# --- WebSocket channels --------------------------------------------------------------------------------------------------


class _WebSocketForward:
    """Channel 2i carries the data of port i, 2i+1 its errors; each begins with the port, little-endian."""

    def __init__(self, socket: websocket.WebSocket, connect: Connect, ports: list[int], is_base64: bool) -> None:
        self._socket = socket
        self._connect = connect
        self._ports = ports
        self._base64 = is_base64
        self._pods: dict[int, Duplex] = {}

    async def run(self) -> None:
        tasks: list[asyncio.Task[None]] = []
        try:
            for index, port in enumerate(self._ports):
                await self._open(index, port)
                if index in self._pods:
                    tasks.append(asyncio.create_task(self._back(index), name=f"port-forward of {port}"))
            await self._there()
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)
            for pod in self._pods.values():
                await pod.close()
            await self._socket.close()

    async def _open(self, index: int, port: int) -> None:
        number = struct.pack("<H", port)
        await self._send(2 * index, number)
        await self._send(2 * index + 1, number)
        try:
            self._pods[index] = await self._connect(port)
        except (ForwardFailed, OSError) as failure:
            await self._send(2 * index + 1, str(failure).encode())

    async def _there(self) -> None:
        while (message := await self._socket.receive()) is not None:
            if not message:
                continue
            channel, data = channels.parse_channel(message, is_base64=self._base64)
            pod = self._pods.get(channel // 2)
            if pod is not None and channel % 2 == 0:
                try:
                    await pod.send(data)
                except OSError as failure:
                    await self._send(channel + 1, str(failure).encode())

    async def _back(self, index: int) -> None:
        while data := await self._pods[index].receive():
            await self._send(2 * index, data)

    async def _send(self, channel: int, data: bytes) -> None:
        await channels.send_channel(self._socket, channel, data, is_base64=self._base64)
