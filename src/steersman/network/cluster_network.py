"""The network of a cluster on one machine: a bridge on the host, and behind it one network namespace per node.

With IPv6, everything has a second address beside that of IPv4, from fd00::/16 (unique local addresses).

Keeps true: the bridge `stmN` with the host's address 172.30.N.1, forwarding and masquerading for what leaves the machine, the
route to Services; per node a pinned namespace whose `eth0` (fixed MAC address) has 172.30.N.(index+1).
Reads: the links, addresses and routes that exist; they are the only state, so running it again after any crash finds everything.
Leaves to others: pod CIDRs and their routes (`node_network`), pods (`pod_network`), Services (`proxy`).
"""

import contextlib
import dataclasses
import ipaddress
import logging
import pathlib
from collections.abc import Collection

from steersman.network import announcements, firewall, libnftables, namespaces, netlink, overlay

log = logging.getLogger(__name__)

NODES_MAX = 253  # 172.30.N.2 to .254
NETWORKS_MAX = 32  # so many Service networks lie side by side from 10.96.0.0/16 on
MTU = 1500  # where nothing says otherwise
MTU_LEAST, MTU_MOST = 1280, 9000  # what IPv6 asks of every link; jumbo frames

# What a node's own namespace needs to route for its pods: forwarding, and no redirects (they would eat the budget of ICMP
# errors that refuse connections to Services without endpoints). Reverse path filtering is off because Services make
# answers come in by another way than requests go out.
_NODE_SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    # Node ports and host ports on 127.0.0.1: the proxy's rules keep everybody else away from it.
    "net/ipv4/conf/all/route_localnet": "1",
}

# As upstream's proxy: a client that is slow to close keeps its translation. Without root of the machine they cannot be set.
_NODE_WISHES = {
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait": "3600",
    "net/netfilter/nf_conntrack_tcp_timeout_established": "86400",
}


# Beside IPv6, only where the cluster has it: nothing here listens to routers' advertisements, and addresses are ours to give.
_NODE_SYSCTLS_SIX = {
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/all/accept_ra": "0",
}


class NetworksExhausted(RuntimeError):
    """The addresses of every (or the wanted) network are taken by something else on this machine."""


def node_cidr(number: int) -> str:
    """The link between host and nodes."""
    return f"172.30.{number}.0/24"


def pod_cidr(number: int) -> str:
    """10.244.0.0/16 for the first cluster of a machine, as everyone expects; the next ones beside it."""
    second = 244 + number if number < 12 else 128 + number - 12
    return f"10.{second}.0.0/16"


def service_cidr(number: int) -> str:
    """10.96.0.0/16 for the first cluster of a machine."""
    return f"10.{96 + number}.0.0/16"


def node_cidr_six(number: int) -> str:
    return f"fd00:172:30:{number}::/64"


def pod_cidr_six(number: int) -> str:
    """fd00:10:244::/56 for the first cluster of a machine: room for 256 nodes."""
    return f"fd00:10:{244 + number}::/56"


def service_cidr_six(number: int) -> str:
    return f"fd00:10:{96 + number}::/112"


@dataclasses.dataclass(frozen=True, slots=True)
class NodeLink:
    """Where a node is: `namespace_path` is its pinned network namespace, `gateway` the host's address. `six` are address and
    gateway in IPv6, "" without."""

    name: str
    namespace_path: str
    address: str
    mac: str
    gateway: str
    six: tuple[str, str] = ("", "")


