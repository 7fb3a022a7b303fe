"""Remote commands as their client sees them: one session for the three protocols that servers speak.

Keeps true: output comes in order and ends once; the exit code is known after the output, or why there is none.
Both are `channels.Session`, and give signs of life (`ping`).
Leaves to others: the handshake (`client.upgrades`, `containers.cri.streams`).
Source: KEP-4006, apimachinery's remotecommand constants and client-go's tools/remotecommand.
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping

from steersman.serving import channels, spdy, websocket
from steersman.serving.channels import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, CommandFailed, Wanted
from steersman.serving.messages import Duplex

END = 0  # instead of a stream's number: there is no more output
# Pieces of output that wait for a slow reader; beyond them the connection is not read.
PIECES_WAITING_MAX = 16
# The server has gone without a word: what WebSocket calls an abnormal closure.
CUT_OFF = "websocket: close 1006 (abnormal closure): unexpected EOF"


class WebSocketSession:
    """v5 and v4 of channel.k8s.io: each message begins with the number of its channel."""

    def __init__(self, socket: websocket.WebSocket, protocol: str) -> None:
        self._socket = socket
        self._can_close_input = protocol.startswith("v5.")
        self._said = b""

    async def read(self) -> tuple[int, bytes]:
        """(STDOUT or STDERR, data), (END, b"") at the end. Raises CommandFailed when the server vanished."""
        while (message := await self._socket.receive()) is not None:
            if not message:
                continue
            channel, data = channels.parse_channel(message, is_base64=False)
            if channel == ERROR:
                self._said += data
            elif channel in (STDOUT, STDERR) and data:
                return channel, data
        if self._socket.close_code is None and not self._said:
            raise CommandFailed(CUT_OFF)
        return END, b""

    async def write_stdin(self, data: bytes) -> None:
        await self._send(STDIN, data)

    async def close_stdin(self) -> None:
        """Only v5 can say it."""
        if self._can_close_input:
            await self._send(CLOSE, bytes([STDIN]))

    async def resize(self, width: int, height: int) -> None:
        await self._send(RESIZE, _size(width, height))

    async def wait(self) -> int:
        """After the end of the output. Raises CommandFailed."""
        return exit_code(self._said)

    async def ping(self) -> None:
        await self._socket.ping()

    async def close(self) -> None:
        await self._socket.close()

    async def _send(self, channel: int, data: bytes) -> None:
        await channels.send_channel(self._socket, channel, data, is_base64=False)


class SpdySession:
    """A stream per channel, named by its header `streamtype`."""

    def __init__(self, duplex: Duplex, wanted: Wanted) -> None:
        self.tty = wanted.tty
        self._wanted = wanted
        self._spdy = spdy.Session(duplex, server=False)
        self._streams: dict[str, spdy.Stream] = {}
        self._output: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(PIECES_WAITING_MAX)
        self._tasks: list[asyncio.Task[None]] = []
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._open = 0

    async def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._spdy.run(), name="spdy session"))
        wanted = self._wanted
        asked = {"error": True, "stdin": wanted.stdin, "stdout": wanted.stdout, "stderr": wanted.stderr}
        kinds = [kind for kind, is_asked in {**asked, "resize": wanted.tty}.items() if is_asked]
        for kind in kinds:
            self._streams[kind] = await self._spdy.open({"streamtype": kind})
        for kind, number in (("stdout", STDOUT), ("stderr", STDERR)):
            if kind in self._streams:
                self._open += 1
                reading = self._read_output(number, self._streams[kind])
                self._tasks.append(asyncio.create_task(reading, name=f"spdy {kind}"))
        self._tasks.append(asyncio.create_task(self._read_end(), name="spdy exit"))

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
            await self._streams["resize"].send(_size(width, height))

    async def wait(self) -> int:
        """Raises CommandFailed where the command could not even be started."""
        return await asyncio.shield(self._code)

    async def ping(self) -> None:
        await self._spdy.ping()

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
        except CommandFailed as failed:
            self._code.set_exception(failed)


def exit_code(said: bytes) -> int:
    """Of a session's last word: a Status (v4 and later), or the text of a failure. Raises CommandFailed."""
    if not said.strip():
        return 0
    try:
        status = json.loads(said)
    except ValueError:
        raise CommandFailed(said.decode("utf-8", "replace")) from None
    if status.get("status") == "Success":
        return 0
    causes: list[Mapping[str, str]] = (status.get("details") or {}).get("causes") or []
    codes = [one.get("message", "") for one in causes if one.get("reason") == "ExitCode"]
    if codes and codes[0].isdigit():
        return int(codes[0])
    raise CommandFailed(status.get("message", ""))


def _size(width: int, height: int) -> bytes:
    return json.dumps({"Width": width, "Height": height}).encode()
