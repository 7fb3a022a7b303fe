"""The parts of a cluster in one process, wired without sockets: API server, controllers, scheduler, kubelets on paper."""

import asyncio
import contextlib
import dataclasses
import pathlib
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from steersman import controllers
from steersman.aio import garbage, tasks
from steersman.aio.clock import Clock
from steersman.api import kinds, schema
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.apiserver.server import ApiServer, Options
from steersman.client.cache import NO_SEEDS, Caches, Seeds
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport, Transport, Unreachable
from steersman.cluster import pki
from steersman.containers.fake_content import Content
from steersman.scheduler import controller as scheduler
from steersman.serving.messages import Request, Response
from steersman.store.contract import StoreError
from steersman.store.memory import MemoryStore
from steersman.testing import waiting
from steersman.testing.fake_node import FakeNode, RunningNode
from steersman.testing.fault_control import Faults
from steersman.testing.objects_api import DEFAULT_NAMESPACE
from steersman.testing.waiting import Wish

READY_SECONDS = 30.0
# Of a node that has just come; others say what people want of it.
_NOT_YET = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}

ADMIN = (pki.ADMIN.user, pki.ADMIN.groups)
API_SERVER = (pki.API_TO_KUBELET.user, pki.API_TO_KUBELET.groups)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Remains:
    """What goes on from an earlier run beside its store: containers by node, what caches held by the part whose they are."""

    containers: Mapping[str, Content] = dataclasses.field(default_factory=dict)
    caches: Mapping[str, Seeds] = dataclasses.field(default_factory=dict)


class Parts:
    """The parts of one run of a cluster, and the order in which they start and end."""

    def __init__(
        self,
        store: MemoryStore,
        nodes: Sequence[FakeNode],
        clock: Clock,
        token_key: bytes,
        faults: Faults,
        remains: Remains = Remains(),
        release: str = schema.RELEASE,
        controlling: controllers.Options | None = None,
        unreachable_seconds: int = 300,
    ) -> None:
        self._controlling = controlling or controllers.Options()
        self._store = store
        self._release = release
        self._nodes = nodes
        self._faults = faults
        self._earlier = remains
        self._caches: dict[str, Caches] = {}
        self._clock = clock
        self._tasks = tasks.Tasks("cluster")
        self._folder = tempfile.TemporaryDirectory(prefix="steersman-nodes-")
        self._running_nodes: dict[str, RunningNode] = {}
        known = Options(token_key_pem=token_key, release=release, unreachable_seconds=unreachable_seconds)
        self.server = ApiServer(store, clock=clock, options=known, kubelets=self._way_to_kubelet)
        self._outside = faults.handler(self.server.handle, self.server.authenticator.user_of)

    async def start(self) -> None:
        # A start makes many objects that stay: looking among them for garbage would take a quarter of its time.
        with garbage.uncollected():
            await self.server.start()
            self._start_parts()
            await self._wait_until(self._ready(self.client_of(*ADMIN)))

    def _start_parts(self) -> None:
        controlling = self._part("kube-controller-manager", pki.CONTROLLERS.user)
        scheduling = self._part("kube-scheduler", pki.SCHEDULER.user)
        self._tasks.start(
            "controllers", controllers.run(controlling.client, controlling, self._clock, self._controlling)
        )
        self._tasks.start("scheduler", scheduler.run(scheduling.client, scheduling, self._clock))
        self._tasks.start("caches", controlling.run())
        self._tasks.start("scheduler's caches", scheduling.run())
        for number, node in enumerate(self._nodes):
            self._start_node(number, node)

    def _start_node(self, number: int, node: FakeNode) -> None:
        identity = pki.node_identity(node.name)
        caches = self._part("kubelet", identity.user, identity.groups)
        folder = pathlib.Path(self._folder.name)
        content = self._earlier.containers.get(node.name)
        running = RunningNode(node, number, caches, self._clock, folder, content, f"v{self._release}")
        self._running_nodes[node.name] = running
        self._tasks.start(node.name, running.run())

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

    def _way_to_kubelet(self, name: str, address: str, port: int) -> Transport:
        node = self._running_nodes.get(name)
        if node is None:
            raise Unreachable(f"no kubelet runs for node {name}")
        return self._faults.transport(InProcessTransport(node.handle, *API_SERVER), pki.node_identity(name).user)

    def remains(self) -> Remains:
        containers = {name: node.runtime.content() for name, node in self._running_nodes.items()}
        return Remains(containers, {part: caches.seeds() for part, caches in self._caches.items()})

    async def handle_outside(self, request: Request) -> Response:
        """Requests of clients outside the cluster."""
        return await self._outside(request)

    def _part(self, name: str, user: str, groups: tuple[str, ...] = ()) -> Caches:
        """What a part of the cluster sees and talks through; faults befall it. `name` is the manager of the fields it writes."""
        transport = self._faults.transport(InProcessTransport(self.server.handle, user, groups), user)
        client = Client(transport, user_agent=name, clock=self._clock)
        seeds = self._earlier.caches.get(user, NO_SEEDS)
        caches = self._caches[user] = Caches(client, self._clock, seeds, self._stirred)
        return caches

    async def _stirred(self, kind: Kind, revision: int) -> None:
        """Most kinds never change in the course of a test, and 80 watches are a third of what a fork costs."""
        with (
            contextlib.suppress(StoreError),
            contextlib.closing(self._store.watch(keys.prefix(kind), revision)) as watch,
        ):
            await anext(aiter(watch), None)

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
    taints = {taint["key"] for taint in node["spec"].get("taints") or ()}
    return waiting.is_fulfilled(node, "Ready") and not taints & _NOT_YET
