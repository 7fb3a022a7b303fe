"""Servers that probes and hooks meet: proper ones, shell scripts, and such that say nothing."""

import asyncio

import pytest

from steersman.kubelet import http_check

CASES = {
    "a proper one": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nokmore",
        (200, b"ok", {"content-length": "2", "x-a": "b"}),
    ),
    "a script without carriage returns": (b"HTTP/1.1 404 Not Found\nX-A: b\n\nno", (404, b"no", {"x-a": "b"})),
    "nothing but the word": (b"HTTP/1.1 200 OK\r\n\nok\n", (200, b"ok\n", {})),
}


async def ask(said: bytes) -> http_check.Answer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        return await http_check.get("127.0.0.1", port, "/", "HTTP", {}, "test")


@pytest.mark.parametrize(("said", "expected"), CASES.values(), ids=list(CASES))
async def test_answers(said: bytes, expected: tuple[int, bytes, dict[str, str]]) -> None:
    answer = await ask(said)
    assert (answer.status, answer.body, dict(answer.headers)) == expected


@pytest.mark.parametrize(("said", "why"), [(b"", "EOF"), (b"hello\n\n", "malformed"), (b"\r\n", "malformed")])
async def test_no_answer(said: bytes, why: str) -> None:
    with pytest.raises(http_check.CheckFailed, match=why):
        await ask(said)


async def test_headers_without_end() -> None:
    with pytest.raises(http_check.CheckFailed, match="exceeded the limit"):
        await ask(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * http_check.HEAD_MOST_BYTES)
