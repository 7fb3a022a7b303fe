"""Remote commands (exec, attach) as clients speak them: the server's side, over WebSocket or SPDY.

`serve_remote_command(request, start)` answers a request with 101 (or a refusal) and then moves bytes between the client's
channels and a session. Sub-protocols: v5 to v1 of `channel.k8s.io`, plain and base64, over WebSocket; v4 to v1 over SPDY.
Source: KEP-4006, apimachinery's remotecommand constants, and the documentation of `kubectl exec`.
"""

import asyncio
import base64
import binascii
import contextlib
import dataclasses
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import spdy, websocket
from steersman.serving.messages import Duplex, Request, Response
from steersman.serving.spdy import Closed

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255

WEBSOCKET_PROTOCOLS = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
    "v5.base64.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "base64.channel.k8s.io",
)
SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
SPDY_VERSION_HEADER = "x-stream-protocol-version"
SPDY_ACCEPTED_HEADER = "x-accepted-stream-protocol-versions"

# Upstream's StreamCreationTimeout: a client opens all its streams within this.
STREAMS_SECONDS = 30.0
# Pieces of input that may wait for a slow process.
_RESIZES_MOST = 16


class Session(Protocol):
    """A running command, as `containers.runtime.ExecSession`."""

    async def read(self) -> tuple[int, bytes]: ...
    async def write_stdin(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    async def resize(self, width: int, height: int) -> None: ...
    async def wait(self) -> int: ...
    async def close(self) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """What the client asked for in the query."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool


Start = Callable[[Wanted], Awaitable[Session]]


class CommandFailed(Exception):
    """The command could not be started (which some sessions only know in the end); the text goes to the client's error channel."""


class _Channels(Protocol):
    """The client's side: what it sends, and where output and the final word go."""

    async def receive(self) -> tuple[int, bytes] | None:
        """(STDIN, data), (STDIN, b"") at its end, (RESIZE, json); None when the client is gone."""

    async def send(self, channel: int, data: bytes) -> None: ...
    async def finish(self, status: Object) -> None: ...


def wanted_of(request: Request) -> Wanted:
    """The API's names (stdin, …) or the kubelet's (input, …)."""

    def asked(*names: str) -> bool:
        return any(request.parameter(name).lower() in ("1", "true") for name in names)

    tty = asked("tty")
    return Wanted(
        stdin=asked("stdin", "input"),
        stdout=asked("stdout", "output"),
        stderr=asked("stderr", "error") and not tty,
        tty=tty,
    )


async def serve_remote_command(request: Request, start: Start) -> Response:
    """101, or 400/403. `start(wanted)` begins the command once the client's channels stand; it may raise CommandFailed."""
    wanted = wanted_of(request)
    if not (wanted.stdin or wanted.stdout or wanted.stderr):
        return refused(errors.bad_request("you must specify at least 1 of stdin, stdout, stderr"))
    if websocket.is_asked(request.headers):
        return _over_websocket(request, wanted, start)
    if is_spdy(request.headers):
        return _over_spdy(request, wanted, start)
    return refused(errors.bad_request("Upgrade request required"))


def is_spdy(headers: Mapping[str, str]) -> bool:
    return "upgrade" in headers.get("connection", "").lower() and headers.get("upgrade", "").lower() == "spdy/3.1"


def spdy_protocol(headers: Mapping[str, str], known: tuple[str, ...]) -> str | None:
    """What both speak, in the client's order; the first version where the client names none."""
    listed = headers.get(SPDY_VERSION_HEADER, "").replace("\n", ",")
    offered = [name.strip() for name in listed.split(",") if name.strip()]
    if not offered:
        return known[-1]
    return next((name for name in offered if name in known), None)


def spdy_answer(
    headers: Mapping[str, str], known: tuple[str, ...], upgrade: Callable[[Duplex], Awaitable[None]]
) -> Response:
    protocol = spdy_protocol(headers, known)
    if protocol is None:
        text = f"unable to upgrade: unable to negotiate protocol: client supports {headers.get(SPDY_VERSION_HEADER)}, "
        body = f"{text}server accepts {list(known)}".encode()
        return Response(403, {"content-type": "text/plain", SPDY_ACCEPTED_HEADER: ", ".join(known)}, body)
    answer = {"connection": "Upgrade", "upgrade": "SPDY/3.1", SPDY_VERSION_HEADER: protocol}
    return Response(101, answer, upgrade=upgrade)


def websocket_answer(
    headers: Mapping[str, str], known: tuple[str, ...], upgrade: Callable[[Duplex, str], Awaitable[None]]
) -> Response:
    protocol = websocket.choose(headers, known)
    if protocol is None:
        return refused(errors.bad_request(f"no supported sub-protocol: {websocket.offered(headers)}"))
    try:
        answer = websocket.accept(headers, protocol)
    except ValueError as error:
        return refused(errors.bad_request(str(error)))
    chosen = protocol

    async def upgraded(duplex: Duplex) -> None:
        await upgrade(duplex, chosen)

    return Response(101, answer, upgrade=upgraded)


def _over_websocket(request: Request, wanted: Wanted, start: Start) -> Response:
    async def upgrade(duplex: Duplex, protocol: str) -> None:
        channels = _WebSocketChannels(websocket.WebSocket(duplex), protocol)
        await channels.say_connected(wanted)
        await _run(channels, wanted, start)

    return websocket_answer(request.headers, WEBSOCKET_PROTOCOLS, upgrade)


def _over_spdy(request: Request, wanted: Wanted, start: Start) -> Response:
    protocol = spdy_protocol(request.headers, SPDY_PROTOCOLS) or ""

    async def upgrade(duplex: Duplex) -> None:
        channels = _SpdyChannels(duplex, protocol, wanted)
        reading = asyncio.create_task(channels.session.run(), name="spdy session")
        try:
            if await channels.wait_streams():
                await _run(channels, wanted, start)
        finally:
            await channels.session.close()
            reading.cancel()
            await asyncio.wait([reading])

    return spdy_answer(request.headers, SPDY_PROTOCOLS, upgrade)


# --- moving bytes --------------------------------------------------------------------------------------------------------


async def _run(channels: _Channels, wanted: Wanted, start: Start) -> None:
    try:
        session = await start(wanted)
    except CommandFailed as failed:
        await channels.finish(errors.internal(str(failed)).status)
        return
    try:
        await channels.finish(await _move(channels, session, wanted))
    except CommandFailed as failed:
        await channels.finish(errors.internal(str(failed)).status)
    except (Closed, OSError):
        return  # the client went away: nobody is left to tell
    finally:
        await session.close()


async def _move(channels: _Channels, session: Session, wanted: Wanted) -> Object:
    """Until the command has ended (or the client): the final status."""
    output = asyncio.create_task(_move_output(channels, session, wanted), name="remote command output")
    feeding = asyncio.create_task(_move_input(channels, session, wanted), name="remote command input")
    try:
        await asyncio.wait([output, feeding], return_when=asyncio.FIRST_COMPLETED)
        if not output.done() and feeding.exception() is None:
            raise Closed("the client went away")
        if not output.done():
            feeding.result()
        await output
        return exit_status(await session.wait())
    finally:
        for task in (output, feeding):
            task.cancel()
        await asyncio.wait([output, feeding])


async def _move_output(channels: _Channels, session: Session, wanted: Wanted) -> None:
    while True:
        stream, data = await session.read()
        if stream == 0:
            return
        if (stream == STDOUT and wanted.stdout) or (stream == STDERR and wanted.stderr):
            await channels.send(stream, data)


async def _move_input(channels: _Channels, session: Session, wanted: Wanted) -> None:
    """Returns when the client is gone."""
    while (found := await channels.receive()) is not None:
        channel, data = found
        if channel == RESIZE and wanted.tty:
            size = _parse_size(data)
            if size is not None:
                await session.resize(*size)
        elif channel == STDIN and wanted.stdin:
            with contextlib.suppress(OSError):  # the process closed its stdin: it may still have something to say
                await (session.write_stdin(data) if data else session.close_stdin())


def _parse_size(data: bytes) -> tuple[int, int] | None:
    """`{"Width": 80, "Height": 24}`, in any case: Go's decoder does not look at it, and the JavaScript client writes small
    letters. Nonsense is left alone, as upstream does."""
    try:
        size = {name.lower(): value for name, value in json.loads(data).items()}
        width, height = int(size["width"]), int(size["height"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return (width, height) if 0 < width < 65536 and 0 < height < 65536 else None


def exit_status(code: int) -> Object:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def refused(error: errors.StatusError) -> Response:
    """The answer of a request that is no upgrade."""
    return Response(error.code, {"content-type": "application/json"}, json.dumps(error.status).encode())


def _final_word(status: Object, protocol: str) -> bytes:
    """v4 and later: a Status; before: text, and only of failures."""
    if protocol.startswith(("v4.", "v5.")):
        return json.dumps(status).encode()
    return b"" if status.get("status") == "Success" else str(status.get("message", "")).encode()


# --- WebSocket -----------------------------------------------------------------------------------------------------------


def parse_channel(message: bytes, *, is_base64: bool) -> tuple[int, bytes]:
    """(channel, data) of a message that is not empty; a broken base64 text is a message without data."""
    if not is_base64:
        return message[0], message[1:]
    try:
        return message[0] - ord("0"), base64.b64decode(message[1:])
    except binascii.Error:
        return message[0] - ord("0"), b""


async def send_channel(socket: websocket.WebSocket, channel: int, data: bytes, *, is_base64: bool) -> None:
    if is_base64:
        await socket.send_text(chr(ord("0") + channel) + base64.b64encode(data).decode())
    else:
        await socket.send(bytes([channel]) + data)


class _WebSocketChannels:
    """Each message begins with its channel: a byte, or in base64 protocols a digit."""

    def __init__(self, socket: websocket.WebSocket, protocol: str) -> None:
        self._socket = socket
        self._protocol = protocol
        self._base64 = "base64" in protocol
        self._closes = protocol.startswith("v5.")

    async def say_connected(self, wanted: Wanted) -> None:
        """Upstream's first, empty message, by which some clients know that the connection stands."""
        await self.send(STDOUT if wanted.stdout else STDERR if wanted.stderr else ERROR, b"")

    async def receive(self) -> tuple[int, bytes] | None:
        while True:
            message = await self._socket.receive()
            if message is None:
                return None
            if not message:
                continue
            found = self._parse(message)
            if found is not None:
                return found

    def _parse(self, message: bytes) -> tuple[int, bytes] | None:
        channel, data = parse_channel(message, is_base64=self._base64)
        if channel == CLOSE and self._closes:
            return (STDIN, b"") if data[:1] == bytes([STDIN]) else None
        if channel == STDIN:
            return (STDIN, data) if data else None
        return (RESIZE, data) if channel == RESIZE else None

    async def send(self, channel: int, data: bytes) -> None:
        await send_channel(self._socket, channel, data, is_base64=self._base64)

    async def finish(self, status: Object) -> None:
        word = _final_word(status, self._protocol)
        if word:
            await self.send(ERROR, word)
        await self._socket.close()


# --- SPDY ----------------------------------------------------------------------------------------------------------------


class _SpdyChannels:
    """One stream per channel, named by its header `streamtype`."""

    def __init__(self, duplex: Duplex, protocol: str, wanted: Wanted) -> None:
        self.session = spdy.Session(duplex, on_stream=self._opened)
        self._protocol = protocol
        self._streams: dict[str, spdy.Stream] = {}
        self._expected = {"error"} | {name for name in ("stdin", "stdout", "stderr") if getattr(wanted, name)}
        if wanted.tty and protocol.startswith(("v3.", "v4.")):
            self._expected.add("resize")
        self._complete = asyncio.Event()
        self._incoming: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(_RESIZES_MOST)
        self._pumps: list[asyncio.Task[None]] = []

    def _opened(self, stream: spdy.Stream) -> None:
        self._streams.setdefault(stream.headers.get("streamtype", ""), stream)
        if self._expected <= self._streams.keys():
            self._complete.set()

    async def wait_streams(self) -> bool:
        complete = asyncio.create_task(self._complete.wait(), name="spdy streams")
        ended = asyncio.create_task(self.session.ended.wait(), name="spdy end")
        await asyncio.wait([complete, ended], timeout=STREAMS_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        complete.cancel()
        ended.cancel()
        if not self._complete.is_set():
            return False
        for name, channel in (("stdin", STDIN), ("resize", RESIZE)):
            if name in self._streams:
                self._pumps.append(asyncio.create_task(self._pump(self._streams[name], channel), name=f"spdy {name}"))
        self._pumps.append(asyncio.create_task(self._watch_end(), name="spdy end"))
        return True

    async def _pump(self, stream: spdy.Stream, channel: int) -> None:
        while data := await stream.receive():
            await self._incoming.put((channel, data))
        if channel == STDIN:
            await self._incoming.put((STDIN, b""))

    async def _watch_end(self) -> None:
        await self.session.ended.wait()
        await self._incoming.put(None)

    async def receive(self) -> tuple[int, bytes] | None:
        return await self._incoming.get()

    async def send(self, channel: int, data: bytes) -> None:
        await self._streams["stdout" if channel == STDOUT else "stderr"].send(data)

    async def finish(self, status: Object) -> None:
        for task in self._pumps:
            task.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)
        word = _final_word(status, self._protocol)
        if word:
            await self._streams["error"].send(word)
        for stream in self._streams.values():
            await stream.finish()
