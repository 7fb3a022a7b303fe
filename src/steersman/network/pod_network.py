"""The pod network of one node: every pod's `eth0`, its address, and the ports of the node that lead to it.

A pod is joined to its node by a pair of virtual links and a /32 route, without a bridge: its default route goes to 169.254.1.1,
whose hardware address (that of every node-side end) stands in the pod's neighbour table for good. So nothing is ever asked by
ARP, Services work whatever `bridge-nf-call-iptables` says, and a pod can reach itself through its Service.

Keeps true: an attached sandbox has exactly one link, one address, one route; no address is given out twice.
Reads and writes: the kernel. The node-side link *is* the record: it is named after the address and carries the sandbox id as
its alias, so there is no file that could say something else after a crash. One small file remembers where the round robin stands.
Leaves to others: routes to other nodes (`node_network`), Services (`proxy`), resolv.conf and sysctls (the runtime).
"""

import asyncio
import concurrent.futures
import dataclasses
import ipaddress
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from steersman.network import addresses, bandwidth, cluster_network, host_ports, libnftables, netlink

_TABLE = "steersman-pods"
_GATEWAY, _GATEWAY_SIX = "169.254.1.1", "fe80::1"
_NODE_SIDE_MAC = "ee:ee:ee:ee:ee:ee"  # one for all pods, so that the fixed neighbour entry is always right
_LINK_PREFIX = "pod"
_ALIAS_PREFIX = "steersman-pod:"
_ADDRESS_BYTES_MAX = len("255.255.255.255")
_WORKERS = (
    8  # taking a link away is mostly waiting for other processors to forget it: with eight, 190 a second instead of 50
)


class NetworkNotReady(RuntimeError):
    """The node has no pod CIDR yet."""


class Pod(Protocol):
    """What is read of a `containers.runtime.SandboxConfig`."""

    @property
    def host_network(self) -> bool: ...

    @property
    def annotations(self) -> Mapping[str, str]: ...

    @property
    def port_mappings(self) -> Sequence[host_ports.PortMapping]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Six:
    """What a node has of IPv6; `first`: it is the cluster's default family."""

    pod_cidr: str
    node_address: str
    cluster_cidr: str
    first: bool = False


