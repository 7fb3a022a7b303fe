"""Ends pods for the node's sake: what takes more of the disk than it said, and what the node cannot carry (`eviction`).

Before a pod goes for the disk's sake, what belongs to nobody goes: dead containers, then unused images. One pod goes at a time,
and the next look, once it is gone, shows whether that was enough.
"""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence

from steersman.client.client import Unreachable
from steersman.containers import runtime
from steersman.kubelet import storage_limits
from steersman.kubelet.eviction import conditions, decide, ranking, thresholds
from steersman.kubelet.eviction.decide import State
from steersman.kubelet.eviction.observations import Observation, Observations
from steersman.kubelet.eviction.ranking import Cost, Layout
from steersman.kubelet.eviction.thresholds import Threshold
from steersman.kubelet.image_collection import ImageCollection
from steersman.kubelet.node_heartbeat import NodeHeartbeat
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_worker import PodWorker
from steersman.meta.errors import StatusError

_log = logging.getLogger(__name__)

# How long the next look waits for a pod that was evicted, and how often it is asked for (upstream's podCleanupTimeout).
CLEAN_UP_SECONDS = 30.0
CLEAN_UP_LOOK_SECONDS = 1.0


class Evictor:
    """`workers` is the kubelet's own table, by uid. `observe` reads the machine anew each time. `of_pods_bytes`: memory that all
    pods together may use, 0 where that is all of the node's."""

    def __init__(
        self,
        node: NodeServices,
        heartbeat: NodeHeartbeat,
        workers: Mapping[str, PodWorker],
        observe: Callable[[], Observations],
        images: ImageCollection,
        layout: Callable[[], Layout],
        of_pods_bytes: int = 0,
    ) -> None:
        self._node = node
        self._heartbeat = heartbeat
        self._workers = workers
        self._observe = observe
        self._images = images
        self._find_layout = layout
        self._of_pods_bytes = of_pods_bytes
        self._state = State()
        self._victims: dict[str, float] = {}  # uid → when no longer to wait for its end

    @functools.cached_property
    def _layout(self) -> Layout:
        return self._find_layout()

    @functools.cached_property
    def _thresholds(self) -> tuple[Threshold, ...]:
        return thresholds.with_container_fs(
            self._node.options.eviction.thresholds(),
            images_apart=self._layout.images_apart,
            containers_with_images=self._layout.containers_with_images,
        )

    def start(self) -> None:
        """Look now and then from now on."""
        seconds = self._node.clock.jitter(self._node.options.eviction_seconds, 0.1)
        if self._victims:
            seconds = min(seconds, CLEAN_UP_LOOK_SECONDS)
        self._node.alarms.set("eviction", seconds, lambda: self._begin())

    def _begin(self) -> None:
        self._node.tasks.start("eviction", self._look())

    async def _look(self) -> None:
        try:
            if not self._waits():
                await self.look()
        except (runtime.RuntimeFailure, OSError, StatusError, Unreachable) as failure:
            _log.warning("eviction has to wait: %s", failure)
        self.start()

    def _waits(self) -> bool:
        """For the end of a pod that was evicted: what that frees has not shown yet."""
        now = self._node.clock.monotonic()
        for uid, until in list(self._victims.items()):
            worker = self._workers.get(uid)
            if worker is None or worker.machine.is_over or now >= until:
                del self._victims[uid]
        return bool(self._victims)

    async def look(self) -> None:
        """Once: conditions, limits, then what is due. Raises RuntimeFailure, OSError, StatusError, Unreachable."""
        seen = await self._seen()
        settings = self._node.options.eviction
        found = decide.decide(
            self._state, self._thresholds, seen, self._node.clock.monotonic(), settings.transition_seconds
        )
        self._state = found.state
        if found.standing != self._heartbeat.standing:
            self._heartbeat.standing = found.standing
            await self._heartbeat.status_changed()
        if not await self._enforce_limits() and found.due:
            await self._relieve(found.due, seen)

    async def _seen(self) -> Observations:
        seen = self._observe()
        if not self._of_pods_bytes:
            return seen
        used = sum(one.memory_working_set_bytes for one in await self._node.runtime.usage())
        of_pods = Observation(self._of_pods_bytes - used, self._of_pods_bytes)
        return {**seen, thresholds.ALLOCATABLE_MEMORY: of_pods}

    async def _enforce_limits(self) -> bool:
        over = [
            worker
            for worker in list(self._workers.values())
            if storage_limits.is_limited(worker.pod)
            and not conditions.is_critical(worker.pod)
            and not worker.machine.is_ending
            and await worker.enforce_storage_limits()
        ]
        for worker in over:
            self._wait_for(worker)
        return bool(over)

    async def _relieve(self, due: Sequence[Threshold], seen: Observations) -> None:
        first = due[0]
        text = f"Attempting to reclaim {first.resource}"
        self._node.recorder.event(self._heartbeat.node, "Warning", "EvictionThresholdMet", text)
        if await self._reclaim(first.signal) and not decide.crossed_of(
            self._thresholds, await self._seen(), reclaiming=True
        ):
            return
        workers = {uid: one for uid, one in self._workers.items() if not one.machine.is_over}
        costs = await self._costs(list(workers.values()), first)
        for cost in ranking.order(first, costs, self._layout):
            worker = workers[cost.pod["metadata"]["uid"]]
            if conditions.is_critical(cost.pod) or worker.machine.is_disrupted:
                continue
            told = ranking.message(first, due, seen, cost)
            grace = ranking.grace_seconds(first, cost.pod, self._node.options.eviction.pod_grace_most_seconds)
            worker.evict(first.signal, told.text, grace, for_the_node=True, annotations=told.annotations)
            self._wait_for(worker)
            return

    def _wait_for(self, worker: PodWorker) -> None:
        self._victims[worker.uid] = self._node.clock.monotonic() + CLEAN_UP_SECONDS

    async def _reclaim(self, signal: str) -> bool:
        """What belongs to no pod, on the file system that is short. Whether there was anything to try."""
        containers, images = ranking.reclaims(signal, self._layout)
        if containers:
            for worker in list(self._workers.values()):
                await worker.remove_dead_containers()
        if images:
            await self._images.remove_unused()
        return containers or images

    async def _costs(self, workers: Sequence[PodWorker], short: Threshold) -> list[Cost]:
        if short.resource in ("ephemeral-storage", "inodes"):
            return [Cost(one.pod, disk=await one.storage_use()) for one in workers]
        memory: dict[str, dict[str, int]] = {}
        processes: dict[str, int] = {}
        for used in await self._node.runtime.usage():
            memory.setdefault(used.pod_uid, {})[used.name] = used.memory_working_set_bytes
            processes[used.pod_uid] = processes.get(used.pod_uid, 0) + used.processes
        return [Cost(one.pod, memory.get(one.uid, {}), processes.get(one.uid, 0)) for one in workers]
