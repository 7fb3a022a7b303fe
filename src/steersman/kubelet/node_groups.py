"""The control groups above pods: what of the node is theirs, and how the classes of pods share it.

`wanted` is pure. Source: upstream's kubelet/cm (node_container_manager, qos_container_manager) on cgroupfs.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from steersman.containers import runtime
from steersman.kubelet import memory_quality, node_allocatable, qos
from steersman.kubelet.eviction import observations
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_worker import PodWorker
from steersman.meta import quantities
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

ALL = "kubepods"
# Pods come and go in numbers: the groups follow a moment later, once for all of them.
FOLLOW_SECONDS = 0.1


class Group(NamedTuple):
    cpu_shares: int
    memory_limit_bytes: int = 0
    pids_limit: int = 0
    memory_guard: runtime.MemoryGuard = runtime.MemoryGuard()


def wanted(
    pods: Sequence[Object],
    cpu_millicores: int,
    memory_limit_bytes: int,
    pids_limit: int = 0,
    quality: memory_quality.Settings = memory_quality.OFF,
) -> dict[str, Group]:
    """By path. Who asked for processor time has it by what was asked; the others have what is left. The limits are those of all
    pods together; 0 where nothing is reserved."""
    asked = sum(qos.pod_requests(pod).get("cpu", 0) for pod in pods if qos.pod_class(pod) == "Burstable")
    of_all, of_burstable = memory_quality.of_groups(pods, quality)
    return {
        ALL: Group(qos.cpu_shares(cpu_millicores), memory_limit_bytes, pids_limit, of_all),
        f"{ALL}/burstable": Group(qos.cpu_shares(asked), memory_guard=of_burstable),
        f"{ALL}/besteffort": Group(qos.SHARES_LEAST),
    }


class NodeGroups:
    """`memory_of_pods_bytes`: what all pods together may use (`node_object.memory_of_pods`), without what they would be evicted
    for: eviction acts before the kernel does."""

    def __init__(
        self, node: NodeServices, workers: Callable[[], Iterable[PodWorker]], memory_of_pods_bytes: int
    ) -> None:
        self._node = node
        self._memory_of_pods_bytes = memory_of_pods_bytes
        self._workers = workers

    def follow_soon(self) -> None:
        """The node's pods have changed."""
        if not self._node.options.on_paper and not self._node.alarms.is_set("groups"):
            self._node.alarms.set("groups", FOLLOW_SECONDS, self._begin)

    def _begin(self) -> None:
        self._node.tasks.start("groups", self._follow())

    async def _follow(self) -> None:
        pods, options = [worker.pod for worker in self._workers() if not worker.machine.is_over], self._node.options
        is_held = node_allocatable.PODS in options.enforced
        groups = wanted(
            pods,
            int(quantities.millis(self._node.allocatable["cpu"])),
            self._memory_of_pods_bytes if is_held else 0,
            node_allocatable.pids_of_pods(options, observations.processes_most()) if is_held else 0,
            self._node.memory_quality,
        )
        try:
            for path, group in groups.items():
                await self._node.runtime.shape_group(
                    path,
                    cpu_shares=group.cpu_shares,
                    memory_limit_bytes=group.memory_limit_bytes,
                    pids_limit=group.pids_limit,
                    memory_guard=group.memory_guard,
                )
        except runtime.RuntimeFailure as failure:
            _log.warning("%s", failure)