class ClusterNetwork:
    """`name` is the cluster's, unique on this machine; namespaces are pinned below `run_dir`."""

    def __init__(
        self,
        name: str,
        run_dir: str | pathlib.Path,
        number: int | None = None,
        *,
        with_six: bool = False,
        avoided: Collection[int] = (),
    ) -> None:
        """`number` is the one the cluster had before: its objects name addresses that follow from it. `avoided` are those of other
        clusters, which are taken only when there is no other. `with_six`: IPv6, too."""
        self._avoided = frozenset(avoided)
        self._with_six = with_six
        self._alias = f"steersman:{name}"
        self._run_dir = pathlib.Path(run_dir)
        self._wanted_number = number
        self._number: int | None = None

    @property
    def number(self) -> int:
        """N of `stmN` and 172.30.N.0/24; known after `ensure_host`."""
        assert self._number is not None, "ensure_host comes first"
        return self._number

    @property
    def bridge(self) -> str:
        return f"stm{self.number}"

    @property
    def alias_of_overlay(self) -> str:
        """What is called so goes with the rest."""
        return f"{self._alias}/machines"

    @property
    def host_address(self) -> str:
        return f"172.30.{self.number}.1"

    @property
    def host_address_six(self) -> str:
        return f"fd00:172:30:{self.number}::1" if self._with_six else ""

    def ensure_host(self) -> str:
        """Make or find the host's side; returns its address."""
        with netlink.Netlink() as kernel:
            loopback = kernel.link("lo")
            assert loopback is not None
            kernel.set_up(loopback.index)  # in a user namespace the host is as new as everything else
            bridge = self._ensure_bridge(kernel)
            kernel.set_mac(bridge, _mac(0x02, self.number, 0))
            kernel.set_up(bridge)
            kernel.add_address(bridge, f"{self.host_address}/24")
            if self._with_six:
                _forward_six()
                kernel.add_address(bridge, f"{self.host_address_six}/64")
            self._route_services(kernel, bridge)
        namespaces.write_sysctl("net/ipv4/ip_forward", "1")
        self._masquerade()
        firewall.let_through(self.bridge)
        return self.host_address

    def ensure_node(self, index: int, name: str) -> NodeLink:
        """Make or find node `index` (from 1), and connect it. The host comes first."""
        assert 1 <= index <= NODES_MAX, f"node {index} is not in 1 to {NODES_MAX}"
        path = self.namespace_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not namespaces.is_pinned(str(path)):
            namespaces.pin({"net": str(path)})
        mac = _mac(0x02, self.number, index)
        address = f"172.30.{self.number}.{index + 1}"
        with netlink.Netlink() as kernel, netlink.Netlink(str(path)) as inside:
            self._ensure_veth(kernel, inside, index, name)
            self._configure_node(inside, index, address)
        with namespaces.entered(str(path)):
            for sysctl, value in _NODE_SYSCTLS.items():
                namespaces.write_sysctl(sysctl, value)
            for sysctl, value in _NODE_WISHES.items():
                with contextlib.suppress(OSError):
                    namespaces.write_sysctl(sysctl, value)
            for sysctl, value in _NODE_SYSCTLS_SIX.items() if self._with_six else ():
                namespaces.write_sysctl(sysctl, value)
        six = (self._address_six(index), self.host_address_six)
        return NodeLink(name, str(path), address, mac, self.host_address, six)

    def _address_six(self, index: int) -> str:
        return str(ipaddress.IPv6Network(node_cidr_six(self.number))[index + 1]) if self._with_six else ""

    def remove_node(self, name: str) -> None:
        """Take away its link and let its namespace go. Succeeds when there is none."""
        with netlink.Netlink() as kernel:
            for link in kernel.links():
                if link.alias == self._node_alias(name):
                    kernel.remove_link(link.name)
        self._unpin(name)

    def link_down(self, name: str) -> None:
        """Cut the node off, as if its cable were pulled."""
        self._set_link(name, up=False)

    def link_up(self, name: str) -> None:
        self._set_link(name, up=True)

    def remove(self) -> None:
        """Leave nothing: nodes, bridge, routes, rules. Forwarding stays on: others may have come to rely on it."""
        with netlink.Netlink() as kernel:
            bridges = []
            for link in kernel.links():
                if link.alias.startswith(f"{self._alias}/"):
                    kernel.remove_link(link.name)
                elif link.alias == self._alias:
                    bridges.append(link.name)
            for name in bridges:
                kernel.remove_link(name)
        if not self._has_neighbours():
            announcements.forget()
        for name in bridges:
            _delete_table(f"steersman-{name}")
            _delete_table(services_table(name))
            firewall.forget(name)
        if not self._has_neighbours():
            _delete_table("steersman-services")  # of a host proxy that was not told its cluster's own table
        for path in sorted(self._run_dir.glob("nodes/*/net")):
            self._unpin(path.parent.name)
        self._number = None

    def _has_neighbours(self) -> bool:
        """Whether another cluster's bridge is on this machine."""
        with netlink.Netlink() as kernel:
            return any(link.alias.startswith("steersman:") and "/" not in link.alias for link in kernel.links())

    def namespace_path(self, name: str) -> pathlib.Path:
        """Where the namespace of node `name` is pinned."""
        return self._run_dir / "nodes" / name / "net"

    def _node_alias(self, name: str) -> str:
        return f"{self._alias}/{name}"

    def _unpin(self, name: str) -> None:
        path = self.namespace_path(name)
        namespaces.unpin(str(path))
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()

    def _ensure_bridge(self, kernel: netlink.Netlink) -> int:
        for link in kernel.links():
            if link.alias == self._alias:
                self._number = int(link.name.removeprefix("stm"))
                return link.index
        free = _free_numbers(kernel)
        if self._wanted_number is not None:
            free = [number for number in free if number == self._wanted_number]
        free.sort(key=lambda number: (number in self._avoided, number))
        for number in free:
            try:
                kernel.add_bridge(f"stm{number}")
            except FileExistsError:
                continue  # another cluster, starting at the same moment, took it
            bridge = kernel.link(f"stm{number}")
            assert bridge is not None
            kernel.set_alias(bridge.index, self._alias)
            self._number = number
            return bridge.index
        wanted = "" if self._wanted_number is None else f" with the number {self._wanted_number}"
        raise NetworksExhausted(f"no free network{wanted} for one more cluster: others use the addresses already")

    def _route_services(self, kernel: netlink.Netlink, bridge: int) -> None:
        """Lets a process on the host address a Service: without a route there is no source address to send from, and the
        rules that translate the destination are never reached."""
        kernel.replace_route(service_cidr(self.number), index=bridge, source=self.host_address, scope="link")
        if self._with_six:
            kernel.replace_route(service_cidr_six(self.number), index=bridge, source=self.host_address_six)

    def _masquerade(self) -> None:
        table = f"steersman-{self.bridge}"
        rule = f'oifname != {{ "lo", "{self.bridge}", "{overlay.device_name(self.number)}" }} masquerade'
        families = [("ip", node_cidr(self.number), pod_cidr(self.number))]
        if self._with_six:
            families.append(("ip6", node_cidr_six(self.number), pod_cidr_six(self.number)))
        context = libnftables.Context()
        try:
            for word, nodes, pods in families:
                context.run(
                    f"table {word} {table} {{}}\ndelete table {word} {table}\n"
                    f"table {word} {table} {{ chain leaving {{ type nat hook postrouting priority srcnat;\n"
                    f"{word} saddr {nodes} {rule}\n{word} saddr {pods} {rule}\n}}\n}}\n"
                )
        finally:
            context.close()

    def _ensure_veth(self, kernel: netlink.Netlink, inside: netlink.Netlink, index: int, name: str) -> None:
        outer = f"stm{self.number}-{index}"
        link = kernel.link(outer)
        if link is not None and inside.link("eth0") is None:
            kernel.remove_link(outer)  # its other end was in a namespace that is gone
            link = None
        if link is None:
            bridge = kernel.link(self.bridge)
            assert bridge is not None, "ensure_host comes first"
            kernel.add_veth(
                outer,
                _mac(0x06, self.number, index),
                "eth0",
                _mac(0x02, self.number, index),
                peer_namespace=str(self.namespace_path(name)),
                mtu=_mtu_outwards(kernel),
                master=bridge.index,
            )
            link = kernel.link(outer)
            assert link is not None
        # A node port of the host that leads back to the node it was asked from: where br_netfilter is on, the translated packet
        # never leaves the bridge.
        kernel.set_hairpin(link.index)
        kernel.set_alias(link.index, self._node_alias(name))
        kernel.set_up(link.index)

    def _configure_node(self, inside: netlink.Netlink, index: int, address: str) -> None:
        loopback, eth0 = inside.link("lo"), inside.link("eth0")
        assert loopback is not None
        assert eth0 is not None
        inside.set_up(loopback.index)
        inside.set_up(eth0.index)
        inside.add_address(eth0.index, f"{address}/24")
        inside.replace_route("0.0.0.0/0", gateway=self.host_address, index=eth0.index)
        if self._with_six:
            inside.add_address(eth0.index, f"{self._address_six(index)}/64")
            inside.replace_route("::/0", gateway=self.host_address_six, index=eth0.index)

    def _set_link(self, name: str, *, up: bool) -> None:
        with netlink.Netlink() as kernel:
            for link in kernel.links():
                if link.alias == self._node_alias(name):
                    kernel.set_up(link.index, up=up)


