"""Ports of command lines, services and pods; and local connections carried into a pod on paper."""

import asyncio
from typing import Any

import pytest

from steersman.client import upgrades
from steersman.client.transport import InProcessTransport
from steersman.kubectl import forwarding
from steersman.kubectl.forwarder import Forwarder
from steersman.kubectl.forwarding import Address, ForwardError, Ports
from steersman.serving import port_forward
from steersman.serving.messages import Duplex, MemoryDuplex, Request, Response


@pytest.mark.parametrize(
    ("text", "ports"),
    [("80", Ports(80, 80)), ("8080:80", Ports(8080, 80)), (":80", Ports(0, 80)), ("0:80", Ports(0, 80))],
)
def test_ports(text: str, ports: Ports) -> None:
    assert forwarding.parse_ports([text]) == [ports]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", "error parsing local port 'a': strconv.ParseUint: parsing \"a\": invalid syntax"),
        ("1:b", "error parsing remote port 'b': strconv.ParseUint: parsing \"b\": invalid syntax"),
        ("65536:1", "error parsing local port '65536': strconv.ParseUint: parsing \"65536\": value out of range"),
        (":0", "remote port must be > 0"),
        ("1:2:3", "invalid port format '1:2:3'"),
        ("", "error parsing local port '': strconv.ParseUint: parsing \"\": invalid syntax"),
    ],
)
def test_what_is_no_port(text: str, why: str) -> None:
    with pytest.raises(ForwardError) as refused:
        forwarding.parse_ports([text])
    assert str(refused.value) == why


def test_addresses() -> None:
    localhost = [Address("127.0.0.1", must=False), Address("::1", must=False)]
    assert forwarding.parse_addresses(["localhost"]) == localhost
    assert forwarding.parse_addresses(["127.0.0.1", "localhost"])[0] == Address("127.0.0.1", must=True)
    assert forwarding.parse_addresses(["10.0.0.1", "0.0.0.0"])[0].text == "0.0.0.0"
    with pytest.raises(ForwardError, match=r"^example.com is not a valid IP$"):
        forwarding.parse_addresses(["example.com"])


POD: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "containers": [
            {
                "ports": [
                    {"name": "http", "containerPort": 8080},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                ]
            }
        ]
    },
}
SERVICE: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "clusterIP": "10.0.0.1",
        "ports": [
            {"name": "web", "port": 80, "targetPort": "http"},
            {"name": "plain", "port": 81},
            {"name": "other", "port": 82, "targetPort": 9000},
            {"name": "dns", "port": 53, "protocol": "UDP"},
        ],
    },
}


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["80"], ["80:8080"]),
        (["web"], ["80:8080"]),
        (["1:web"], ["1:8080"]),
        ([":82", "81"], [":9000", "81"]),
        (["8080:80"], ["8080"]),
    ],
)
def test_ports_of_a_service(texts: list[str], found: list[str]) -> None:
    assert forwarding.of_service(SERVICE, POD, texts) == found


def test_a_service_without_an_address_has_the_ports_of_its_pods() -> None:
    headless = {**SERVICE, "spec": {**SERVICE["spec"], "clusterIP": "None"}}
    assert forwarding.of_service(headless, POD, ["82"]) == ["82"]


@pytest.mark.parametrize(("texts", "found"), [(["http"], ["8080"]), (["1:http"], ["1:8080"]), (["7:8"], ["7:8"])])
def test_ports_of_a_pod(texts: list[str], found: list[str]) -> None:
    assert forwarding.of_pod(POD, texts) == found


@pytest.mark.parametrize(
    ("of", "text", "why"),
    [
        ("service", "53", "UDP protocol is not supported for 53"),
        ("service", "nope", "Service 'web' does not have a named port 'nope'"),
        ("service", "9", "Service web does not have a service port 9"),
        ("pod", "dns", "UDP protocol is not supported for dns"),
        ("pod", "80:", "Pod 'web' does not have a named port ''"),
    ],
)
def test_ports_that_cannot_be_forwarded(of: str, text: str, why: str) -> None:
    with pytest.raises(ForwardError) as refused:
        forwarding.of_service(SERVICE, POD, [text]) if of == "service" else forwarding.of_pod(POD, [text])
    assert str(refused.value) == why


class Half(MemoryDuplex):
    """Knows a half close, as connections to real pods do."""

    async def end_writing(self) -> None:
        await self.close()


class Pod:
    """Echoes on port 80; on others nobody listens."""

    async def connect(self, port: int) -> Duplex:
        if port != 80:
            raise port_forward.ForwardFailed("nobody listens")
        mine, theirs = Half.pair()

        async def echo() -> None:
            while data := await theirs.receive():
                await theirs.send(data.upper())
            await theirs.close()

        self.echoing = asyncio.create_task(echo())
        return mine

    async def serve(self, request: Request) -> Response:
        return await port_forward.serve_port_forward(request, self.connect)


class Forwarding:
    """A forwarder at work, and what it tells."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.complaints: list[str] = []
        self.log: list[str] = []
        self.transport = InProcessTransport(Pod().serve)

    async def run(self, addresses: list[Address], ports: list[Ports]) -> None:
        session = await upgrades.open_forwarding(self.transport, upgrades.Target("/portforward"))
        forwarder = Forwarder(session, say=self.said.put_nowait, complain=self.complaints.append, log=self.log.append)
        try:
            await forwarder.run(addresses, ports)
        finally:
            await self.transport.close()

    async def port(self) -> int:
        return int((await self.said.get()).split()[2].rpartition(":")[2])


LOCAL = [Address("127.0.0.1", must=True)]


async def test_a_connection_there_and_back() -> None:
    forwarding = Forwarding()
    running = asyncio.create_task(forwarding.run(LOCAL, [Ports(0, 80)]))
    port = await forwarding.port()
    for _ in range(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b"HELLO"
        writer.close()
        assert await forwarding.said.get() == f"Handling connection for {port}\n"
    running.cancel()
    await asyncio.wait([running])
    assert forwarding.log == []


async def test_a_port_where_nobody_listens_ends_it() -> None:
    forwarding = Forwarding()
    running = asyncio.create_task(forwarding.run(LOCAL, [Ports(0, 81)]))
    port = await forwarding.port()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ForwardError, match=r"^lost connection to pod$"):
        await running
    assert forwarding.log == [f"an error occurred forwarding {port} -> 81: nobody listens"]


async def test_a_local_port_that_is_taken() -> None:
    taken = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    forwarding = Forwarding()
    with pytest.raises(ForwardError, match=rf"^unable to listen on any of the requested ports: \[\{{{port} 80\}}\]$"):
        await forwarding.run(LOCAL, [Ports(port, 80)])
    taken.close()
    error = f"unable to create listener: Error listen tcp4 127.0.0.1:{port}: bind: address already in use"
    assert forwarding.complaints == [
        f"Unable to listen on port {port}: Listeners failed to create with the following errors: [{error}]\n"
    ]
