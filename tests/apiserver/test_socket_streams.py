"""Logs and watches over a WebSocket, as browsers (and upstream's conformance tests) ask for them."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator

import orjson
import pytest

from steersman.apiserver import authentication, socket_streams
from steersman.serving import messages, websocket
from tests.apiserver import kit
from tests.apiserver.kit import MAPS


async def _pieces() -> AsyncIterator[bytes]:
    yield b"one\n"
    yield b"two\nthree\n"


@contextlib.asynccontextmanager
async def opened(response: messages.Response) -> AsyncIterator[websocket.WebSocket]:
    """The client's end of an answer's connection."""
    assert response.status == 101, response.body
    assert response.upgrade is not None
    ours, theirs = messages.MemoryDuplex.pair()
    served = asyncio.ensure_future(_serve(response.upgrade, theirs))
    client = websocket.WebSocket(ours, client=True)
    try:
        yield client
    finally:
        await client.close()
        await asyncio.wait_for(served, 2)


async def _serve(upgrade: messages.Upgrade, connection: messages.Duplex) -> None:
    await upgrade(connection)


async def heard(response: messages.Response) -> list[bytes]:
    """All messages until the server says goodbye."""
    found = []
    async with opened(response) as client:
        while (message := await asyncio.wait_for(client.receive(), 2)) is not None:
            found.append(message)
        assert client.close_code == 1000
    return found


def request(*protocols: str) -> messages.Request:
    return messages.Request("GET", "/", "", websocket.ask(protocols), b"")


BASE64 = [base64.b64encode(piece) for piece in (b"one\n", b"two\nthree\n")]
TOKEN = authentication.WEBSOCKET_TOKEN + "eA"
LOGS = {
    "no sub-protocol": ((), "", [b"", b"one\n", b"two\nthree\n"]),
    "bytes": ((socket_streams.BINARY,), socket_streams.BINARY, [b"", b"one\n", b"two\nthree\n"]),
    "base64": ((socket_streams.BASE64,), socket_streams.BASE64, [b"", *BASE64]),
    "a token beside it": ((TOKEN, socket_streams.BASE64), socket_streams.BASE64, [b"", *BASE64]),
}


@pytest.mark.parametrize(("protocols", "chosen", "expect"), LOGS.values(), ids=LOGS.keys())
async def test_logs(protocols: tuple[str, ...], chosen: str, expect: list[bytes]):
    answer = socket_streams.of_bytes(request(*protocols), messages.Response(200, {}, stream=_pieces()))
    assert answer.headers.get("sec-websocket-protocol", "") == chosen
    assert await heard(answer) == expect


async def test_an_unknown_sub_protocol_is_refused():
    answer = socket_streams.of_bytes(request("channel.k8s.io"), messages.Response(200, {}, b"one\n"))
    assert answer.status == 400


async def test_a_refusal_stays_a_plain_answer():
    refused = messages.Response(404, {}, b"{}")
    assert socket_streams.of_bytes(request(socket_streams.BINARY), refused) is refused


async def test_events_of_a_watch_are_messages(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    answer = await api.ask("GET", MAPS, query="watch=1", headers=websocket.ask(()))
    async with opened(answer.response) as client:
        assert await _event(client) == ("ADDED", "a")
        await api.make(MAPS, kit.config_map("b"))
        await api.ask("DELETE", f"{MAPS}/a")
        assert [await _event(client), await _event(client)] == [("ADDED", "b"), ("DELETED", "a")]


async def _event(client: websocket.WebSocket) -> tuple[str, str]:
    message = await asyncio.wait_for(client.receive(), 2)
    assert message is not None
    event = orjson.loads(message)
    return event["type"], event["object"]["metadata"]["name"]


async def test_a_watch_ends_when_its_client_goes(api: kit.Api):
    answer = await api.ask("GET", MAPS, query="watch=1", headers=websocket.ask(()))
    async with opened(answer.response) as client:
        await api.make(MAPS, kit.config_map("a"))
        assert await _event(client) == ("ADDED", "a")
        assert api.server.watcher.open == 1
    assert api.server.watcher.open == 0
