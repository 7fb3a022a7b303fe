"""Ends pods for the node's sake: what takes more of the disk than it said, and what the node cannot carry (`pressure`)."""

import logging
from collections.abc import Callable, Mapping, Sequence

from steersman.client.client import Unreachable
from steersman.containers import runtime
from steersman.kubelet import pod_worker, pressure, storage_limits
from steersman.kubelet.image_collection import ImageCollection
from steersman.kubelet.node_heartbeat import NodeHeartbeat
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_worker import PodWorker
from steersman.meta.errors import StatusError

_log = logging.getLogger(__name__)


class Evictor:
    """`workers` is the kubelet's own table, by uid. `signals` are read anew each time."""

    def __init__(
        self,
        node: NodeServices,
        heartbeat: NodeHeartbeat,
        workers: Mapping[str, PodWorker],
        signals: Callable[[], Sequence[pressure.Signal]],
        images: ImageCollection,
    ) -> None:
        self._node = node
        self._heartbeat = heartbeat
        self._workers = workers
        self._signals = signals
        self._images = images
        self._pressure = pressure.Conditions()

    def start(self) -> None:
        """Look now and then from now on."""
        seconds = self._node.clock.jitter(self._node.options.eviction_seconds, 0.1)
        self._node.alarms.set("eviction", seconds, lambda: self._begin())

    def _begin(self) -> None:
        self._node.tasks.start("eviction", self._evict())

    async def _evict(self) -> None:
        try:
            for worker in list(self._workers.values()):
                if storage_limits.is_limited(worker.pod) and not worker.machine.is_ending:
                    await worker.enforce_storage_limits()
            await self._relieve(self._signals())
        except (runtime.RuntimeFailure, OSError, StatusError, Unreachable) as failure:
            _log.warning("eviction has to wait: %s", failure)
        self.start()

    async def _relieve(self, signals: Sequence[pressure.Signal]) -> None:
        standing = self._pressure.update(signals, self._node.clock.monotonic())
        if standing != self._heartbeat.standing:
            self._heartbeat.standing = standing
            await self._heartbeat.status_changed()
        short = pressure.shortest(signals)
        workers = [one for one in self._workers.values() if not one.machine.is_over]
        if short is None or any(one.machine.is_disrupted for one in workers):
            return  # nothing to do, or what was done last has not shown yet
        if short.condition == pressure.DISK and await self._images.remove_unused():
            return  # that may have been enough: upstream too takes what belongs to the node first
        victim = pressure.choose(short, await self._costs(workers, short))
        if victim is not None and (worker := self._workers.get(victim.uid)) is not None:
            worker.evict(victim.message, pod_worker.EVICTION_GRACE_SECONDS, short.name)

    async def _costs(self, workers: Sequence[PodWorker], short: pressure.Signal) -> list[pressure.Cost]:
        if short.condition != pressure.MEMORY:
            return [await one.disk_cost() for one in workers]
        by_pod: dict[str, dict[str, dict[str, int]]] = {}
        for used in await self._node.runtime.usage():
            by_pod.setdefault(used.pod_uid, {})[used.name] = {"memory": used.memory_working_set_bytes}
        return [pressure.cost(one.pod, by_pod.get(one.uid, {})) for one in workers]
