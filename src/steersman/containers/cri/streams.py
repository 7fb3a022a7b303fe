"""Exec, attach and port-forward over the URLs that a CRI runtime hands out: SPDY/3.1, which every one of them speaks.

Source: apimachinery's remotecommand constants, the kubelet's cri/streaming package.
"""

import asyncio
import contextlib
import json
import urllib.parse
from collections.abc import Mapping

from steersman.aio.clock import Clock
from steersman.containers.connection import Connection
from steersman.containers.runtime import RuntimeFailure
from steersman.serving import channels, spdy
from steersman.serving.messages import Duplex

CONNECT_SECONDS = 10.0
HEAD_MOST_BYTES = 64 * 1024
PIECES_WAITING_MAX = 16
# How long a refused connection has to say so before a forwarded port counts as open.
REFUSAL_SECONDS = 0.25
STDOUT, STDERR, END = 1, 2, 0


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


class RemoteSession:
    """A command in a container, or its own streams (`containers.runtime.ExecSession`)."""

    def __init__(self, duplex: Duplex, *, stdin: bool, tty: bool) -> None:
        self.tty = tty
        self._wants_stdin = stdin
        self._spdy = spdy.Session(duplex, server=False)
        self._streams: dict[str, spdy.Stream] = {}
        self._output: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(PIECES_WAITING_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._open = 0

    async def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._spdy.run(), name="cri stream"))
        kinds = ["error", *(["stdin"] if self._wants_stdin else []), "stdout", *([] if self.tty else ["stderr"])]
        for kind in [*kinds, *(["resize"] if self.tty else [])]:
            self._streams[kind] = await self._spdy.open({"streamtype": kind})
        outputs = {"stdout": STDOUT, "stderr": STDERR}
        for kind in kinds:
            if kind in outputs:
                self._open += 1
                reading = self._read_output(outputs[kind], self._streams[kind])
                self._tasks.append(asyncio.create_task(reading, name=f"cri {kind}"))
        self._tasks.append(asyncio.create_task(self._read_end(), name="cri exit"))

    async def read(self) -> tuple[int, bytes]:
        stream, data = await self._output.get()
        if stream == END:
            self._output.put_nowait((END, b""))
        return stream, data

    async def write_stdin(self, data: bytes) -> None:
        await self._streams["stdin"].send(data)

    async def close_stdin(self) -> None:
        await self._streams["stdin"].finish()

    async def resize(self, width: int, height: int) -> None:
        if "resize" in self._streams:
            await self._streams["resize"].send(json.dumps({"Width": width, "Height": height}).encode())

    async def wait(self) -> int:
        """Raises CommandFailed where the command could not even be started."""
        return await asyncio.shield(self._code)

    async def close(self) -> None:
        await self._spdy.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        if self._code.done():
            self._code.exception()  # nobody may have asked
        else:
            self._code.cancel()

    async def _read_output(self, number: int, stream: spdy.Stream) -> None:
        with contextlib.suppress(spdy.Closed, OSError):
            while data := await stream.receive():
                await self._output.put((number, data))
        self._open -= 1
        if not self._open:
            await self._output.put((END, b""))

    async def _read_end(self) -> None:
        """The error stream's last word is a Status; an empty one is success."""
        said = b""
        with contextlib.suppress(spdy.Closed, OSError):
            while data := await self._streams["error"].receive():
                said += data
        try:
            self._code.set_result(exit_code(said))
        except channels.CommandFailed as failed:
            self._code.set_exception(failed)


def exit_code(said: bytes) -> int:
    """Raises CommandFailed."""
    if not said.strip():
        return 0
    try:
        status = json.loads(said)
    except ValueError:
        raise channels.CommandFailed(said.decode("utf-8", "replace")) from None
    if status.get("status") == "Success":
        return 0
    causes: list[Mapping[str, str]] = (status.get("details") or {}).get("causes") or []
    codes = [one.get("message", "") for one in causes if one.get("reason") == "ExitCode"]
    if codes and codes[0].isdigit():
        return int(codes[0])
    raise channels.CommandFailed(status.get("message", ""))


async def open_session(url: str, *, stdin: bool, tty: bool, reason: str, clock: Clock) -> RemoteSession:
    session = RemoteSession(await _upgrade(url, "v4.channel.k8s.io", reason, clock), stdin=stdin, tty=tty)
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
