"""Port-forward over SPDY, over SPDY in WebSocket, and over WebSocket channels."""

import asyncio
import struct

import pytest

from steersman.serving import port_forward, spdy, websocket
from steersman.serving.messages import Duplex, MemoryDuplex, Request


class Pod:
    """Answers on port 80 in capitals and ends after one answer; other ports refuse."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[None]] = []

    async def connect(self, port: int) -> Duplex:
        if port != 80:
            raise port_forward.ForwardFailed(f"error forwarding port {port}: connection refused")
        mine, theirs = MemoryDuplex.pair()
        self.tasks.append(asyncio.create_task(self._answer(mine)))
        return theirs

    async def _answer(self, duplex: MemoryDuplex) -> None:
        await duplex.send((await duplex.receive()).upper())
        await duplex.close()


async def serve(request: Request, pod: Pod) -> tuple[MemoryDuplex, asyncio.Task[None]]:
    response = await port_forward.serve_port_forward(request, pod.connect)
    assert response.status == 101
    assert response.upgrade is not None
    mine, theirs = MemoryDuplex.pair()
    return mine, asyncio.ensure_future(response.upgrade(theirs))


async def read_all(stream: spdy.Stream) -> bytes:
    found = b""
    while data := await stream.receive():
        found += data
    return found


async def forward(session: spdy.Session, port: int, number: int) -> tuple[bytes, bytes]:
    headers = {"port": str(port), "requestID": str(number)}
    error = await session.open({**headers, "streamType": "error"})
    await error.finish()
    data = await session.open({**headers, "streamType": "data"})
    if port == 80:
        await data.send(b"hello")
    found = await read_all(data), await read_all(error)
    await data.finish()
    return found


async def check_spdy(duplex: Duplex, serving: "asyncio.Task[None]", pod: Pod) -> None:
    session = spdy.Session(duplex, server=False)
    running = asyncio.create_task(session.run())
    assert await forward(session, 80, 0) == (b"HELLO", b"")
    assert await forward(session, 80, 1) == (b"HELLO", b"")
    refused = await forward(session, 81, 2)
    assert refused == (b"", b"error forwarding port 81: connection refused")
    await session.close()
    await asyncio.wait_for(serving, 5)
    await asyncio.wait_for(running, 5)
    await asyncio.gather(*pod.tasks)


async def test_over_spdy() -> None:
    headers = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "portforward.k8s.io"}
    pod = Pod()
    duplex, serving = await serve(Request("POST", "/portForward/default/web", "", headers), pod)
    await check_spdy(duplex, serving, pod)


async def test_over_spdy_tunnelled_in_websocket() -> None:
    headers = websocket.ask(["SPDY/3.1+portforward.k8s.io"])
    pod = Pod()
    duplex, serving = await serve(Request("GET", "/portForward/default/web", "", headers), pod)
    await check_spdy(port_forward.Tunnel(websocket.WebSocket(duplex, client=True)), serving, pod)


async def test_over_websocket_channels() -> None:
    pod = Pod()
    request = Request("GET", "/portForward/default/web", "port=80&port=81", websocket.ask(["v4.channel.k8s.io"]))
    duplex, serving = await serve(request, pod)
    client = websocket.WebSocket(duplex, client=True)
    first = [await client.receive() for _ in range(5)]
    assert first[:4] == [bytes([n]) + struct.pack("<H", port) for n, port in ((0, 80), (1, 80), (2, 81), (3, 81))]
    assert first[4] == b"\x03error forwarding port 81: connection refused"
    await client.send(b"\x00hello")
    assert await client.receive() == b"\x00HELLO"
    await client.close()
    await asyncio.wait_for(serving, 5)
    await asyncio.gather(*pod.tasks)


@pytest.mark.parametrize("query", ["", "port=0", "port=x", "port=70000"])
async def test_wrong_ports_are_refused(query: str) -> None:
    request = Request("GET", "/", query, websocket.ask(["v4.channel.k8s.io"]))
    assert (await port_forward.serve_port_forward(request, Pod().connect)).status == 400
