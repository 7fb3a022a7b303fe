"""The cluster's DNS server: UDP and TCP, on addresses of the node itself.

A question that was asked before is answered by the bytes of the last answer; any change of a Service or its endpoints
throws these away. Questions for other names go to the forwarder, everything else is worked out by `zone.py`.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Mapping, Sequence

from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.client.cache import Cache, Caches
from steersman.dns import cached_records, custom_names, forwarder, metrics, wire, zone

log = logging.getLogger(__name__)

ADDRESS = "10.96.0.10"
PORT = 53

_ANSWERS_MAX = 4_096  # some 200 bytes each
_VARIANTS_MAX = 8
_TCP_CONNECTIONS_MAX = 100
_TCP_IDLE_SECONDS = 10.0
_CHAIN_MAX = 8
_IP_FREEBIND = 15  # the address may be bound to the node a moment later


async def run(
    caches: Caches,
    addresses: Sequence[str],
    clock: Clock,
    upstreams: Sequence[str] = (),
    *,
    domain: str = "cluster.local",
    reverse_networks: Sequence[str] = ("10.96.0.0/16", "10.244.0.0/16"),
    open_socket: forwarder.OpenSocket | None = None,
    port: int = PORT,
    custom: Cache | None = None,
    counted: metrics.Metrics | None = None,
) -> None:
    """Serve until cancelled.

    `upstreams` are asked for other names, through sockets that `open_socket` makes (so that they can be in the host's network
    namespace, where the machine's resolvers are reachable). `custom` holds the ConfigMap of `custom_names`.
    """
    records = cached_records.CachedRecords(caches)
    await records.wait_synced()
    names = zone.Zone(records, domain, reverse_networks)
    outside = forwarder.Forwarder(upstreams, clock, open_socket)
    server = Server(names, outside, clock, counted, lambda listed: forwarder.Forwarder(listed, clock, open_socket))
    ends = [records.subscribe(server.forget)]
    if custom is not None:
        ends.append(custom.subscribe(lambda old, new: server.use((new or {}).get("data") or {})))
        for one in custom.list():
            server.use(one.get("data") or {})
    try:
        await server.serve(addresses, port)
    finally:
        for end in ends:
            end()


class Server:
    def __init__(
        self,
        names: zone.Zone,
        outside: forwarder.Forwarder,
        clock: Clock,
        counted: metrics.Metrics | None = None,
        forward_to: Callable[[Sequence[str]], forwarder.Forwarder] | None = None,
    ) -> None:
        """`forward_to` makes a forwarder to other resolvers, for the administrator's own domains."""
        self._zone = names
        self._default_outside = self._outside = outside
        self._forward_to = forward_to
        self._stubs: dict[tuple[str, ...], forwarder.Forwarder] = {}
        self._custom = custom_names.NONE
        self._clock = clock
        self.metrics = counted or metrics.Metrics()
        self._by_udp: dict[bytes, _Variants] = {}  # by the question's bytes but for its number
        self._by_tcp: dict[bytes, _Variants] = {}
        self._connections = 0
        self._tasks = tasks.Tasks("dns")

    def forget(self) -> None:
        """Something changed: no prepared answer counts any more."""
        self._by_udp.clear()
        self._by_tcp.clear()

    def use(self, data: Mapping[str, str]) -> None:
        """The administrator's own names, from now on."""
        self._custom = custom_names.parse(data)
        for problem in self._custom.problems:
            log.warning("names of the administrator: %s", problem)
        self._stubs = {}
        upstreams = self._custom.upstreams
        self._outside = self._forward_to(upstreams) if upstreams and self._forward_to else self._default_outside
        self.forget()

    def _outside_for(self, name: str) -> forwarder.Forwarder:
        resolvers = self._custom.resolvers_for(name) if self._custom.stubs else ()
        if not resolvers or self._forward_to is None:
            return self._outside
        if resolvers not in self._stubs:
            self._stubs[resolvers] = self._forward_to(resolvers)
        return self._stubs[resolvers]

    def _known(self, name: str, kind: int) -> wire.Answer | None:
        """None: somebody outside knows."""
        if self._custom is not custom_names.NONE:
            answer = self._custom.answer(name, kind)
            if answer is not None:
                return answer
        return self._zone.answer(name, kind)

    async def serve(self, addresses: Sequence[str], port: int = PORT) -> None:
        """Raises OSError when an address cannot be had."""
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._tasks.close)
            for address in addresses:
                datagrams = _bind(address, port, socket.SOCK_DGRAM)
                transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=datagrams)
                stack.callback(transport.close)
                listener = _bind(address, port, socket.SOCK_STREAM)
                listening = await asyncio.start_server(self._serve_connection, sock=listener)
                stack.callback(listening.close)
            self._tasks.start("until cancelled", _forever())
            await self._tasks.wait()

    def answer_nowait(self, message: bytes, *, by_tcp: bool = False) -> bytes | None:
        """The answer, empty where none is due; None when it takes a question to the outside."""
        prepared, key = self._by_tcp if by_tcp else self._by_udp, message[2:]
        known = prepared.get(key)
        if known is not None:
            self.metrics.prepared += 1
            self.metrics.codes[known.code] += 1
            return message[:2] + known.next()
        try:
            query = wire.parse_query(message)
        except wire.Malformed:
            return wire.format_refusal(message, wire.FORMERR)
        if query.opcode != 0:
            return wire.format_refusal(message, wire.NOTIMP)
        if query.cls != wire.IN:
            return wire.format_refusal(message, wire.REFUSED)
        answer = self._known(query.name, query.type)
        if answer is None or _alias(answer, query.type):
            return None
        self.metrics.worked_out += 1
        self.metrics.codes[answer.code] += 1
        limit = wire.TCP_BYTES if by_tcp else query.udp_bytes
        variants = _Variants(query, answer, limit)
        if len(prepared) >= _ANSWERS_MAX:
            prepared.clear()
        prepared[key] = variants
        return message[:2] + variants.next()

    async def answer(self, message: bytes, *, by_tcp: bool = False) -> bytes:
        prepared = self.answer_nowait(message, by_tcp=by_tcp)
        if prepared is not None:
            return prepared
        query = wire.parse_query(message)
        try:
            answer = self._known(query.name, query.type)
            if answer is None:
                return await self._forwarded(query.name, message, by_tcp=by_tcp)
            answer = await self._follow(answer, query.type)
        except forwarder.Failed as failure:
            log.debug("%s: %s", query.name, failure)
            self.metrics.forward_failures += 1
            answer = wire.Answer(wire.SERVFAIL)
        self.metrics.codes[answer.code] += 1
        limit = wire.TCP_BYTES if by_tcp else query.udp_bytes
        return wire.format_answer(query, answer, limit, authoritative=answer.code == wire.NOERROR)

    async def _forwarded(self, name: str, message: bytes, *, by_tcp: bool) -> bytes:
        outside, began = self._outside_for(name), self._clock.monotonic()
        hits = outside.hits
        found = await outside.ask(message, by_tcp=by_tcp)
        if outside.hits > hits:
            self.metrics.cache_hits += 1
        else:
            self.metrics.took(self._clock.monotonic() - began)
        self.metrics.codes[min(wire.code_of(found), wire.REFUSED)] += 1
        return found

    async def _follow(self, answer: wire.Answer, kind: int) -> wire.Answer:
        """Add what the alias leads to: a pod's resolver does not ask again by itself."""
        found = list(answer.answers)
        for _ in range(_CHAIN_MAX):
            if found[-1].type != wire.CNAME or kind == wire.CNAME:
                break
            target = wire.name_in_data(found[-1].data, 0)
            inside = self._known(target, kind)
            if inside is None:
                found += await self._outside_for(target).addresses(target, kind)
                break
            if not inside.answers:
                break
            found += inside.answers
        return wire.Answer(answers=tuple(found))

    def start(self, message: bytes, transport: asyncio.DatagramTransport, client: tuple[str, int]) -> None:
        """Answer a datagram once the outside has answered."""
        self._tasks.start("question", self._answer_later(message, transport, client))

    async def _answer_later(
        self, message: bytes, transport: asyncio.DatagramTransport, client: tuple[str, int]
    ) -> None:
        answer = await self.answer(message)
        if not transport.is_closing():
            transport.sendto(answer, client)

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= _TCP_CONNECTIONS_MAX:
            writer.close()
            return
        self._connections += 1
        try:
            while True:
                async with self._clock.timeout(_TCP_IDLE_SECONDS):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    message = await reader.readexactly(length)
                self.metrics.tcp += 1
                answer = await self.answer(message, by_tcp=True)
                writer.write(struct.pack("!H", len(answer)) + answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):  # gone, or idle for too long: nobody to tell
            pass
        finally:
            self._connections -= 1
            writer.close()


