"""Everything a process of the cluster must know to start its part: who it is, where things are, whom to trust."""

import dataclasses
import datetime
import ipaddress
import pathlib
import socket

from steersman.cluster import options, pki
from steersman.cluster.options import Options
from steersman.cluster.paths import Paths
from steersman.cluster.pki import KeyPair
from steersman.network import cluster_network

FAKE_KUBELET = "fake-nodes"  # one server for all nodes on paper
RESERVED_RANGES = (
    64  # pod ranges that are kept for the nodes of this machine, as many as it may have, in a cluster others may join
)


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A node's place in the cluster. `index` counts from 1, real nodes before those on paper. `six` are its address and pod CIDR
    in IPv6, where the cluster has it."""

    name: str
    index: int
    address: str
    pod_cidr: str
    six: tuple[str, str] = ("", "")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a node's process must know of its cluster: also on a machine that joined it.

    `server` is the API server's URL for the cluster's own processes, `address` the host's towards the nodes behind it ("" when
    there is no network of our own, and for a machine that is a node itself).
    `clients` and `kubelet_servers` are by file name of the identity and by node. All certificates are PEM files.
    """

    options: Options
    paths: Paths
    server: str
    address: str
    authority: pathlib.Path
    clients: dict[str, KeyPair]
    kubelet_servers: dict[str, KeyPair]

    @property
    def pod_network(self) -> str:
        return cluster_network.pod_cidr(self.options.network_number or 0)

    @property
    def service_network(self) -> str:
        return cluster_network.service_cidr(self.options.network_number or 0)

    def in_order(self, four: str, six: str) -> tuple[str, ...]:
        """What there is of each of the cluster's families, the default one first."""
        return tuple(six if family == "IPv6" else four for family in self.options.families)

    @property
    def gateway_six(self) -> tuple[str, ...]:
        """The host's address towards the nodes, in IPv6."""
        if "IPv6" not in self.options.families:
            return ()
        return (str(ipaddress.IPv6Network(cluster_network.node_cidr_six(self.options.network_number or 0))[1]),)

    def addresses_of(self, node: Node) -> tuple[str, ...]:
        return tuple(one for one in self.in_order(node.address, node.six[0]) if one)

    def pod_cidrs_of(self, node: Node) -> tuple[str, ...]:
        return tuple(one for one in self.in_order(node.pod_cidr, node.six[1]) if one)

    @property
    def pod_networks(self) -> tuple[str, ...]:
        return self.in_order(self.pod_network, cluster_network.pod_cidr_six(self.options.network_number or 0))

    @property
    def service_networks(self) -> tuple[str, ...]:
        return self.in_order(self.service_network, cluster_network.service_cidr_six(self.options.network_number or 0))

    @property
    def dns_address(self) -> str:
        return _service_address(self.options, 10)

    def client(self, identity: pki.Identity) -> KeyPair:
        return self.clients[identity.file]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Member):
    """What the processes of the control plane know beyond that. `outside` is where other machines reach the API server, "" where
    none can; `api_server_names` are all in its certificate."""

    outside: str
    api_server_names: tuple[str, ...]
    service_account_key: pathlib.Path
    api_server: KeyPair
    front_proxy_authority: pathlib.Path
    front_proxy: KeyPair
    nodes: tuple[Node, ...]
    fake_nodes: tuple[Node, ...]

    @property
    def advertised(self) -> str:
        """Where pods find the API server: in the family that Service `kubernetes` has."""
        four = self.outside or self.address
        return self.in_order(four, *self.gateway_six)[0] if self.gateway_six else four

    @property
    def public_server(self) -> str:
        """The API server's URL for whoever is told about the cluster."""
        return f"https://{self.outside}:{self.options.port}" if self.outside else self.server


