"""Looking at everything that the runtime has: at the start, and now and then, as an event may have been lost.

Keeps true: what ended unheard is told to its pod; what runs for no pod of this node is removed, with its volumes; a pod has no
second sandbox. Reads: the runtime. Leaves to others: what follows for a pod (its machine).
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from steersman.aio import backoff
from steersman.containers import runtime
from steersman.kubelet import pod_events
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_lifecycle import REMOVED_GRACE_SECONDS
from steersman.kubelet.pod_state import Sandbox
from steersman.kubelet.pod_worker import PodWorker

_log = logging.getLogger(__name__)

LOOKS = backoff.Pauses(max_seconds=5.0)  # at a runtime that is not there yet
# The runtime said that something had happened, and then not what.
LOST_SECONDS = 1.0
FAILURES = (runtime.RuntimeFailure, OSError, TimeoutError)


class Relist:
    """`looked()` is called in the middle of each look."""

    def __init__(
        self, node_name: str, node: NodeServices, workers: Mapping[str, PodWorker], looked: Callable[[], None]
    ) -> None:
        self._node_name = node_name
        self._node = node
        self._workers = workers
        self._looked = looked

    async def first(self) -> tuple[Sequence[runtime.SandboxStatus], Sequence[runtime.ContainerStatus]]:
        """As soon as the runtime can tell: a pod that it has and that nobody saw would be begun once more."""
        pauses = backoff.Backoff(self._node.clock, LOOKS)
        while True:
            try:
                return await self._node.runtime.list_sandboxes(), await self._node.runtime.list_containers()
            except FAILURES as failure:
                _log.warning("node %s: the runtime does not tell what runs: %s", self._node_name, failure)
            await pauses.wait()

    def later(self, seconds: float = 0.0) -> None:
        seconds = seconds or self._node.clock.jitter(self._node.options.relist_seconds, 0.1)
        self._node.alarms.set("relist", seconds, lambda: self._start())

    def _start(self) -> None:
        self._node.tasks.start("relist", self._look())

    async def _look(self) -> None:
        try:
            await self._compare()
        except FAILURES as failure:
            _log.warning("node %s: the runtime does not answer: %s", self._node_name, failure)
        self.later()

    async def _compare(self) -> None:
        workers = dict(self._workers)
        alive = [
            (worker, one.name, one.id)
            for worker in workers.values()
            for one in worker.machine.containers
            if one.is_alive
        ]
        ready = [
            (worker, worker.machine.sandbox_id)
            for worker in workers.values()
            if worker.machine.sandbox is Sandbox.READY
        ]
        containers = {one.id: one for one in await self._node.runtime.list_containers()}
        sandboxes = await self._node.runtime.list_sandboxes()
        up = {one.id for one in sandboxes if one.ready}
        for worker, name, container_id in alive:
            found = containers.get(container_id)
            if found is None:
                worker.tell(pod_events.ContainerGone(name, container_id))
            elif not worker.knows(found):
                worker.tell_status(found)
        self._looked()
        for worker, sandbox_id in ready:
            if sandbox_id not in up:
                worker.tell(pod_events.SandboxLost(sandbox_id))
        orphans = [one for one in sandboxes if one.pod_uid not in workers and one.pod_uid not in self._workers]
        await self.remove([*orphans, *self._second(sandboxes, containers.values())], tuple(containers.values()))

    def _second(
        self, sandboxes: Iterable[runtime.SandboxStatus], containers: Iterable[runtime.ContainerStatus]
    ) -> list[runtime.SandboxStatus]:
        """What the runtime made and could not tell: a pod has one, and nothing has ever run in these."""
        used = {one.sandbox_id for one in containers}
        found = []
        for one in sandboxes:
            worker = self._workers.get(one.pod_uid)
            is_settled = worker is not None and worker.machine.sandbox is Sandbox.READY
            if worker is not None and is_settled and one.id not in {worker.machine.sandbox_id, *used}:
                found.append(one)
        return found

    async def remove(
        self, sandboxes: Sequence[runtime.SandboxStatus], containers: Sequence[runtime.ContainerStatus]
    ) -> None:
        for sandbox in sandboxes:
            _log.info("removing what is left of pod %s/%s", sandbox.namespace, sandbox.name)
            try:
                for one in containers:
                    if one.sandbox_id == sandbox.id and one.state is runtime.State.RUNNING:
                        await self._node.runtime.stop_container(one.id, REMOVED_GRACE_SECONDS)
                await self._node.runtime.stop_sandbox(sandbox.id)
                await self._node.runtime.remove_sandbox(sandbox.id)
            except FAILURES as failure:
                _log.warning("cannot remove orphan %s (the next look tries again): %s", sandbox.id, failure)
                continue
            if not self._node.options.on_paper and sandbox.pod_uid not in self._workers:
                self._node.tasks.start("leftovers", self.clear_volumes(sandbox.pod_uid))

    async def clear_volumes(self, uid: str) -> None:
        """Of a pod that is gone. A driver that is needed for it may not be there yet: its volumes stay until it is."""
        pauses = backoff.Backoff(self._node.clock)
        while True:
            try:
                await self._node.volumes.unmount(uid)
                return
            except OSError as failure:
                _log.warning("volumes of pod %s, which is gone, stay for now: %s", uid, failure)
            await pauses.wait()
