"""Looks at a node for whoever asks what it uses: the runtime, the disk, its own process. Formats are `summary`'s and
`resource_metrics`'."""

import dataclasses
import datetime
import itertools
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from steersman.containers import runtime
from steersman.kubelet import metrics, resource_metrics, static_pods, storage_limits, summary
from steersman.kubelet.container_lifecycle import Role
from steersman.kubelet.eviction import observations
from steersman.kubelet.metrics import Sample
from steersman.kubelet.node_object import Machine
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_worker import PodWorker
from steersman.meta.objects import Object

# How long a measured disk use is told again (upstream's volumeStatsAggPeriod), and between two looks at processors.
DISK_SECONDS = 60.0
CORES_SECONDS = 1.0


class Statistics:
    def __init__(
        self,
        node_name: str,
        node: NodeServices,
        machine: Machine,
        workers: Callable[[], Sequence[PodWorker]],
        places: Callable[[], observations.Places],
    ) -> None:
        self._node_name = node_name
        self._node = node
        self._machine = machine
        self._workers = workers
        self._places = places
        self._started_at = node.clock.now()
        self._disk: dict[str, tuple[float, storage_limits.Usage]] = {}
        self._cpu: dict[str, tuple[datetime.datetime, int]] = {}
        self._cores: dict[str, int] = {}

    async def summary(self, *, only_cpu_and_memory: bool = False) -> Object:
        usage = await self._node.runtime.usage()
        self._see_cores(usage)
        places = self._places()
        disk = {} if only_cpu_and_memory else await self._measure()
        seen = summary.Seen(
            node_name=self._node_name,
            pods=self._pods(),
            usage=usage,
            sandboxes=() if only_cpu_and_memory else await self._node.runtime.sandbox_usage(),
            now=self._node.clock.now(),
            started_at=self._started_at,
            memory_capacity_bytes=self._machine.memory_bytes,
            file_system=_file_system(places.node),
            images=dataclasses.replace(
                _file_system(places.images),
                used_bytes=sum(one.size_bytes for one in await self._node.runtime.images.list()),
            ),
            containers=dataclasses.replace(
                _file_system(places.containers),
                used_bytes=sum(one.bytes for used in disk.values() for one in used.roots.values()),
            ),
            disk=disk,
            cores=self._cores,
            kubelet=_own_process(),
            processes_most=observations.processes_most(),
            processes=observations.processes(),
        )
        return summary.stats(seen)

    async def resource(self) -> str:
        return metrics.text(resource_metrics.resource(await self._see()))

    async def cadvisor(self) -> str:
        machine = (
            Sample("machine_cpu_cores", self._machine.cpus, {}, "gauge", "Number of logical CPU cores."),
            Sample(
                "machine_memory_bytes",
                self._machine.memory_bytes,
                {},
                "gauge",
                "Amount of memory installed on the machine.",
            ),
        )
        return metrics.text(resource_metrics.cadvisor(await self._see(), machine))

    def probes(self) -> str:
        return metrics.text(self._node.metrics.samples("prober_"))

    async def own(self) -> str:
        """/metrics"""
        counted = self._node.metrics.samples("kubelet_"), self._node.exclusive.samples()
        return metrics.text([*itertools.chain(*counted), *self._gauges(), *_process(self._started_at)])

    async def _see(self) -> resource_metrics.Seen:
        usage, sandboxes = await self._node.runtime.usage(), await self._node.runtime.sandbox_usage()
        images = {one.id: one.image for one in await self._node.runtime.list_containers()}
        return resource_metrics.Seen(self._pods(), usage, sandboxes, self._node.clock.now(), images)

    def _pods(self) -> list[Object]:
        return [worker.pod for worker in self._workers()]

    def _gauges(self) -> Iterator[Sample]:
        workers = self._workers()
        states = {"created": 0, "running": 0, "exited": 0, "unknown": 0}
        for worker in workers:
            for one in worker.machine.containers:
                if one.current is not None:
                    states[one.current.state.value] += 1
        running = sum(
            any(
                one.current is not None and one.current.state is runtime.State.RUNNING
                for one in worker.machine.containers
            )
            for worker in workers
        )
        yield Sample(
            "kubelet_node_name", 1, {"node": self._node_name}, "gauge", "The node's name. The count is always 1."
        )
        text = "Number of pods that have a running pod sandbox"
        yield Sample("kubelet_running_pods", running, {}, "gauge", text)
        for state, count in states.items():
            text = "Number of containers currently running"
            yield Sample("kubelet_running_containers", count, {"container_state": state}, "gauge", text)
        from_files = sum(static_pods.is_static(worker.pod) for worker in workers)
        for name, text in (
            ("kubelet_desired_pods", "The number of pods the kubelet is being instructed to run."),
            (
                "kubelet_active_pods",
                "The number of pods the kubelet considers active and which are being considered when admitting new pods.",
            ),
        ):
            for label, count in (("true", from_files), ("", len(workers) - from_files)):
                yield Sample(name, count, {"static": label}, "gauge", text)
        restarts = sum(
            max(0, one.attempt - 1)
            for worker in workers
            for one in worker.machine.containers
            if one.role is not Role.EPHEMERAL
        )
        yield Sample("kubelet_container_restarts", restarts, {}, "gauge", "Restarts of the containers that are here")

    def _see_cores(self, usage: Sequence[runtime.Usage]) -> None:
        """From what was used between two looks."""
        known, cores = {}, {}
        for one in usage:
            before = self._cpu.get(one.container_id)
            known[one.container_id] = (one.at, one.cpu_ns)
            if before is not None:
                seconds = (one.at - before[0]).total_seconds()
                if seconds >= CORES_SECONDS:
                    cores[one.container_id] = max(0, int((one.cpu_ns - before[1]) / seconds))
                else:
                    known[one.container_id] = before
                    if one.container_id in self._cores:
                        cores[one.container_id] = self._cores[one.container_id]
        self._cpu, self._cores = known, cores

    async def _measure(self) -> dict[str, storage_limits.Usage]:
        if self._node.options.on_paper:
            return {}
        now, workers = self._node.clock.monotonic(), self._workers()
        for worker in workers:
            kept = self._disk.get(worker.uid)
            if kept is None or now - kept[0] > DISK_SECONDS:
                self._disk[worker.uid] = (now, await worker.storage_use())
        here = {worker.uid for worker in workers}
        self._disk = {uid: kept for uid, kept in self._disk.items() if uid in here}
        return {uid: found for uid, (_, found) in self._disk.items()}


def _file_system(folder: Path) -> summary.FileSystem:
    found = os.statvfs(observations.existing(folder))
    return summary.FileSystem(
        found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_favail
    )


def _own_process() -> tuple[int, int]:
    """(cpu ns, resident bytes)"""
    used = os.times()
    return int((used.user + used.system) * 1e9), _resident_bytes()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _process(started_at: datetime.datetime) -> Iterator[Sample]:
    cpu_ns, resident = _own_process()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    yield Sample(
        "process_cpu_seconds_total", cpu_ns / 1e9, {}, "counter", "Total user and system CPU time spent in seconds."
    )
    yield Sample("process_resident_memory_bytes", resident, {}, "gauge", "Resident memory size in bytes.")
    yield Sample("process_open_fds", descriptors, {}, "gauge", "Number of open file descriptors.")
    text = "Maximum number of open file descriptors."
    yield Sample("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0], {}, "gauge", text)
    text = "Start time of the process since unix epoch in seconds."
    yield Sample("process_start_time_seconds", started_at.timestamp(), {}, "gauge", text)
