"""Services without packet rules: a process that accepts connections and carries their bytes to an endpoint.

For a machine without nftables, with one node. It answers the same `Backend` as the kernel's rules, from the same elements: each
verdict that leads somewhere is a listening socket at the Service's address, which becomes one of the node's own. A Service without
endpoints has the address and no socket, so the kernel refuses.

What is different from packet rules: endpoints see the node as their client, and each connection costs a task. UDP clients are
remembered for as long as they keep sending.
"""

import asyncio
import contextlib
import errno
import itertools
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Any

from steersman.aio.clock import Clock
from steersman.proxy import rule_set, rules

log = logging.getLogger(__name__)

ANYWHERE = {"IPv4": "0.0.0.0", "IPv6": "::"}
UDP_IDLE_SECONDS = 60.0  # as long as the kernel remembers a UDP connection that was answered
_PIECE_BYTES = 65_536
_BACKLOG = 512
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}

Place = tuple[str, str, int]
"""Address, protocol and port."""


class Userspace:
    """Works in the event loop that is running; `take(address)` makes an address the node's own, `give` takes it back."""

    def __init__(
        self, clock: Clock, take: Callable[[str], None], give: Callable[[str], None], family: str = "IPv4"
    ) -> None:
        self._clock = clock
        self._take, self._give = take, give
        self._family = family
        self._loop = asyncio.get_running_loop()
        self._elements: dict[rules.Element, str] = {}
        self._listening: dict[Place, socket.socket] = {}
        self._own: set[str] = set()
        self._turn = itertools.count()
        self._clients: dict[tuple[str, str], tuple[str, float]] = {}  # (affinity number, client) → target, until when
        self._datagrams: dict[tuple[Place, Any], tuple[socket.socket, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        for place in list(self._listening):
            self._stop(place)
        for key, (channel, _) in list(self._datagrams.items()):
            self._forget(key, channel)
        for address in list(self._own):
            self._give(address)
        self._own.clear()

    def replace(self, elements: Mapping[rules.Element, str]) -> None:
        self._elements = dict(elements)
        self._settle()

    def apply(self, change: rule_set.Change) -> None:
        for element in change.removed:
            self._elements.pop(element, None)
        self._elements.update(change.added)
        self._settle()

    def _settle(self) -> None:
        """Addresses and sockets as the elements want them."""
        addresses = {key.partition(" . ")[0] for name, key in self._elements if name == "services"}
        for address in addresses - self._own:
            self._take(address)
        for address in self._own - addresses:
            self._give(address)
        self._own = addresses
        wanted = set()
        for (name, key), verdict in self._elements.items():
            if name in ("services", "node_ports") and verdict.startswith("goto ") and verdict != rules.REFUSE:
                wanted.add(self._place(name, key))
        for place in self._listening.keys() - wanted:
            self._stop(place)
        for place in wanted - self._listening.keys():
            self._start(place)
        left = {target for (name, _), target in self._elements.items() if name in ("endpoints", "node_endpoints")}
        for client, (target, _) in list(self._clients.items()):
            if target not in left:
                del self._clients[client]
        for key_of_client, (channel, _) in list(self._datagrams.items()):
            if key_of_client[0] not in wanted:
                self._forget(key_of_client, channel)

    def _place(self, name: str, key: str) -> Place:
        parts = key.split(" . ")
        address = parts[0] if name == "services" else ANYWHERE[self._family]
        return address, parts[-2], int(parts[-1])

    def _start(self, place: Place) -> None:
        address, protocol, port = place
        if protocol not in _KINDS:
            log.warning("%s: %s needs packet rules", address, protocol)
            return
        channel = socket.socket(rules.FAMILIES[self._family], _KINDS[protocol])
        try:
            channel.setblocking(False)
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            channel.bind((address, port))
            if protocol == "tcp":
                channel.listen(_BACKLOG)
        except OSError as refused:
            channel.close()
            if refused.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
                raise
            log.warning("%s port %d: %s", address, port, refused)
            return
        self._listening[place] = channel
        ready = self._accept if protocol == "tcp" else self._datagram
        self._loop.add_reader(channel, ready, place, channel)

    def _stop(self, place: Place) -> None:
        channel = self._listening.pop(place)
        self._loop.remove_reader(channel)
        channel.close()

    def _target(self, place: Place, client: str) -> tuple[str, int] | None:
        address, protocol, port = place
        is_node_port = address == ANYWHERE[self._family]
        scope = ("node_ports", "node_endpoints", "node_affinity_ids") if is_node_port else _BY_ADDRESS
        key = f"{protocol} . {port}" if is_node_port else f"{address} . {protocol} . {port}"
        verdict = self._elements.get((scope[0], key), "")
        if not verdict.startswith("goto ") or verdict == rules.REFUSE:
            return None
        number = self._elements.get((scope[2], key), "")
        now = self._clock.monotonic()
        known, until = self._clients.get((number, client), ("", 0.0))
        if not number or until < now:
            count = int(verdict.rpartition("-")[2])
            known = self._elements.get((scope[1], f"{key} . 0:{next(self._turn) % count:x}"), "")
        if not known:
            return None
        if number:
            self._clients[number, client] = known, now + self._timeout(number)
        host, _, target = known.partition(" . ")
        return host, int(target)

    def _timeout(self, number: str) -> float:
        verdict = self._elements.get(("affinity_timeouts", number), "")
        return float(verdict.rpartition("-")[2] or rules.AFFINITY_SECONDS)

    # TCP

    def _accept(self, place: Place, listener: socket.socket) -> None:
        try:
            connection, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._carry(connection, self._target(place, client[0])))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, client: socket.socket, target: tuple[str, int] | None) -> None:
        with client, socket.socket(rules.FAMILIES[self._family], socket.SOCK_STREAM) as server:
            if target is None:
                return
            server.setblocking(False)
            with contextlib.suppress(
                OSError
            ):  # whoever is gone first: the other one hears of it by the end of its connection
                await self._loop.sock_connect(server, target)
                await asyncio.gather(self._copy(client, server), self._copy(server, client))

    async def _copy(self, source: socket.socket, target: socket.socket) -> None:
        while data := await self._loop.sock_recv(source, _PIECE_BYTES):
            await self._loop.sock_sendall(target, data)
        target.shutdown(socket.SHUT_WR)

    # UDP

    def _datagram(self, place: Place, listener: socket.socket) -> None:
        try:
            data, client = listener.recvfrom(_PIECE_BYTES)
        except OSError:
            return
        known = self._datagrams.get((place, client))
        now = self._clock.monotonic()
        if known is None or known[1] < now:
            self._sweep(now)
            target = self._target(place, client[0])
            if target is None:
                return
            channel = socket.socket(rules.FAMILIES[self._family], socket.SOCK_DGRAM)
            channel.setblocking(False)
            channel.connect(target)
            self._loop.add_reader(channel, self._answer, place, client, listener, channel)
        else:
            channel = known[0]
        self._datagrams[place, client] = channel, now + UDP_IDLE_SECONDS
        with contextlib.suppress(OSError):
            channel.send(data)

    def _answer(self, place: Place, client: Any, listener: socket.socket, channel: socket.socket) -> None:
        try:
            listener.sendto(channel.recv(_PIECE_BYTES), client)
        except BlockingIOError:
            return
        except OSError:  # the endpoint refuses, or the Service is gone
            self._forget((place, client), channel)

    def _sweep(self, now: float) -> None:
        for key, (channel, until) in list(self._datagrams.items()):
            if until < now:
                self._forget(key, channel)

    def _forget(self, key: tuple[Place, Any], channel: socket.socket) -> None:
        if self._datagrams.get(key, (None, 0.0))[0] is channel:
            del self._datagrams[key]
        self._loop.remove_reader(channel)
        channel.close()


_BY_ADDRESS = ("services", "endpoints", "affinity_ids")


async def at_once(call: Callable[..., None], *arguments: Any) -> None:
    """How the controller calls this backend: in its own loop."""
    call(*arguments)
