"""Who may begin on the node: the shell over `admission` and `preemption`.

Keeps true: each new pod is taken or refused once, after what would decide wrongly was looked at again: labels that may be old,
devices that have to be given, room that others can make. Reads: the node and its pods. Leaves to others: what is refused and why
(`admission`), what a pod does once it has begun.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence

from steersman.api import host_ports
from steersman.client.client import Unreachable
from steersman.kubelet import admission, node_shutdown, preemption, resize_rules
from steersman.kubelet.eviction import conditions as pressure
from steersman.kubelet.node_heartbeat import NodeHeartbeat
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.node_shutdown import NodeShutdown
from steersman.kubelet.pod_worker import PodWorker
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

OF_THE_NODE = ("NodeAffinity", "TaintToleration")  # refusals for what others may have changed on the Node just now
PREEMPTION_LOOK_SECONDS = 0.1  # whether those that make room for a critical pod have ended


class PodAdmission:
    """`pods`: all that the node is to run, as last seen. `begin` gets a pod and why it is refused, or None."""

    def __init__(
        self,
        node_name: str,
        node: NodeServices,
        heartbeat: NodeHeartbeat,
        shutdown: NodeShutdown,
        workers: Mapping[str, PodWorker],
        pods: Callable[[], Sequence[Object]],
        begin: Callable[[Object, admission.Refusal | None], None],
        *,
        app_armor: bool,
    ) -> None:
        self._node_name = node_name
        self._node = node
        self._heartbeat = heartbeat
        self._shutdown = shutdown
        self._workers = workers
        self._all_pods = pods
        self._begin = begin
        self._app_armor = app_armor
        self._looking_again: set[str] = set()

    def admit(self, pod: Object) -> None:
        """Begin a new pod, or refuse it. Labels as last seen may be old: they are asked for again before they decide."""
        if objects.uid(pod) in self._looking_again:
            return
        refusal = self._refusal(pod) if admission.is_new(pod) else None
        if refusal is None and self._node.devices.wants(pod):
            self._looking_again.add(objects.uid(pod))
            self._node.tasks.start("allocate devices", self._admit_with_devices(pod))
        elif refusal is not None and refusal.reason in OF_THE_NODE:
            self._looking_again.add(objects.uid(pod))
            self._node.tasks.start("labels", self._admit_by_fresh_labels(objects.uid(pod)))
        elif refusal is not None and refusal.reason.startswith("OutOf") and pressure.is_critical(pod):
            self._looking_again.add(objects.uid(pod))
            self._node.tasks.start("preemption", self._admit_by_preemption(pod))
        else:
            self._begin(pod, refusal)

    async def _admit_by_preemption(self, pod: Object) -> None:
        """A critical pod is not refused for want of room: others make room, unless something else speaks against it."""
        uid = objects.uid(pod)
        empty = dataclasses.replace(self._as_seen_by(uid), used=())
        refusal = admission.decide(pod, empty)
        if refusal is None or refusal.reason.startswith("OutOf"):  # (more than there is at all: no set of pods will do)
            refusal = await self._make_room(pod)
        self._looking_again.discard(uid)
        for now in self._all_pods():
            if objects.uid(now) == uid and uid not in self._workers:
                self._begin(now, refusal or self._set_processors_aside(now))

    async def _make_room(self, pod: Object) -> admission.Refusal | None:
        missing = admission.missing(pod, self._as_seen_by(objects.uid(pod)))
        workers = {uid: one for uid, one in self._workers.items() if not one.machine.is_over}
        try:
            chosen = preemption.choose(pod, (one.pod for one in workers.values()), missing)
        except preemption.NotPossible as problem:
            text = f"preemption: error finding a set of pods to preempt: {problem}"
            text = f"Unexpected error while attempting to recover from admission failure: {text}"
            return admission.Refusal("UnexpectedAdmissionError", text)
        victims = [workers[objects.uid(one)] for one in chosen]
        for one in victims:
            one.preempt(next(iter(missing), ""))
        while not all(one.machine.is_over for one in victims):
            await self._node.clock.sleep(PREEMPTION_LOOK_SECONDS)
        return None

    async def _admit_by_fresh_labels(self, uid: str) -> None:
        try:
            await self._heartbeat.look_again()
        except (StatusError, Unreachable) as failure:
            _log.warning("node %s: its labels cannot be read: %s", self._node_name, failure)
        self._looking_again.discard(uid)
        for pod in self._all_pods():
            if objects.uid(pod) == uid and uid not in self._workers:
                self._begin(pod, self._refusal(pod))

    async def _admit_with_devices(self, pod: Object) -> None:
        refusal = await self._node.devices.allocate(
            pod, lambda container: self._node.exclusive.nodes_for_devices(objects.uid(pod), container)
        )
        self._looking_again.discard(objects.uid(pod))
        for now in self._all_pods():
            if objects.uid(now) == objects.uid(pod) and objects.uid(pod) not in self._workers:
                self._begin(now, refusal)
                return
        self._node.devices.release(objects.uid(pod))  # it was deleted meanwhile

    def _refusal(self, pod: Object) -> admission.Refusal | None:
        if self._shutdown.begun:
            return admission.Refusal(node_shutdown.REJECTED_REASON, node_shutdown.REJECTED_MESSAGE)
        if why := pressure.refuses(pod, self._heartbeat.standing):
            return admission.Refusal("Evicted", why)
        return admission.decide(pod, self._as_seen_by(objects.uid(pod))) or self._set_processors_aside(pod)

    def _set_processors_aside(self, pod: Object) -> admission.Refusal | None:
        refusal, changed = self._node.exclusive.admit(pod)
        if changed:
            self.share_processors()
        return refusal

    def share_processors(self) -> None:
        for worker in self._workers.values():
            worker.follow_processors()

    def _as_seen_by(self, uid: str) -> admission.Node:
        """The node beside all other pods. As upstream, one that was deleted by force counts no more, though it still ends: to the
        scheduler its room is free, and what it sends here in its place would be refused as fast as it can be made again."""
        counting = (one for one in self._workers.values() if not one.machine.is_over and not one.machine.removed)
        others = [worker for worker in counting if worker.uid != uid]
        return admission.Node(
            self._node_name,
            objects.labels(self._heartbeat.node),
            {**self._heartbeat.extended(), **self._node.allocatable, **self._node.devices.allocatable()},
            (worker.requests for worker in others),
            self._node.options.unsafe_sysctls,
            (port for worker in others for port in host_ports.of(worker.pod["spec"])),
            self._app_armor,
            (self._heartbeat.node.get("spec") or {}).get("taints") or (),
            self._node.runtime.features.supplemental_groups_policy,
        )

    def room(self, uid: str, wanted: Mapping[str, int]) -> tuple[str, str]:
        """A pod that is given other resources may leave some to those that wait."""
        found = admission.resize(wanted, self._as_seen_by(uid))
        if not found[0] and any(
            worker.machine.resize_pending for worker in self._workers.values() if worker.uid != uid
        ):
            self._node.alarms.set("resizes", 0.0, lambda: self.consider_resizes("pod_resized"))
        return found

    def consider_resizes(self, trigger: str) -> None:
        """Those that wait, in their order: the first ones may take all the room there is."""
        waiting = (worker.waiting for worker in self._workers.values())
        for uid in resize_rules.order(one for one in waiting if one is not None):
            self._workers[uid].consider_resize(trigger)
