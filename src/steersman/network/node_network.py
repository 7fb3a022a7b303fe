"""Routes to the pods of every other node, in one network namespace: a node's own, or the host's.

Keeps true: one route per other node's pod CIDR, by that node's InternalIP on the link all nodes share; no route of ours for a
CIDR that no node has any more; the cluster's DNS address is one of the node's own.
Reads: Nodes, the namespace's routes.  Writes: routes (marked as Steersman's, so that others' are never touched).
Leaves to others: the route to the own pods (`pod_network`), nodes on other links: the machine leads to them (`machine_network`).
"""

import asyncio
import functools
import ipaddress
import logging
from collections.abc import Iterable, Mapping, Sequence

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.network import netlink

log = logging.getLogger(__name__)

DNS_ADDRESS = "10.96.0.10"


def wanted_routes(nodes: Iterable[Object], own_name: str, ranges: Sequence[str]) -> dict[str, str]:
    """Pod CIDR → gateway of the same family. Where two nodes claim one CIDR (an old Node object), the younger node has it.

    Only of CIDRs that are part of the cluster's `ranges`: a node that registers itself may say what it likes."""
    routes: dict[str, str] = {}
    for node in sorted(nodes, key=lambda node: (node["metadata"].get("creationTimestamp") or "", objects.name(node))):
        if objects.name(node) == own_name:
            continue
        for cidr in _pod_cidrs(node):
            address = internal_address(node, 6 if ":" in cidr else 4)
            if address and _is_part(cidr, tuple(ranges)):
                routes[cidr] = address
    return routes


def internal_address(node: Object, version: int = 4) -> str:
    """The node's InternalIP of one IP version; empty while it has none."""
    for address in node.get("status", {}).get("addresses") or ():
        if address.get("type") == "InternalIP" and _version(address.get("address", "")) == version:
            return str(address["address"])
    return ""


@functools.lru_cache(maxsize=4096)  # heartbeats bring the same ones again and again
def _version(address: str) -> int:
    """0 of what is no address: nobody checks what a node says."""
    try:
        return ipaddress.ip_address(address).version
    except ValueError:
        return 0


@functools.lru_cache(maxsize=4096)
def _is_part(cidr: str, ranges: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_network(cidr)
    except ValueError:
        return False
    whole = map(ipaddress.ip_network, ranges)
    return any(one.overlaps(parsed) and one.prefixlen <= parsed.prefixlen for one in whole)


def _pod_cidrs(node: Object) -> list[str]:
    spec = node.get("spec", {})
    cidrs = spec.get("podCIDRs") or [spec.get("podCIDR")]
    return [cidr for cidr in cidrs if cidr]


def bind_dns_address(address: str = DNS_ADDRESS, namespace: str | None = None) -> None:
    """Make `address` one of the namespace's own, so that DNS is answered on the spot. Scope host: it must never be chosen as
    the source address of anything else."""
    with netlink.Netlink(namespace) as kernel:
        loopback = kernel.link("lo")
        assert loopback is not None
        kernel.set_up(loopback.index)
        kernel.add_address(loopback.index, f"{address}/{128 if ':' in address else 32}", scope="host")


def lead_services(cidr: str, node_address: str, device: str, namespace: str | None = None) -> None:
    """Let a node answer for the host, too, where the host has no rules of its own."""
    with netlink.Netlink(namespace) as kernel:
        link = kernel.link(device)
        assert link is not None
        for route in kernel.routes():
            if route.destination == cidr and route.index == link.index:
                kernel.remove_route(route)
        kernel.replace_route(cidr, gateway=node_address, index=link.index)


def own_address(address: str, *, wanted: bool, namespace: str | None = None) -> None:
    """Make a Service's address one of the node's own, or let it go. Scope host: it is never the source of anything else."""
    length = 128 if ":" in address else 32
    with netlink.Netlink(namespace) as kernel:
        loopback = kernel.link("lo")
        assert loopback is not None
        if wanted:
            kernel.add_address(loopback.index, f"{address}/{length}", scope="host")
        else:
            kernel.remove_address(loopback.index, f"{address}/{length}")


async def run(
    caches: Caches,
    own_name: str,
    ranges: Sequence[str],
    clock: Clock,
    *,
    device: str = "eth0",
    namespace: str | None = None,
) -> None:
    """Keep the routes until cancelled. On the host `own_name` is empty and `device` the cluster's bridge. `ranges`: of all pods."""
    nodes = caches.of(kinds.NODE)
    changed = asyncio.Event()
    changed.set()

    def notice(old: Object | None, new: Object | None) -> None:
        if old is None or new is None or facts(old) != facts(new):
            changed.set()

    unsubscribe = nodes.subscribe(notice)
    pause = backoff.Backoff(clock)
    try:
        await nodes.synced.wait()
        while True:
            await changed.wait()
            changed.clear()
            try:
                apply(wanted_routes(nodes.list(), own_name, ranges), device, namespace)
                pause.reset()
            except OSError as refused:
                seconds = pause.next()
                log.warning("routes to other nodes: %s; trying again in %.1f s", refused, seconds)
                changed.set()
                await clock.sleep(seconds)
    finally:
        unsubscribe()


def facts(node: Object) -> tuple[str, str, list[str]]:
    """All that routes depend on."""
    return internal_address(node), internal_address(node, 6), _pod_cidrs(node)


def apply(wanted: Mapping[str, str], device: str, namespace: str | None = None) -> None:
    """Make the routes on `device` that are ours equal to those of `wanted` whose gateways are on its link. A destination that
    another link has is left to it."""
    with netlink.Netlink(namespace) as kernel:
        link = kernel.link(device)
        if link is None:
            raise OSError(f"there is no link {device}")
        networks = [one.text for version in (4, 6) for one in kernel.addresses(version) if one.index == link.index]
        near = {cidr: gateway for cidr, gateway in wanted.items() if _is_on(networks, gateway)}
        here, elsewhere = {}, set()
        for route in (*kernel.routes(), *kernel.routes(6)):
            if route.index == link.index and route.protocol == netlink.PROTOCOL_STEERSMAN:
                here[route.destination] = route
            elif route.index != link.index and not route.unreachable:
                elsewhere.add(ipaddress.ip_network(route.destination))
        for destination, route in here.items():
            if destination not in near:
                kernel.remove_route(route)
        for destination, gateway in near.items():
            if destination in here and here[destination].gateway == gateway:
                continue
            if ipaddress.ip_network(destination) in elsewhere:
                log.warning("%s: another link already leads to %s", device, destination)
                continue
            kernel.replace_route(destination, gateway=gateway, index=link.index, protocol=netlink.PROTOCOL_STEERSMAN)


def _is_on(link_networks: Sequence[str], address: str) -> bool:
    """Whether a node's address is on one of the link's own networks."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_interface(one).network for one in link_networks)
