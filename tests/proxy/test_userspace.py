"""Services without nftables: the same elements, carried by a process."""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator, Sequence

import pytest

from steersman.aio.clock import SystemClock
from steersman.meta.objects import Object
from steersman.network import namespaces, netlink
from steersman.proxy import rule_set, rules, userspace
from tests.network import lab
from tests.proxy.builders import endpoint, endpoint_slice, port, service

pytestmark = [pytest.mark.root, pytest.mark.slow]

VIP = "10.96.0.1"


class Node:
    """A node with pods a and b, and the proxy in it."""

    def __init__(self, here: lab.Lab, node: lab.Node, pods: dict[str, lab.Pod]) -> None:
        self.lab, self.node, self.pods = here, node, pods
        self._current = rule_set.RuleSet(rules.Place("node-1"))
        self.proxy = userspace.Userspace(SystemClock(), self._take, self._give)
        self.proxy.replace({})

    def update(self, wanted: Object | None, *names: str, protocol: str = "TCP") -> None:
        members = [endpoint(self.pods[name].address, "node-1") for name in names]
        change = rule_set.Change()
        slices: Sequence[Object] = [endpoint_slice(*members, number=80, protocol=protocol)]
        self._current.update("d/web", wanted, slices, change)
        with namespaces.entered(self.node.namespace):
            self.proxy.apply(change)

    async def asked(self, namespace: str, address: str = VIP, number: int = 80, times: int = 10) -> set[str]:
        return {(await lab.ask_tcp(namespace, address, number))[0] for _ in range(times)}

    def _take(self, address: str) -> None:
        with netlink.Netlink(self.node.namespace) as kernel:
            loopback = kernel.link("lo")
            assert loopback is not None
            kernel.add_address(loopback.index, f"{address}/32", scope="host")

    def _give(self, address: str) -> None:
        with netlink.Netlink(self.node.namespace) as kernel:
            loopback = kernel.link("lo")
            assert loopback is not None
            kernel.remove_address(loopback.index, f"{address}/32")


@contextlib.asynccontextmanager
async def opened(folder: pathlib.Path) -> AsyncIterator[Node]:
    async with lab.opened(folder) as here:
        one = await here.add_node(1)
        pods = {name: await here.add_pod(one, name) for name in "ab"}
        for name, pod in pods.items():
            await here.serve_tcp(pod.namespace, 80, name)
            await here.serve_udp(pod.namespace, 80, name)
        node = Node(here, one, pods)
        # Outgoing sockets are made in the loop's thread: for the test, that thread lives in the node's namespace.
        with namespaces.entered(one.namespace):
            try:
                yield node
            finally:
                node.proxy.close()
                await asyncio.sleep(0)


async def test_connections_are_carried_and_refused(tmp_path: pathlib.Path):
    async with opened(tmp_path) as node:
        web = service("web", VIP, port(node_port=30080), type="NodePort")
        node.update(web, "a", "b")
        for namespace in (node.pods["a"].namespace, node.node.namespace):
            assert await node.asked(namespace) == {"a", "b"}
        assert await node.asked(node.lab.host, node.node.address, 30080) == {"a", "b"}
        node.update(web, "b")
        assert await node.asked(node.pods["a"].namespace) == {"b"}
        node.update(web)
        with pytest.raises(ConnectionRefusedError):
            await node.asked(node.pods["a"].namespace)
        node.update(None)
        with netlink.Netlink(node.node.namespace) as kernel:
            assert f"{VIP}/32" not in [one.text for one in kernel.addresses()]


async def test_clients_stay_where_they_are(tmp_path: pathlib.Path):
    async with opened(tmp_path) as node:
        sticky = service("web", VIP, port(), sessionAffinity="ClientIP")
        node.update(sticky, "a", "b")
        (first,) = await node.asked(node.pods["a"].namespace)
        (other,) = {"a", "b"} - {first}
        node.update(sticky, other)
        assert await node.asked(node.pods["a"].namespace) == {other}


async def test_datagrams(tmp_path: pathlib.Path):
    async with opened(tmp_path) as node:
        web = service("web", VIP, port(protocol="UDP"))
        node.update(web, "a", protocol="UDP")
        with contextlib.closing(lab.UdpClient(node.pods["b"].namespace, VIP, 80)) as client:
            assert [await client.ask() for _ in range(3)] == ["a"] * 3
