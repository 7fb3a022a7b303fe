"""Pods of nodes on other links: their packets travel in UDP between the nodes (VXLAN), as flannel's do.

Keeps true: one device per node; per remote node a fixed neighbour, the way to it, and a route that is ours. Hardware addresses
follow from node addresses, so nobody has to be asked for them.
Leaves to others: which nodes are on other links, routes that are not wanted any more (`node_network`).
"""

import dataclasses
import ipaddress
from collections.abc import Sequence

from steersman.network import netlink

DEVICE = "stm-vxlan"
NETWORK_NUMBER, PORT = 83, 8472  # the port Linux and flannel use; the number is nobody else's on these machines
HEADER_BYTES = 50  # what a packet grows by


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """A node: its own address (IPv4), and its pod CIDRs."""

    address: str
    pod_cidrs: tuple[str, ...]

    @property
    def mac(self) -> str:
        return (b"\x0e\x73" + ipaddress.IPv4Address(self.address).packed).hex(":")


def ensure(kernel: netlink.Netlink, own: End, link: netlink.Link) -> netlink.Link:
    """The device over `link`, made or found; its address is the first of the node's pods' (nobody else's)."""
    device = kernel.link(DEVICE)
    if device is None:
        kernel.add_vxlan(
            DEVICE,
            own.mac,
            number=NETWORK_NUMBER,
            local=own.address,
            port=PORT,
            link=link.index,
            mtu=link.mtu - HEADER_BYTES,
        )
        device = kernel.link(DEVICE)
        assert device is not None
    kernel.set_up(device.index)
    for cidr in own.pod_cidrs:
        kernel.add_address(device.index, f"{_first(cidr)}/{_length(cidr)}")
    return device


def lead(kernel: netlink.Netlink, device: netlink.Link, remote: End) -> None:
    """The way to one remote node's pods."""
    kernel.forward_hardware_address(device.index, remote.mac, remote.address)
    for cidr in remote.pod_cidrs:
        kernel.replace_neighbour(device.index, _first(cidr), remote.mac)
        kernel.replace_route(
            cidr, gateway=_first(cidr), index=device.index, onlink=True, protocol=netlink.PROTOCOL_STEERSMAN
        )


def is_on(link_networks: Sequence[str], address: str) -> bool:
    """Whether a node's address is on one of the link's own networks."""
    parsed = ipaddress.ip_address(address)
    return any(parsed in ipaddress.ip_interface(one).network for one in link_networks)


def _first(cidr: str) -> str:
    return str(ipaddress.ip_network(cidr).network_address)


def _length(cidr: str) -> int:
    return ipaddress.ip_network(cidr).max_prefixlen
