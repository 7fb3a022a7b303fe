"""The server over real sockets on loopback: the cluster's names, the outside's, and an outside that does not answer."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import dnslib
import pytest

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import WatchEvent
from steersman.dns import forwarder, metrics, server
from steersman.meta import objects
from steersman.meta.objects import Object
from tests.dns.builders import endpoint, endpoint_slice, message, service

WEB = "web.default.svc.cluster.local"
WAIT_SECONDS = 3.0


class Resolver(asyncio.DatagramProtocol):
    """An outside that knows one name, counts what it is asked, and can be made to say nothing."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.records = "example.com. 60 IN A 192.0.2.1"
        self.authority = ""
        self.silent = False
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        reply = self.answer(data)
        if reply and not self.silent:
            self._transport.sendto(reply, client)  # type: ignore[attr-defined]  # asyncio's class is no DatagramTransport

    def answer(self, data: bytes) -> bytes:
        asked = dnslib.DNSRecord.parse(data)
        self.asked.append(str(asked.q.qname))
        reply = asked.reply()
        for record in dnslib.RR.fromZone(self.records):
            reply.add_answer(record)
        for record in dnslib.RR.fromZone(self.authority):
            reply.header.rcode = dnslib.RCODE.NXDOMAIN
            reply.add_auth(record)
        return bytes(reply.pack())

    @property
    def address(self) -> str:
        return f"127.0.0.1#{self.port}"


@contextlib.asynccontextmanager
async def resolver() -> AsyncIterator[Resolver]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Resolver, local_addr=("127.0.0.1", 0))
    try:
        yield protocol
    finally:
        transport.close()


def caches_of(*objects_: Object) -> Caches:
    caches = Caches(None, SystemClock())  # type: ignore[arg-type]  # nothing is asked of the client: objects come by hand
    for kind, is_slice in ((kinds.SERVICE, False), (kinds.ENDPOINT_SLICE, True)):
        cache = caches.of(kind)
        cache.replace({objects.key(obj): obj for obj in objects_ if ("addressType" in obj) == is_slice}, 1)
        cache.synced.set()
    return caches


CONFIG: Object = {"metadata": {"name": "kube-dns", "namespace": "kube-system", "uid": "c"}}


def stored(obj: Object, revision: int) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(revision)}}


class Client:
    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)

    async def udp(self, name: str, kind: str = "A", udp_bytes: int = 0) -> dnslib.DNSRecord:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.connect(self._address)
            async with asyncio.timeout(WAIT_SECONDS):
                await loop.sock_sendall(channel, message(name, kind, udp_bytes=udp_bytes))
                return dnslib.DNSRecord.parse(await loop.sock_recv(channel, 65535))

    async def tcp(self, name: str, kind: str = "A") -> dnslib.DNSRecord:
        reader, writer = await asyncio.open_connection(*self._address)
        asked = message(name, kind)
        writer.write(len(asked).to_bytes(2, "big") + asked)
        async with asyncio.timeout(WAIT_SECONDS):
            answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        writer.close()
        await writer.wait_closed()
        return dnslib.DNSRecord.parse(answer)


@contextlib.asynccontextmanager
async def serving(
    caches: Caches, *upstreams: str, open_socket: forwarder.OpenSocket | None = None, **more: Any
) -> AsyncIterator[Client]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = asyncio.create_task(
        server.run(caches, ["127.0.0.1"], SystemClock(), upstreams, port=port, open_socket=open_socket, **more)
    )
    await until(lambda: is_listening(port))
    try:
        yield Client(port)
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_true():  # noqa: ASYNC110 (a port that another task opens has no event)
            await asyncio.sleep(0)


