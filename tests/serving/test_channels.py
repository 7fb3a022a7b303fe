"""Remote commands: what kubectl's protocols look like from the client's side, over WebSocket and SPDY."""

import asyncio
import base64
import json
from typing import Any

import pytest

from steersman.meta import errors
from steersman.serving import channels, spdy, websocket
from steersman.serving.messages import MemoryDuplex, Request, Response


class Command:
    """A session on paper: echoes its input in capitals, then says goodbye on stderr and exits with `code`."""

    def __init__(self, wanted: channels.Wanted, code: int = 0) -> None:
        self.wanted = wanted
        self.code = code
        self.sizes: list[tuple[int, int]] = []
        self.closed = False
        self._output: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        if not wanted.stdin:
            self._finish()

    def _finish(self) -> None:
        self._output.put_nowait((2, b"bye"))
        self._output.put_nowait((0, b""))

    async def read(self) -> tuple[int, bytes]:
        return await self._output.get()

    async def write_stdin(self, data: bytes) -> None:
        self._output.put_nowait((1, data.upper()))

    async def close_stdin(self) -> None:
        self._finish()

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))
        self._finish()

    async def wait(self) -> int:
        return self.code

    async def close(self) -> None:
        self.closed = True


class Exec:
    """One request to `serve_remote_command`, answered with a `Command`."""

    def __init__(self, query: str, headers: dict[str, str], code: int = 0, failure: str = "") -> None:
        self.request = Request("POST", "/exec", query, headers)
        self.code = code
        self.failure = failure
        self.command: Command | None = None

    async def _start(self, wanted: channels.Wanted) -> Command:
        if self.failure:
            raise channels.CommandFailed(self.failure)
        self.command = Command(wanted, self.code)
        return self.command

    async def answer(self) -> Response:
        return await channels.serve_remote_command(self.request, self._start)

    async def open(self) -> MemoryDuplex:
        self.response = await self.answer()
        assert self.response.status == 101
        assert self.response.upgrade is not None
        mine, theirs = MemoryDuplex.pair()
        self.serving = asyncio.ensure_future(self.response.upgrade(theirs))
        return mine


def spdy_headers(*protocols: str) -> dict[str, str]:
    headers = {"connection": "Upgrade", "upgrade": "SPDY/3.1"}
    return {**headers, "x-stream-protocol-version": ", ".join(protocols)} if protocols else headers


async def collect(socket: websocket.WebSocket) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while (message := await socket.receive()) is not None:
        found[message[0]] = found.get(message[0], b"") + message[1:]
    return found


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("", websocket.ask(["v5.channel.k8s.io"]), 400),
        ("stdout=1", {}, 400),
        ("stdout=1", websocket.ask(["unheard.of"]), 400),
        ("stdout=1", {"connection": "upgrade", "upgrade": "websocket"}, 400),
        ("stdout=1", spdy_headers("unheard.of"), 403),
    ],
    ids=["nothing asked", "no upgrade", "unknown sub-protocol", "half a handshake", "unknown SPDY protocol"],
)
async def test_refusals(query: str, headers: dict[str, str], code: int) -> None:
    answer = await Exec(query, headers).answer()
    assert answer.status == code


@pytest.mark.parametrize("code", [0, 3])
async def test_v5_over_websocket(code: int) -> None:
    run = Exec("stdin=true&stdout=true&stderr=true", websocket.ask(["v5.channel.k8s.io", "v4.channel.k8s.io"]), code)
    client = websocket.WebSocket(await run.open(), client=True)
    assert run.response.headers["sec-websocket-protocol"] == "v5.channel.k8s.io"
    assert await client.receive() == b"\x01", "the first message says that the connection stands"
    await client.send(b"\x00hello")
    assert await client.receive() == b"\x01HELLO"
    await client.send(b"\xff\x00")
    found = await collect(client)
    assert found[2] == b"bye"
    assert json.loads(found[3]) == channels.exit_status(code)
    assert client.close_code == 1000
    await run.serving
    assert run.command is not None
    assert run.command.closed


def test_an_exit_code_is_a_cause() -> None:
    status = channels.exit_status(3)
    assert status["reason"] == "NonZeroExitCode"
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


