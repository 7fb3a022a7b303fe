"""Addresses of load balancers on the host's links, so that neighbours find them.

Keeps true: every address of a pool that a Service has is one of the host's own, on the link whose network it belongs to (else on
the loopback), and that link's neighbours have been told (ARP, or neighbour advertisement). Addresses of ours that no Service has
any more go.
Reads: Services.  Writes: addresses of the host, marked as Steersman's; packets to neighbours.
Leaves to others: who gets which address (controllers), where packets to it go (proxy).
"""

import asyncio
import ipaddress
import logging
import socket
import struct
from collections.abc import Collection, Iterable

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta.objects import Object
from steersman.network import namespaces, netlink

log = logging.getLogger(__name__)

_ARP, _IPV6 = 0x0806, 0x86DD
_BROADCAST = b"\xff" * 6
_ALL_NODES_MAC, _ALL_NODES = b"\x33\x33\x00\x00\x00\x01", ipaddress.IPv6Address("ff02::1")
_REPEATS = 3  # neighbours may miss one
_REPEAT_SECONDS = 1.0


def wanted(services: Iterable[Object], node_addresses: Collection[str]) -> set[str]:
    """Addresses of load balancers that are nobody's own yet."""
    found = set()
    for service in services:
        if service["spec"].get("type") != "LoadBalancer" or service["spec"].get("loadBalancerClass"):
            continue
        for one in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if one.get("ip") and one.get("ipMode", "VIP") == "VIP":
                found.add(str(ipaddress.ip_address(one["ip"])))
    return found - set(node_addresses)


async def run(caches: Caches, clock: Clock, *, bridge: str, namespace: str | None = None) -> None:
    """Until cancelled. `bridge` is the link to the cluster's own nodes: their addresses need no announcing."""
    services, nodes = caches.of(kinds.SERVICE), caches.of(kinds.NODE)
    changed = asyncio.Event()
    changed.set()

    def notice(old: Object | None, new: Object | None) -> None:
        if _is_balanced(old) or _is_balanced(new):
            changed.set()

    unsubscribe = services.subscribe(notice)
    pause = backoff.Backoff(clock)
    try:
        await services.synced.wait()
        await nodes.synced.wait()
        while True:
            await changed.wait()
            changed.clear()
            try:
                new = apply(wanted(services.list(), _addresses(nodes.list())), bridge, namespace)
                pause.reset()
            except OSError as refused:
                seconds = pause.next()
                log.warning("addresses of load balancers: %s; trying again in %.1f s", refused, seconds)
                changed.set()
                await clock.sleep(seconds)
                continue
            for _ in range(_REPEATS if new else 0):
                tell(new, namespace)
                await clock.sleep(_REPEAT_SECONDS)
    finally:
        unsubscribe()


def apply(addresses: Collection[str], bridge: str, namespace: str | None = None) -> dict[str, tuple[str, str]]:
    """Make the host's addresses that are ours equal to `addresses`. Those that are new: address → (link, its MAC)."""
    new: dict[str, tuple[str, str]] = {}
    with netlink.Netlink(namespace) as kernel:
        links = {link.index: link for link in kernel.links()}
        present = [one for version in (4, 6) for one in kernel.addresses(version)]
        held = {one.text.partition("/")[0] for one in present}
        # What lies among the nodes is a node's, also of one that is away: the host must never answer in its place.
        inside = [ipaddress.ip_interface(one.text).network for one in present if links[one.index].name == bridge]
        addresses = [one for one in addresses if not any(ipaddress.ip_address(one) in network for network in inside)]
        for one in present:
            if one.protocol == netlink.PROTOCOL_STEERSMAN and one.text.partition("/")[0] not in addresses:
                kernel.remove_address(one.index, one.text)
        for address in sorted(set(addresses) - held):
            link = _link_of(address, present, links, bridge)
            length = 128 if ":" in address else 32
            kernel.add_address(link.index, f"{address}/{length}", protocol=netlink.PROTOCOL_STEERSMAN)
            new[address] = link.name, link.mac
    return new


def forget(namespace: str | None = None) -> None:
    """Leave no address of ours."""
    apply((), "", namespace)


def tell(new: dict[str, tuple[str, str]], namespace: str | None = None) -> None:
    """Neighbours learn who has the addresses now, also those that remember somebody else."""
    for address, (link, mac) in new.items():
        if link == "lo":
            continue
        source = bytes.fromhex(mac.replace(":", ""))
        try:
            with namespaces.open_socket(namespace, socket.AF_PACKET, socket.SOCK_RAW) as channel:
                channel.bind((link, 0))
                channel.send(_advertisement(address, source) if ":" in address else _gratuitous(address, source))
        except OSError as refused:
            log.warning("%s: neighbours on %s were not told: %s", address, link, refused)


def _gratuitous(address: str, source: bytes) -> bytes:
    packed = socket.inet_aton(address)
    frame = _BROADCAST + source + struct.pack("!H", _ARP)
    return frame + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + source + packed + b"\0" * 6 + packed


def _advertisement(address: str, source: bytes) -> bytes:
    """An unsolicited neighbour advertisement that overrides what neighbours hold."""
    own = ipaddress.IPv6Address(address)
    body = struct.pack("!BBHI", 136, 0, 0, 0x20000000) + own.packed + b"\x02\x01" + source
    pseudo = own.packed + _ALL_NODES.packed + struct.pack("!IHBB", len(body), 0, 0, 58)
    checksum = _checksum(pseudo + body)
    body = body[:2] + struct.pack("!H", checksum) + body[4:]
    header = struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + own.packed + _ALL_NODES.packed
    return _ALL_NODES_MAC + source + struct.pack("!H", _IPV6) + header + body


def _checksum(data: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f"!{len(data) // 2}H", data)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _link_of(
    address: str, present: Iterable[netlink.Address], links: dict[int, netlink.Link], bridge: str
) -> netlink.Link:
    """The link in whose network the address lies; the loopback where there is none, for routers that send it here."""
    parsed = ipaddress.ip_address(address)
    for one in present:
        link = links[one.index]
        network = ipaddress.ip_interface(one.text).network
        if parsed in network and network.num_addresses > 1 and link.name not in ("lo", bridge):
            return link
    return next(link for link in links.values() if link.name == "lo")


def _addresses(nodes: Iterable[Object]) -> set[str]:
    return {one.get("address", "") for node in nodes for one in (node.get("status") or {}).get("addresses") or ()}


def _is_balanced(service: Object | None) -> bool:
    return service is not None and bool(service["spec"].get("type") == "LoadBalancer")
