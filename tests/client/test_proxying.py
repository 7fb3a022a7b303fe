"""Which proxy is meant, and requests through one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from steersman.aio.clock import SystemClock
from steersman.client import proxying
from steersman.client.access import Access
from steersman.client.transport import HttpTransport, Unreachable
from steersman.serving.messages import Request


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("https://a.example:6443", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example", {"https_proxy": "p:1"}, "http://p:1"),
        ("http://a.example", {"HTTPS_PROXY": "p:1"}, ""),
        ("http://a.example", {"HTTP_PROXY": "p:1"}, "http://p:1"),
        ("https://a.example", {"HTTPS_PROXY": "p:1", "NO_PROXY": "b.example,example"}, ""),
        ("https://a.example", {"HTTPS_PROXY": "p:1", "NO_PROXY": ".example"}, ""),
        ("https://example", {"HTTPS_PROXY": "p:1", "NO_PROXY": ".example"}, "http://p:1"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "p:1", "no_proxy": "10.0.0.0/8"}, ""),
        ("https://10.1.2.3", {"HTTPS_PROXY": "p:1", "NO_PROXY": "*"}, ""),
        ("https://11.1.2.3", {"HTTPS_PROXY": "p:1", "NO_PROXY": "10.0.0.0/8"}, "http://p:1"),
        ("https://127.0.0.1:6443", {"HTTPS_PROXY": "p:1"}, ""),
        ("https://localhost", {"HTTPS_PROXY": "p:1"}, ""),
    ],
)
def test_which_proxy(url: str, environment: dict[str, str], proxy: str) -> None:
    assert proxying.from_environment(url, environment) == proxy


class Proxy:
    """Answers CONNECT, and then itself as the server would."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.asked: list[bytes] = []
        self.served: list[asyncio.Task[None] | None] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.served.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(f"HTTP/1.1 {self.status}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
            await writer.drain()
            await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def running(proxy: Proxy) -> AsyncIterator[int]:
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*filter(None, proxy.served))


async def test_a_request_goes_through_the_proxy() -> None:
    proxy = Proxy("200 Connection established")
    async with running(proxy) as port:
        access = Access("http://far.example:8080", proxy=f"http://me:secret@127.0.0.1:{port}")
        transport = HttpTransport(access, clock=SystemClock())
        assert (await transport.request(Request("GET", "/"))).body == b"hi"
        await transport.close()
    assert proxy.asked == [
        b"CONNECT far.example:8080 HTTP/1.1\r\nHost: far.example:8080\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("status", "scheme", "said"),
    [("403 Forbidden", "http", "the proxy answered 403"), ("200 OK", "socks5", "unsupported proxy scheme: socks5")],
)
async def test_a_proxy_that_is_none(status: str, scheme: str, said: str) -> None:
    async with running(Proxy(status)) as port:
        access = Access("http://far.example", proxy=f"{scheme}://127.0.0.1:{port}")
        transport = HttpTransport(access, clock=SystemClock())
        with pytest.raises(Unreachable, match=said):
            await transport.request(Request("GET", "/"))
        await transport.close()
