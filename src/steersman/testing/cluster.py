"""A whole cluster in one process: API server, memory store, controllers, scheduler, fake nodes, wired without sockets.

`Cluster` is for plain tests, `AsyncCluster` for async ones and for simulation. Nothing here knows what the parts do.
"""

import contextlib
import datetime
import hashlib
import pathlib
from collections.abc import Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from steersman import controllers
from steersman.aio.clock import Clock, SystemClock, VirtualClock
from steersman.api import releases, schema
from steersman.meta import errors
from steersman.serving.messages import Request, Response
from steersman.store.memory import MemoryStore
from steersman.testing import access, failures, parts, saved
from steersman.testing.access import Access
from steersman.testing.driver import Driver, ThreadDriver, VirtualDriver
from steersman.testing.fake_node import FakeNode
from steersman.testing.fault_control import Faults
from steersman.testing.manifests import Manifest
from steersman.testing.objects_api import DEFAULT_NAMESPACE, WAIT_SECONDS, AsyncObjects, Found, Objects
from steersman.testing.saved import Saved, Snapshot
from steersman.testing.waiting import Wish

Nodes = int | Sequence[FakeNode]
Result = TypeVar("Result")


class AsyncCluster:
    """Lives in the running event loop, between `start` and `close` (or as an async context manager)."""

    def __init__(
        self,
        nodes: Nodes = 1,
        *,
        clock: Clock | None = None,
        begin: Snapshot | None = None,
        token_key: bytes = b"",
        seed: int = 0,
        name: str = "steersman",
        kubernetes_version: str = schema.RELEASE,
        controlling: controllers.Options | None = None,
        unreachable_seconds: int = 300,
    ) -> None:
        """`begin` is what there is at the start; without a `token_key` one is made. `seed` is kept for `save`: chance itself
        is the clock's. `controlling` are the flags of the controllers; `unreachable_seconds` is how long pods that say nothing
        about it stay on a node that does not answer."""
        self._controlling = controlling or controllers.Options()
        self._unreachable_seconds = unreachable_seconds
        self.name = name
        self.release = releases.parse(kubernetes_version)
        self.nodes = tuple(FakeNode(f"node-{i + 1}") for i in range(nodes)) if isinstance(nodes, int) else tuple(nodes)
        self.clock = clock or SystemClock()
        self.seed = seed
        self.faults = Faults(self.clock, lambda: self._store.revision)
        self._store = begin.store if begin is not None else MemoryStore()
        self._remains = begin.remains if begin is not None else parts.Remains()
        self._token_key = token_key or access.make_token_key(seed if isinstance(self.clock, VirtualClock) else None)
        self._parts: parts.Parts | None = None
        self._access: Access | None = None

    async def start(self) -> None:
        """Returns when every node is Ready and pods can be created."""
        self._parts = parts.Parts(
            self._store,
            self.nodes,
            self.clock,
            self._token_key,
            self.faults,
            self._remains,
            self.release,
            self._controlling,
            self._unreachable_seconds,
        )
        try:
            await self._parts.start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._access is not None:
            await self._access.close()
            self._access = None
        await self._stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._parts is not None:
            failures.keep(self, error)
        await self.close()

    @property
    def client(self) -> AsyncObjects:
        """As administrator."""
        return AsyncObjects(self._running.client_of(*parts.ADMIN), self.clock)

    async def open_access(self) -> Access:
        """HTTPS on a free port and a kubeconfig, made on first call."""
        if self._access is None:
            self._access = await access.open_access(self._handle, self.clock, self.name)
        return self._access

    def snapshot(self) -> Snapshot:
        return Snapshot(self._store.fork(), self._running.remains(), self.clock.now())

    async def restore(self, snapshot: Snapshot) -> None:
        """Be as the snapshot says; pods go on running. Parts start anew; watches end, and whoever watched lists again."""
        await self._stop()
        self._store, self._remains = snapshot.store.fork(), snapshot.remains
        await self.start()

    def save(self, folder: str | pathlib.Path, why: str = "") -> None:
        """Write objects, history with its causes, containers, time and seed to a folder, for `load`. Secrets too."""
        facts = saved.Facts(
            name=self.name,
            seed=self.seed,
            virtual_time=isinstance(self.clock, VirtualClock),
            at=self.clock.now(),
            revision=self._store.revision,
            compacted=self._store.compacted_revision,
            token_key=self._token_key.decode(),
            nodes=tuple(saved.Node(node.name, node.capacity, node.labels) for node in self.nodes),
            containers=self._running.remains().containers,
            kubernetes_version=self.release,
            why=why,
        )
        saved.write(pathlib.Path(folder), facts, self._store, self.faults.struck)

    @classmethod
    def load(cls, found: Saved, clock: Clock | None = None) -> Self:
        """As it was when it was saved, once it is started."""
        facts = found.facts
        return cls(
            facts.fake_nodes(),
            clock=clock,
            begin=found.snapshot,
            token_key=facts.token_key.encode(),
            seed=facts.seed,
            name=facts.name,
            kubernetes_version=facts.kubernetes_version,
        )

    def fork(self, clock: Clock | None = None) -> "AsyncCluster":
        """An independent cluster that begins (`start`) as this one is now; tokens of this one are good there too."""
        return AsyncCluster(
            self.nodes,
            clock=clock or self.clock,
            begin=self.snapshot(),
            token_key=self._token_key,
            seed=self.seed,
            name=self.name,
            kubernetes_version=self.release,
        )

    async def _stop(self) -> None:
        if self._parts is not None:
            await self._parts.close()
            self._parts = None
        await self._store.close()

    async def _handle(self, request: Request) -> Response:
        """Requests from outside, to whichever API server runs now."""
        if self._parts is None:
            raise errors.unavailable("the cluster is being restored")
        return await self._parts.handle_outside(request)

    @property
    def _running(self) -> parts.Parts:
        assert self._parts is not None, "the cluster is not running"
        return self._parts


