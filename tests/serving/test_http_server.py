"""HTTP as raw clients see it: keep-alive, limits, streams, cancellation, upgrades, shutdown."""

import asyncio
import contextlib
import pathlib
import socket
from collections.abc import AsyncIterator

import pytest

from steersman.serving import http_connection, http_server, listeners, messages
from steersman.serving.messages import Request, Response


class Raw:
    """A client that speaks bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        return int(first.split()[1]), headers

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        return status, headers, await self.reader.readexactly(int(headers.get("content-length", "0")))

    async def chunk(self) -> bytes:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data


@contextlib.asynccontextmanager
async def serving(
    handler: messages.Handler, limits: http_connection.Limits | None = None
) -> AsyncIterator[tuple[http_server.Server, Raw]]:
    listener = listeners.tcp("127.0.0.1", 0)
    async with await http_server.serve(handler, sockets=[listener], limits=limits) as server:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            yield server, Raw(reader, writer)
        finally:
            writer.close()


async def echo(request: Request) -> Response:
    text = f"{request.method} {request.path} ?{request.query} {len(request.body)} {request.headers.get('x', '')}"
    return Response(200, {"content-type": "text/plain"}, text.encode())


CASES = {
    "get": (b"GET /a?b=1 HTTP/1.1\r\nhost: h\r\n\r\n", 200, b"GET /a ?b=1 0 "),
    "escaped path": (b"GET /a%20b%2Fc HTTP/1.1\r\nhost: h\r\n\r\n", 200, b"GET /a b/c ? 0 "),
    "absolute form": (b"GET http://h/a?x HTTP/1.1\r\nhost: h\r\n\r\n", 200, b"GET /a ?x 0 "),
    "body": (b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc", 200, b"POST /a ? 3 "),
    "chunked body": (
        b"POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        200,
        b"POST /a ? 5 ",
    ),
    "repeated header": (b"GET / HTTP/1.1\r\nhost: h\r\nX: 1\r\nx: 2\r\n\r\n", 200, b"GET / ? 0 1, 2"),
}


@pytest.mark.parametrize(("sent", "status", "body"), CASES.values(), ids=CASES.keys())
async def test_one_request(sent: bytes, status: int, body: bytes):
    async with serving(echo) as (_, raw):
        await raw.send(sent)
        found, headers, text = await raw.answer()
        assert (found, text) == (status, body)
        assert headers["date"].endswith("gmt")
        assert "connection" not in headers


async def test_requests_sent_ahead_are_answered_in_order():
    async with serving(echo) as (_, raw):
        await raw.send(b"".join(b"GET /%d HTTP/1.1\r\nhost: h\r\n\r\n" % number for number in range(100)))
        for number in range(100):
            _, _, body = await raw.answer()
            assert body == b"GET /%d ? 0 " % number


async def test_bytes_one_by_one():
    async with serving(echo) as (_, raw):
        for byte in b"POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nab":
            await raw.send(bytes((byte,)))
            await asyncio.sleep(0)
        assert (await raw.answer())[2] == b"POST /a ? 2 "


async def test_head_has_a_length_and_no_body():
    async with serving(echo) as (_, raw):
        await raw.send(b"HEAD /a HTTP/1.1\r\nhost: h\r\n\r\nGET /b HTTP/1.1\r\nhost: h\r\n\r\n")
        status, headers = await raw.head()
        assert (status, headers["content-length"]) == (200, "12")
        assert (await raw.answer())[2] == b"GET /b ? 0 "


REFUSALS = {
    "not http": (b"hello\r\n\r\n", 400),
    "body too large by its length": (b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 101\r\n\r\n", 413),
    "body too large in chunks": (
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n65\r\n" + b"a" * 101 + b"\r\n0\r\n\r\n",
        413,
    ),
    "url too long": (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nhost: h\r\n\r\n", 414),
    "headers too large": (b"GET / HTTP/1.1\r\nhost: h\r\nx: " + b"a" * 300 + b"\r\n\r\n", 431),
}


@pytest.mark.parametrize(("sent", "status"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_refusals_close_the_connection(sent: bytes, status: int):
    limits = http_connection.Limits(body_bytes=100, header_bytes=200, url_bytes=200)
    async with serving(echo, limits) as (_, raw):
        await raw.send(sent)
        found, headers, body = await raw.answer()
        assert (found, headers["connection"]) == (status, "close")
        assert b'"kind":"Status"' in body
        assert await raw.reader.read() == b""


async def test_expect_continue():
    async with serving(echo) as (_, raw):
        await raw.send(b"POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n")
        assert (await raw.head())[0] == 100
        await raw.send(b"a")
        assert (await raw.answer())[2] == b"POST / ? 1 "


async def test_a_failing_handler_is_500_and_logged(caplog: pytest.LogCaptureFixture):
    async def fail(request: Request) -> Response:
        raise RuntimeError("boom")

    async with serving(fail) as (_, raw):
        await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        status, _, body = await raw.answer()
    assert status == 500
    assert b"InternalError" in body
    assert "boom" in caplog.text


async def test_stream_in_chunks_then_next_request():
    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            yield b""
            yield b"two"

        return Response(stream=pieces())

    async with serving(stream) as (_, raw):
        for _ in range(2):
            await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            assert (await raw.head())[1]["transfer-encoding"] == "chunked"
            assert [await raw.chunk(), await raw.chunk(), await raw.chunk()] == [b"one", b"two", b""]


async def test_stream_of_known_length_then_next_request():
    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        return Response(headers={"content-length": "6"}, stream=pieces())

    async with serving(stream) as (_, raw):
        for _ in range(2):
            await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            _, headers, body = await raw.answer()
            assert body == b"onetwo"
            assert "transfer-encoding" not in headers


async def test_http_1_0_stream_ends_with_the_connection():
    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        return Response(stream=pieces())

    async with serving(stream) as (_, raw):
        await raw.send(b"GET / HTTP/1.0\r\n\r\n")
        assert "transfer-encoding" not in (await raw.head())[1]
        assert await raw.reader.read() == b"onetwo"


class Endless:
    """A stream that says what happened to it."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.sent = 0
        self.closed = asyncio.Event()

    async def __call__(self, request: Request) -> Response:
        return Response(stream=self.pieces())

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.sent += len(self.piece)
                yield self.piece
                if self.sent == len(self.piece) and len(self.piece) < 10:
                    await asyncio.get_running_loop().create_future()  # nothing more to say, ever
        finally:
            self.closed.set()