def make(wanted: Options, where: Paths, address: str, now: datetime.datetime, outside: str = "") -> Plan:
    """Certificates made or found, nodes numbered."""
    authority = pki.Authority(where.pki, now)
    front = pki.front_proxy_authority(where.pki, now)
    count = len(wanted.node_names())
    real = tuple(_node(wanted, name, index) for index, name in enumerate(wanted.node_names(), 1))
    fake = tuple(_node(wanted, name, index) for index, name in enumerate(wanted.fake_node_names(), count + 1))
    names = _api_server_names(wanted, address, outside)
    identities = [pki.ADMIN, pki.CONTROLLERS, pki.SCHEDULER, pki.PROXY, pki.API_TO_KUBELET, pki.FAKE_NODES]
    identities += [pki.node_identity(node.name) for node in real]
    return Plan(
        options=wanted,
        paths=where,
        server=f"https://{address or options.LOOPBACK}:{wanted.port}",
        address=address,
        outside=outside,
        api_server_names=tuple(names),
        authority=authority.pair.certificate,
        service_account_key=authority.service_account_key(),
        api_server=authority.server("apiserver", "kube-apiserver", names),
        front_proxy_authority=front.pair.certificate,
        front_proxy=front.client(pki.FRONT_PROXY),
        clients={identity.file: authority.client(identity) for identity in identities},
        kubelet_servers=_kubelet_servers(authority, real, bool(fake)),
        nodes=real,
        fake_nodes=fake,
    )


def _node(wanted: Options, name: str, index: int) -> Node:
    """Addresses follow from the index, so that a node has the same ones after every start. On paper they repeat after
    some 250 nodes: nobody ever sends a packet there."""
    number = wanted.network_number or 0
    links = ipaddress.IPv4Network(cluster_network.node_cidr(number))
    pods = ipaddress.IPv4Network(cluster_network.pod_cidr(number))
    cidr = f"{pods[(index - 1) * 256]}/24" if index <= _ranges(wanted) else ""
    place = (index - 1) % cluster_network.NODES_MAX + 2
    six = ("", "")
    if "IPv6" in wanted.families:
        pods_six = ipaddress.IPv6Network(cluster_network.pod_cidr_six(number))
        cidr_six = f"{pods_six[(index - 1) << 64]}/64" if index <= _ranges(wanted) else ""
        six = str(ipaddress.IPv6Network(cluster_network.node_cidr_six(number))[place]), cidr_six
    return Node(name, index, str(links[place]), cidr, six)


def _ranges(wanted: Options) -> int:
    """How many nodes have pod addresses that follow from their place. Where machines may join, the others' are given out by the
    node IPAM controller: what follows from the place of a node that comes later may be a machine's already."""
    return RESERVED_RANGES if wanted.is_open() else 256


def _service_address(wanted: Options, index: int) -> str:
    return str(ipaddress.IPv4Network(cluster_network.service_cidr(wanted.network_number or 0))[index])


def _api_server_names(wanted: Options, address: str, outside: str) -> list[str]:
    services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    services.append(f"kubernetes.default.svc.{options.CLUSTER_DOMAIN}")
    listening = wanted.listen if wanted.listen != options.EVERYWHERE else ""
    addresses = [options.LOOPBACK, _service_address(wanted, 1), *filter(None, (address, listening, outside))]
    if "IPv6" in wanted.families:
        number = wanted.network_number or 0
        addresses += [
            str(ipaddress.IPv6Network(cidr)[1])
            for cidr in (cluster_network.service_cidr_six(number), cluster_network.node_cidr_six(number))
        ]
    return list(dict.fromkeys(["localhost", *services, socket.gethostname(), *addresses, *wanted.tls_sans]))


def _kubelet_servers(authority: pki.Authority, nodes: tuple[Node, ...], with_fake: bool) -> dict[str, KeyPair]:
    servers = {
        node.name: authority.server(
            f"kubelet-{node.name}",
            f"system:node:{node.name}",
            [node.name, node.address, *([node.six[0]] if node.six[0] else [])],
            ["system:nodes"],
        )
        for node in nodes
    }
    if with_fake:
        servers[FAKE_KUBELET] = authority.server(f"kubelet-{FAKE_KUBELET}", "fake-nodes", ["127.0.0.1"])
    return servers
