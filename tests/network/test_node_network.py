"""Routes to the pods of other nodes: which, and that the kernel gets exactly these."""

import asyncio
import pathlib
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import WatchEvent
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.network import netlink, node_network
from tests.network import lab


def node(name: str, cidr: str = "", address: str = "", created: str = "2026-01-01T00:00:00Z", **spec: Any) -> Object:
    addresses = [{"type": "Hostname", "address": name}]
    if address:
        addresses.append({"type": "InternalIP", "address": address})
    return {
        "metadata": {"name": name, "creationTimestamp": created, "uid": name, "resourceVersion": "1"},
        "spec": {"podCIDR": cidr, **spec} if cidr else spec,
        "status": {"addresses": addresses},
    }


RANGES = ("10.244.0.0/16", "fd00:10:244::/56")
CASES: dict[str, tuple[list[Object], dict[str, str]]] = {
    "no nodes": ([], {}),
    "another node": ([node("b", "10.244.2.0/24", "172.30.0.3")], {"10.244.2.0/24": "172.30.0.3"}),
    "the node itself": ([node("a", "10.244.1.0/24", "172.30.0.2")], {}),
    "no pod CIDR yet": ([node("b", "", "172.30.0.3")], {}),
    "no address yet": ([node("b", "10.244.2.0/24")], {}),
    "two families": (
        [node("b", "10.244.2.0/24", "172.30.0.3", podCIDRs=["fd00::/64", "10.244.2.0/24"])],
        {"10.244.2.0/24": "172.30.0.3"},
    ),
    "no address at all": (
        [node("b", "10.244.2.0/24", "nowhere"), node("c", "10.244.3.0/24", "172.30.0.4")],
        {"10.244.3.0/24": "172.30.0.4"},
    ),
    "what is no pod's": (
        [
            node(f"b{one}", one, "172.30.0.3")
            for one in ("0.0.0.0/0", "10.244.0.0/15", "192.0.2.1/32", "10.244.2.1/24", "?")
        ],
        {},
    ),
    "one CIDR claimed twice is the younger's": (
        [
            node("c", "10.244.2.0/24", "172.30.0.4", created="2026-01-02T00:00:00Z"),
            node("b", "10.244.2.0/24", "172.30.0.3"),
        ],
        {"10.244.2.0/24": "172.30.0.4"},
    ),
}


@pytest.mark.parametrize(("nodes", "expect"), CASES.values(), ids=CASES.keys())
def test_wanted_routes(nodes, expect):
    assert node_network.wanted_routes(nodes, "a", RANGES) == expect


def ours(namespace: str) -> dict[str, str]:
    with netlink.Netlink(namespace) as kernel:
        return {
            route.destination: route.gateway
            for route in kernel.routes()
            if route.protocol == netlink.PROTOCOL_STEERSMAN
        }


@pytest.mark.root
async def test_routes_follow_the_nodes_and_leave_others_alone(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        first = await here.add_node(1)
        with netlink.Netlink(first.namespace) as kernel:
            eth0 = kernel.link("eth0")
            assert eth0 is not None
            kernel.replace_route("10.99.0.0/16", gateway="172.30.0.1", index=eth0.index)  # the administrator's
        node_network.apply({"10.244.2.0/24": "172.30.0.3", "10.244.3.0/24": "172.30.0.4"}, "eth0", first.namespace)
        assert ours(first.namespace) == {"10.244.2.0/24": "172.30.0.3", "10.244.3.0/24": "172.30.0.4"}
        node_network.apply({"10.244.2.0/24": "172.30.0.9"}, "eth0", first.namespace)
        assert ours(first.namespace) == {"10.244.2.0/24": "172.30.0.9"}
        with netlink.Netlink(first.namespace) as kernel:
            assert "10.99.0.0/16" in {route.destination for route in kernel.routes()}


async def others_ran() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.root
async def test_the_controller_keeps_them(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        first = await here.add_node(1)
        clock = SystemClock()
        caches = Caches(None, clock)  # type: ignore[arg-type]  # nothing is asked of the client: nodes come by hand
        nodes = caches.of(kinds.NODE)
        found = [node("node-1", "10.244.1.0/24", first.address), node("b", "10.244.2.0/24", "172.30.0.3")]
        nodes.replace({objects.name(obj): obj for obj in found}, 1)
        nodes.synced.set()
        running = asyncio.create_task(node_network.run(caches, "node-1", RANGES, clock, namespace=first.namespace))
        await others_ran()
        assert ours(first.namespace) == {"10.244.2.0/24": "172.30.0.3"}
        nodes.apply(WatchEvent("DELETED", found[1]))
        await others_ran()
        assert ours(first.namespace) == {}
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.root
async def test_the_dns_address_is_the_nodes_own_but_never_a_source(tmp_path: pathlib.Path):
    async with lab.opened(tmp_path) as here:
        first = await here.add_node(1)
        node_network.bind_dns_address(namespace=first.namespace)
        node_network.bind_dns_address(namespace=first.namespace)
        pod = await here.add_pod(first, "a")
        await here.serve_udp(first.namespace, 53, "dns", node_network.DNS_ADDRESS)
        await here.serve_tcp(pod.namespace, 80, "pod")
        client = lab.UdpClient(pod.namespace, node_network.DNS_ADDRESS, 53)
        try:
            assert await client.ask() == "dns"
        finally:
            client.close()
        assert await lab.ask_tcp(first.namespace, pod.address, 80) == ("pod", first.address)
