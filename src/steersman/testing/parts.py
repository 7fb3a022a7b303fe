"""The parts of a cluster in one process, wired without sockets: API server, controllers, scheduler, kubelets on paper."""

import asyncio
import pathlib
import tempfile
from collections.abc import Coroutine, Sequence
from typing import Any

from steersman import controllers
from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.apiserver.server import ApiServer, Options
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport, Unreachable
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.scheduler import controller as scheduler
from steersman.store.memory import MemoryStore
from steersman.testing import waiting
from steersman.testing.fake_node import FakeNode, RunningNode
from steersman.testing.objects_api import DEFAULT_NAMESPACE
from steersman.testing.waiting import Wish

READY_SECONDS = 30.0

ADMIN = ("kubernetes-admin", ("system:masters",))
API_SERVER = ("kube-apiserver-kubelet-client", ("system:masters",))


class Parts:
    """The parts of one run of a cluster, and the order in which they start and end."""

    def __init__(self, store: MemoryStore, nodes: Sequence[FakeNode], clock: Clock, token_key: bytes) -> None:
        self._nodes = nodes
        self._clock = clock
        self._tasks = tasks.Tasks("cluster")
        self._folder = tempfile.TemporaryDirectory(prefix="steersman-nodes-")
        self._running_nodes: dict[str, RunningNode] = {}
        known = Options(token_key_pem=token_key)
        self.server = ApiServer(store, clock=clock, options=known, kubelets=self._way_to_kubelet)

    async def start(self) -> None:
        await self.server.start()
        client = self.client_of(*ADMIN)
        caches = Caches(client, self._clock)
        self._tasks.start("controllers", controllers.run(client, caches, self._clock))
        self._tasks.start("scheduler", scheduler.run(client, caches, self._clock))
        pods = PodsByNode(caches.of(kinds.POD))
        self._tasks.start("caches", caches.run())
        for number, node in enumerate(self._nodes):
            kubelet = self.client_of(f"system:node:{node.name}", ("system:nodes",))
            running = RunningNode(node, number, kubelet, pods, self._clock, pathlib.Path(self._folder.name))
            self._running_nodes[node.name] = running
            self._tasks.start(node.name, running.run())
        await self._wait_until(self._ready(client))

    async def _wait_until(self, ready: Coroutine[Any, Any, None]) -> None:
        """Raises the crash of a part at once, instead of waiting for what will never be."""
        crashed = asyncio.ensure_future(self._tasks.wait())
        waiting_for = asyncio.ensure_future(ready)
        try:
            await asyncio.wait((crashed, waiting_for), return_when=asyncio.FIRST_COMPLETED)
            for one in (crashed, waiting_for):
                if one.done():
                    one.result()
        finally:
            crashed.cancel()
            waiting_for.cancel()

    def _way_to_kubelet(self, name: str, address: str, port: int) -> InProcessTransport:
        node = self._running_nodes.get(name)
        if node is None:
            raise Unreachable(f"no kubelet runs for node {name}")
        return InProcessTransport(node.handle, *API_SERVER)

    def client_of(self, user: str, groups: tuple[str, ...] = ()) -> Client:
        return Client(InProcessTransport(self.server.handle, user, groups), user_agent="steersman", clock=self._clock)

    async def close(self) -> None:
        await self._tasks.close()
        await self.server.close()
        self._folder.cleanup()

    async def _ready(self, client: Client) -> None:
        async def wait(kind: Any, name: str, namespace: str, wish: Wish) -> None:
            await waiting.wait(client, self._clock, kind, name, namespace, wish, READY_SECONDS)

        for node in self._nodes:
            await wait(kinds.NODE, node.name, "", _takes_pods)
        await wait(kinds.SERVICE_ACCOUNT, "default", DEFAULT_NAMESPACE, "Exists")


def _takes_pods(node: dict[str, Any]) -> bool:
    return waiting.is_fulfilled(node, "Ready") and not node["spec"].get("taints")
