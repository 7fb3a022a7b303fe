"""A whole cluster in one process: API server, memory store, controllers, scheduler, fake nodes, wired without sockets.

`Cluster` is for plain tests, `AsyncCluster` for async ones and for simulation. Nothing here knows what the parts do.
"""

import contextlib
import dataclasses
import datetime
import pathlib
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from steersman import controllers
from steersman.aio import tasks
from steersman.aio.clock import Clock, SystemClock, VirtualClock
from steersman.api import kinds
from steersman.apiserver.server import ApiServer, Options
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport, Unreachable
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.scheduler import controller as scheduler
from steersman.store.memory import MemoryStore
from steersman.testing import access, waiting
from steersman.testing.access import Access
from steersman.testing.driver import Driver, ThreadDriver, VirtualDriver
from steersman.testing.fake_node import FakeNode, RunningNode
from steersman.testing.manifests import Manifest
from steersman.testing.objects_api import DEFAULT_NAMESPACE, WAIT_SECONDS, AsyncObjects, Found, Objects
from steersman.testing.waiting import Wish

READY_SECONDS = 30.0

ADMIN = ("kubernetes-admin", ("system:masters",))
API_SERVER = ("kube-apiserver-kubelet-client", ("system:masters",))
Nodes = int | Sequence[FakeNode]
Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All objects at one moment, and its time. Independent of the cluster it was taken of."""

    store: MemoryStore
    at: datetime.datetime


class AsyncCluster:
    """Lives in the running event loop, between `start` and `close` (or as an async context manager)."""

    def __init__(
        self,
        nodes: Nodes = 1,
        *,
        clock: Clock | None = None,
        store: MemoryStore | None = None,
        token_key: bytes = b"",
        name: str = "steersman",
    ) -> None:
        self.name = name
        self.nodes = tuple(FakeNode(f"node-{i + 1}") for i in range(nodes)) if isinstance(nodes, int) else tuple(nodes)
        self.clock = clock or SystemClock()
        self._store = store or MemoryStore()
        self._token_key = token_key or access.make_token_key()
        self._parts: _Parts | None = None
        self._access: Access | None = None

    async def start(self) -> None:
        """Returns when every node is Ready and pods can be created."""
        self._parts = _Parts(self._store, self.nodes, self.clock, self._token_key)
        try:
            await self._parts.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._access is not None:
            await self._access.close()
            self._access = None
        if self._parts is not None:
            await self._parts.close()
            self._parts = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def client(self) -> AsyncObjects:
        """As administrator."""
        return AsyncObjects(self._running.client_of(*ADMIN), self.clock)

    async def open_access(self) -> Access:
        """HTTPS on a free port and a kubeconfig, made on first call."""
        if self._access is None:
            self._access = await access.open_access(self._running.server.handle, self.clock, self.name)
        return self._access

    def snapshot(self) -> Snapshot:
        return Snapshot(self._store.fork(), self.clock.now())

    async def restore(self, snapshot: Snapshot) -> None:
        """Be as the snapshot says. Parts start anew; clients from outside have to connect again."""
        await self.close()
        self._store = snapshot.store.fork()
        await self.start()

    def fork(self, clock: Clock | None = None) -> "AsyncCluster":
        """An independent cluster that begins (`start`) as this one is now; tokens of this one are good there too."""
        return AsyncCluster(
            self.nodes,
            clock=clock or self.clock,
            store=self._store.fork(),
            token_key=self._token_key,
            name=self.name,
        )

    @property
    def _running(self) -> "_Parts":
        assert self._parts is not None, "the cluster is not running"
        return self._parts


class _Parts:
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
        await self._wait_ready(client)

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

    async def _wait_ready(self, client: Client) -> None:
        async def wait(kind: Any, name: str, namespace: str, wish: Wish) -> None:
            await waiting.wait(client, self._clock, kind, name, namespace, wish, READY_SECONDS)

        for node in self._nodes:
            await wait(kinds.NODE, node.name, "", _takes_pods)
        await wait(kinds.SERVICE_ACCOUNT, "default", DEFAULT_NAMESPACE, "Exists")


def _takes_pods(node: dict[str, Any]) -> bool:
    return waiting.is_fulfilled(node, "Ready") and not node["spec"].get("taints")


class Cluster:
    """`with Cluster(nodes=1) as cluster: cluster.apply(…)`.

    With `virtual_time`, time only passes inside calls (`advance`, `wait`), at once; there is no way in from outside then.
    """

    def __init__(self, nodes: Nodes = 1, *, virtual_time: bool = False, seed: int = 0, name: str = "steersman") -> None:
        self._virtual = virtual_time
        self._seed = seed
        self._starts_at = VirtualClock.START
        self._driver: Driver | None = None
        self._make: Callable[[Clock], AsyncCluster] = lambda clock: AsyncCluster(nodes, clock=clock, name=name)
        self._cluster: AsyncCluster | None = None

    def start(self) -> Self:
        driver = self._driver = VirtualDriver(self._seed, self._starts_at) if self._virtual else ThreadDriver()
        cluster = self._cluster = self._make(driver.clock)
        try:
            driver.run(cluster.start())
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.ExitStack() as stack:
                stack.callback(driver.close)
                if self._cluster is not None:
                    driver.run(self._cluster.close())

    def __enter__(self) -> Self:
        return self if self._driver is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The way in

    @property
    def kubeconfig(self) -> pathlib.Path:
        """A kubeconfig of an administrator, for any client in any language."""
        return self._open_access().kubeconfig

    @property
    def url(self) -> str:
        """https://127.0.0.1:PORT"""
        return self._open_access().url

    @property
    def client(self) -> Objects:
        return Objects(self._running.client, self._drive)

    # The same without `.client.`: what tests do all the time

    def apply(self, manifest: Manifest, namespace: str = DEFAULT_NAMESPACE) -> Found:
        """YAML text, a file or folder, or objects."""
        return self.client.apply(manifest, namespace)

    def get(self, what: str, name: str = "", namespace: str = DEFAULT_NAMESPACE) -> dict[str, Any]:
        return self.client.get(what, name, namespace)

    def list(self, what: str, namespace: str = DEFAULT_NAMESPACE, *, labels: str = "", fields: str = "") -> Found:
        return self.client.list(what, namespace, labels=labels, fields=fields)

    def delete(self, what: str, name: str = "", namespace: str = DEFAULT_NAMESPACE) -> None:
        self.client.delete(what, name, namespace)

    def wait(
        self, what: str, wish: Wish, namespace: str = DEFAULT_NAMESPACE, *, timeout: float = WAIT_SECONDS
    ) -> dict[str, Any] | None:
        """`cluster.wait("deployment/web", "Available")`; raises NotSeen, which says what was seen instead."""
        return self.client.wait(what, wish, namespace=namespace, timeout=timeout)

    def events(self, namespace: str = DEFAULT_NAMESPACE) -> Found:
        return self.client.list("events", namespace)

    def advance(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0) -> None:
        """Let time pass; under virtual time at once."""
        total = datetime.timedelta(seconds=seconds, minutes=minutes, hours=hours).total_seconds()
        self.run(self._drive.clock.sleep(total))

    # Copies

    def snapshot(self) -> Snapshot:
        async def take() -> Snapshot:
            return self._running.snapshot()

        return self.run(take())

    def restore(self, snapshot: Snapshot) -> None:
        self.run(self._running.restore(snapshot))

    def fork(self) -> "Cluster":
        """A new cluster, started, that begins as this one is now; whoever forks closes it (`with cluster.fork() as …`)."""

        async def copy(clock: Clock) -> AsyncCluster:
            return self._running.fork(clock)

        fork = Cluster(virtual_time=self._virtual, seed=self._seed)
        fork._starts_at = self._drive.clock.now()
        fork._make = lambda clock: self.run(copy(clock))
        return fork.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await something in the cluster's event loop."""
        return self._drive.run(work)

    def _open_access(self) -> Access:
        assert not self._virtual, "a cluster in virtual time has no way in from outside"
        return self.run(self._running.open_access())

    @property
    def _drive(self) -> Driver:
        assert self._driver is not None, "the cluster is not running"
        return self._driver

    @property
    def _running(self) -> AsyncCluster:
        assert self._cluster is not None, "the cluster is not running"
        return self._cluster
