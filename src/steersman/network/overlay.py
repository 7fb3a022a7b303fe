"""The way to pods on other machines: their packets travel in UDP between the machines (VXLAN), as flannel's do.

Keeps true: one device per machine; per other machine a fixed neighbour for each of its ranges, the way to it, and routes that are
ours. Hardware addresses follow from the machines' addresses, so nobody has to be asked for them.
Leaves to others: what is behind which machine (`machine_network`).
"""

import dataclasses
import ipaddress
from collections.abc import Iterable

from steersman.network import netlink

PORT = 8472  # that of Linux and flannel
_FIRST_NUMBER = 83  # of VXLAN networks, one per cluster; flannel's is 1
HEADER_BYTES = 50  # what a packet grows by


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """A machine: its own address (IPv4), and the ranges that are reached through it."""

    address: str
    ranges: tuple[str, ...]

    @property
    def mac(self) -> str:
        return hardware_address(self.address)


def device_name(number: int) -> str:
    """Of the cluster with this network number."""
    return f"stm-vxlan{number}"


def hardware_address(address: str) -> str:
    return (b"\x0e\x73" + ipaddress.IPv4Address(address).packed).hex(":")


def ensure(kernel: netlink.Netlink, number: int, address: str, link: netlink.Link, own: Iterable[str]) -> netlink.Link:
    """The device over `link`, made or found; `own` are the addresses that this machine sends from into it. One of another address,
    which the machine had before, is replaced."""
    name = device_name(number)
    device = kernel.link(name)
    if device is not None and device.mac != hardware_address(address):
        kernel.remove_link(name)
        device = None
    if device is None:
        kernel.add_vxlan(
            name,
            hardware_address(address),
            number=_FIRST_NUMBER + number,
            local=address,
            port=PORT,
            link=link.index,
            mtu=link.mtu - HEADER_BYTES,
        )
        device = kernel.link(name)
        assert device is not None
    kernel.set_up(device.index)
    for one in own:
        kernel.add_address(device.index, f"{one}/32")
    return device


def lead(kernel: netlink.Netlink, device: netlink.Link, other: End, source: str) -> None:
    """The way to everything behind one other machine, from `source`."""
    kernel.forward_hardware_address(device.index, other.mac, other.address)
    for one in other.ranges:
        kernel.replace_neighbour(device.index, _first(one), other.mac)
        kernel.replace_route(
            one,
            gateway=_first(one),
            index=device.index,
            source=source,
            onlink=True,
            protocol=netlink.PROTOCOL_STEERSMAN,
        )


def _first(one: str) -> str:
    """No host has it: it stands for the machine."""
    return str(ipaddress.ip_network(one).network_address)
