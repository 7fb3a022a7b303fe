"""A way through an HTTP proxy: which one, and the connection that it opens for us (CONNECT).

Source of the rules: Go's net/http (ProxyFromEnvironment). SOCKS proxies, and proxies behind TLS, are refused in a sentence.
"""

import asyncio
import base64
import socket
import urllib.parse
from collections.abc import Mapping

from steersman.client.http_connection import Unreachable

ANSWER_BYTES_MAX = 64 * 1024  # a proxy says little before the connection is ours


def from_environment(url: str, environment: Mapping[str, str]) -> str:
    """The proxy that $HTTPS_PROXY, $HTTP_PROXY and $NO_PROXY say for a URL; "" for none. Never for this machine itself."""
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    names = ("HTTPS_PROXY", "https_proxy") if parts.scheme == "https" else ("HTTP_PROXY", "http_proxy")
    proxy = next((environment[name] for name in names if environment.get(name)), "")
    excepted = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if not proxy or _is_here(host) or _is_excepted(host, excepted):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_here(host: str) -> bool:
    import ipaddress  # here: most commands go through no proxy

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_excepted(host: str, text: str) -> bool:
    return any(_matches(host, rule.strip().lower()) for rule in text.split(",") if rule.strip())


def _matches(host: str, rule: str) -> bool:
    """A name also means those below it; addresses may be ranges."""
    import ipaddress

    if rule == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = rule.removeprefix("*").removeprefix(".").partition(":")[0]
        return (host.lower() == name and not rule.startswith(".")) or host.lower().endswith(f".{name}")
    try:
        return address in ipaddress.ip_network(rule, strict=False)
    except ValueError:
        return False


async def connect(proxy: str, host: str, port: int) -> socket.socket:
    """A socket that leads to host:port. Raises Unreachable, OSError."""
    parts = urllib.parse.urlsplit(proxy)
    if parts.scheme != "http" or not parts.hostname:
        raise Unreachable(f"proxyconnect tcp: unsupported proxy scheme: {parts.scheme or proxy}")
    loop = asyncio.get_running_loop()
    family, kind, protocol, _, address = (
        await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    )[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, _request(parts, host, port))
        status = await _answer(loop, sock)
    except BaseException:
        sock.close()
        raise
    if status != "200":
        sock.close()
        raise Unreachable(f"proxyconnect tcp: the proxy answered {status or 'nothing'}")
    return sock


def _request(proxy: urllib.parse.SplitResult, host: str, port: int) -> bytes:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.username:
        pair = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


async def _answer(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> str:
    """The status; nothing is read of what comes behind the answer."""
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        piece = await loop.sock_recv(sock, 1)
        if not piece or len(read) > ANSWER_BYTES_MAX:
            break
        read += piece
    words = read.split(b"\r\n", 1)[0].decode("latin-1").split()
    return words[1] if len(words) > 1 else ""
