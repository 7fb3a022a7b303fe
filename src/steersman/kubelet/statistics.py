"""Looks at a node for whoever asks what it uses: the runtime, the disk, its own process. Formats are `summary`'s and
`resource_metrics`', `container_metrics`'."""

import asyncio
import dataclasses
import datetime
import itertools
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from steersman.containers import runtime
from steersman.kubelet import (
    container_figures,
    container_metrics,
    machine_figures,
    metrics,
    node_object,
    pod_counts,
    resource_metrics,
    storage_limits,
    summary,
)
from steersman.kubelet.container_figures import Pressure
from steersman.kubelet.container_lifecycle import Role
from steersman.kubelet.eviction import observations
from steersman.kubelet.machine_figures import Machine, Use
from steersman.kubelet.metrics import Sample
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_worker import PodWorker
from steersman.kubelet.rates import Counter, Rates
from steersman.meta.objects import Object

# How long a measured disk use is told again (upstream's volumeStatsAggPeriod).
DISK_SECONDS = 60.0


class Statistics:
    def __init__(
        self,
        node_name: str,
        node: NodeServices,
        machine: node_object.Machine,
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
        self._rates = Rates()
        self._rates.look([(summary.KUBELET, Counter(self._started_at, _own().cpu_ns))])

    async def summary(self, *, only_cpu_and_memory: bool = False) -> Object:
        usage = await self._node.runtime.usage()
        machine, own, of_runtime = self._of_machine(), _own(), await self._of_runtime()
        cores = self._rates.look(self._counters(usage, machine, own, of_runtime))
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
            cores=cores,
            kubelet=own,
            runtime=of_runtime,
            machine=machine,
            pressure=await self._pressure(usage),
            of_pods_bytes=node_object.memory_of_pods(self._machine, self._node.options),
            processes_most=observations.processes_most(),
            processes=observations.processes(),
        )
        return summary.stats(seen)

    def _counters(
        self, usage: Sequence[runtime.Usage], machine: Machine | None, own: Use, of_runtime: Use
    ) -> Iterator[tuple[str, Counter]]:
        """Processor time of whatever has some; containers have had none when they started."""
        now = self._node.clock.now()
        for one in usage:
            yield one.container_id, Counter(one.at, one.cpu_ns, one.started_at)
        if machine is not None:
            yield (
                summary.NODE,
                Counter(now, machine.use.cpu_ns, datetime.datetime.fromtimestamp(machine.booted_at, datetime.UTC)),
            )
        yield summary.KUBELET, Counter(now, own.cpu_ns)
        yield summary.RUNTIME, Counter(now, of_runtime.cpu_ns)  # it may have run long before

    def _of_machine(self) -> Machine | None:
        return None if self._node.options.on_paper else machine_figures.of_machine()

    async def _of_runtime(self) -> Use:
        return machine_figures.of_processes(await self._node.runtime.own_processes())

    def _groups(self, usage: Sequence[runtime.Usage]) -> list[tuple[runtime.Usage, runtime.Group]]:
        """None on paper."""
        found = ((one, self._node.runtime.group_of(one.container_id)) for one in usage)
        return [(one, group) for one, group in found if group is not None]

    async def _pressure(self, usage: Sequence[runtime.Usage]) -> dict[str, dict[str, Pressure]]:
        """Of containers, and of pods: a pod's group is the one above."""
        groups = self._groups(usage)
        return await asyncio.to_thread(_pressure_of, groups) if groups else {}

    async def resource(self) -> str:
        machine = self._of_machine()
        seen = resource_metrics.Seen(
            self._pods(), await self._node.runtime.usage(), self._node.clock.now(), machine.use if machine else None
        )
        return metrics.text(resource_metrics.resource(seen))

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
        return metrics.text(container_metrics.samples(await self._see(), machine))

    def probes(self) -> str:
        return metrics.text(self._node.metrics.samples("prober_"))

    async def own(self) -> str:
        """/metrics"""
        counted = self._node.metrics.samples("kubelet_"), self._node.exclusive.samples()
        return metrics.text([*itertools.chain(*counted), *self._gauges(), *_process(self._started_at)])

    async def _see(self) -> container_metrics.Seen:
        usage, sandboxes = await self._node.runtime.usage(), await self._node.runtime.sandbox_usage()
        images = {one.id: one.image for one in await self._node.runtime.list_containers()}
        groups = self._groups(usage)
        figures = await asyncio.to_thread(_figures_of, groups) if groups else {}
        disk = await self._measure()
        roots = {
            one.container_id: disk[one.pod_uid].roots[one.name].bytes
            for one in usage
            if one.pod_uid in disk and one.name in disk[one.pod_uid].roots
        }
        return container_metrics.Seen(self._pods(), usage, sandboxes, images, figures, roots)

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
        yield from pod_counts.samples([worker.machine for worker in workers])
        for reason in ("Deferred", "Infeasible"):
            waiting = sum((one.machine.resize_pending or ("",))[0] == reason for one in workers)
            text = "[ALPHA] Number of pending resizes for pods."
            yield Sample("kubelet_pod_pending_resizes", waiting, {"reason": reason.lower()}, "gauge", text)
        under_way = sum(one.machine.resizing for one in workers)
        text = "[ALPHA] Number of in-progress resizes for pods."
        yield Sample("kubelet_pod_in_progress_resizes", under_way, {}, "gauge", text)
        restarts = sum(
            max(0, one.attempt - 1)
            for worker in workers
            for one in worker.machine.containers
            if one.role is not Role.EPHEMERAL
        )
        yield Sample("kubelet_container_restarts", restarts, {}, "gauge", "Restarts of the containers that are here")

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


Groups = Sequence[tuple[runtime.Usage, runtime.Group]]


def _figures_of(groups: Groups) -> dict[str, container_figures.Figures]:
    return {one.container_id: container_figures.read(group) for one, group in groups}


def _pressure_of(groups: Groups) -> dict[str, dict[str, Pressure]]:
    found = {}
    for one, group in groups:
        if pressure := container_figures.pressure(group):
            found[one.container_id] = pressure
            above = {name: str(Path(folder).parent) for name, folder in group.folders.items()}
            found[one.pod_uid] = container_figures.pressure(runtime.Group(group.version, above))
    return found


def _file_system(folder: Path) -> summary.FileSystem:
    found = os.statvfs(observations.existing(folder))
    return summary.FileSystem(
        found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_favail
    )


def _own() -> Use:
    return machine_figures.of_processes([os.getpid()])


def _process(started_at: datetime.datetime) -> Iterator[Sample]:
    own = _own()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    yield Sample(
        "process_cpu_seconds_total", own.cpu_ns / 1e9, {}, "counter", "Total user and system CPU time spent in seconds."
    )
    yield Sample("process_resident_memory_bytes", own.rss_bytes, {}, "gauge", "Resident memory size in bytes.")
    yield Sample("process_open_fds", descriptors, {}, "gauge", "Number of open file descriptors.")
    text = "Maximum number of open file descriptors."
    yield Sample("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0], {}, "gauge", text)
    text = "Start time of the process since unix epoch in seconds."
    yield Sample("process_start_time_seconds", started_at.timestamp(), {}, "gauge", text)
