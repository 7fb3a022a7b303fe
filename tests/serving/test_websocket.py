"""WebSocket: the handshake's rules and messages over a raw connection."""

import asyncio

import pytest

from steersman.serving import websocket
from steersman.serving.messages import MemoryDuplex


def test_the_accept_value_is_rfc_6455s_example() -> None:
    assert websocket.accept_value("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ("v5.channel.k8s.io, v4.channel.k8s.io", "v5.channel.k8s.io"),
        ("unheard.of, v4.channel.k8s.io", "v4.channel.k8s.io"),
        ("unheard.of", None),
        ("", ""),
    ],
)
def test_a_protocol_is_chosen_in_the_clients_order(offered: str, chosen: str | None) -> None:
    known = ("v4.channel.k8s.io", "v5.channel.k8s.io")
    assert websocket.choose({"sec-websocket-protocol": offered}, known) == chosen


@pytest.mark.parametrize("missing", ["sec-websocket-key", "sec-websocket-version"])
def test_half_a_handshake_is_refused(missing: str) -> None:
    headers = {name: value for name, value in websocket.ask([]).items() if name != missing}
    with pytest.raises(ValueError, match="handshake"):
        websocket.accept(headers, "")


def pair() -> tuple[websocket.WebSocket, websocket.WebSocket]:
    left, right = MemoryDuplex.pair()
    return websocket.WebSocket(left), websocket.WebSocket(right, client=True)


async def test_messages_go_both_ways() -> None:
    server, client = pair()
    await client.send(b"\x00hello")
    await client.send_text("text")
    assert [await server.receive(), await server.receive()] == [b"\x00hello", b"text"]
    await server.send(b"")
    assert await client.receive() == b""


async def test_closing_is_seen_with_its_code() -> None:
    server, client = pair()
    await client.close(1001, "going")
    assert await server.receive() is None
    assert server.close_code == 1001
    await server.send(b"nobody listens")


async def test_bytes_that_are_no_websocket_close_the_connection() -> None:
    left, right = MemoryDuplex.pair()
    server = websocket.WebSocket(left)
    await right.send(b"GET / HTTP/1.1\r\n\r\n")
    assert await server.receive() is None
    assert await asyncio.wait_for(right.receive(), 1) != b"", "a close frame says why"


async def test_a_message_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MESSAGE_MOST_BYTES", 1000)
    server, client = pair()
    await client.send(bytes(2000))
    assert await server.receive() is None
    assert await client.receive() is None
    assert client.close_code == 1009