async def test_base64_over_websocket() -> None:
    run = Exec("input=1&output=1&tty=1", websocket.ask(["v4.base64.channel.k8s.io"]))
    client = websocket.WebSocket(await run.open(), client=True)
    assert await client.receive() == b"1"
    await client.send_text("0" + base64.b64encode(b"hi").decode())
    assert await client.receive() == b"1" + base64.b64encode(b"HI")
    await client.send_text("4" + base64.b64encode(b'{"Width": 80, "Height": 24}').decode())
    assert (await collect(client)).keys() == {ord("3")}
    assert run.command is not None
    assert run.command.sizes == [(80, 24)]
    await run.serving


async def test_old_protocols_say_failures_as_text() -> None:
    run = Exec("stdout=1", websocket.ask(["channel.k8s.io"]), failure="no such file")
    client = websocket.WebSocket(await run.open(), client=True)
    assert (await collect(client))[3] == b"Internal error occurred: no such file"
    await run.serving


async def test_a_client_that_goes_away_ends_the_command() -> None:
    run = Exec("stdin=1&stdout=1", websocket.ask(["v5.channel.k8s.io"]))
    duplex = await run.open()
    client = websocket.WebSocket(duplex, client=True)
    await client.receive()
    await duplex.close()
    await run.serving
    assert run.command is not None
    assert run.command.closed


class SpdyClient:
    def __init__(self, duplex: MemoryDuplex) -> None:
        self.session = spdy.Session(duplex, server=False)
        self.running = asyncio.create_task(self.session.run())

    async def open(self, *names: str) -> dict[str, spdy.Stream]:
        return {name: await self.session.open({"streamType": name}) for name in names}


async def read_all(stream: spdy.Stream) -> bytes:
    found = b""
    while data := await stream.receive():
        found += data
    return found


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io"])
async def test_over_spdy(protocol: str) -> None:
    run = Exec("stdin=true&stdout=true&stderr=true", spdy_headers("v9.unheard.of", protocol), code=3)
    client = SpdyClient(await run.open())
    assert run.response.headers["x-stream-protocol-version"] == protocol
    streams = await client.open("error", "stdin", "stdout", "stderr")
    await streams["stdin"].send(b"hello")
    await streams["stdin"].finish()
    assert await read_all(streams["stdout"]) == b"HELLO"
    assert await read_all(streams["stderr"]) == b"bye"
    word = await read_all(streams["error"])
    if protocol.startswith("v4"):
        assert json.loads(word) == channels.exit_status(3)
    else:
        assert word == b"command terminated with non-zero exit code: exit status 3"
    await run.serving
    await client.running


@pytest.mark.parametrize(
    "size", [b'{"Width":100,"Height":50}', b'{"height":50,"width":100}'], ids=["kubectl", "javascript"]
)
async def test_a_terminal_over_spdy_is_resized(size: bytes) -> None:
    run = Exec("stdin=1&stdout=1&tty=1", spdy_headers("v4.channel.k8s.io"))
    client = SpdyClient(await run.open())
    streams = await client.open("error", "stdin", "stdout", "resize")
    await streams["resize"].send(size)
    assert await read_all(streams["stdout"]) == b""
    await run.serving
    await client.running
    assert run.command is not None
    assert run.command.sizes == [(100, 50)]


async def test_a_spdy_client_that_goes_away_ends_the_command() -> None:
    run = Exec("stdin=1&stdout=1", spdy_headers("v4.channel.k8s.io"))
    duplex = await run.open()
    client = SpdyClient(duplex)
    streams = await client.open("error", "stdin", "stdout")
    await streams["stdin"].send(b"x")
    assert await streams["stdout"].receive() == b"X"
    await duplex.close()
    await asyncio.wait_for(run.serving, 5)
    assert run.command is not None
    assert run.command.closed
    client.running.cancel()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"Width": 0, "Height": 1}', b'{"Width": "x", "Height": 1}'])
def test_sizes_that_are_nonsense(data: bytes) -> None:
    assert channels._parse_size(data) is None


def test_wanted_knows_both_dialects() -> None:
    api: Any = channels.wanted_of(Request("POST", "/", "stdin=true&stdout=true&stderr=true&tty=true"))
    kubelet = channels.wanted_of(Request("POST", "/", "input=1&output=1&error=1&tty=1"))
    assert api == kubelet == channels.Wanted(stdin=True, stdout=True, stderr=False, tty=True)


def test_refusals_are_statuses() -> None:
    assert json.loads(channels.refused(errors.bad_request("why")).body)["message"] == "why"
