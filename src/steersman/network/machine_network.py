"""The network between the machines of a cluster, in one machine's own network namespace.

A machine has one or many nodes: its own, or several behind a bridge, which nobody else can see. Either way it is one end of the
overlay, and everything that is behind it is reached through it.

Keeps true: a route to the pods of every node on another machine, and to the network its nodes are in; none to what is no more.
Reads: Nodes.  Writes: the overlay's device and routes.
Leaves to others: routes between nodes of one machine (`node_network`), pods (`pod_network`).
"""

import asyncio
import dataclasses
import ipaddress
import logging
from collections.abc import Iterable, Sequence

from steersman.aio import backoff
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.meta.objects import Object
from steersman.network import cluster_network, firewall, libnftables, namespaces, netlink, node_network, overlay
from steersman.network.overlay import End

log = logging.getLogger(__name__)

# Forwarding, and node ports on 127.0.0.1.
_SYSCTLS = {"net/ipv4/ip_forward": "1", "net/ipv4/conf/all/route_localnet": "1"}
_LINKS = ("pod*", "stm-vxlan*")  # whose packets an existing firewall must let through
_GUARD = "steersman-loopback"
_TABLES = ("steersman-services", "steersman-policy", "steersman-pods", "steersman-ports", _GUARD)
# Others are kept away from 127.0.0.1 before it can be reached at all: the proxy's rules, which do so too, come much later.
_GUARDED = f"""
table ip {_GUARD} {{}}
delete table ip {_GUARD}
table ip {_GUARD} {{
 chain loopback_only {{
  type filter hook prerouting priority raw;
  ip daddr 127.0.0.0/8 iifname != "lo" drop
 }}
}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """The machine of the control plane: its address, the network that its nodes are in, and the one of all pods."""

    address: str
    network: str
    pods: str


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    """This one, in the cluster with the network number: its address, what it sends from to pods elsewhere, and the ranges of
    Services, where no other link leads to them. `owner` is the alias of its device."""

    number: int
    address: str
    source: str
    owner: str
    services: tuple[str, ...] = ()


def others(nodes: Iterable[Object], own: str, server: Server) -> tuple[End, ...]:
    """Every other machine with what is behind it; `own` is this one's address."""
    behind: dict[str, list[str]] = {}
    network = ipaddress.ip_network(server.network)
    if server.address != own:
        behind[server.address] = [server.network]
    for pods, address in node_network.wanted_routes(nodes, "", (server.pods,)).items():
        machine = server.address if ipaddress.ip_address(address) in network else address
        if machine != own:
            behind.setdefault(machine, []).append(pods)
    return tuple(End(machine, tuple(sorted(ranges))) for machine, ranges in sorted(behind.items()))


async def run(caches: Caches, own: Machine, server: Server, clock: Clock) -> None:
    """Until cancelled; the routes stay."""
    nodes = caches.of(kinds.NODE)
    changed = asyncio.Event()
    changed.set()

    def notice(old: Object | None, new: Object | None) -> None:
        if old is None or new is None or node_network.facts(old) != node_network.facts(new):
            changed.set()

    unsubscribe = nodes.subscribe(notice)
    pause = backoff.Backoff(clock)
    standing: tuple[End, ...] | None = None
    try:
        await nodes.synced.wait()
        while True:
            await changed.wait()
            changed.clear()
            wanted = others(nodes.list(), own.address, server)
            if wanted == standing:
                continue
            try:
                apply(own, wanted)
                standing = wanted
                pause.reset()
            except OSError as refused:
                seconds = pause.next()
                log.warning("the way to other machines: %s; trying again in %.1f s", refused, seconds)
                changed.set()
                await clock.sleep(seconds)
    finally:
        unsubscribe()


def apply(own: Machine, wanted: Sequence[End], namespace: str | None = None) -> None:
    """Make the overlay's routes equal to `wanted`. A machine that is alone has none."""
    with netlink.Netlink(namespace) as kernel:
        if not wanted and kernel.link(overlay.device_name(own.number)) is None:
            return
        device = overlay.ensure(kernel, own.number, own.address, link_of(kernel, own.address), [own.source])
        kernel.set_alias(device.index, own.owner)
        ranges = {one for end in wanted for one in end.ranges}
        for route in kernel.routes():
            is_ours = route.index == device.index and route.protocol == netlink.PROTOCOL_STEERSMAN
            if is_ours and route.destination not in ranges:
                kernel.remove_route(route)
        failed: list[OSError] = []
        for end in wanted:
            try:
                overlay.lead(kernel, device, end, own.source)
            except OSError as refused:  # an address that can be no machine's keeps nobody from the others
                failed.append(refused)
        for services in own.services:
            # So that a process of the machine itself has a source that pods elsewhere can answer.
            kernel.replace_route(services, index=device.index, source=own.source, scope="link")
    if failed:
        raise failed[0]


def link_of(kernel: netlink.Netlink, address: str) -> netlink.Link:
    """The link that has the address. Raises OSError."""
    found = next((one.index for one in kernel.addresses() if one.text.partition("/")[0] == address), 0)
    for link in kernel.links():
        if link.index == found:
            return link
    raise OSError(f"this machine does not have the address {address}")


def mtu_of_pods(address: str, namespace: str | None = None) -> int:
    """What fits into the tunnel over the link that has `address`."""
    with netlink.Netlink(namespace) as kernel:
        return (link_of(kernel, address).mtu or cluster_network.MTU) - overlay.HEADER_BYTES


def prepare() -> None:
    """Let this machine pass packets on for its pods."""
    context = libnftables.Context()
    try:
        context.run(_GUARDED)
    finally:
        context.close()
    for name, value in _SYSCTLS.items():
        namespaces.write_sysctl(name, value)
    for link in _LINKS:
        firewall.let_through(link)


def overlapping(ranges: Sequence[str], namespace: str | None = None) -> list[str]:
    """Which of these this machine has an address in or a route to already."""
    with netlink.Netlink(namespace) as kernel:
        taken = [ipaddress.ip_interface(one.text).network for one in kernel.addresses()]
        taken += [ipaddress.ip_network(one.destination) for one in kernel.routes()]
    taken = [one for one in taken if one.prefixlen > 0]  # a default route claims nothing for itself
    return [one for one in ranges if any(ipaddress.ip_network(one).overlaps(other) for other in taken)]


def forget(number: int, dns_address: str) -> None:
    """Take everything of the cluster out of the network of a machine that joined it. Forwarding stays on: others may have come to
    rely on it."""
    pods = ipaddress.IPv4Network(cluster_network.pod_cidr(number))
    with netlink.Netlink() as kernel:
        kernel.remove_link(overlay.device_name(number))
        for route in kernel.routes():
            if route.unreachable and ipaddress.IPv4Network(route.destination).subnet_of(pods):
                kernel.remove_route(route)
        loopback = kernel.link("lo")
        assert loopback is not None
        kernel.remove_address(loopback.index, f"{dns_address}/32")
    for link in _LINKS:
        firewall.forget(link)
    namespaces.write_sysctl("net/ipv4/conf/all/route_localnet", "0")  # first: the tables keep others away from it
    context = libnftables.Context()
    try:
        for table in _TABLES:
            context.run(f"table ip {table} {{}}\ndelete table ip {table}\n")
    finally:
        context.close()
