"""The shell around one pod's machine: carries its instructions out and tells it how they ended.

No task of its own: events come by call, each instruction is a short task, waking up is an alarm. So a node on paper may
have thousands of pods.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from steersman.api import kinds
from steersman.client.client import Unreachable
from steersman.containers import runtime
from steersman.kubelet import (
    instructions,
    log_links,
    pod_events,
    pod_files,
    pod_resize,
    preemption,
    qos,
    resize_rules,
    resource_health,
    static_pods,
    status,
    storage_limits,
)
from steersman.kubelet.container_probes import ContainerProbes
from steersman.kubelet.eviction import ranking
from steersman.kubelet.instructions import Instruction
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_containers import PodContainers
from steersman.kubelet.pod_lifecycle import PodMachine
from steersman.kubelet.pod_sandboxes import PodSandboxes
from steersman.kubelet.pod_shell import RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS, PodShell
from steersman.kubelet.pod_volumes import PodVolumes
from steersman.meta import objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# Of an object's metadata, what each write changes.
BOOKKEEPING = frozenset(("resourceVersion", "managedFields"))


class PodWorker:
    """`ended` is called once, when nothing of the pod is left. `room` says whether the node could give a pod (by uid) these
    requests: ("", "") or (Deferred or Infeasible, why)."""

    def __init__(
        self,
        pod: Object,
        node: NodeServices,
        ended: Callable[[str], None],
        room: Callable[[str, Mapping[str, int]], tuple[str, str]] = lambda uid, wanted: ("", ""),
    ) -> None:
        self._room = room
        self.machine = PodMachine(pod, (node.options.crash_first_seconds, node.options.crash_most_seconds))
        self.uid = self.machine.uid
        self._node = node
        self._ended = ended
        self._reported: Object = {}
        self._devices_shown = resource_health.NONE
        self._shell = PodShell(self.machine, node, self.tell)
        self.volumes = PodVolumes(self._shell)
        self.containers = PodContainers(self._shell)
        self.sandboxes = PodSandboxes(self._shell, self.containers)
        self._probes = ContainerProbes(self.machine, node, self.tell)
        self._requests: tuple[tuple[Object, list[int]], dict[str, int]] = (({}, []), {})
        self._was_over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")

    @property
    def pod(self) -> Object:
        return self.machine.pod

    @property
    def requests(self) -> dict[str, int]:
        """What it asks of the node (`qos.pod_requests`); counted once for each spec."""
        key = (self.pod["spec"], [id(one.spec) for one in self.machine.containers])
        if self._requests[0][0] is not key[0] or self._requests[0][1] != key[1]:
            self._requests = (key, qos.pod_requests(pod_resize.granted(self.machine)))
        return self._requests[1]

    def shown_pod(self) -> Object:
        """As this kubelet has it: with the status that it would tell the API."""
        return {**self.pod, "status": self._reported or self.pod.get("status") or {}}

    def adopt(self, sandboxes: Sequence[runtime.SandboxStatus], containers: Sequence[runtime.ContainerStatus]) -> None:
        """Begin: with what the runtime already has of this pod (mostly nothing)."""
        self._observe(self.pod)
        specs = {one.name: one.spec for one in self.machine.containers}
        known = [self._shell.with_message(one, specs[one.name]) for one in containers if one.name in specs]
        self._carry_out(self.machine.adopt(sandboxes, known, self._node.clock.now()))
        self.consider_resize()

    def refuse(self, reason: str, message: str) -> None:
        """Instead of `adopt`: this node does not take the pod."""
        self._observe(self.pod)
        self._carry_out(self.machine.refuse(reason, message, self._node.clock.now()))

    def change(self, pod: Object) -> None:
        self._observe(pod)
        if self._is_echo(pod):
            self.machine.pod = pod
            return
        was = self.pod["metadata"]
        self.tell(pod_events.PodChanged(pod))
        self.consider_resize()
        if any(was.get(field) != pod["metadata"].get(field) for field in ("labels", "annotations")):
            self.volumes.refresh_now()

    def _is_echo(self, pod: Object) -> bool:
        """Nothing but our own status has come back."""
        was = self.pod
        if pod.get("status") != self._reported or pod["spec"] != was["spec"]:
            return False
        before, after = was["metadata"], pod["metadata"]
        return all(before.get(key) == after.get(key) for key in before.keys() | after.keys() if key not in BOOKKEEPING)

    def shown_by(self, mirror: Object) -> None:
        """A static pod: its status is the mirror's."""
        self._node.writer.observe(mirror, self.uid)
        self._reported = {}
        self._report()

    def _observe(self, pod: Object) -> None:
        if not static_pods.is_static(pod):
            self._node.writer.observe(pod)

    @property
    def waiting(self) -> resize_rules.Waiting | None:
        """What it would like to have, where that is not what it was granted."""
        if self.machine.resize_pending is None and not pod_resize.is_wanted(self.machine):
            return None
        granted, since = pod_resize.granted(self.machine), resize_rules.since(self._reported)
        return resize_rules.Waiting(self.uid, self.pod, granted, since)

    def consider_resize(self, trigger: str = "pod_updated") -> None:
        """Also called when room may have come (`trigger`: why it may)."""
        asks = self.waiting
        if asks is None:
            return
        node, was = self._node, self.machine.resize_pending
        why = resize_rules.never(asks.wanted, asks.granted, node.options, node.allocatable, node.swap_bytes)
        decided = ("Infeasible", why.message) if why else self._room(self.uid, qos.pod_requests(self.pod))
        if why is not None and was != decided:
            node.metrics.count("kubelet_pod_infeasible_resizes_total", reason_detail=why.detail)
        if not decided[0] and was is not None and was[0] == "Deferred" and pod_resize.is_wanted(self.machine):
            node.metrics.count("kubelet_pod_deferred_accepted_resizes_total", retry_trigger=trigger)
        self.tell(pod_events.ResizeDecided(*decided))

    def tell(self, event: pod_events.Event) -> None:
        self._carry_out(self.machine.handle(event, self._node.clock.now()))

    def knows(self, found: runtime.ContainerStatus) -> bool:
        """There is nothing new in it."""
        one = self.machine.container(found.name)
        return one is not None and one.current == found

    def tell_status(self, found: runtime.ContainerStatus) -> None:
        self._shell.tell_status(found)

    def follow_devices(self) -> None:
        """How some device is has changed."""
        if self._devices():
            self._report()

    def follow_processors(self) -> None:
        """Which processors are for everyone has changed."""
        self.containers.follow_processors()

    async def enforce_storage_limits(self) -> bool:
        """Whether it has to go for what it wrote."""
        excess = storage_limits.decide(self.pod, await self.storage_use())
        if excess is None or self.machine.is_ending:
            return False
        self.evict(excess.signal, excess.message, ranking.GRACE_SECONDS)
        return True

    def evict(
        self,
        signal: str,
        message: str,
        grace_seconds: float,
        *,
        for_the_node: bool = False,
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """The pod fails, and is not started again here; `for_the_node`: by no fault of its own. `annotations`: of the Event."""
        self._node.tell(self.pod, "Warning", "Evicted", message, annotations=annotations)
        self._node.metrics.count("kubelet_evictions", eviction_signal=signal)
        self.tell(pod_events.PodFailed("Evicted", message, grace_seconds, disrupts=for_the_node))

    def preempt(self, resource: str) -> None:
        """To make room for a critical pod, within its own grace period."""
        self._node.tell(self.pod, "Warning", preemption.REASON, preemption.MESSAGE)
        self._node.metrics.count("kubelet_preemptions", preemption_signal=resource)
        self.tell(pod_events.PodFailed(preemption.REASON, preemption.MESSAGE, None, disrupts=True))

    async def remove_dead_containers(self) -> None:
        """Of a pod that is over: what they wrote and their logs go, so that their images may go, too. Raises RuntimeFailure."""
        if not self.machine.is_over or self.machine.deleting:
            return
        for one in await self._node.runtime.list_containers():
            if one.pod_uid == self.uid and one.state is runtime.State.EXITED:
                await self._node.runtime.remove_container(one.id)
                pod_files.remove_log(self.pod, one.name, one.attempt, self._node.options)
                log_links.remove(self.pod, one.name, one.id, self._node.options)

    async def storage_use(self) -> storage_limits.Usage:
        """Measured now, in a thread."""
        node, logs = self._node, pod_files.log_folder(self.pod, self._node.options)
        paths = node.volumes.paths_of(self.uid)
        volumes = {name: [paths[name]] for name in storage_limits.disk_volumes(self.pod) if name in paths}
        alive = [one for one in self.machine.containers if one.is_alive]
        changes = {one.name: [Path(at)] for one in alive if (at := node.runtime.changes_folder(one.id))}
        texts = {one.name: [logs / one.name] for one in alive}
        of_volumes, of_changes, of_logs = await asyncio.to_thread(
            lambda: [
                {name: storage_limits.measure(folders) for name, folders in one.items()}
                for one in (volumes, changes, texts)
            ]
        )
        return storage_limits.Usage(of_volumes, of_changes, of_logs)

    def _carry_out(self, out: list[Instruction]) -> None:
        for instruction in out:
            SHELLS[type(instruction)](self)(instruction)
        self._probes.follow()
        self._set_alarm()
        self._report()

    def _set_alarm(self) -> None:
        at = self.machine.again_at()
        if at is None or self.machine.gone:
            self._node.alarms.cancel(("pod", self.uid))
        else:
            seconds = (at - self._node.clock.now()).total_seconds()
            self._node.alarms.set(("pod", self.uid), seconds, lambda: self.tell(pod_events.TimerFired()))

    def _report(self) -> None:
        """What was over before this kubelet came is told better by its old status than by what is left of it."""
        is_over = self.machine.removed or self._was_over
        if not is_over and (status.is_starting(self.machine) or status.is_leaving(self.machine)):
            self._node.writer.report_later(self.uid, self._status_now)
            return
        self._node.turns.end(self.uid)
        if is_over:
            return
        was = self._reported
        if self._status_now() != was:
            self._node.writer.report(self.uid, self._reported)

    def _status_now(self) -> Object:
        was = self._reported or self._node.writer.confirmed(self.uid)
        now = status.build(self.machine, self._node.shown_as, was, self._node.clock.now(), self._devices())
        if now["phase"] == "Running" and was.get("phase") not in ("Running", "Succeeded", "Failed"):
            self._count_start()
        self._reported = now
        return now

    def _devices(self) -> resource_health.Statuses:
        """How those that its containers have are, or had been when they were given back."""
        given = self._node.devices.given().get(self.uid)
        found = resource_health.NONE
        if given:
            found = resource_health.of_plugins(given, self._node.devices.devices.told)
        if self.pod["spec"].get("resourceClaims"):
            of_claims = functools.partial(self._node.claims.devices, self.uid)
            found = resource_health.together(found, resource_health.of_claims(self.pod, of_claims))
        self._devices_shown = found or self._devices_shown
        return self._devices_shown

    def _count_start(self) -> None:
        """The pod runs: how long that took since it was made, and since this kubelet saw it."""
        metrics, now = self._node.metrics, self._node.clock.now()
        metrics.count("kubelet_started_pods_total")
        if self.machine.started_at is not None:
            took = (now - self.machine.started_at).total_seconds()
            metrics.observe("kubelet_pod_start_duration_seconds", took)
        if created := self.pod["metadata"].get("creationTimestamp"):
            took = (now - times.parse(created)).total_seconds()
            metrics.observe("kubelet_pod_start_sli_duration_seconds", took)

    def record_event(self, instruction: instructions.RecordEvent) -> None:
        self._node.tell(self.pod, instruction.type, instruction.reason, instruction.message, instruction.container)

    def delete_pod(self, _: instructions.DeletePod) -> None:
        self._shell.start("delete", self._delete())

    async def _delete(self) -> None:
        await self._node.writer.flush(self.uid)
        pause = RETRY_FIRST_SECONDS
        while not self.machine.removed and not static_pods.is_static(self.pod):
            try:
                await self._node.client.delete(
                    kinds.POD, objects.name(self.pod), objects.namespace(self.pod), uid=self.uid, grace_seconds=0
                )
                break
            except StatusError as refused:
                if refused.code in (404, 409):
                    break
                _log.warning("%s: cannot be deleted: %s", objects.key(self.pod), refused)
            except Unreachable as lost:
                _log.warning("%s: cannot be deleted: %s", objects.key(self.pod), lost)
            await self._node.clock.sleep(pause)
            pause = min(pause * 2, RETRY_MOST_SECONDS)
        pod_files.remove_logs(self.pod, self._node.options)
        for one in self.machine.containers if not self._node.options.on_paper else ():
            for instance in filter(None, (one.current, one.previous)):
                log_links.remove(self.pod, one.name, instance.id, self._node.options)
        self._node.writer.forget(self.uid)
        self._probes.close()
        self._node.alarms.cancel(("pod", self.uid))
        self._ended(self.uid)


SHELLS: dict[type, Callable[[PodWorker], Callable[[Any], None]]] = {
    instructions.MountVolumes: lambda one: one.volumes.mount_volumes,
    instructions.UnmountVolumes: lambda one: one.volumes.unmount_volumes,
    instructions.RunSandbox: lambda one: one.sandboxes.run_sandbox,
    instructions.StopSandbox: lambda one: one.sandboxes.stop_sandbox,
    instructions.RemoveSandboxes: lambda one: one.sandboxes.remove_sandboxes,
    instructions.PullImage: lambda one: one.containers.pull_image,
    instructions.CreateContainer: lambda one: one.containers.create_container,
    instructions.StartContainer: lambda one: one.containers.start_container,
    instructions.RunPostStart: lambda one: one.containers.run_post_start,
    instructions.RunPreStop: lambda one: one.containers.run_pre_stop,
    instructions.StopContainer: lambda one: one.containers.stop_container,
    instructions.RemoveContainer: lambda one: one.containers.remove_container,
    instructions.ResizePod: lambda one: one.sandboxes.resize_pod,
    instructions.RecordEvent: lambda one: one.record_event,
    instructions.DeletePod: lambda one: one.delete_pod,
}