class _Variants:
    """One answer as bytes without the number, in as many turns as it has addresses: clients take the first."""

    def __init__(self, query: wire.Query, answer: wire.Answer, limit_bytes: int) -> None:
        self._messages = [wire.format_answer(query, turned, limit_bytes)[2:] for turned in _turns(answer)]
        self._at = 0
        self.code = answer.code

    def next(self) -> bytes:
        self._at = (self._at + 1) % len(self._messages)
        return self._messages[self._at]


def _turns(answer: wire.Answer) -> list[wire.Answer]:
    records = answer.answers
    return [
        wire.Answer(answer.code, records[at:] + records[:at], answer.authority, answer.additional)
        for at in range(max(1, min(len(records), _VARIANTS_MAX)))
    ]


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._metrics = server.metrics
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # asyncio's own loops and uvloop's differ in their classes

    def datagram_received(self, data: bytes, client: tuple[str, int]) -> None:
        self._metrics.udp += 1
        answer = self._server.answer_nowait(data)
        if answer is None:
            self._server.start(data, self._transport, client)
        elif answer:
            self._transport.sendto(answer, client)


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


def _alias(answer: wire.Answer, kind: int) -> bool:
    return kind != wire.CNAME and any(record.type == wire.CNAME for record in answer.answers)


def _bind(address: str, port: int, kind: int) -> socket.socket:
    channel = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    try:
        channel.setblocking(False)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        channel.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        channel.bind((address, port))
    except BaseException:
        channel.close()
        raise
    return channel