async def test_a_silent_stream_is_cancelled_when_the_client_goes():
    stream = Endless(b"hi")
    async with serving(stream) as (_, raw):
        await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await raw.head()
        assert await raw.chunk() == b"hi"
        raw.writer.close()
        await asyncio.wait_for(stream.closed.wait(), 2)


async def test_a_waiting_handler_is_cancelled_when_the_client_goes():
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: Request) -> Response:
        began.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()
        return Response()

    async with serving(wait) as (_, raw):
        await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        await began.wait()
        raw.writer.close()
        await asyncio.wait_for(cancelled.wait(), 2)


async def test_a_slow_reader_holds_its_stream_back():
    stream = Endless(b"x" * 65536)
    async with serving(stream) as (_, raw):
        await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        before = -1
        while stream.sent != before:  # until it stands still
            before = stream.sent
            for _ in range(50):
                await asyncio.sleep(0)
        assert stream.sent < 32 * 1024 * 1024
        raw.writer.transport.abort()
        await asyncio.wait_for(stream.closed.wait(), 2)


async def mirror(request: Request) -> Response:
    async def upgraded(connection: messages.Duplex) -> None:
        while data := await connection.receive():
            await connection.send(data.upper())

    return Response(101, {"upgrade": request.headers["upgrade"], "connection": "Upgrade"}, upgrade=upgraded)


@pytest.mark.parametrize("protocol", ["websocket", "SPDY/3.1"])
async def test_upgrade(protocol: str):
    async with serving(mirror) as (_, raw):
        head = (
            f"POST /exec HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: {protocol}\r\ncontent-length: 0\r\n\r\n"
        )
        await raw.send(head.encode() + b"early ")  # bytes of the new protocol may follow at once
        status, headers = await raw.head()
        assert (status, headers["upgrade"]) == (101, protocol.lower())
        await raw.send(b"late")
        assert await raw.reader.readexactly(10) == b"EARLY LATE"
        raw.writer.write_eof()
        assert await raw.reader.read() == b""