def is_listening(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as channel:
        return channel.connect_ex(("127.0.0.1", port)) == 0


def told(answer: dnslib.DNSRecord) -> list[str]:
    return [str(record.rdata) for record in answer.rr]


async def test_a_change_is_seen_at_once():
    caches = caches_of(service())
    async with serving(caches) as client:
        assert told(await client.udp(WEB)) == ["10.96.0.7"]
        assert told(await client.tcp(WEB)) == ["10.96.0.7"]
        moved = service("web", "10.96.0.9")
        moved["metadata"]["resourceVersion"] = "2"
        caches.of(kinds.SERVICE).apply(WatchEvent("MODIFIED", moved))
        assert told(await client.udp(WEB)) == ["10.96.0.9"]
        assert told(await client.tcp(WEB)) == ["10.96.0.9"]


async def test_every_endpoint_comes_first_in_its_turn():
    members = [endpoint(f"10.244.1.{n}") for n in range(1, 4)]
    async with serving(caches_of(service("db", "None"), endpoint_slice(*members))) as client:
        answers = [told(await client.udp("db.default.svc.cluster.local")) for _ in range(3)]
    assert {answer[0] for answer in answers} == {"10.244.1.1", "10.244.1.2", "10.244.1.3"}
    assert all(len(answer) == 3 for answer in answers)


async def test_an_answer_too_long_for_a_datagram_is_whole_by_tcp():
    members = [endpoint(f"10.244.1.{n}") for n in range(1, 101)]
    async with serving(caches_of(service("db", "None"), endpoint_slice(*members))) as client:
        short = await client.udp("db.default.svc.cluster.local")
        assert (short.header.tc, short.rr) == (1, [])
        assert len((await client.tcp("db.default.svc.cluster.local")).rr) == 100


async def test_other_names_are_asked_of_the_outside_once():
    async with resolver() as outside, serving(caches_of(), outside.address) as client:
        assert told(await client.udp("example.com")) == ["192.0.2.1"]
        again = await client.udp("example.com")
        assert told(again) == ["192.0.2.1"]
        assert again.rr[0].ttl <= 30
        assert outside.asked == ["example.com."]


async def test_another_name_of_a_service_is_followed_inside_and_outside():
    inner = service("inner", "", type="ExternalName", externalName=WEB)
    outer = service("outer", "", type="ExternalName", externalName="example.com")
    async with resolver() as outside, serving(caches_of(service(), inner, outer), outside.address) as client:
        assert told(await client.udp("inner.default.svc.cluster.local")) == [f"{WEB}.", "10.96.0.7"]
        assert told(await client.udp("outer.default.svc.cluster.local")) == ["example.com.", "192.0.2.1"]


async def test_a_resolver_that_is_not_there_is_passed_over():
    async with resolver() as outside:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        async with serving(caches_of(), f"127.0.0.1#{port}", outside.address) as client:
            assert told(await client.udp("example.com")) == ["192.0.2.1"]


@pytest.mark.parametrize("upstreams", [(), ("127.0.0.1#9",)], ids=["none is known", "none is there"])
async def test_without_a_resolver_the_answer_is_a_failure_at_once(upstreams):
    async with serving(caches_of(), *upstreams) as client:
        for _ in range(2):
            assert (await client.udp("example.com")).header.rcode == dnslib.RCODE.SERVFAIL


async def test_a_slow_resolver_is_waited_for_and_another_one_asked_meanwhile():
    async with resolver() as slow, resolver() as quick:
        slow.silent = True
        async with serving(caches_of(), slow.address, quick.address) as client:
            assert told(await client.udp("example.com")) == ["192.0.2.1"]
            assert (slow.asked, quick.asked) == (["example.com."], ["example.com."])


async def test_an_answer_no_is_remembered_too():
    async with resolver() as outside, serving(caches_of(), outside.address) as client:
        outside.records = ""
        outside.authority = "example.com. 60 IN SOA ns.example.com. x.example.com. 1 2 3 4 60"
        for _ in range(3):
            assert told(await client.udp("nobody.example.com")) == []
        assert outside.asked == ["nobody.example.com."]


async def test_names_of_the_administrator_come_and_go():
    counted = metrics.Metrics()
    async with resolver() as outside, resolver() as corporate:
        corporate.records = "x.acme.local. 60 IN A 192.0.2.9"
        data = {
            "hosts": "10.0.0.1 gate.example",
            "stubDomains": json.dumps({"acme.local": [corporate.address.replace("#", ":")]}),
            "corp.zone": "www CNAME web.default.svc.cluster.local.",
        }
        caches = caches_of(service())
        config = caches.of(kinds.CONFIG_MAP)
        config.replace({"kube-system/kube-dns": stored({**CONFIG, "data": data}, 2)}, 2)
        async with serving(caches, outside.address, custom=config, counted=counted) as client:
            assert told(await client.udp("gate.example")) == ["10.0.0.1"]
            assert told(await client.udp("x.acme.local")) == ["192.0.2.9"]
            assert told(await client.udp("www.corp")) == [f"{WEB}.", "10.96.0.7"]
            assert outside.asked == []
            config.apply(WatchEvent("DELETED", stored(CONFIG, 3)))
            assert told(await client.udp("gate.example")) == ["192.0.2.1"]
    text = counted.text()
    assert 'coredns_dns_requests_total{proto="udp"} 4' in text
    assert "coredns_forward_requests_total 2" in text
    assert 'coredns_forward_request_duration_seconds_bucket{le="+Inf"} 2' in text


async def test_sockets_to_the_outside_are_made_by_whom_the_caller_says():
    made: list[int] = []

    def open_socket(family: int, kind: int) -> socket.socket:
        made.append(kind)
        return socket.socket(family, kind)

    async with resolver() as outside, serving(caches_of(), outside.address, open_socket=open_socket) as client:
        await client.udp("example.com")
    assert made == [socket.SOCK_DGRAM]


def test_resolvers_of_a_resolv_conf(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# a comment\nsearch x\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\nnameserver nonsense\noptions x\n"
    )
    assert forwarder.resolvers_of(path) == ["192.0.2.53", "fe80::1%eth0"]
    assert forwarder.resolvers_of(tmp_path / "missing") == []
