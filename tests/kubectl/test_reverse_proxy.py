"""The API on a local port: what is let through, and that it comes through as it is."""

import asyncio
import pathlib
from collections.abc import AsyncIterator

import pytest

from steersman.client.transport import InProcessTransport
from steersman.kubectl import reverse_proxy
from steersman.kubectl.reverse_proxy import Filter, ReverseProxy
from steersman.serving.messages import Duplex, MemoryDuplex, Peer, Request, Response

USUAL = Filter(
    accept_paths=reverse_proxy.patterns(reverse_proxy.ACCEPT_PATHS),
    reject_paths=reverse_proxy.patterns(reverse_proxy.REJECT_PATHS),
    accept_hosts=reverse_proxy.patterns(reverse_proxy.ACCEPT_HOSTS),
    reject_methods=reverse_proxy.patterns("^DELETE$,^PUT$"),
)


@pytest.mark.parametrize(
    ("method", "path", "host", "accepted"),
    [
        ("GET", "/api/v1/pods", "localhost", True),
        ("GET", "/api/v1/pods", "127.0.0.1", True),
        ("GET", "/api/v1/pods", "[::1]", True),
        ("GET", "/api/v1/pods", "evil.example", False),
        ("POST", "/api/v1/namespaces/a/pods/b/exec", "localhost", False),
        ("POST", "/api/v1/namespaces/a/pods/b/attach", "localhost", False),
        ("DELETE", "/api/v1/pods", "localhost", False),
    ],
)
def test_what_is_let_through(method: str, path: str, host: str, accepted: bool) -> None:
    assert USUAL.accepts(method, path, host) is accepted


@pytest.mark.parametrize(
    ("header", "host"),
    [("localhost", "localhost"), ("localhost:8001", "localhost"), ("[::1]:8001", "::1"), ("[::1]", "[::1]")],
)
def test_the_host_of_a_header(header: str, host: str) -> None:
    assert reverse_proxy.host_of(header) == host


class Api:
    """Says what it was asked, as a stream where it is a watch, and echoes where it is upgraded."""

    def __init__(self) -> None:
        self.seen: list[Request] = []

    async def __call__(self, request: Request) -> Response:
        self.seen.append(request)
        if "upgrade" in request.headers:
            return Response(101, {"connection": "Upgrade", "upgrade": "websocket"}, upgrade=self._echo)
        if request.parameter("watch"):
            return Response(200, {"content-type": "application/json"}, stream=self._events())
        return Response(200, {"connection": "keep-alive", "x-own": "yes"}, request.body or request.path.encode())

    async def _events(self) -> AsyncIterator[bytes]:
        yield b"one\n"
        yield b"two\n"

    async def _echo(self, duplex: Duplex) -> None:
        while data := await duplex.receive():
            await duplex.send(data.upper())


def proxy_of(api: Api, **more: object) -> ReverseProxy:
    return ReverseProxy(InProcessTransport(api), {"impersonate-user": "me"}, **more)  # type: ignore[arg-type]


async def test_requests_lose_what_belongs_to_the_connection() -> None:
    api = Api()
    headers = {"host": "localhost:8001", "connection": "close", "x-mine": "1", "content-length": "4"}
    answer = await proxy_of(api, permitted=USUAL).handle(
        Request("POST", "/api/v1/pods", "a=b", headers, b"body", Peer("127.0.0.1"))
    )
    assert answer.stream is not None
    assert [piece async for piece in answer.stream] == [b"body"]
    assert answer.headers == {"x-own": "yes"}
    (seen,) = api.seen
    assert seen.headers == {"x-mine": "1", "impersonate-user": "me", "x-forwarded-for": "127.0.0.1"}
    assert (seen.method, seen.path, seen.query, seen.body) == ("POST", "/api/v1/pods", "a=b", b"body")


async def test_a_watch_flows_through() -> None:
    answer = await proxy_of(Api()).handle(Request("GET", "/api/v1/pods", "watch=true"))
    assert answer.stream is not None
    assert [piece async for piece in answer.stream] == [b"one\n", b"two\n"]


async def test_an_upgrade_passes_as_it_is() -> None:
    headers = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-key": "x"}
    api = Api()
    answer = await proxy_of(api).handle(Request("GET", "/api/v1/x", "", headers))
    assert (answer.status, answer.headers["upgrade"]) == (101, "websocket")
    assert api.seen[0].headers["sec-websocket-key"] == "x"
    mine, theirs = MemoryDuplex.pair()
    assert answer.upgrade is not None
    serving = asyncio.ensure_future(answer.upgrade(theirs))
    await mine.send(b"hello")
    assert await mine.receive() == b"HELLO"
    await mine.close()
    await serving


@pytest.mark.parametrize(
    ("prefix", "path", "status", "asked"),
    [
        ("/", "/version", 200, "/version"),
        ("/k8s/", "/k8s/api/v1", 200, "/api/v1"),
        ("/k8s/", "/version", 404, ""),
        ("/k8s/", "/k8s", 301, ""),
        ("/api/", "/api/v1", 200, "/api/v1"),
        ("/", "//version", 301, ""),
        ("/", "/a/../b", 301, ""),
    ],
)
async def test_prefixes(prefix: str, path: str, status: int, asked: str) -> None:
    api = Api()
    answer = await proxy_of(api, api_prefix=prefix).handle(Request("GET", path))
    assert answer.status == status
    assert [seen.path for seen in api.seen] == ([asked] if asked else [])


async def test_other_hosts_are_refused() -> None:
    api = Api()
    answer = await proxy_of(api, permitted=USUAL).handle(Request("GET", "/api", "", {"host": "evil.example"}))
    assert (answer.status, answer.body, api.seen) == (403, b"Forbidden\n", [])


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("a.txt", 200, b"hello"),
        ("sub/", 200, b"<p>"),
        ("sub", 301, b""),
        ("sub/index.html", 301, b""),
        ("nothing", 404, b"404 page not found\n"),
        ("../secret", 400, b"invalid URL path\n"),
    ],
)
async def test_files(tmp_path: pathlib.Path, name: str, status: int, body: bytes) -> None:
    folder = tmp_path / "www"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("hello")
    (folder / "sub" / "index.html").write_text("<p>")
    (tmp_path / "secret").write_text("no")
    answer = reverse_proxy.static_file(folder, name, Request("GET", f"/static/{name}"))
    assert (answer.status, answer.body) == (status, body)


async def test_a_folder_is_listed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a&b").touch()
    (tmp_path / "in").mkdir()
    proxy = proxy_of(Api(), static_prefix="/static/", static_folder=tmp_path)
    answer = await proxy.handle(Request("GET", "/static/"))
    assert b'<a href="a&b">a&amp;b</a>\n<a href="in/">in/</a>\n' in answer.body
