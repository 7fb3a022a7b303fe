"""Known bugs, each planted by a small patch at run time: the simulator has to find every one.

`faults`: those among which it is searched. `found_at`: the first seed of `SIZE` that shows it, so that the test is quick.
"""

import asyncio
import dataclasses
import datetime
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from steersman.aio import workqueue
from steersman.api import kinds
from steersman.apiserver import deletion
from steersman.apiserver.admission import (
    ip_addresses,
    node_ports,
    number_book,
    resource_quota,
    service_addresses,
    service_numbers,
)
from steersman.apiserver.subresources import eviction, pods
from steersman.client import leader_election, requests
from steersman.client.cache import Cache
from steersman.containers import fake_addresses
from steersman.controllers import apply, decision, expectations
from steersman.controllers.daemonset import eligibility
from steersman.controllers.garbage_collector import decide as garbage_collector
from steersman.controllers.job import tracking
from steersman.controllers.local_path import decide as local_path
from steersman.controllers.node_lifecycle import controller as node_lifecycle
from steersman.controllers.pvc_protection import decide as pvc_protection
from steersman.controllers.replicaset import decide as replica_set
from steersman.controllers.statefulset import volume_claims
from steersman.controllers.taint_eviction import decide as taint_eviction
from steersman.kubelet import relist
from steersman.meta import errors
from steersman.scheduler import preemption, queue, volume_binder
from steersman.scheduler.filters import volume_restrictions
from steersman.simulation.plan import Size
from steersman.simulation.storage import SimulatedStore
from steersman.store import fanout, state
from steersman.store.contract import Put

SIZE = Size(
    nodes=2,
    seconds=60.0,
    namespaces=1,
    apps=2,
    replicas=3,
    changes=3,
    faults=4,
    alone=0,
    kinds=("deployments",),
    quotas=0.0,
    urgent=0,
    budgets=0.0,
    spare_manager=0.0,
    spare_server=0.0,
)
# Two API servers over the store.
SERVERS = dataclasses.replace(SIZE, faults=12, spare_server=1.0)
# A sharper look at one kind of trouble.
MANY = dataclasses.replace(SIZE, faults=12)
# Many that come again under the same name.
ALONE = dataclasses.replace(SIZE, apps=1, faults=12, alone=6)

# Nodes cut off for longer than they are given up after.
APART = dataclasses.replace(SIZE, faults=12, changes=1)
JOBS = dataclasses.replace(SIZE, kinds=("jobs",))
CLAIMS = dataclasses.replace(MANY, kinds=("claimed",))
SHARED = dataclasses.replace(MANY, kinds=("shared",))

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Bug:
    name: str
    plant: Plant
    faults: tuple[str, ...]
    found_at: int = 0
    size: Size = SIZE


