"""The scheduler's shell: watch pods and nodes, decide, bind.

Keeps true: every pod that asks for this scheduler gets a node as soon as one will do; one that cannot says why in its
condition PodScheduled and in an Event.
Reads: Pods, PodGroups, Nodes, Namespaces (labels, for pod affinity), claims, volumes and what storage.k8s.io says of them,
ResourceClaims and devices, disruption budgets.
Writes: pods/binding, pods/status (that condition, the node nominated for it), podgroups/status (the condition of a group), Events;
claims and volumes (what was chosen for them); deletes pods that have to make room for more important ones.
Leaves to others: whether a node is fit for pods at all (node lifecycle's taints), starting the pod (kubelet).

A placement counts as soon as it is decided ("assumed"), before the API server knows: the next decision builds on it. What
the API server then refuses is taken back, and the pod decided anew on what is there by then.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator

from steersman.aio import backoff, tasks, workers
from steersman.aio.clock import Clock
from steersman.api import kinds, pod_groups
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client, Unreachable
from steersman.client.events import Recorder
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.exposition import Sample
from steersman.meta.objects import Object
from steersman.scheduler import filters, gangs, pending, pods
from steersman.scheduler.decide import GroupOutcome, Placement, Rejection
from steersman.scheduler.device_binder import DeviceBinder
from steersman.scheduler.evictor import Evictor
from steersman.scheduler.figures import SchedulerFigures
from steersman.scheduler.filters import dynamic_resources
from steersman.scheduler.group_teller import GroupTeller
from steersman.scheduler.pending import PendingGroup, PendingPod
from steersman.scheduler.pod_groups import PodGroups
from steersman.scheduler.queue import Queue
from steersman.scheduler.shape import Shapes
from steersman.scheduler.snapshot import Snapshot
from steersman.scheduler.volume_binder import BindingFailedError, VolumeBinder

_log = logging.getLogger(__name__)

Keep = Callable[[str, Object | None], None]  # (key, the object as it is now)

# Pods of one decision: enough to make one evaluation worth while for many pods, few enough to answer within 0.1 s.
BATCH_PODS_MAX = 1_000
# Writes under way at once, and decided ones that may wait for their turn before deciding pauses.
WRITERS = 32
WRITES_WAITING_MAX = 2 * BATCH_PODS_MAX


async def run(client: Client, caches: Caches, clock: Clock, *, scheduler_name: str = pods.DEFAULT_SCHEDULER) -> None:
    """Schedule until cancelled. Whoever calls runs `caches`."""
    recorder = Recorder(client, clock, scheduler_name)
    await run_one(Scheduler(client, caches, clock, recorder, scheduler_name), recorder)


async def run_one(scheduler: "Scheduler", recorder: Recorder) -> None:
    async with tasks.Tasks("scheduler") as running:
        running.start("events", recorder.run())
        running.start("scheduling", scheduler.run())
        await running.wait()


class Scheduler:
    def __init__(self, client: Client, caches: Caches, clock: Clock, recorder: Recorder, scheduler_name: str) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._name = scheduler_name
        self._pods = caches.of(kinds.POD)
        self._nodes = caches.of(kinds.NODE)
        self._namespaces = caches.of(kinds.NAMESPACE)
        self._claims = caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
        self._volumes = caches.of(kinds.PERSISTENT_VOLUME)
        self._snapshot = Snapshot()
        known = self._snapshot.volumes
        self._about_volumes = [
            (self._claims, known.set_claim),
            (self._volumes, known.set_volume),
            (caches.of(kinds.STORAGE_CLASS), _setter(known.classes)),
            (caches.of(kinds.CSI_NODE), _setter(known.csi_nodes)),
            (caches.of(kinds.CSI_DRIVER), _setter(known.drivers)),
            (caches.of(kinds.CSI_STORAGE_CAPACITY), _setter(known.capacities)),
        ]
        self._about_devices = [
            (caches.of(kinds.RESOURCE_CLAIM), self._set_claim),
            (caches.of(kinds.RESOURCE_SLICE), self._snapshot.devices.set_slice),
            (caches.of(kinds.DEVICE_CLASS), _setter(self._snapshot.devices.classes)),
            (caches.of(kinds.DEVICE_TAINT_RULE), _setter(self._snapshot.devices.rules)),
        ]
        self._about_budgets = [(caches.of(kinds.POD_DISRUPTION_BUDGET), _setter(self._snapshot.budgets))]
        self._binder = VolumeBinder(client, clock, self._claims, self._volumes, self._nodes)
        self._device_binder = DeviceBinder(client, clock, caches.of(kinds.RESOURCE_CLAIM), self._snapshot.devices)
        self._evictor = Evictor(client, clock, self._pods, recorder)
        self._running = tasks.Tasks("scheduler")
        self._shapes = Shapes()
        self._queue = Queue()
        self._figures = SchedulerFigures(scheduler_name)
        self._pod_groups = caches.of(kinds.POD_GROUP_V1BETA1)
        self._groups = PodGroups(self._snapshot.groups)
        self._group_teller = GroupTeller(client, clock, self._pod_groups)
        self._claimless: dict[str, PendingPod] = {}  # pods that are not tried as claims of theirs are not there
        self._assumed: dict[str, str] = {}  # key → uid of pods placed by us that the cache does not show as bound yet
        self._victims: dict[str, str] = {}  # key → uid of pods told to go, which the cache may not show yet
        self._helped: set[str] = set()  # filters that something which happened since the last decision may help
        self._wake = asyncio.Event()
        self._writes: asyncio.Queue[Placement | Rejection] = asyncio.Queue(WRITES_WAITING_MAX)

    async def run(self) -> None:
        subscriptions = [
            self._namespaces.subscribe(self._namespace_changed),
            self._nodes.subscribe(self._node_changed),
            *(cache.subscribe(self._kept(keep, filters.HELPED_BY_VOLUMES)) for cache, keep in self._about_volumes),
            *(cache.subscribe(self._kept(keep, filters.HELPED_BY_DEVICES)) for cache, keep in self._about_devices),
            *(cache.subscribe(self._kept(keep, frozenset())) for cache, keep in self._about_budgets),
            self._pod_groups.subscribe(self._group_changed),
            self._pods.subscribe(self._pod_changed),
        ]
        try:
            for cache in (self._namespaces, self._nodes, *self._kept_caches(), self._pod_groups, self._pods):
                await cache.synced.wait()
            async with self._running as running:
                running.start("writers", workers.run("scheduler", WRITERS, self._writes.get, self._write))
                running.start("conditions of groups", self._group_teller.run())
                running.start("decisions", self._decide_for_ever())
                await running.wait()
        finally:
            for unsubscribe in subscriptions:
                unsubscribe()

    def samples(self) -> Iterator[Sample]:
        """For monitoring."""
        gated = sum(pods.is_gated(pod, self._name) for pod in self._pods.list())
        pending = self._queue.pending()
        pending["unschedulable"] += len(self._claimless)
        return self._figures.samples({**pending, "gated": gated})

    def statistics(self) -> dict[str, int]:
        counts = {"nodes": len(self._snapshot), "assumed": len(self._assumed), "writes waiting": self._writes.qsize()}
        return {
            **self._queue.statistics(),
            **self._groups.statistics(),
            **counts,
            "without claims": len(self._claimless),
        }

    # Observe

    def _namespace_changed(self, old: Object | None, new: Object | None) -> None:
        either = new or old
        assert either is not None
        if self._snapshot.set_namespace(objects.name(either), objects.labels(new) if new else {}):
            self._happened(filters.HELPED_BY_PLACEMENTS)

    def _kept_caches(self) -> list[Cache]:
        return [cache for cache, _ in (*self._about_volumes, *self._about_devices, *self._about_budgets)]

    def _kept(self, keep: Keep, helped: frozenset[str]) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            either = new or old
            assert either is not None
            keep(objects.key(either), new)
            self._happened(helped)

        return changed

    def _node_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            assert old is not None
            self._snapshot.remove_node(objects.name(old))
            self._happened(filters.HELPED_BY_PODS)  # spreading and affinity count without it
        elif self._snapshot.set_node(new):
            self._happened(filters.HELPED_BY_NODES)

    def _pod_changed(self, old: Object | None, new: Object | None) -> None:
        if new is None:
            assert old is not None
            self._gone(objects.key(old))
            return
        key = objects.key(new)
        match pods.classify(new, self._name):
            case pods.Place.ASSIGNED:
                if self._assumed.pop(key, None) is None:
                    self._figures.left(key)
                self._leave_queue(key)
                self._snapshot.nominations.drop(key)
                if self._set_pod(key, new):
                    self._happened(filters.HELPED_BY_PLACEMENTS)
                    self._offer(pod_groups.group_of(new))
            case pods.Place.PENDING:
                if self._assumed.get(key) != objects.uid(new):
                    self._forget_assumed(key)
                    waiting = self._pending(key, new)
                    self._see_nomination(waiting, old, new)
                    self._enqueue(waiting)
            case _:
                self._gone(key)

    def _set_claim(self, key: str, claim: Object | None) -> None:
        self._snapshot.devices.set_claim(key, claim)
        for pod in [*self._claimless.values()]:
            if any(use.key == key for use in pod.shape.resource_claims):
                self._enqueue(pod)

    def _enqueue(self, pod: PendingPod) -> None:
        self._figures.entered(pod.key, self._clock.monotonic())
        if dynamic_resources.is_to_wait(pod.shape, self._snapshot):
            self._leave_queue(pod.key)
            self._claimless[pod.key] = pod
            return
        self._claimless.pop(pod.key, None)
        if not pod.pod_group:
            if self._queue.put(pod):
                self._wake.set()
        elif self._groups.wait(pod):
            self._offer(pod.pod_group)

    def _leave_queue(self, key: str) -> None:
        self._queue.remove(key)
        self._claimless.pop(key, None)
        group = self._groups.leave(key)
        if group:
            self._keep_in_queue(group)

    def _offer(self, group: str) -> None:
        """To be tried, if enough of its pods are there."""
        found = self._groups.ready(group, len(self._snapshot.members_of(group))) if group else None
        if found is not None and self._queue.put(found):
            self._wake.set()

    def _keep_in_queue(self, group: str) -> PendingGroup | None:
        """Without those of its pods that wait no more; not at all when there are too few."""
        found = self._groups.ready(group, len(self._snapshot.members_of(group)))
        if found is None:
            self._queue.remove(pending.queue_key(group))
        else:
            self._queue.replace(found)
        return found

    def _group_changed(self, old: Object | None, new: Object | None) -> None:
        either = new or old
        assert either is not None
        key = objects.key(either)
        if new is None:
            del self._snapshot.groups[key]
            self._queue.remove(pending.queue_key(key))
        else:
            self._snapshot.groups[key] = pending.read_group(new)
            self._offer(key)

    def _set_pod(self, key: str, pod: Object) -> bool:
        return self._snapshot.set_pod(
            key,
            self._shapes.of(pod),
            str(pod["spec"]["nodeName"]),
            terminating=objects.is_terminating(pod) or self._victims.get(key) == objects.uid(pod),
            priority=int(pod["spec"].get("priority") or 0),
            started=(pod.get("status") or {}).get("startTime") or pod["metadata"].get("creationTimestamp") or "",
            pod_group=pod_groups.group_of(pod),
        )

    def _see_nomination(self, waiting: PendingPod, old: Object | None, new: Object) -> None:
        """What an earlier scheduler, or somebody else, wrote. Our own stands before it is seen."""
        was, now = pods.nominated_node(old) if old is not None else "", pods.nominated_node(new)
        if now != was or (now and old is None):
            self._snapshot.nominations.put(waiting.key, waiting.shape, waiting.priority, now)
            if not now:
                self._happened(filters.HELPED_BY_PODS)

    def _gone(self, key: str) -> None:
        self._assumed.pop(key, None)
        self._victims.pop(key, None)
        if self._snapshot.nominations.node_of(key):
            self._snapshot.nominations.drop(key)
            self._happened(filters.HELPED_BY_PODS)
        self._leave_queue(key)
        self._figures.left(key)
        if self._snapshot.remove_pod(key):
            self._happened(filters.HELPED_BY_PODS)

    def _pending(self, key: str, pod: Object) -> PendingPod:
        spec = pod["spec"]
        preempts = spec.get("preemptionPolicy") != "Never"
        priority, group = int(spec.get("priority") or 0), pod_groups.group_of(pod)
        return PendingPod(key, self._shapes.of(pod), priority, preempts, group, objects.uid(pod))

    def _forget_assumed(self, key: str) -> None:
        if self._assumed.pop(key, None) is not None and self._snapshot.remove_pod(key):
            self._happened(filters.HELPED_BY_PODS)

    def _happened(self, helped: frozenset[str]) -> None:
        self._helped |= helped
        self._wake.set()

    # Decide

    async def _decide_for_ever(self) -> None:
        while True:
            await self._wait_for_work()
            now = self._clock.monotonic()
            if self._helped:
                self._queue.happened(self._helped, now)
                self._helped.clear()
            decision = gangs.decide(self._queue.take(BATCH_PODS_MAX, now), self._snapshot)
            for placement in decision.placements:
                self._figures.tried(placement.pod.key, now)
                self._assume(placement.pod)
            for rejection in decision.rejections:
                self._figures.tried(rejection.pod.key, now)
                self._figures.refused(rejection.pod.key, self._clock.monotonic())
                self._queue.refused(rejection.pod, rejection.filters, now)
                self._mark_victims(rejection)
            for outcome in decision.groups:
                self._settle_group(outcome, now)
            for placement in decision.placements:
                await self._writes.put(placement)
            for rejection in decision.rejections:
                await self._writes.put(rejection)

    async def _wait_for_work(self) -> None:
        if self._helped:
            return
        seconds = self._queue.next_due(self._clock.monotonic())
        if seconds == 0:
            await self._clock.sleep(0)
            return
        self._wake.clear()
        if seconds is None:
            await self._wake.wait()
            return
        try:
            async with self._clock.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    def _mark_victims(self, rejection: Rejection) -> None:
        for key in rejection.victims:
            victim = self._pods.get(key)
            if victim is not None:
                self._victims[key] = objects.uid(victim)

    def _settle_group(self, outcome: GroupOutcome, now: float) -> None:
        """Its pods that still have no node wait until something changes."""
        rest = self._keep_in_queue(outcome.group.group.key)
        if rest is not None:
            self._queue.refused(rest, outcome.filters, now)
        self._group_teller.tell(outcome)

    def _assume(self, pod: PendingPod) -> None:
        seen = self._pods.get(pod.key)
        assert seen is not None, "a pod leaves the queue when it leaves the cache"
        self._assumed[pod.key] = objects.uid(seen)
        self._groups.leave(pod.key)

    # Apply

    async def _write(self, write: Placement | Rejection) -> None:
        pod = self._pods.get(write.pod.key)
        if pod is None or pods.classify(pod, self._name) is not pods.Place.PENDING:
            self._figures.left(write.pod.key)
            if isinstance(write, Rejection):
                self._spare(write.victims)
            return  # it went away meanwhile; its handler has put everything right
        if isinstance(write, Placement) and (write.plan is not None or write.devices is not None):
            self._running.start(f"claims of {write.pod.key}", self._bind_with_claims(write, pod))
        elif isinstance(write, Placement):
            await self._bind(write, pod)
        else:
            await self._say_why_not(write, pod)

    async def _bind(self, placement: Placement, pod: Object) -> None:
        if self._assumed.get(placement.pod.key) != objects.uid(pod):
            return  # it was deleted and made again meanwhile; the new one is in the queue
        namespace, name = objects.namespace(pod), objects.name(pod)
        binding = pods.binding(pod, placement.node)
        try:
            await self._client.create(
                kinds.POD, binding, namespace, because=objects.revision(pod), subresource="binding", name=name
            )
        except (StatusError, Unreachable) as why:
            is_known = isinstance(why, StatusError) and why.code < 500
            if is_known or not await self._was_bound_after_all(pod):
                self._take_back(placement, pod, why)
                return
        self._figures.bound(placement.pod.key, self._clock.monotonic())
        if self._assumed.get(placement.pod.key) == objects.uid(pod):
            self._leave_queue(placement.pod.key)
        text = f"Successfully assigned {namespace}/{name} to {placement.node}"
        self._recorder.event(pod, "Normal", "Scheduled", text)

    async def _bind_with_claims(self, placement: Placement, pod: Object) -> None:
        """No writer waits for volumes: they may take minutes to make."""
        plugin = "VolumeBinding"
        try:
            if placement.plan is not None:
                await self._binder.bind(placement.plan, objects.revision(pod))
            if placement.devices is not None:
                plugin = "DynamicResources"
                await self._device_binder.bind(placement.devices, pod)
        except (BindingFailedError, StatusError, Unreachable) as why:
            if placement.plan is not None:
                self._snapshot.volumes.take_back(placement.plan)
            if placement.devices is not None:
                self._snapshot.devices.take_back(placement.devices)
            self._take_back(placement, pod, why, f'running PreBind plugin "{plugin}"')
            return
        seen = self._pods.get(placement.pod.key)
        if seen is not None and objects.uid(seen) == objects.uid(pod) and not objects.is_terminating(seen):
            await self._bind(placement, pod)

    async def _was_bound_after_all(self, pod: Object) -> bool:
        """After an answer was lost. Until this is known the pod stays assumed: its room must not be given away twice."""
        pause = backoff.Backoff(self._clock)
        while True:
            await pause.wait()
            try:
                found = await self._client.get(kinds.POD, objects.name(pod), objects.namespace(pod))
            except StatusError as refused:
                if refused.code == 404:
                    return False
                _log.warning("%s: cannot see whether it was bound: %s", objects.key(pod), refused)
            except Unreachable as lost:
                _log.info("%s: cannot see whether it was bound: %s", objects.key(pod), lost)
            else:
                return objects.uid(found) == objects.uid(pod) and bool(found["spec"].get("nodeName"))

    def _take_back(
        self,
        placement: Placement,
        pod: Object,
        why: Exception,
        step: str = 'binding rejected: running Bind plugin "DefaultBinder"',
    ) -> None:
        key = placement.pod.key
        _log.info("%s could not be bound to %s: %s", key, placement.node, why)
        if self._assumed.get(key) != objects.uid(pod):
            return
        self._forget_assumed(key)
        self._figures.failed(key, self._clock.monotonic())
        self._try_again(placement.pod)
        self._recorder.event(pod, "Warning", "FailedScheduling", f"{step}: {why}")

    def _try_again(self, pod: PendingPod) -> None:
        """After a pause."""
        self._enqueue(pod)
        again = self._keep_in_queue(pod.pod_group) if pod.pod_group else pod
        if again is not None:
            self._queue.failed(again, self._clock.monotonic())
        self._wake.set()

    async def _say_why_not(self, rejection: Rejection, pod: Object) -> None:
        group = self._pod_groups.get(rejection.pod.pod_group)
        if rejection.victims:
            self._figures.preempting(len(rejection.victims))
        made_room = await self._evictor.make_room(rejection, pod, group)
        if not made_room:
            self._spare(rejection.victims)
            self._snapshot.nominations.drop(rejection.pod.key)
            self._try_again(rejection.pod)
        await self._give_up(rejection, pod)
        self._recorder.event(pod, "Warning", "FailedScheduling", rejection.message)
        await self._evictor.say(pod, rejection, rejection.nominated if made_room else "")

    async def _give_up(self, rejection: Rejection, pod: Object) -> None:
        """Devices that keep the pod from a node, or that an earlier attempt left behind."""
        try:
            if rejection.deallocated:
                await self._device_binder.give_up(rejection.deallocated, pod)
            if rejection.pod.shape.extended:
                await self._device_binder.drop_extended(pod)
        except (StatusError, Unreachable) as refused:
            # The next attempt finds them in the way once more.
            _log.info("%s: devices not given up: %s", objects.key(pod), refused)

    def _spare(self, victims: Iterable[str]) -> None:
        """Nobody told them to go after all, or only some."""
        for key in victims:
            self._victims.pop(key, None)
            seen = self._pods.get(key)
            self._snapshot.set_terminating(key, terminating=seen is not None and objects.is_terminating(seen))


def _setter(known: dict[str, Object]) -> Keep:
    def keep(key: str, obj: Object | None) -> None:
        if obj is None:
            known.pop(key, None)
        else:
            known[key] = obj

    return keep
