"""Links, addresses, routes and neighbours of one network namespace, by raw rtnetlink.

Several times faster than a general library (docs/design/network.md): only what a pod network needs, one socket that
stays in the namespace it was opened in. Every call is one request and its answer (changes may be sent `together`), and the kernel
answers at once.
"""

import contextlib
import dataclasses
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from typing import Self

from steersman.network import bandwidth, namespaces

_ACK_LIMIT_BYTES = 1 << 16  # one read takes a whole dump chunk (the kernel fills at most 32 KiB)

_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_REPLACE, _EXCL, _CREATE = 0x100, 0x200, 0x400

_NEW_LINK, _DELETE_LINK, _GET_LINK = 16, 17, 18
_NEW_ADDRESS, _DELETE_ADDRESS, _GET_ADDRESS = 20, 21, 22
_NEW_ROUTE, _DELETE_ROUTE, _GET_ROUTE = 24, 25, 26
_NEW_NEIGHBOUR = 28
_NEW_QUEUE = 36
_ROOT_QUEUE = 0xFFFFFFFF
_ETHERNET = 1

_LINK_ADDRESS, _LINK_NAME, _LINK_MTU, _LINK_INDEX_OF_PEER = 1, 3, 4, 5
_LINK_MASTER, _LINK_INFO, _LINK_ALIAS, _LINK_NAMESPACE_FD = 10, 18, 20, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_INFO_PORT_KIND, _INFO_PORT_DATA, _PORT_HAIRPIN = 4, 5, 4
_UP = 1

_ROUTE_TABLE_MAIN = 254
_SCOPES = {"global": 0, "link": 253, "host": 254}
_UNICAST, _UNREACHABLE = 1, 7
_ONLINK = 4
_PERMANENT, _REACHABLE = 0x80, 0x02
_BRIDGE_FAMILY, _OF_THE_DEVICE = 7, 0x02
_NO_DUPLICATE_CHECK = 0x02  # an IPv6 address is of use at once; ours are given out once each
_ADDRESS_PROTOCOL = 11
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}

LOOPBACK = 1  # the index of every namespace's own
PROTOCOL_STATIC = 4
PROTOCOL_STEERSMAN = 83  # marks the routes that are ours, so that stale ones can be told from the administrator's


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    index: int
    name: str
    alias: str
    mac: str
    up: bool
    master: int
    mtu: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """`text` is `ADDRESS/PREFIX`; `protocol` says who put it there (0: nobody said, or the kernel is older than 5.18)."""

    index: int
    text: str
    protocol: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """`destination` is a CIDR; empty `gateway` means directly on the link."""

    destination: str
    gateway: str
    index: int
    protocol: int
    unreachable: bool


def _attribute(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + b"\0" * (-length % 4)


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("=I", number))


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (length + 3) & ~3


