"""Policies in the kernel: pods on two nodes, the real rules, changed while packets flow."""

import asyncio
import contextlib
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client.cache import Caches
from steersman.client.client import WatchEvent
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.network import libnftables
from steersman.network.policy import controller, layout
from tests.network import lab
from tests.network.policy.test_decide import pods_of, policy, port, spaces_of

pytestmark = [pytest.mark.root, pytest.mark.slow]


class Cluster:
    """Pods a and b on node-1, c on node-2, all in namespace x, each serving TCP 80 and 81 and UDP 80."""

    def __init__(self, here: lab.Lab, nodes: list[lab.Node], pods: dict[str, lab.Pod]) -> None:
        self.lab, self.nodes, self.pods = here, nodes, pods
        clock = SystemClock()
        self.caches = Caches(None, clock)  # type: ignore[arg-type]  # nothing is asked of the client: objects come by hand
        self._revision = 0
        self._applied = [Applied(node.namespace) for node in nodes]
        self.policies = [
            controller.Policies(self.caches, node.name, clock, apply=applied.apply, always=[node.link.gateway])
            for node, applied in zip(nodes, self._applied, strict=True)
        ]
        self._tasks = [asyncio.create_task(one.run()) for one in self.policies]
        for kind in (kinds.NETWORK_POLICY, kinds.POD, kinds.NAMESPACE):
            self.caches.of(kind).synced.set()

    def put(self, kind: Any, obj: Object, event: str = "MODIFIED") -> None:
        self._revision += 1
        meta = {**obj["metadata"], "resourceVersion": str(self._revision), "uid": objects.name(obj)}
        self.caches.of(kind).apply(WatchEvent(event, {**obj, "metadata": meta}))

    async def settled(self, *nodes: int) -> None:
        """Wait for the next rules of these nodes; of all when none is named."""
        changing = [self._applied[number - 1] for number in nodes or (1, 2)]
        async with asyncio.timeout(lab.WAIT_SECONDS):
            await asyncio.gather(*(one.applied.wait() for one in changing))
        for one in changing:
            one.applied.clear()

    async def can(self, source: str, target: str, number: int = 80) -> bool:
        try:
            namespace = self.pods[source].namespace if source in self.pods else self.lab.host
            await lab.ask_tcp(namespace, self.pods[target].address, number, wait_seconds=0.3)
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._applied:
            one.context.close()


class Applied:
    def __init__(self, namespace: str) -> None:
        self.context = libnftables.Context(namespace)
        self.applied = asyncio.Event()

    async def apply(self, commands: str) -> None:
        await asyncio.to_thread(self.context.run, commands)
        self.applied.set()


def pod(found: lab.Pod, node: str) -> Object:
    ports = [{"name": "web", "containerPort": 80}]
    return {
        "metadata": {"name": found.name, "namespace": "x", "labels": {"pod": found.name}},
        "spec": {"nodeName": node, "containers": [{"name": "main", "ports": ports}]},
        "status": {"phase": "Running", "podIP": found.address, "podIPs": [{"ip": found.address}]},
    }


@contextlib.asynccontextmanager
async def opened(folder: pathlib.Path) -> AsyncIterator[Cluster]:
    async with lab.opened(folder) as here:
        one, two = await here.add_node(1), await here.add_node(2)
        here.connect([one, two])
        places = {"a": one, "b": one, "c": two}
        pods = {name: await here.add_pod(node, name) for name, node in places.items()}
        for name, found in pods.items():
            for number in (80, 81):
                await here.serve_tcp(found.namespace, number, name)
            await here.serve_udp(found.namespace, 80, name)
        cluster = Cluster(here, [one, two], pods)
        try:
            cluster.put(kinds.NAMESPACE, {"metadata": {"name": "x", "labels": {"ns": "x"}}}, "ADDED")
            for name, node in places.items():
                cluster.put(kinds.POD, pod(pods[name], node.name), "ADDED")
            await cluster.settled()
            yield cluster
        finally:
            await cluster.close()


async def test_ingress_across_and_within_nodes(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        assert await cluster.can("b", "a")
        closed = policy(selects={"matchLabels": {"pod": "a"}}, types=["Ingress"])
        cluster.put(kinds.NETWORK_POLICY, closed)
        await cluster.settled(1)
        assert not await cluster.can("b", "a")
        assert not await cluster.can("c", "a")
        assert await cluster.can("a", "a")
        assert await cluster.can("a", "c")
        assert await cluster.can("host", "a"), "the host is the node's own"
        open_ = policy(
            selects={"matchLabels": {"pod": "a"}}, ingress=[{"from": [pods_of(pod="c")], "ports": [port("web")]}]
        )
        cluster.put(kinds.NETWORK_POLICY, {**open_, "metadata": {**open_["metadata"], "name": "open"}})
        await cluster.settled(1)
        assert await cluster.can("c", "a")
        assert not await cluster.can("c", "a", 81)
        assert not await cluster.can("b", "a")


async def test_egress_and_a_label_that_changes(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        only = policy(
            selects={"matchLabels": {"pod": "a"}}, egress=[{"to": [{**spaces_of(ns="x"), **pods_of(pod="c")}]}]
        )
        cluster.put(kinds.NETWORK_POLICY, only)
        await cluster.settled(1)
        assert await cluster.can("a", "c")
        assert not await cluster.can("a", "b")
        assert await cluster.can("b", "a")
        moved = pod(cluster.pods["b"], "node-1")
        moved["metadata"]["labels"] = {"pod": "c"}
        cluster.put(kinds.POD, moved)
        async with asyncio.timeout(lab.WAIT_SECONDS):
            while not await cluster.can("a", "b"):
                pass
        cluster.put(kinds.NETWORK_POLICY, only, "DELETED")
        kernel = libnftables.Context(cluster.nodes[0].namespace)
        async with asyncio.timeout(lab.WAIT_SECONDS):
            while layout.TABLE in await asyncio.to_thread(kernel.run, "list ruleset"):
                pass


async def test_established_connections_go_on(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        client = lab.UdpClient(cluster.pods["b"].namespace, cluster.pods["a"].address, 80)
        with contextlib.closing(client):
            assert await client.ask() == "a"
            cluster.put(kinds.NETWORK_POLICY, policy(types=["Ingress"]))
            await cluster.settled()
            assert await client.ask() == "a"
        assert not await cluster.can("b", "a")


async def test_a_pod_is_judged_before_anybody_knows_it(tmp_path: pathlib.Path):
    async with opened(tmp_path) as cluster:
        cluster.put(kinds.NETWORK_POLICY, policy(types=["Ingress"]))
        await cluster.settled()
        new = await cluster.lab.add_pod(cluster.nodes[0], "new")
        cluster.pods["new"] = new
        await cluster.lab.serve_tcp(new.namespace, 80, "new")
        fresh = pod(new, "node-1")
        cluster.put(kinds.POD, {**fresh, "status": {"phase": "Pending"}}, "ADDED")
        await cluster.policies[0].admit("x/new", new.address)
        assert not await cluster.can("b", "new")
        cluster.put(kinds.POD, fresh)
        assert not await cluster.can("b", "new")