def _mtu_outwards(kernel: netlink.Netlink) -> int:
    """Of the link that leads away from this machine: larger packets of pods would have to be cut there, smaller ones waste it."""
    links = {link.index: link.mtu for link in kernel.links()}
    found = [links.get(route.index, MTU) for route in kernel.routes() if route.destination == "0.0.0.0/0"]
    return min(max(min(found, default=MTU), MTU_LEAST), MTU_MOST)


def _free_numbers(kernel: netlink.Netlink) -> list[int]:
    """Numbers whose network nobody on this machine has an address in or a route to, lowest first."""
    taken = [ipaddress.IPv4Network(route.destination) for route in kernel.routes()]
    taken += [ipaddress.IPv4Interface(address.text).network for address in kernel.addresses()]
    taken = [network for network in taken if network.prefixlen > 0]  # a default route claims nothing for itself
    return [
        number
        for number in range(NETWORKS_MAX)
        if not any(
            ipaddress.IPv4Network(cidr).overlaps(other)
            for cidr in (node_cidr(number), pod_cidr(number), service_cidr(number))
            for other in taken
        )
    ]


def _mac(first: int, number: int, index: int) -> str:
    """Locally administered, and always the same: a neighbour that remembers a node's old address would not find it again."""
    return bytes((first, 0x73, 0x74, 0x6D, number, index)).hex(":")


def _forward_six() -> None:
    """A host that forwards stops listening to its routers' advertisements, unless told to go on."""
    for path in pathlib.Path("/proc/sys/net/ipv6/conf").glob("*/accept_ra"):
        if path.read_text().strip() == "1":
            path.write_text("2")
    namespaces.write_sysctl("net/ipv6/conf/all/forwarding", "1")


def services_table(bridge: str) -> str:
    """The table of the proxy that serves the host's own namespace: clusters that share the host must not share it."""
    return f"steersman-services-{bridge}"


def _delete_table(table: str) -> None:
    context = libnftables.Context()
    try:
        for word in ("ip", "ip6"):
            context.run(f"table {word} {table} {{}}\ndelete table {word} {table}\n")
    finally:
        context.close()