async def test_upgrade_refused_is_an_answer_and_the_end():
    async with serving(echo) as (_, raw):
        await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        status, headers, _ = await raw.answer()
        assert (status, headers["connection"]) == (200, "close")


async def test_close_lets_answers_finish_and_ends_streams():
    release = asyncio.Event()
    stream = Endless(b"hi")

    async def handler(request: Request) -> Response:
        if request.path == "/stream":
            return await stream(request)
        await release.wait()
        return Response(body=b"done")

    async with serving(handler) as (server, raw):
        address = raw.writer.get_extra_info("peername")
        other = Raw(*await asyncio.open_connection(*address))
        await raw.send(b"GET /slow HTTP/1.1\r\nhost: h\r\n\r\n")
        await other.send(b"GET /stream HTTP/1.1\r\nhost: h\r\n\r\n")
        await other.head()
        assert await other.chunk() == b"hi"
        closing = asyncio.create_task(server.close())
        assert await other.chunk() == b""  # the stream ends as a complete answer
        release.set()
        _, headers, body = await raw.answer()
        assert (headers["connection"], body) == ("close", b"done")
        await closing
        assert not server.connections
        other.writer.close()
        with pytest.raises(OSError, match="onnect"):
            await asyncio.open_connection(*address)


async def test_header_values_cannot_smuggle_lines():
    async def evil(request: Request) -> Response:
        return Response(headers={"warning": "a\r\nset-cookie: x"})

    async with serving(evil) as (_, raw):
        await raw.send(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        _, headers, _ = await raw.answer()
        assert "set-cookie" not in headers


async def test_unix_socket(tmp_path: pathlib.Path):
    path = tmp_path / "api.sock"
    listener = listeners.unix(path)
    async with await http_server.serve(echo, sockets=[listener]):
        raw = Raw(*await asyncio.open_unix_connection(path))
        await raw.send(b"GET /u HTTP/1.1\r\nhost: h\r\n\r\n")
        assert (await raw.answer())[2] == b"GET /u ? 0 "
        raw.writer.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_inherited_sockets_are_only_taken_when_meant_for_us():
    assert listeners.inherited({}) == []
    assert listeners.inherited({"LISTEN_PID": "1", "LISTEN_FDS": "1"}, pid=2) == []


def test_a_taken_port_is_an_error():
    with listeners.tcp("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        listeners.tcp("127.0.0.1", first.getsockname()[1])
    assert isinstance(first, socket.socket)


SLOW = http_connection.Limits(head_seconds=0.05, request_seconds=0.1, idle_seconds=10)


@pytest.mark.parametrize(
    "pieces",
    [[b"GET /a HT", b"TP/1.1\r\n", b"x: 1\r\n"], [b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n", b"1", b"2", b"3"]],
    ids=["head", "body"],
)
async def test_who_sends_too_slowly_is_cut_off(pieces):
    async with serving(echo, SLOW) as (_, raw):
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    await raw.send(piece)
                    await asyncio.sleep(0.02)  # each piece shows that somebody is there, and none ends the request
                assert await raw.reader.read() == b""


@pytest.mark.slow
async def test_who_takes_no_answer_that_has_an_end_is_cut_off():
    async def large(request: Request) -> Response:
        return Response(200, {}, b"x" * 50_000_000)

    async with serving(large, SLOW) as (server, raw):
        await raw.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await raw.head())[0] == 200
        async with asyncio.timeout(10):
            while server.connections:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_who_reads_an_endless_stream_may_stop():
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async def endless(request: Request) -> Response:
        return Response(200, {}, stream=pieces())

    async with serving(endless, SLOW) as (server, raw):
        await raw.send(b"GET / HTTP/1.1\r\n\r\n")
        await asyncio.sleep(0.3)  # longer than SLOW lets an answer with an end stand still
        assert len(server.connections) == 1
