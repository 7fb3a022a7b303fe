"""In process: the same answers as over HTTP, with nothing in between."""

import asyncio

import pytest

from steersman.aio.clock import SystemClock
from steersman.client import transport
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.serving.messages import Duplex, Request, Response


async def pieces():
    yield b"one\n"
    yield b"two\n"


async def echo(duplex: Duplex) -> None:
    while data := await duplex.receive():
        await duplex.send(data.upper())


async def handle(request: Request) -> Response:
    match request.path:
        case "/stream":
            return Response(200, {}, stream=pieces())
        case "/refused":
            return Response(403, {}, stream=pieces())
        case "/upgrade":
            return Response(101, {"upgrade": "SPDY/3.1"}, upgrade=echo)
        case _:
            return Response(200, {}, f"{request.peer.certificate_user} {request.peer.certificate_groups}".encode())


@pytest.fixture
async def direct():
    found = InProcessTransport(handle, "me", ("system:masters",))
    yield found
    await found.close()


async def test_the_user_is_named_as_a_certificate_would(direct):
    assert (await direct.request(Request("GET", "/"))).body == b"me ('system:masters',)"


async def test_a_streamed_answer_can_be_had_whole(direct):
    assert (await direct.request(Request("GET", "/stream"))).body == b"one\ntwo\n"


@pytest.mark.parametrize(("path", "expected"), [("/stream", [b"one\n", b"two\n"]), ("/", [b"me ('system:masters',)"])])
async def test_streams(direct, path, expected):
    async with transport.streaming(direct, Request("GET", path)) as response:
        assert response.stream is not None
        assert [piece async for piece in response.stream] == expected


async def test_a_refused_stream_has_its_body(direct):
    response = await direct.stream(Request("GET", "/refused"))
    assert (response.status, response.body, response.stream) == (403, b"one\ntwo\n", None)


async def test_upgrade(direct):
    response, duplex = await Client(direct, clock=SystemClock()).upgrade(Request("GET", "/upgrade"))
    assert response.headers == {"upgrade": "SPDY/3.1"}
    assert duplex is not None
    await duplex.send(b"hello")
    assert await duplex.receive() == b"HELLO"
    await duplex.close()
    assert await asyncio.wait_for(duplex.receive(), 5) == b""


async def test_closing_ends_upgraded_connections(direct):
    _, duplex = await direct.upgrade(Request("GET", "/upgrade"))
    await asyncio.sleep(0)
    await direct.close()
    assert await asyncio.wait_for(duplex.receive(), 5) == b""


async def test_a_refused_upgrade_is_answered_whole(direct):
    response, duplex = await direct.upgrade(Request("GET", "/refused"))
    assert (response.status, response.body, duplex) == (403, b"one\ntwo\n", None)
