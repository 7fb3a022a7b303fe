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


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A node's place in the cluster. `index` counts from 1, real nodes before those on paper. `six` are its address and pod CIDR
    in IPv6, where the cluster has it."""

    name: str
    index: int
    address: str
    pod_cidr: str
    six: tuple[str, str] = ("", "")


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """`address` is where nodes and pods reach the API server ("" when there is no network of our own).

    `clients` and `kubelet_servers` are by file name of the identity and by node. All certificates are PEM files.
    """

    options: Options
    paths: Paths
    address: str
    authority: pathlib.Path
    service_account_key: pathlib.Path
    api_server: KeyPair
    front_proxy_authority: pathlib.Path
    front_proxy: KeyPair
    clients: dict[str, KeyPair]
    kubelet_servers: dict[str, KeyPair]
    nodes: tuple[Node, ...]
    fake_nodes: tuple[Node, ...]

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

    @property
    def advertised(self) -> str:
        """Where pods find the API server: in the family that Service `kubernetes` has."""
        return self.in_order(self.address, *self.gateway_six)[0] if self.gateway_six else self.address

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

    @property
    def server(self) -> str:
        """The API server's URL for the cluster's own processes."""
        return f"https://{self.address or '127.0.0.1'}:{self.options.port}"

    def client(self, identity: pki.Identity) -> KeyPair:
        return self.clients[identity.file]


def make(wanted: Options, where: Paths, address: str, now: datetime.datetime) -> Plan:
    """Certificates made or found, nodes numbered."""
    authority = pki.Authority(where.pki, now)
    front = pki.front_proxy_authority(where.pki, now)
    count = len(wanted.node_names())
    real = tuple(_node(wanted, name, index) for index, name in enumerate(wanted.node_names(), 1))
    fake = tuple(_node(wanted, name, index) for index, name in enumerate(wanted.fake_node_names(), count + 1))
    identities = [pki.ADMIN, pki.CONTROLLERS, pki.SCHEDULER, pki.PROXY, pki.API_TO_KUBELET, pki.FAKE_NODES]
    identities += [pki.node_identity(node.name) for node in real]
    return Plan(
        options=wanted,
        paths=where,
        address=address,
        authority=authority.pair.certificate,
        service_account_key=authority.service_account_key(),
        api_server=authority.server("apiserver", "kube-apiserver", _api_server_names(wanted, address)),
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
    cidr = f"{pods[(index - 1) * 256]}/24" if index <= 256 else ""
    place = (index - 1) % cluster_network.NODES_MAX + 2
    six = ("", "")
    if "IPv6" in wanted.families:
        pods_six = ipaddress.IPv6Network(cluster_network.pod_cidr_six(number))
        cidr_six = f"{pods_six[(index - 1) << 64]}/64" if index <= 256 else ""
        six = str(ipaddress.IPv6Network(cluster_network.node_cidr_six(number))[place]), cidr_six
    return Node(name, index, str(links[place]), cidr, six)


def _service_address(wanted: Options, index: int) -> str:
    return str(ipaddress.IPv4Network(cluster_network.service_cidr(wanted.network_number or 0))[index])


def _api_server_names(wanted: Options, address: str) -> list[str]:
    services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    services.append(f"kubernetes.default.svc.{options.CLUSTER_DOMAIN}")
    addresses = ["127.0.0.1", _service_address(wanted, 1), *([address] if address else [])]
    if "IPv6" in wanted.families:
        number = wanted.network_number or 0
        addresses += [
            str(ipaddress.IPv6Network(cidr)[1])
            for cidr in (cluster_network.service_cidr_six(number), cluster_network.node_cidr_six(number))
        ]
    return ["localhost", *services, socket.gethostname(), *addresses]


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
