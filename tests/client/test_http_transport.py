"""The HTTP transport against a server that behaves, and one that does not."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import uvloop

from steersman.aio.clock import SystemClock
from steersman.client import http_connection, transport
from steersman.client.kubeconfig import Access
from steersman.client.transport import HttpTransport, Unreachable
from steersman.serving.messages import Request, Response
from tests.client import raw_server
from tests.client.raw_server import Conversation

GET = Request("GET", "/x")


@contextlib.asynccontextmanager
async def connected(talk: raw_server.Talk, **options: Any) -> AsyncIterator[HttpTransport]:
    async with raw_server.talking(talk) as port:
        found = HttpTransport(Access(f"http://127.0.0.1:{port}"), clock=SystemClock(), **options)
        try:
            yield found
        finally:
            await found.close()


async def echo(conversation: Conversation) -> None:
    while request := await conversation.request():
        await conversation.answer(request)


async def test_requests_share_one_connection():
    async with connected(echo) as http:
        for number in range(5):
            response = await http.request(Request("POST", f"/a b/{number}", "q=1", {"x-a": "1"}, b"body"))
            assert response.status == 200
            assert response.body.startswith(f"POST /a%20b/{number}?q=1 HTTP/1.1\r\nhost: 127.0.0.1:".encode())
            assert response.body.endswith(b"x-a: 1\r\ncontent-length: 4\r\n\r\nbody")
        assert http.statistics() == {"idle": 1, "in_use": 0}


async def ask_many(http: HttpTransport, count: int) -> list[bytes]:
    responses = await asyncio.gather(*(http.request(Request("GET", f"/{n}")) for n in range(count)))
    return [response.body.split()[1] for response in responses]


async def test_concurrent_requests_use_several_connections():
    together = asyncio.Barrier(5)

    async def answer_together(conversation: Conversation) -> None:
        request = await conversation.request()
        await together.wait()
        await conversation.answer(request)

    async with connected(answer_together) as http:
        assert await ask_many(http, 5) == [b"/%d" % n for n in range(5)]


async def test_a_burst_makes_one_connection_at_a_time(monkeypatch):
    """Each waits until the one before it is made, or takes one that has come free."""
    now = most = made = 0
    connect = HttpTransport._connect

    async def counted(http: HttpTransport) -> http_connection.Connection:
        nonlocal now, most, made
        now, made = now + 1, made + 1
        most = max(most, now)
        try:
            return await connect(http)
        finally:
            now -= 1

    monkeypatch.setattr(HttpTransport, "_connect", counted)
    async with connected(echo) as http:
        assert await ask_many(http, 30) == [b"/%d" % n for n in range(30)]
        assert most == 1
        assert http.statistics() == {"idle": made, "in_use": 0}
        again = made
        await ask_many(http, made)
        assert made == again


async def test_a_server_that_takes_long_to_connect_is_not_waited_for_in_a_queue(monkeypatch):
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(transport, "PATIENCE_SECONDS", 0.01)
    listening = socket.create_server(("127.0.0.1", 0))  # takes connections, and says nothing of TLS
    http = HttpTransport(Access(f"https://127.0.0.1:{listening.getsockname()[1]}"), clock=SystemClock())
    async with asyncio.timeout(1.5):
        failed = await asyncio.gather(*(http.request(GET) for _ in range(10)), return_exceptions=True)
    assert [type(one) for one in failed] == [Unreachable] * 10
    await http.close()
    listening.close()


async def test_who_is_called_off_while_waiting_passes_on_what_it_got():
    asked = asyncio.Event()

    async def answer(conversation: Conversation) -> None:
        while request := await conversation.request():
            asked.set()
            await conversation.answer(request)

    async with connected(answer) as http:
        tasks = [asyncio.ensure_future(http.request(GET)) for _ in range(20)]
        await asked.wait()
        for one in tasks[1:19]:
            one.cancel()
        first, *_, last = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(first, Response)
        assert isinstance(last, Response)
        assert http.statistics()["in_use"] == 0


async def test_a_base_path_comes_first():
    async with raw_server.talking(echo) as port:
        http = HttpTransport(Access(f"http://127.0.0.1:{port}/k8s/clusters/c1"), clock=SystemClock())
        assert b"GET /k8s/clusters/c1/api HTTP/1.1" in (await http.request(Request("GET", "/api"))).body
        await http.close()


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ([b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 4\r\n\r\nbo", b"dy"], b"body"),
        ([CHUNKED, b"3\r\nabc\r\n", b"2\r\nde\r\n0\r\n\r\n"], b"abcde"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 2\n\nok"], b"ok"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"], b"ok"),
    ],
    ids=["in pieces", "chunked", "no content", "lines of scripts", "continue"],
)
async def test_bodies(said, body):
    async def talk(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.say(*said)

    async with connected(talk) as http:
        for _ in range(2):
            assert (await http.request(GET)).body == body
        assert http.statistics() == {"idle": 1, "in_use": 0}


async def test_a_body_may_end_with_the_connection():
    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(b"HTTP/1.0 200 OK\r\n\r\n", b"until the ", b"end")

    async with connected(talk) as http:
        assert (await http.request(GET)).body == b"until the end"
        assert http.statistics() == {"idle": 0, "in_use": 0}


async def test_repeated_headers_are_joined():
    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.answer(b"", headers="Warning: one\r\nWARNING: two\r\n")

    async with connected(talk) as http:
        assert (await http.request(GET)).headers["warning"] == "one, two"


async def test_head_has_no_body():
    async def talk(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")

    async with connected(talk) as http:
        response = await http.request(Request("HEAD", "/x"))
        assert (response.status, response.headers) == (200, {"content-length": "10"})


# Trouble


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        CHUNKED + b"5\r\nab",
        b"nonsense\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk", "no HTTP"],
)
async def test_a_broken_answer_is_unreachable(said):
    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(said)

    async with connected(talk) as http:
        with pytest.raises(Unreachable):
            await http.request(Request("POST", "/x"))
        assert http.statistics() == {"idle": 0, "in_use": 0}


async def test_nobody_there():
    async with raw_server.talking(echo) as port:
        pass
    http = HttpTransport(Access(f"http://127.0.0.1:{port}"), clock=SystemClock())
    with pytest.raises(Unreachable, match=f"dial tcp 127.0.0.1:{port}"):
        await http.request(GET)


async def test_no_answer_in_time():
    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.request()

    async with connected(talk, request_seconds=0.05) as http:
        with pytest.raises(Unreachable, match=r"no answer within 0\.05 s"):
            await http.request(GET)
        with pytest.raises(Unreachable, match="no answer"):
            await http.stream(GET)
        assert http.statistics() == {"idle": 0, "in_use": 0}


@pytest.mark.parametrize(("method", "retried"), [("GET", True), ("POST", False)])
async def test_a_kept_connection_that_the_server_just_closed(method, retried):
    """Reading is tried again on a fresh connection; a write is not: it may have happened."""

    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.answer(str(conversation.number).encode())
        if conversation.number == 1:
            await conversation.request()  # and hang up without an answer

    async with connected(talk) as http:
        assert (await http.request(GET)).body == b"1"
        if retried:
            assert (await http.request(Request(method, "/x"))).body == b"2"
        else:
            with pytest.raises(Unreachable):
                await http.request(Request(method, "/x"))


async def test_a_connection_closed_while_idle_is_not_used_again():
    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.answer(str(conversation.number).encode())

    async with connected(talk) as http:
        assert (await http.request(GET)).body == b"1"
        await asyncio.sleep(0.01)
        assert (await http.request(Request("POST", "/x"))).body == b"2"


async def test_a_cancelled_request_closes_its_connection():
    gone = asyncio.Event()

    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.request()
        gone.set()

    async with connected(talk) as http:
        task = asyncio.ensure_future(http.request(GET))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(gone.wait(), 5)
        assert http.statistics() == {"idle": 0, "in_use": 0}


# Streams


async def test_a_stream_comes_as_it_is_sent():
    go_on = asyncio.Event()

    async def talk(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.say(CHUNKED + b"4\r\none\n\r\n")
            await go_on.wait()
            await conversation.say(b"4\r\ntwo\n\r\n", b"0\r\n\r\n")

    async with connected(talk) as http:
        async with transport.streaming(http, GET) as response:
            assert response.stream is not None
            pieces = aiter(response.stream)
            assert await anext(pieces) == b"one\n"
            assert http.statistics() == {"idle": 0, "in_use": 1}
            go_on.set()
            assert [piece async for piece in pieces] == [b"two\n"]
        assert http.statistics() == {"idle": 1, "in_use": 0}  # read to its end: kept


@pytest.mark.parametrize("read", [True, False])
async def test_leaving_a_stream_closes_its_connection(read):
    gone = asyncio.Event()

    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(CHUNKED, b"4\r\none\n\r\n")
        await conversation.request()
        gone.set()

    async with connected(talk) as http:
        async with transport.streaming(http, GET) as response:
            if read:
                assert response.stream is not None
                await anext(aiter(response.stream))
        assert http.statistics() == {"idle": 0, "in_use": 0}
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_stream_that_is_cut_off_is_unreachable():
    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(CHUNKED, b"4\r\none\n\r\n", b"9\r\ntw")

    async with connected(talk) as http, transport.streaming(http, GET) as response:
        assert response.stream is not None
        with pytest.raises(Unreachable):
            async for _ in response.stream:
                pass


async def test_a_refused_stream_has_its_body():
    async def talk(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.say(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n", b"no")

    async with connected(talk) as http:
        async with transport.streaming(http, GET) as response:
            assert (response.status, response.body, response.stream) == (403, b"no", None)
        assert http.statistics() == {"idle": 1, "in_use": 0}


async def test_a_slow_reader_holds_up_the_server_not_our_memory():
    size = 64 * 1024
    sent = 0

    async def talk(conversation: Conversation) -> None:
        nonlocal sent
        await conversation.request()
        await conversation.say(CHUNKED)
        for _ in range(400):
            await conversation.say(b"%x\r\n%s\r\n" % (size, b"x" * size))
            sent += size
        await conversation.say(b"0\r\n\r\n")

    async with connected(talk) as http, transport.streaming(http, GET) as response:
        await asyncio.sleep(0.2)
        assert sent < 400 * size
        got = 0
        assert response.stream is not None
        async for piece in response.stream:
            assert len(piece) <= http_connection.UNREAD_BYTES_MAX + 512 * 1024
            got += len(piece)
        assert got == 400 * size


# Upgrades


async def test_an_upgrade_passes_the_raw_connection_on():
    async def talk(conversation: Conversation) -> None:
        assert b"upgrade: SPDY/3.1" in await conversation.request()
        await conversation.say(
            b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\n\r\nat once"
        )
        while data := await conversation.reader.read(100):
            await conversation.say(data.upper())

    request = Request("POST", "/exec", "", {"connection": "Upgrade", "upgrade": "SPDY/3.1"})
    async with connected(talk) as http:
        response, duplex = await http.upgrade(request)
        assert (response.status, response.headers["upgrade"]) == (101, "SPDY/3.1")
        assert duplex is not None
        assert await duplex.receive() == b"at once"
        await duplex.send(b"hello")
        assert await duplex.receive() == b"HELLO"
        await duplex.close()
        assert await duplex.receive() == b""
        assert http.statistics() == {"idle": 0, "in_use": 0}


@pytest.mark.parametrize("status", ["403 Forbidden", "200 OK"])
async def test_a_refused_upgrade_is_answered_whole(status):
    async def talk(conversation: Conversation) -> None:
        while await conversation.request():
            await conversation.answer(b"no", status)

    async with connected(talk) as http:
        response, duplex = await http.upgrade(Request("POST", "/exec"))
        assert (response.body, duplex) == (b"no", None)
        assert http.statistics() == {"idle": 1, "in_use": 0}


async def test_a_raw_connection_that_breaks_ends():
    async def talk(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: x\r\n\r\n")

    async with connected(talk) as http:
        _, duplex = await http.upgrade(GET)
        assert duplex is not None
        assert await duplex.receive() == b""
        with pytest.raises(Unreachable):
            await duplex.send(b"late")
        await duplex.close()


# Who we are


@pytest.mark.parametrize(
    ("access", "line"),
    [
        (Access("", token="secret"), b"authorization: Bearer secret\r\n"),
        (Access("", username="me", password="pw"), b"authorization: Basic bWU6cHc=\r\n"),
    ],
    ids=["token", "password"],
)
async def test_authorization(access, line):
    async with raw_server.talking(echo) as port:
        known = Access(
            f"http://127.0.0.1:{port}", token=access.token, username=access.username, password=access.password
        )
        http = HttpTransport(known, clock=SystemClock())
        assert line in (await http.request(GET)).body
        own = await http.request(Request("GET", "/", headers={"authorization": "Bearer other"}))
        assert b"other" in own.body
        assert line not in own.body
        await http.close()


async def test_a_token_file_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "TOKEN_FILE_SECONDS", 0.0)
    file = tmp_path / "token"
    async with raw_server.talking(echo) as port:
        file.write_text("one\n")
        http = HttpTransport(Access(f"http://127.0.0.1:{port}", token_file=str(file)), clock=SystemClock())
        assert b"Bearer one\r\n" in (await http.request(GET)).body
        file.write_text("two\n")
        assert b"Bearer two\r\n" in (await http.request(GET)).body
        await http.close()


async def who(conversation: Conversation) -> None:
    await conversation.request()
    shown = conversation.writer.get_extra_info("peercert") or {}
    names = {key: value for part in shown.get("subject", ()) for key, value in part}
    await conversation.answer(repr((names.get("commonName"), names.get("organizationName"))).encode())


async def test_tls_with_a_client_certificate(tmp_path):
    authority = raw_server.Authority()
    certificate, key = authority.issue("system:node:n", "system:nodes")
    async with raw_server.talking(who, authority.server_context(tmp_path)) as port:
        access = Access(f"https://127.0.0.1:{port}", authority=authority.pem, certificate=certificate, key=key)
        http = HttpTransport(access, clock=SystemClock())
        assert (await http.request(GET)).body == b"('system:node:n', 'system:nodes')"
        await http.close()


async def test_tls_refuses_what_it_does_not_know(tmp_path):
    authority = raw_server.Authority()
    async with raw_server.talking(who, authority.server_context(tmp_path)) as port:
        url = f"https://127.0.0.1:{port}"
        for access in (
            Access(url, authority=raw_server.Authority("other").pem),
            Access(url, authority=authority.pem, server_name="elsewhere"),
        ):
            with pytest.raises(Unreachable, match="certificate verify failed"):
                await HttpTransport(access, clock=SystemClock()).request(GET)
        http = HttpTransport(Access(url, insecure=True), clock=SystemClock())
        assert (await http.request(GET)).body == b"(None, None)"
        await http.close()


@pytest.mark.parametrize("server", ["ftp://x", "127.0.0.1:6443", ""])
def test_not_a_url(server):
    with pytest.raises(ValueError, match="not an http or https URL"):
        HttpTransport(Access(server), clock=SystemClock())


def test_works_on_uvloop(tmp_path):
    authority = raw_server.Authority()

    async def story() -> None:
        async with raw_server.talking(echo, authority.server_context(tmp_path)) as port:
            http = HttpTransport(Access(f"https://127.0.0.1:{port}", authority=authority.pem), clock=SystemClock())
            for _ in range(3):
                assert (await http.request(Request("POST", "/x", body=b"body"))).body.endswith(b"body")
            async with transport.streaming(http, GET) as response:
                assert response.stream is not None
                assert b"".join([piece async for piece in response.stream]).startswith(b"GET /x")
            await http.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


@pytest.mark.parametrize("deaf", [False, True], ids=["answers", "says nothing"])
async def test_nothing_is_left_when_a_transport_is_closed(tmp_path, monkeypatch, deaf):
    """TLS ends with a word of the other side; whoever does not say it is not waited for."""
    monkeypatch.setattr(transport, "GOODBYE_SECONDS", 0.05 if deaf else 30.0)
    authority = raw_server.Authority()

    async def talk(conversation: Conversation) -> None:
        await conversation.answer(await conversation.request())
        if deaf:
            side = cast(asyncio.Transport, conversation.writer.transport)
            side.pause_reading()
            try:
                await asyncio.sleep(30)
            finally:
                side.abort()
        await conversation.request()

    async with raw_server.talking(talk, authority.server_context(tmp_path)) as port:
        certificate, key = authority.issue("me")
        access = Access(f"https://127.0.0.1:{port}", authority.pem, certificate, key)
        http = HttpTransport(access, clock=SystemClock())
        await http.request(GET)
        [(_, kept)] = http._idle
        await http.close()
        assert not kept.is_open
