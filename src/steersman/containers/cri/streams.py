"""Exec, attach and port-forward over the URLs that a CRI runtime hands out: SPDY/3.1, which every one of them speaks.

Source: apimachinery's remotecommand constants, the kubelet's cri/streaming package.
"""

import asyncio
import contextlib
import urllib.parse

from steersman.aio.clock import Clock
from steersman.containers.connection import Connection
from steersman.containers.runtime import RuntimeFailure
from steersman.serving import spdy
from steersman.serving.channels import Wanted
from steersman.serving.messages import Duplex
from steersman.serving.remote_sessions import SpdySession

CONNECT_SECONDS = 10.0
HEAD_MOST_BYTES = 64 * 1024
# How long a refused connection has to say so before a forwarded port counts as open.
REFUSAL_SECONDS = 0.25


async def _upgrade(url: str, protocol: str, reason: str, clock: Clock) -> Duplex:
    """Raises RuntimeFailure."""
    target = urllib.parse.urlsplit(url)
    try:
        async with clock.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(target.hostname, target.port or 80, limit=HEAD_MOST_BYTES)
            writer.write(_request(target, protocol))
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as failed:
        raise RuntimeFailure(reason, f"unable to reach the runtime's streaming server: {failed}") from failed
    if head.split(" ", 2)[1:2] != ["101"]:
        writer.close()
        raise RuntimeFailure(reason, f"unable to upgrade connection: {head.splitlines()[0]}")
    return Connection(reader, writer)


def _request(target: urllib.parse.SplitResult, protocol: str) -> bytes:
    path = target.path + (f"?{target.query}" if target.query else "")
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {target.netloc}",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        f"X-Stream-Protocol-Version: {protocol}",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def open_session(url: str, *, stdin: bool, tty: bool, reason: str, clock: Clock) -> SpdySession:
    wanted = Wanted(stdin=stdin, stdout=True, stderr=not tty, tty=tty)
    session = SpdySession(await _upgrade(url, "v4.channel.k8s.io", reason, clock), wanted)
    await session.start()
    return session


class Forwarded:
    """A connection to a pod's port, as a Duplex."""

    def __init__(self, session: spdy.Session, data: spdy.Stream, running: "asyncio.Task[None]") -> None:
        self._session = session
        self._data = data
        self._running = running
        self._first = b""

    async def receive(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return await self._data.receive()
        except spdy.Closed:
            return b""

    async def send(self, data: bytes) -> None:
        if data:
            await self._data.send(data)
        else:
            await self._data.finish()

    async def close(self) -> None:
        await self._session.close()
        self._running.cancel()
        await asyncio.wait([self._running])


async def open_port(url: str, port: int, clock: Clock) -> Forwarded:
    """Raises RuntimeFailure, also where nobody listens."""
    session = spdy.Session(await _upgrade(url, "portforward.k8s.io", "PortForwardError", clock), server=False)
    running = asyncio.create_task(session.run(), name="cri port-forward")
    headers = {"port": str(port), "requestid": "0"}
    error = await session.open({"streamtype": "error", **headers})
    await error.finish()
    data = await session.open({"streamtype": "data", **headers})
    made = Forwarded(session, data, running)
    said = b""
    with contextlib.suppress(TimeoutError, spdy.Closed):
        async with clock.timeout(REFUSAL_SECONDS):
            said = await error.receive()
    if said:
        await made.close()
        raise RuntimeFailure("PortForwardError", said.decode("utf-8", "replace"))
    return made