def skip_expectations(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(expectations.Expectations, "postpone", lambda self, key: False)


def ignore_conflicts(patch: pytest.MonkeyPatch) -> None:
    """Whoever writes last wins."""
    original = state.plan

    def plan(operations: Any, revision: int, current: Any) -> Any:
        loose = [dataclasses.replace(one, expect=None) if one.expect else one for one in operations]
        return original(loose, revision, current)

    patch.setattr(state, "plan", plan)


def forget_a_requeue(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(workqueue.WorkQueue, "add_rate_limited", lambda self, key: None)
    patch.setattr(workqueue.WorkQueue, "add_after", lambda self, key, seconds: None)


def lose_an_event_at_reconnect(patch: pytest.MonkeyPatch) -> None:
    original = fanout.Fanout.add
    patch.setattr(fanout.Fanout, "add", lambda self, prefix, after, replay: original(self, prefix, after, replay[1:]))


def count_a_pod_twice(patch: pytest.MonkeyPatch) -> None:
    original = replica_set._scale
    patch.setattr(replica_set, "_scale", lambda seen, live, refused: original(seen, [*live, *live[:1]], refused))


def release_a_pod_address_too_early(patch: pytest.MonkeyPatch) -> None:
    original = fake_addresses.Addresses.take

    def take(self: Any) -> str:
        address = original(self)
        self.give_back([address])
        self.next = 2
        return address

    patch.setattr(fake_addresses.Addresses, "take", take)


def forget_the_finalizer_of_namespaces(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deletion, "_held_by_kind", lambda obj: False)


def never_collect_garbage(patch: pytest.MonkeyPatch) -> None:
    original = garbage_collector.decide

    def decide(seen: Any) -> Any:
        found = original(seen)
        return dataclasses.replace(
            found, actions=tuple(one for one in found.actions if not isinstance(one, decision.Delete))
        )

    patch.setattr(garbage_collector, "decide", decide)


def acknowledge_before_writing(patch: pytest.MonkeyPatch) -> None:
    """One write of fifty is answered and then forgotten."""
    original, count = SimulatedStore.txn, [0]

    async def txn(self: Any, operations: Any, cause: Any = None) -> int:
        count[0] += 1
        return self.revision + 1 if count[0] % 50 == 0 else await original(self, operations, cause)

    patch.setattr(SimulatedStore, "txn", txn)


def tell_events_out_of_order(patch: pytest.MonkeyPatch) -> None:
    original = fanout.QueuedWatch._take
    patch.setattr(fanout.QueuedWatch, "_take", lambda self: original(self)[::-1])


def keep_what_vanished_while_away(patch: pytest.MonkeyPatch) -> None:
    """A cache that lists again does not see what is gone."""

    def replace(self: Any, found: Any, revision: int) -> None:
        for key, obj in found.items():
            self._change(key, obj)
        self.revision = revision

    patch.setattr(Cache, "replace", replace)


def never_list_again(patch: pytest.MonkeyPatch) -> None:
    """A cache whose revision is gone goes on from now, as if nothing had happened in between."""
    original = Cache._watch

    async def watch(self: Any) -> None:
        try:
            await original(self)
        except errors.StatusError as refused:
            if refused.code != 410:
                raise
            page = await self._client.list(self.kind, limit=1)
            self.revision = int(page.resource_version)

    patch.setattr(Cache, "_watch", watch)


def forget_a_pod_that_could_not_be_bound(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(queue.Queue, "failed", lambda self, pod, now: None)


def leave_orphans_running(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, sandboxes: Any, containers: Any) -> None:
        return

    patch.setattr(relist.Relist, "remove", nothing)


def take_unknown_for_failed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(apply.Application, "_doubt", lambda self, action: None)


def delete_by_name_only(patch: pytest.MonkeyPatch) -> None:
    original = requests.delete
    patch.setattr(requests, "delete", lambda *given, **named: original(*given, **{**named, "uid": ""}))


def bind_without_precondition(patch: pytest.MonkeyPatch) -> None:
    """Whichever pod has that name now, and wherever it is by now."""
    original = pods.Pods._bound

    def bound(self: Any, call: Any, pod: Any, node: str, meta: Any) -> Any:
        free = {**pod, "spec": {**pod["spec"], "nodeName": None}}
        return original(self, call, free, node, {key: value for key, value in meta.items() if key != "uid"})

    patch.setattr(pods.Pods, "_bound", bound)


def use_local_time(patch: pytest.MonkeyPatch) -> None:
    """How long a node has been silent, from what its lease says and the own wall clock."""
    original = node_lifecycle._Heartbeats.observe

    def observe(self: Any, look: Any, key: str) -> Any:
        found = original(self, look, key)
        lease = look.caches.of(kinds.LEASE).get(f"kube-node-lease/{key}")
        if found is None or lease is None:
            return found
        renewed = datetime.datetime.fromisoformat(lease["spec"]["renewTime"])
        return dataclasses.replace(found, silent_seconds=(look.now - renewed).total_seconds())

    patch.setattr(node_lifecycle._Heartbeats, "observe", observe)


def force_deletions_off_lost_nodes(patch: pytest.MonkeyPatch) -> None:
    """Whoever evicts from a node that is silent does not wait for it to say that the pod has ended."""
    original = taint_eviction.decide

    def decide(seen: Any) -> Any:
        found = original(seen)
        actions = [
            dataclasses.replace(one, grace_seconds=0) if isinstance(one, decision.Delete) else one
            for one in found.actions
        ]
        return dataclasses.replace(found, actions=tuple(actions))

    patch.setattr(taint_eviction, "decide", decide)


def count_an_ended_pod_again(patch: pytest.MonkeyPatch) -> None:
    """A uid that has gone from the list into the counter stays in the list."""
    original = tracking._Counter._moved

    def moved(view: Any, field: str, tracked: set[str]) -> Any:
        listed = (view.status.get("uncountedTerminatedPods") or {}).get(field) or []
        return original(view, field, tracked)[0], list(listed)

    patch.setattr(tracking._Counter, "_moved", staticmethod(moved))


def release_pods_before_they_are_counted(patch: pytest.MonkeyPatch) -> None:
    """Nobody writes down who has ended: once the finalizers are gone, nothing says so any more."""
    original = tracking._Counter.counts
    patch.setattr(
        tracking._Counter, "counts", lambda self: {**original(self), "uncountedTerminatedPods": {}, "failed": 0}
    )


def see_only_bound_pods_of_a_daemon_set(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(eligibility, "target", lambda pod: (pod.get("spec") or {}).get("nodeName") or "")


def admit_without_charging_the_quota(patch: pytest.MonkeyPatch) -> None:
    """Each write is compared with what the quota says, and does not say that it was there."""
    original = resource_quota.ResourceQuotas.reserve

    async def reserve(self: Any, review: Any) -> None:
        before = [*review.also]
        await original(self, review)
        review.also[:] = before

    patch.setattr(resource_quota.ResourceQuotas, "reserve", reserve)


def lead_whoever_else_leads(patch: pytest.MonkeyPatch) -> None:
    original = leader_election.decide
    patch.setattr(
        leader_election, "decide", lambda seen: original(dataclasses.replace(seen, changed_seconds_ago=1000.0))
    )


def evict_without_asking(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(eviction, "judge", lambda pod, budgets, now: eviction.Granted())


def tell_equals_to_go(patch: pytest.MonkeyPatch) -> None:
    original = preemption.decide
    patch.setattr(
        preemption, "decide", lambda shape, priority, snapshot, made: original(shape, priority + 1, snapshot, made)
    )


def let_claims_go_while_they_are_used(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pvc_protection, "uses", lambda pod, claim: False)


def delete_what_the_policy_retains(patch: pytest.MonkeyPatch) -> None:
    """As if every set had said Delete."""
    original = volume_claims.owner_changes
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}

    def owner_changes(stateful_set: Any, pods: Any, claims: Any) -> Any:
        loose = {**stateful_set["spec"], "persistentVolumeClaimRetentionPolicy": policy}
        return original({**stateful_set, "spec": loose}, pods, claims)

    patch.setattr(volume_claims, "owner_changes", owner_changes)


def retain_what_the_policy_deletes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(volume_claims, "owner_changes", lambda stateful_set, pods, claims: ())


def let_two_pods_have_a_claim_for_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(volume_restrictions, "_Alone", lambda claims, snapshot: None)


def bind_pods_before_their_claims(patch: pytest.MonkeyPatch) -> None:
    async def at_once(self: Any, plan: Any, seen: Any) -> None:
        return

    patch.setattr(volume_binder.VolumeBinder, "_wait_bound", at_once)


def make_a_volume_again(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether a claim's volume has been made, and its name does not tell."""
    original, count = local_path.volume_name, [0]

    def volume_name(claim: Any) -> str:
        count[0] += 1
        return f"{original(claim)}-{count[0]}"

    patch.setattr(local_path, "volume_name", volume_name)


def delete_volumes_that_are_bound(patch: pytest.MonkeyPatch) -> None:
    original = local_path._volume

    def volume(seen: Any) -> Any:
        if seen.volume is None:
            return original(seen)
        released = {**seen.volume, "status": {**seen.volume.get("status", {}), "phase": "Released"}}
        return original(dataclasses.replace(seen, volume=released))

    patch.setattr(local_path, "_volume", volume)


def give_out_what_another_server_gave_out(patch: pytest.MonkeyPatch) -> None:
    """Each server goes by its own books of node ports, made when it started; of addresses they hear from each other."""

    async def reserve(self: Any, review: Any) -> None:
        return

    def changed(self: Any, old: Any, new: Any) -> None:
        if new is not None:
            for family, number in service_addresses.held_addresses(new):
                self._taken[family].add(number)

    patch.setattr(node_ports.OfServices, "reserve", reserve)
    patch.setattr(service_addresses.ServiceAddresses, "changed", changed)


def take_an_address_from_another_server(patch: pytest.MonkeyPatch) -> None:
    """The IPAddress that is there is left to the controller, whosever it is."""
    original = ip_addresses.OfServices._taken

    async def taken(self: Any, service: Any, address: str) -> Any:
        try:
            return await original(self, service, address)
        except service_addresses.NumberTakenError:
            return []

    patch.setattr(ip_addresses.OfServices, "_taken", taken)
    patch.setattr(service_numbers.ServiceNumbers, "run", lambda self: asyncio.Event().wait())
    _begin_node_ports_apart(patch)


def _begin_node_ports_apart(patch: pytest.MonkeyPatch) -> None:
    """Else two servers that know nothing of each other collide in the port whenever they do in the address: that is refused."""
    original, books = number_book.Numbers.__init__, itertools.count()

    def begin(self: Any, low: int, high: int, *more: Any) -> None:
        original(self, low, high, *more)
        if low == 30000:
            self._next += 100 * (next(books) % 20)

    patch.setattr(number_book.Numbers, "__init__", begin)


def charge_a_quota_as_last_seen(patch: pytest.MonkeyPatch) -> None:
    """Whoever charges it does not say which state of it he has seen: one server's turns do not bind another's."""
    original = resource_quota._put

    def put(quota: Any) -> Put:
        seen = original(quota)
        return Put(seen.key, seen.head, seen.tail)

    patch.setattr(resource_quota, "_put", put)


BUGS = (
    Bug("delete by name without the uid", delete_by_name_only, ("duplicate", "delay", "lose-answer"), 5, size=ALONE),
    Bug("bind without a precondition", bind_without_precondition, ("duplicate", "delay"), size=ALONE),
    Bug("use local time", use_local_time, ("skew",), size=MANY),
    Bug("skip expectations", skip_expectations, ("stale", "delay"), size=MANY),
    Bug("ignore conflicts", ignore_conflicts, ("slow-store",), 5, size=MANY),
    Bug("forget a requeue", forget_a_requeue, ("refuse", "lose-request"), size=MANY),
    Bug("lose a watch event at reconnect", lose_an_event_at_reconnect, ("close-watch", "crash"), size=MANY),
    Bug("count a pod twice", count_a_pod_twice, ()),
    Bug("release a pod's address too early", release_a_pod_address_too_early, ()),
    Bug("forget the finalizer of namespaces", forget_the_finalizer_of_namespaces, (), 11),
    Bug("never collect garbage", never_collect_garbage, ()),
    Bug("acknowledge before writing", acknowledge_before_writing, ()),
    Bug("tell events out of order", tell_events_out_of_order, ("slow-store",)),
    Bug("keep what vanished while away", keep_what_vanished_while_away, ("compact", "lose-request"), size=MANY),
    Bug("never list again", never_list_again, ("compact", "partition", "stale"), size=MANY),
    Bug(
        "forget a pod that could not be bound",
        forget_a_pod_that_could_not_be_bound,
        ("refuse", "lose-request"),
        size=MANY,
    ),
    Bug("leave orphans running", leave_orphans_running, ("crash",), 5, size=MANY),
    Bug(
        "force deletions off lost nodes",
        force_deletions_off_lost_nodes,
        ("isolation",),
        size=dataclasses.replace(APART, kinds=("statefulsets",), seconds=120.0),
    ),
    Bug("count an ended pod again", count_an_ended_pod_again, (), size=JOBS),
    Bug("release pods before they are counted", release_pods_before_they_are_counted, (), size=JOBS),
    Bug(
        "see only bound pods of a DaemonSet",
        see_only_bound_pods_of_a_daemon_set,
        ("slow-store", "delay"),
        size=dataclasses.replace(MANY, kinds=("daemonsets",)),
    ),
    Bug(
        "admit without charging the quota",
        admit_without_charging_the_quota,
        (),
        size=dataclasses.replace(SIZE, quotas=1.0),
    ),
    Bug(
        "lead whoever else leads",
        lead_whoever_else_leads,
        ("stale", "delay"),
        size=dataclasses.replace(MANY, spare_manager=1.0),
    ),
    Bug("evict without asking", evict_without_asking, (), size=dataclasses.replace(SIZE, budgets=1.0)),
    Bug("tell equals to go", tell_equals_to_go, (), size=dataclasses.replace(SIZE, urgent=4)),
    Bug("treat an unknown outcome as failure", take_unknown_for_failed, ("lose-answer", "stale"), 15, size=MANY),
    Bug("let claims go while they are used", let_claims_go_while_they_are_used, (), size=CLAIMS),
    Bug("delete what the policy retains", delete_what_the_policy_retains, (), size=CLAIMS),
    Bug("retain what the policy deletes", retain_what_the_policy_deletes, (), size=CLAIMS),
    Bug("let two pods have a claim for one", let_two_pods_have_a_claim_for_one, (), size=SHARED),
    Bug("bind pods before their claims", bind_pods_before_their_claims, (), size=CLAIMS),
    Bug("make a volume again", make_a_volume_again, ("crash", "stale"), size=CLAIMS),
    Bug("delete volumes that are bound", delete_volumes_that_are_bound, (), size=CLAIMS),
    Bug(
        "give out what another server gave out",
        give_out_what_another_server_gave_out,
        (),
        size=dataclasses.replace(SERVERS, apps=6),
    ),
    Bug(
        "take an address from another server",
        take_an_address_from_another_server,
        (),
        size=dataclasses.replace(SERVERS, apps=6),
    ),
    Bug(
        "charge a quota as last seen",
        charge_a_quota_as_last_seen,
        ("slow-store",),
        size=dataclasses.replace(SERVERS, quotas=1.0),
        found_at=32,
    ),
)