def _link_header(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


class Netlink:
    """A route socket of the calling thread's network namespace, or of the one at `namespace` (a path).

    Refusals are `OSError` with the kernel's errno. One thread at a time.
    """

    def __init__(self, namespace: str | None = None) -> None:
        self._socket = namespaces.open_socket(namespace, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._together: list[tuple[int, int, bytes]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Changes in the block go to the kernel as one message at its end, which carries them out in their order. The first refusal
        is raised then; those after it may have been carried out."""
        waiting = self._together = []
        try:
            yield
        finally:
            self._together = None
        if waiting:
            self._send(waiting)

    # Links

    def link(self, name: str) -> Link | None:
        try:
            answers = self._ask(_GET_LINK, 0, _link_header() + _text(_LINK_NAME, name))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise
        return _parse_link(answers[0])

    def links(self) -> list[Link]:
        return [_parse_link(answer) for answer in self._ask(_GET_LINK, _DUMP, _link_header())]

    def add_bridge(self, name: str) -> None:
        """Raises FileExistsError when the name is taken."""
        info = _attribute(_LINK_INFO, _text(_INFO_KIND, "bridge"))
        self._ask(_NEW_LINK, _CREATE | _EXCL, _link_header() + _text(_LINK_NAME, name) + info)

    def add_veth(
        self,
        name: str,
        mac: str,
        peer: str,
        peer_mac: str,
        *,
        peer_namespace: str,
        mtu: int,
        master: int = 0,
    ) -> None:
        """A pair; the peer is born inside the namespace at the path `peer_namespace`, and is the end that is still down
        (the kernel refuses to raise it before the pair is whole)."""
        descriptor = os.open(peer_namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            peer_end = (
                _link_header()
                + _text(_LINK_NAME, peer)
                + _attribute(_LINK_ADDRESS, _mac(peer_mac))
                + _number(_LINK_MTU, mtu)
                + _number(_LINK_NAMESPACE_FD, descriptor)
            )
            info = _text(_INFO_KIND, "veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, peer_end))
            body = (
                _link_header(flags=_UP, change=_UP)
                + _text(_LINK_NAME, name)
                + _attribute(_LINK_ADDRESS, _mac(mac))
                + _number(_LINK_MTU, mtu)
                + (_number(_LINK_MASTER, master) if master else b"")
                + _attribute(_LINK_INFO, info)
            )
            self._ask(_NEW_LINK, _CREATE | _EXCL, body)
        finally:
            os.close(descriptor)

    def add_vxlan(self, name: str, mac: str, *, number: int, local: str, port: int, link: int, mtu: int) -> None:
        """A device whose packets travel in UDP over `link`, to where `forward_hardware_address` says: it learns nothing."""
        data = (
            _number(1, number)
            + _number(3, link)
            + _attribute(4, socket.inet_aton(local))
            + _attribute(7, b"\0")
            + _attribute(15, struct.pack("!H", port))
        )
        info = _attribute(_LINK_INFO, _text(_INFO_KIND, "vxlan") + _attribute(_INFO_DATA, data))
        body = _link_header() + _text(_LINK_NAME, name) + _attribute(_LINK_ADDRESS, _mac(mac)) + _number(_LINK_MTU, mtu)
        self._ask(_NEW_LINK, _CREATE | _EXCL, body + info)

    def forward_hardware_address(self, index: int, mac: str, destination: str) -> None:
        """Where a VXLAN device sends what is for `mac`."""
        header = struct.pack("=BxxxiHBB", _BRIDGE_FAMILY, index, _PERMANENT, _OF_THE_DEVICE, 0)
        body = header + _attribute(1, socket.inet_aton(destination)) + _attribute(2, _mac(mac))
        self._ask(_NEW_NEIGHBOUR, _CREATE | _REPLACE, body)

    def set_alias(self, index: int, alias: str) -> None:
        """The name people and later processes know the link by; kept by the kernel with the link."""
        self._ask(_NEW_LINK, 0, _link_header(index) + _attribute(_LINK_ALIAS, alias.encode()))

    def set_up(self, index: int, *, up: bool = True) -> None:
        self._ask(_NEW_LINK, 0, _link_header(index, _UP if up else 0, _UP))

    def set_hairpin(self, index: int) -> None:
        """Let a bridge send out of this port what came in by it."""
        data = _text(_INFO_PORT_KIND, "bridge") + _attribute(_INFO_PORT_DATA, _attribute(_PORT_HAIRPIN, b"\1"))
        self._ask(_NEW_LINK, 0, _link_header(index) + _attribute(_LINK_INFO, data))

    def set_mac(self, index: int, mac: str) -> None:
        self._ask(_NEW_LINK, 0, _link_header(index) + _attribute(_LINK_ADDRESS, _mac(mac)))

    def remove_link(self, name: str) -> bool:
        """False when there was none."""
        try:
            self._ask(_DELETE_LINK, 0, _link_header() + _text(_LINK_NAME, name))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return False
            raise
        return True

    def limit_rate(self, index: int, limit: bandwidth.Limit) -> None:
        """What leaves by the link passes a token bucket (tc's `tbf`)."""
        header = struct.pack("=BxxxiIII", socket.AF_UNSPEC, index, 0, _ROOT_QUEUE, 0)
        rate = struct.pack("=BBHhHI", 0, _ETHERNET, 0, 0, 0, min(limit.rate, 0xFFFFFFFF))
        parameters = rate + bytes(12) + struct.pack("=III", limit.queue, 0, 0)
        options = _attribute(1, parameters) + _attribute(4, struct.pack("=Q", limit.rate)) + _number(6, limit.burst)
        body = header + _text(1, "tbf") + _attribute(2, options)
        self._ask(_NEW_QUEUE, _CREATE | _REPLACE, body)

    # Addresses

    def add_address(self, index: int, address: str, *, scope: str = "global", protocol: int = 0) -> None:
        """`address` is `ADDRESS/PREFIX`; adding it again changes nothing."""
        self._ask(_NEW_ADDRESS, _CREATE | _REPLACE, _address_body(index, address, scope, protocol))

    def remove_address(self, index: int, address: str) -> None:
        try:
            self._ask(_DELETE_ADDRESS, 0, _address_body(index, address, "global"))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV):
                raise

    def addresses(self, version: int = 4) -> list[Address]:
        header = struct.pack("=BBBBI", _FAMILIES[version], 0, 0, 0, 0)
        return [_parse_address(answer) for answer in self._ask(_GET_ADDRESS, _DUMP, header)]

    # Routes and neighbours

    def replace_route(
        self,
        destination: str,
        *,
        index: int = 0,
        gateway: str = "",
        source: str = "",
        scope: str = "global",
        onlink: bool = False,
        protocol: int = PROTOCOL_STATIC,
    ) -> None:
        self._ask(
            _NEW_ROUTE,
            _CREATE | _REPLACE,
            _route_body(destination, index, gateway, source, scope, _ONLINK if onlink else 0, protocol, _UNICAST),
        )

    def replace_unreachable_route(self, destination: str, *, protocol: int = PROTOCOL_STATIC) -> None:
        """Packets to `destination` are answered "host unreachable" unless a longer prefix matches."""
        body = _route_body(destination, 0, "", "", "global", 0, protocol, _UNREACHABLE)
        self._ask(_NEW_ROUTE, _CREATE | _REPLACE, body)

    def remove_route(self, route: Route) -> None:
        kind = _UNREACHABLE if route.unreachable else _UNICAST
        index = 0 if route.unreachable else route.index
        body = _route_body(route.destination, index, route.gateway, "", "nowhere", 0, route.protocol, kind)
        try:
            self._ask(_DELETE_ROUTE, 0, body)
        except OSError as error:
            if error.errno not in (errno.ESRCH, errno.ENODEV):
                raise

    def routes(self, version: int = 4) -> list[Route]:
        """Those of the main table."""
        header = struct.pack("=BBBBBBBBI", _FAMILIES[version], 0, 0, 0, 0, 0, 0, 0, 0)
        parsed = (_parse_route(answer) for answer in self._ask(_GET_ROUTE, _DUMP, header))
        return [route for route in parsed if route is not None]

    def replace_neighbour(self, index: int, address: str, mac: str, *, permanent: bool = True) -> None:
        """A permanent one is never asked for, and never forgotten."""
        parsed = ipaddress.ip_address(address)
        header = struct.pack(
            "=BxxxiHBB", _FAMILIES[parsed.version], index, _PERMANENT if permanent else _REACHABLE, 0, 0
        )
        body = header + _attribute(1, parsed.packed) + _attribute(2, _mac(mac))
        self._ask(_NEW_NEIGHBOUR, _CREATE | _REPLACE, body)

    # The wire

    def _ask(self, kind: int, flags: int, body: bytes) -> list[bytes]:
        """Send one request; its answers without their headers. Raises the kernel's refusal."""
        if self._together is None:
            return self._send([(kind, flags, body)])
        assert kind not in _GETTERS, "questions are asked one by one"
        self._together.append((kind, flags, body))
        return []

    def _send(self, requests: list[tuple[int, int, bytes]]) -> list[bytes]:
        """Only the last is to be answered in any case; a refusal always is."""
        message, first = b"", self._sequence + 1
        for number, (kind, flags, body) in enumerate(requests, 1):
            self._sequence += 1
            is_dump = flags & _DUMP == _DUMP and kind in _GETTERS
            flags |= _REQUEST if is_dump or number < len(requests) else _REQUEST | _ACK
            length = 16 + len(body)
            header = struct.pack("=IHHII", length, kind, flags, self._sequence, 0)
            message += header + body + b"\0" * (-length % 4)
        self._socket.send(message)
        refused: OSError | None = None
        answers: list[bytes] = []
        while True:
            data = self._socket.recv(_ACK_LIMIT_BYTES)
            at = 0
            while at < len(data):
                length, answer, _, sequence, _ = struct.unpack_from("=IHHII", data, at)
                payload = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if sequence < first:
                    continue  # left over from a request that was given up
                if answer == _NLMSG_DONE:
                    return answers
                if answer == _NLMSG_ERROR:
                    (code,) = struct.unpack_from("=i", payload)
                    if code and refused is None:
                        refused = OSError(-code, os.strerror(-code))
                    if sequence < self._sequence:
                        continue
                    if refused is not None:
                        raise refused
                    return answers
                answers.append(payload)


_GETTERS = (_GET_LINK, _GET_ADDRESS, _GET_ROUTE)


def _address_body(index: int, address: str, scope: str, protocol: int = 0) -> bytes:
    interface = ipaddress.ip_interface(address)
    flags = _NO_DUPLICATE_CHECK if interface.version == 6 else 0
    family, prefix = _FAMILIES[interface.version], interface.network.prefixlen
    header = struct.pack("=BBBBI", family, prefix, flags, _SCOPES[scope], index)
    packed = interface.ip.packed
    body = header + _attribute(1, packed) + _attribute(2, packed)
    if interface.version == 4 and prefix < 31 and scope == "global":
        body += _attribute(4, interface.network.broadcast_address.packed)
    return body + _attribute(_ADDRESS_PROTOCOL, bytes((protocol,))) if protocol else body


def _route_body(
    destination: str, index: int, gateway: str, source: str, scope: str, flags: int, protocol: int, kind: int
) -> bytes:
    network = ipaddress.ip_network(destination)
    number = _SCOPES.get(scope, 255)  # 255, "nowhere", matches any scope when deleting
    header = struct.pack(
        "=BBBBBBBBI",
        _FAMILIES[network.version],
        network.prefixlen,
        0,
        0,
        _ROUTE_TABLE_MAIN,
        protocol,
        number,
        kind,
        flags,
    )
    body = header + _attribute(1, network.network_address.packed)
    if gateway:
        body += _attribute(5, ipaddress.ip_address(gateway).packed)
    if index:
        body += _number(4, index)
    if source:
        body += _attribute(7, ipaddress.ip_address(source).packed)
    return body


def _parse_link(payload: bytes) -> Link:
    index, flags = struct.unpack_from("=iI", payload, 4)
    name = alias = mac = ""
    master = mtu = 0
    for kind, data in _attributes(payload[16:]):
        if kind == _LINK_NAME:
            name = data.rstrip(b"\0").decode()
        elif kind == _LINK_ALIAS:
            alias = data.rstrip(b"\0").decode()
        elif kind == _LINK_ADDRESS:
            mac = data.hex(":")
        elif kind == _LINK_MASTER:
            (master,) = struct.unpack("=I", data)
        elif kind == _LINK_MTU:
            (mtu,) = struct.unpack("=I", data)
    return Link(index, name, alias, mac, bool(flags & _UP), master, mtu)


def _parse_address(payload: bytes) -> Address:
    family, prefix, _, _, index = struct.unpack_from("=BBBBI", payload)
    found = dict(_attributes(payload[8:]))
    text = socket.inet_ntop(family, found[2] if 2 in found else found[1])
    return Address(index, f"{text}/{prefix}", found.get(_ADDRESS_PROTOCOL, b"\0")[0])


def _parse_route(payload: bytes) -> Route | None:
    family, prefix, _, _, table, protocol, _, kind = struct.unpack_from("=BBBBBBBB", payload)
    if table != _ROUTE_TABLE_MAIN or kind not in (_UNICAST, _UNREACHABLE):
        return None
    found = dict(_attributes(payload[12:]))
    destination = socket.inet_ntop(family, found.get(1, b"\0" * (4 if family == socket.AF_INET else 16)))
    gateway = socket.inet_ntop(family, found[5]) if 5 in found else ""
    index = struct.unpack("=I", found[4])[0] if 4 in found else 0
    return Route(f"{destination}/{prefix}", gateway, index, protocol, kind == _UNREACHABLE)
