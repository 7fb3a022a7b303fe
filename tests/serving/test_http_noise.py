"""Bytes that are no HTTP, or almost: the connection may end, the server goes on."""

import asyncio
import contextlib
import random

import pytest

from steersman.serving import http_server, listeners
from steersman.serving.messages import Request, Response

GOOD = (
    b"GET /a?b=c HTTP/1.1\r\nhost: x\r\n\r\n",
    b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello",
    b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"GET /a HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
)
PIECES = (
    b"\r\n", b"\x00", b"HTTP/9.9", b"content-length: -1\r\n", b"content-length: 99999999999999999999\r\n", b"x" * 70000, b": \r\n",
    b"transfer-encoding: gzip\r\n",
    b"fffffffffffffffff\r\n", b"GET http://[::1 HTTP/1.1\r\n", b"\xff\xfe", b"PRI * HTTP/2.0\r\n\r\n",
    b"\x16\x03\x01\x02\x00", b"GET /%ff%00 HTTP/1.1\r\n\r\n", b"expect: 100-continue\r\n",
)  # fmt: skip


def noise(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(GOOD))
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0:
                data[place:place] = chance.choice(PIECES)
            case 1:
                del data[place : place + chance.randrange(1, 10)]
            case 2:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 3:
                data += chance.choice(GOOD)
    return bytes(data)


async def echo(request: Request) -> Response:
    return Response(200, {}, request.body)


async def heard(address: tuple[str, int], data: bytes, chance: random.Random) -> bytes:
    """What comes back, until the server closes or waits for more."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        with contextlib.suppress(ConnectionError):
            cut = chance.randrange(len(data) + 1)
            for piece in (data[:cut], data[cut:]):
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
            return await reader.read()
        return b""
    finally:
        writer.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_noise_ends_at_most_its_own_connection(seed):
    chance = random.Random(seed)
    listener = listeners.tcp("127.0.0.1", 0)
    address = listener.getsockname()[:2]
    async with await http_server.serve(echo, sockets=[listener]) as server, asyncio.timeout(30):
        for _ in range(100):
            data = noise(chance)
            answer = await heard(address, data, chance)
            assert not answer or answer.startswith(b"HTTP/1.1 "), (data, answer)
            assert b" 500 " not in answer.split(b"\r\n", 1)[0], (data, answer)
        assert (await heard(address, GOOD[1], random.Random(1))).endswith(b"hello")
        while server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