class Cluster:
    """`with Cluster(nodes=1) as cluster: cluster.apply(…)`.

    With `virtual_time`, time only passes inside calls (`advance`, `wait`), at once; there is no way in from outside then.
    """

    def __init__(
        self,
        nodes: Nodes = 1,
        *,
        virtual_time: bool = False,
        seed: int = 0,
        name: str = "steersman",
        kubernetes_version: str = schema.RELEASE,
    ) -> None:
        """`kubernetes_version`: the release whose kinds and versions are served, `1.27` to the newest. Raises UnknownRelease."""
        release = releases.parse(kubernetes_version)
        self._virtual = virtual_time
        self._seed = seed
        self._chance = seed  # what the clock's chance grows from
        self._forks = 0
        self._starts_at = VirtualClock.START
        self._driver: Driver | None = None
        self._make: Callable[[Clock], AsyncCluster] = lambda clock: AsyncCluster(
            nodes, clock=clock, seed=seed, name=name, kubernetes_version=release
        )
        self._cluster: AsyncCluster | None = None

    def start(self) -> Self:
        driver = self._driver = VirtualDriver(self._chance, self._starts_at) if self._virtual else ThreadDriver()
        cluster = self._cluster = self._make(driver.clock)
        cluster.faults.in_loop = driver.call
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
        if error is not None and self.is_running:
            failures.keep(self, error)
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

    @property
    def faults(self) -> Faults:
        """Make requests of parts and of clients from outside go wrong: `with cluster.faults.conflict(count=3): …`."""
        return self._running.faults

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

        self._forks += 1
        fork = Cluster(virtual_time=self._virtual, seed=self._seed)
        fork._chance = _seed_of(self._chance, "fork", self._forks)
        fork._starts_at = self._drive.clock.now()
        fork._make = lambda clock: self.run(copy(clock))
        return fork.start()

    def save(self, folder: str | pathlib.Path, why: str = "") -> pathlib.Path:
        """Write everything to a folder, from which `Cluster.load` brings it up again."""
        self._drive.call(lambda: self._running.save(folder, why))
        return pathlib.Path(folder)

    @classmethod
    def load(cls, folder: str | pathlib.Path) -> "Cluster":
        """A saved cluster as it was, pods running, its history still there: `with Cluster.load(FOLDER) as cluster: …`."""
        found = saved.read(pathlib.Path(folder))
        cluster = cls(virtual_time=found.facts.virtual_time, seed=found.facts.seed)
        cluster._chance = _seed_of(found.facts.seed, "load", found.facts.revision)
        cluster._starts_at = found.facts.at
        cluster._make = lambda clock: AsyncCluster.load(found, clock)
        return cluster

    @property
    def is_running(self) -> bool:
        return self._driver is not None

    @property
    def seed(self) -> int:
        """Under virtual time, the same seed and the same calls give the same cluster, to the byte."""
        return self._seed

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


def _seed_of(seed: int, why: str, number: int) -> int:
    """Of a copy: it must not make the identifiers again that its origin has made already."""
    return int.from_bytes(hashlib.sha256(f"{seed} {why} {number}".encode()).digest()[:8])
