"""Sessions and forwarded ports from the client's side, against our own server, over each protocol."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from steersman.client import upgrades
from steersman.client.transport import InProcessTransport
from steersman.meta import errors
from steersman.serving import channels, port_forward, spdy
from steersman.serving.messages import Duplex, MemoryDuplex, Request, Response
from tests.serving.test_channels import Command

TARGET = upgrades.Target("/exec", [("command", "cat"), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")])
NO_INPUT = upgrades.Target("/exec", [("command", "cat"), ("stdout", "true"), ("stderr", "true")])

Answer = Callable[[Request], Awaitable[Response]]


class Server:
    """Runs `Command` for whoever asks, in the protocols that it was given."""

    def __init__(self, known: str, code: int = 0, failure: str = "") -> None:
        self.known = known
        self.code = code
        self.failure = failure
        self.asked: list[str] = []
        self.command: Command | None = None

    async def __call__(self, request: Request) -> Response:
        offered = request.headers.get("sec-websocket-protocol") or request.headers["upgrade"]
        self.asked.append(offered)
        if self.known not in offered:
            return channels.refused(errors.bad_request(f"unable to upgrade: {self.known} is all I know"))
        if "websocket" in request.headers["upgrade"]:
            request.headers = {**request.headers, "sec-websocket-protocol": self.known}
        return await channels.serve_remote_command(request, self._start)

    async def _start(self, wanted: channels.Wanted) -> Command:
        if self.failure:
            raise channels.CommandFailed(self.failure)
        self.command = Command(wanted, self.code)
        return self.command


async def everything(session: channels.Session) -> list[tuple[int, bytes]]:
    found = []
    while (piece := await session.read())[0] != 0:
        found.append(piece)
    return found


@pytest.mark.parametrize("known", ["v5.channel.k8s.io", "SPDY/3.1"])
async def test_input_output_and_exit_code(known: str) -> None:
    server = Server(known, code=7)
    transport = InProcessTransport(server)
    wanted = channels.Wanted(stdin=True, stdout=True, stderr=True, tty=False)
    session = await upgrades.open_session(transport, TARGET, wanted)
    await session.ping()
    await session.write_stdin(b"hello")
    await session.close_stdin()
    assert sorted(await everything(session)) == [(1, b"HELLO"), (2, b"bye")]
    assert await session.wait() == 7
    await session.close()
    await transport.close()
    assert server.asked == ["v5.channel.k8s.io", "SPDY/3.1"][: 1 if known.startswith("v5") else 2]


@pytest.mark.parametrize("known", ["v5.channel.k8s.io", "v4.channel.k8s.io", "SPDY/3.1"])
async def test_without_input_an_older_websocket_is_good_enough(known: str) -> None:
    transport = InProcessTransport(Server(known))
    wanted = channels.Wanted(stdin=False, stdout=True, stderr=True, tty=False)
    session = await upgrades.open_session(transport, NO_INPUT, wanted)
    assert await everything(session) == [(2, b"bye")]
    assert await session.wait() == 0
    await session.close()
    await transport.close()


@pytest.mark.parametrize("known", ["v5.channel.k8s.io", "SPDY/3.1"])
async def test_a_command_that_cannot_start_and_the_size_of_a_terminal(known: str) -> None:
    failing = InProcessTransport(Server(known, failure="no such file"))
    wanted = channels.Wanted(stdin=True, stdout=True, stderr=False, tty=True)
    target = upgrades.Target("/exec", [("stdin", "true"), ("stdout", "true"), ("tty", "true")])
    session = await upgrades.open_session(failing, target, wanted)
    assert await everything(session) == []
    with pytest.raises(channels.CommandFailed, match="no such file"):
        await session.wait()
    await session.close()
    await failing.close()

    server = Server(known)
    transport = InProcessTransport(server)
    session = await upgrades.open_session(transport, target, wanted)
    await session.resize(80, 24)
    await everything(session)
    assert server.command is not None
    assert server.command.sizes == [(80, 24)]
    await session.close()
    await transport.close()


async def test_refusals() -> None:
    wanted = channels.Wanted(stdin=True, stdout=True, stderr=True, tty=False)
    transport = InProcessTransport(Server("nothing"))
    with pytest.raises(errors.StatusError, match="nothing is all I know"):
        await upgrades.open_session(transport, TARGET, wanted)

    async def plain(request: Request) -> Response:
        return Response(502, {}, b"a gateway's word")

    with pytest.raises(upgrades.UpgradeRefused, match="unable to upgrade connection: a gateway's word"):
        await upgrades.open_session(InProcessTransport(plain), TARGET, wanted)


async def test_a_server_that_vanishes_is_no_success() -> None:
    async def cut(duplex: Duplex) -> None:
        await duplex.close()

    async def vanish(request: Request) -> Response:
        return channels.websocket_answer(request.headers, ("v5.channel.k8s.io",), lambda duplex, protocol: cut(duplex))

    transport = InProcessTransport(vanish)
    wanted = channels.Wanted(stdin=True, stdout=True, stderr=True, tty=False)
    session = await upgrades.open_session(transport, TARGET, wanted)
    with pytest.raises(channels.CommandFailed, match="abnormal closure"):
        await session.read()
    await session.close()
    await transport.close()


@pytest.mark.parametrize("known", [port_forward.TUNNEL_PROTOCOL, "SPDY/3.1"])
async def test_forwarding(known: str) -> None:
    async def connect(port: int) -> Duplex:
        if port == 81:
            raise port_forward.ForwardFailed("nobody listens")
        mine, theirs = MemoryDuplex.pair()
        await theirs.send(f"port {port}".encode())
        await theirs.close()
        return mine

    async def serve(request: Request) -> Response:
        if request.headers["upgrade"] == "websocket" and known == "SPDY/3.1":
            return channels.refused(errors.bad_request("no WebSocket here"))
        return await port_forward.serve_port_forward(request, connect)

    transport = InProcessTransport(serve)
    session = await upgrades.open_forwarding(transport, upgrades.Target("/portforward"))
    running = asyncio.create_task(session.run())
    assert await _talk(session, "80", "0") == (b"port 80", b"")
    assert await _talk(session, "81", "1") == (b"", b"nobody listens")
    await session.close()
    await asyncio.wait([running])
    await transport.close()


async def _talk(session: spdy.Session, port: str, number: str) -> tuple[bytes, bytes]:
    error = await session.open({"streamtype": "error", "port": port, "requestid": number})
    await error.finish()
    data = await session.open({"streamtype": "data", "port": port, "requestid": number})
    said = await data.receive()
    await data.finish()
    return said, await error.receive()