class PodNetwork:
    """Answers `containers.runtime.SandboxNetwork` for the node whose network namespace the process (or `namespace`) is.

    `state_dir` is a directory of the node's own. `mtu` 0: that of the node's own link.
    Without `pod_cidr`, `attach` raises NetworkNotReady until `set_pod_cidr`.
    """

    def __init__(
        self,
        pod_cidr: str = "",
        *,
        state_dir: str | pathlib.Path,
        node_address: str = "",
        cluster_cidr: str = cluster_network.pod_cidr(0),
        namespace: str | None = None,
        mtu: int = 0,
        six: "Six | None" = None,
    ) -> None:
        self._last_file = pathlib.Path(state_dir) / "last-pod-address"
        self._node_address = node_address
        self._cluster_cidr = cluster_cidr
        self._namespace = namespace
        self._mtu = mtu or _node_mtu(namespace)
        self._six = six
        self._cidr: ipaddress.IPv4Network | None = None
        self._last = ""
        self._nftables = libnftables.Context(namespace)
        self._ports = host_ports.HostPorts(self._nftables)
        self._ports_six = host_ports.HostPorts(self._nftables, 6)
        self._addresses = self._observe()  # sandbox id → address, also of sandboxes that are only just coming or going
        self._threads = concurrent.futures.ThreadPoolExecutor(_WORKERS, "pod-network")
        if pod_cidr:
            self.set_pod_cidr(pod_cidr)

    def close(self) -> None:
        """Let go; pods keep their network."""
        self._threads.shutdown()
        self._nftables.close()

    @property
    def is_ready(self) -> bool:
        return self._cidr is not None

    def set_pod_cidr(self, cidr: str) -> None:
        """New pods get addresses of `cidr` from now on; pods that have one keep it."""
        if self._cidr == ipaddress.IPv4Network(cidr):
            return
        self._cidr = ipaddress.IPv4Network(cidr)
        self._last = self._read_last()
        with netlink.Netlink(self._namespace) as kernel:
            # Without it, packets to a pod that is gone would circle between node and host until they are too old.
            kernel.replace_unreachable_route(cidr)
            if self._six is not None:
                kernel.replace_unreachable_route(self._six.pod_cidr)
        self._sweep_ports_six()
        self._nftables.run(_table("ip", cidr, f"{{ {self._cluster_cidr}, 224.0.0.0/4 }}", own=""))
        if self._six is not None:
            # Neighbours speak with link-local addresses, and with none at all before they have one.
            reached = f"{{ {self._six.cluster_cidr}, ff00::/8 }}"
            self._nftables.run(_table("ip6", self._six.pod_cidr, reached, own="ip6 saddr != { ::, fe80::/10 } "))

    async def attach(self, sandbox_id: str, namespace_path: str, config: Pod) -> tuple[str, ...]:
        """The pod's addresses. Raises NetworkNotReady, AddressesExhausted, or OSError with the kernel's reason."""
        if config.host_network:
            return self._in_order(self._node_address, self._six.node_address if self._six else "")
        if sandbox_id in self._addresses:
            return self._both(self._addresses[sandbox_id])
        if self._cidr is None:
            raise NetworkNotReady("the node has no pod CIDR yet")
        address = addresses.pick(self._cidr, set(self._addresses.values()), self._last)
        self._addresses[sandbox_id] = self._last = address
        try:
            await self._in_thread(lambda: self._connect(sandbox_id, namespace_path, address, config))
        except BaseException:
            await self._release(sandbox_id, address)
            raise
        return self._both(address)

    async def detach(self, sandbox_id: str, namespace_path: str) -> None:
        """Take link, route and host ports away; the address is free once they are gone."""
        address = self._addresses.get(sandbox_id)
        if address is not None:
            await self._release(sandbox_id, address)

    async def keep_only(self, sandbox_ids: Sequence[str]) -> None:
        for sandbox_id, address in list(self._addresses.items()):
            if sandbox_id not in sandbox_ids:
                await self._release(sandbox_id, address)

    def addresses(self) -> Mapping[str, str]:
        """Sandbox id → address of every attached pod."""
        return self._addresses

    def _both(self, address: str) -> tuple[str, ...]:
        return self._in_order(address, self._address_six(address))

    def _in_order(self, four: str, six: str) -> tuple[str, ...]:
        both = (six, four) if self._six is not None and self._six.first else (four, six)
        return tuple(one for one in both if one)

    def _address_six(self, address: str) -> str:
        """The same place in the node's other range: one record of who has what is enough."""
        if self._six is None or self._cidr is None:
            return ""
        place = int(ipaddress.IPv4Address(address)) - int(self._cidr.network_address)
        return str(ipaddress.IPv6Network(self._six.pod_cidr)[place])

    async def _release(self, sandbox_id: str, address: str) -> None:
        await asyncio.shield(self._in_thread(lambda: self._disconnect(address)))
        self._addresses.pop(sandbox_id, None)

    def _in_thread(self, work: Callable[[], None]) -> "asyncio.Future[None]":
        return asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _connect(self, sandbox_id: str, namespace_path: str, address: str, config: Pod) -> None:
        """The alias comes last: a link without one is half made and swept away at the next start."""
        name, mac, mappings = _link_name(address), _pod_mac(address), config.port_mappings
        incoming, outgoing = bandwidth.limits(config.annotations)
        with netlink.Netlink(self._namespace) as node, netlink.Netlink(namespace_path) as pod:
            node.add_veth(name, _NODE_SIDE_MAC, "eth0", mac, peer_namespace=namespace_path, mtu=self._mtu)
            six = self._address_six(address)
            _configure_pod(pod, address, six, outgoing)
            self._ports.open(address, mappings)
            if six:
                self._ports_six.open(six, mappings)
            link = node.link(name)
            assert link is not None
            with node.together():
                node.replace_neighbour(link.index, address, mac)
                node.replace_route(f"{address}/32", index=link.index, source=self._node_address, scope="link")
                if six:
                    node.replace_neighbour(link.index, six, mac)
                    node.replace_route(f"{six}/128", index=link.index)
                if incoming is not None:
                    node.limit_rate(link.index, incoming)
            node.set_alias(link.index, _ALIAS_PREFIX + sandbox_id)
        self._write_last(address)

    def _disconnect(self, address: str) -> None:
        self._ports.close(address)
        if self._six is not None:
            self._ports_six.close(self._address_six(address))
        with netlink.Netlink(self._namespace) as node:
            node.remove_link(_link_name(address))

    def _observe(self) -> dict[str, str]:
        """What an earlier process attached; what it left half made is taken away."""
        found = {}
        with netlink.Netlink(self._namespace) as kernel:
            for link in kernel.links():
                address = _address_of_link(link.name)
                if address and link.alias.startswith(_ALIAS_PREFIX):
                    found[link.alias.removeprefix(_ALIAS_PREFIX)] = address
                elif address:
                    kernel.remove_link(link.name)
        self._ports.keep_only(set(found.values()))
        return found

    def _sweep_ports_six(self) -> None:
        if self._six is not None:
            self._ports_six.keep_only({self._address_six(one) for one in self._addresses.values()})

    def _write_last(self, address: str) -> None:
        """Over what stood there: a file that is emptied first goes to the disk at once."""
        file = os.open(self._last_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(file, address.ljust(_ADDRESS_BYTES_MAX).encode())
        finally:
            os.close(file)

    def _read_last(self) -> str:
        """Empty when there is none, or when it is of another pod CIDR."""
        try:
            last = self._last_file.read_text().strip()
        except FileNotFoundError:
            return ""
        try:
            return last if ipaddress.IPv4Address(last) in (self._cidr or ()) else ""
        except ValueError:  # cut short by a crash: where the round robin goes on is a matter of taste
            return ""


def _node_mtu(namespace: str | None) -> int:
    with netlink.Netlink(namespace) as kernel:
        eth0 = kernel.link("eth0")
        return eth0.mtu if eth0 is not None and eth0.mtu else cluster_network.MTU


def _table(word: str, cidr: str, reached: str, *, own: str) -> str:
    """What leaves the cluster takes the node's address. What a pod sends from an address that is not its own goes nowhere."""
    return (
        f"table {word} {_TABLE} {{}}\ndelete table {word} {_TABLE}\n"
        f"table {word} {_TABLE} {{ chain leaving {{ type nat hook postrouting priority srcnat;\n"
        f"{word} saddr {cidr} {word} daddr != {reached} masquerade\n}}\n"
        f"chain spoofed {{ type filter hook prerouting priority raw;\n"
        f'iifname "{_LINK_PREFIX}*" {own}fib saddr . iif oif 0 drop\n}}\n}}\n'
    )


def _configure_pod(pod: netlink.Netlink, address: str, six: str, outgoing: bandwidth.Limit | None) -> None:
    eth0 = pod.link("eth0")
    assert eth0 is not None
    with pod.together():
        pod.set_up(netlink.LOOPBACK)
        pod.set_up(eth0.index)
        pod.add_address(eth0.index, f"{address}/32")
        pod.replace_neighbour(eth0.index, _GATEWAY, _NODE_SIDE_MAC)
        pod.replace_route("0.0.0.0/0", gateway=_GATEWAY, index=eth0.index, onlink=True)
        if six:
            pod.add_address(eth0.index, f"{six}/128")
            pod.replace_neighbour(eth0.index, _GATEWAY_SIX, _NODE_SIDE_MAC)
            pod.replace_route("::/0", gateway=_GATEWAY_SIX, index=eth0.index, onlink=True)
        if outgoing is not None:
            pod.limit_rate(eth0.index, outgoing)


def _link_name(address: str) -> str:
    return _LINK_PREFIX + ipaddress.IPv4Address(address).packed.hex()


def _address_of_link(name: str) -> str:
    """Empty when the link is not a pod's."""
    digits = name.removeprefix(_LINK_PREFIX)
    if digits == name or len(digits) != 8:
        return ""
    try:
        return str(ipaddress.IPv4Address(bytes.fromhex(digits)))
    except ValueError:
        return ""


def _pod_mac(address: str) -> str:
    """0a:58 and the address: the same pod address always has the same hardware address, as with upstream's plugins."""
    return (b"\x0a\x58" + ipaddress.IPv4Address(address).packed).hex(":")
