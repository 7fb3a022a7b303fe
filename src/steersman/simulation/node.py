"""A node: containers on paper that outlive their kubelet, and a kubelet that may crash."""

import dataclasses
import pathlib

from steersman.aio import tasks
from steersman.aio.clock import VirtualClock
from steersman.api import kinds
from steersman.client.cache import Cache, Caches
from steersman.client.events import Recorder
from steersman.containers import runtime
from steersman.containers.fake import FakeRuntime
from steersman.kubelet import local_paths, node_object, options
from steersman.kubelet.agent import Kubelet
from steersman.kubelet.local_paths import LocalPaths
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.simulation.part import Incarnation

CAPACITY = {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "100Gi", "pods": "110"}
# Upstream's: a lease each ten seconds, good for forty.
LEASE_RENEW_SECONDS = 10.0
LEASE_SECONDS = 40


@dataclasses.dataclass(frozen=True, slots=True)
class Rack:
    """What many nodes follow together, in clusters so large that watches for each node cost too much.

    `roots`: whose folders of volumes its keeper keeps.
    """

    pods: PodsByNode
    nodes: Cache
    roots: dict[str, pathlib.Path | None] = dataclasses.field(default_factory=dict)


class SimulatedNode:
    """`live` is the life of its kubelet; `lose` ends all its containers, as a power cut does."""

    def __init__(self, number: int, clock: VirtualClock, rack: Rack | None = None) -> None:
        self.name = f"node-{number + 1}"
        self.cidr = f"10.244.{number}.0/24"
        self.kubelet: Kubelet | None = None
        self.cache: Cache | None = None
        self._number = number
        self._clock = clock
        self._rack = rack
        if rack is not None:
            rack.roots[self.name] = None
        self.runtime = self._new_runtime()

    async def live(self, life: Incarnation) -> None:
        client = life.client(f"system:node:{self.name}", ("system:nodes", "system:authenticated"))
        async with tasks.Tasks(self.name) as running:
            recorder = Recorder(client, life.clock, "kubelet", self.name)
            caches = Caches(client, life.clock)
            pods = self._rack.pods if self._rack is not None else self._own_pods(caches)
            try:
                self.kubelet = Kubelet(
                    self.name,
                    client,
                    pods,
                    self.runtime,
                    life.clock,
                    recorder,
                    self._options(),
                    nodes=self._rack.nodes if self._rack is not None else None,
                    machine=node_object.Machine(),
                )
                if self._rack is None:
                    itself = local_paths.cache_of(caches, self.name)
                    folders = LocalPaths(lambda _: client, itself, life.clock, {self.name: None})
                    running.start("local paths", folders.run())
                running.start("events", recorder.run())
                running.start("kubelet", self.kubelet.run())
                running.start("caches", caches.run())
                await running.wait()
            finally:
                self.kubelet = None
                if self._rack is None:
                    pods.close()

    def _own_pods(self, caches: Caches) -> PodsByNode:
        self.cache = caches.of(kinds.POD, field_selector=f"spec.nodeName={self.name}")
        return PodsByNode(self.cache)

    async def lose(self) -> None:
        old, self.runtime = self.runtime, self._new_runtime()
        # What was given out is kept on disk: an address that the API still shows is not given to somebody else at once.
        self.runtime._addresses.next = old._addresses.next
        await old.close()

    async def crash_container(self, choose: int, code: int) -> bool:
        """Any of those that run."""
        running = [one for one in await self.runtime.list_containers() if one.state is runtime.State.RUNNING]
        if not running:
            return False
        self.runtime.exit(running[choose % len(running)].id, code)
        return True

    def _new_runtime(self) -> FakeRuntime:
        return FakeRuntime(self._clock, pod_cidr=self.cidr)

    def _options(self) -> options.Options:
        return options.Options(
            data_dir=pathlib.Path("simulated"),  # nodes on paper keep no files
            address=f"172.30.{self._number // 250}.{self._number % 250 + 2}",
            hostname=self.name,
            capacity=CAPACITY,
            pods_max=int(CAPACITY["pods"]),
            pod_cidr=self.cidr,
            lease_renew_seconds=LEASE_RENEW_SECONDS,
            lease_duration_seconds=LEASE_SECONDS,
            on_paper=True,
        )
