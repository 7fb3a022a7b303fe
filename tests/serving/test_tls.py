"""Certificates as users."""

import asyncio
import datetime
import pathlib
import ssl

from steersman.aio import clock as clocks
from steersman.cluster import pki
from steersman.serving import http_server, listeners, tls
from steersman.serving.messages import Peer, Request, Response


async def whoami(request: Request) -> Response:
    peer = request.peer
    return Response(body=f"{peer.certificate_user} {','.join(peer.certificate_groups)} {peer.address}".encode())


async def ask(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        return (await reader.read()).partition(b"\r\n\r\n")[2]
    finally:
        writer.close()


def authority(directory: pathlib.Path) -> pki.Authority:
    directory.mkdir(exist_ok=True)
    return pki.Authority(directory, clocks.SystemClock().now().astimezone(datetime.UTC))


async def test_the_certificate_is_the_user(tmp_path: pathlib.Path):
    ours = authority(tmp_path / "ours")
    serving = ours.server("server", "server", ["127.0.0.1"])
    client = ours.client(pki.Identity("bob", "bob", ("devs", "ops")))
    listener = listeners.tcp("127.0.0.1", 0)
    port = listener.getsockname()[1]
    context = tls.server_context(serving.certificate, serving.key, ours.pair.certificate)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    async with await http_server.serve(whoami, sockets=[listener], ssl_context=context):
        known = tls.client_context(ours.pair.certificate, client.certificate, client.key)
        assert await ask(port, known) == b"bob devs,ops 127.0.0.1"
        assert await ask(port, tls.client_context(ours.pair.certificate)) == b"  127.0.0.1"
        stranger = authority(tmp_path / "theirs").client(pki.Identity("eve", "eve", ("system:masters",)))
        theirs = tls.client_context(ours.pair.certificate, stranger.certificate, stranger.key)
        try:
            answer = await ask(port, theirs)
        except (ssl.SSLError, ConnectionError):
            answer = b""
        assert answer == b""


def test_peers_without_certificates():
    assert tls.peer_of(("10.0.0.1", 5), None) == Peer("10.0.0.1")
    assert tls.peer_of("", {}) == Peer()
