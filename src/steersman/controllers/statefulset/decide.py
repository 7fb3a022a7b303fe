"""Keep pods with lasting names: one per ordinal, never two of the same name, made and removed in order.

Reads: StatefulSet, its pods, their claims, its ControllerRevisions.  Writes: pods, claims (create, owners),
ControllerRevisions, StatefulSet status.
Leaves to others: nodes, containers, its pods when it is deleted (garbage collector); a pod on a node that is silent stays,
as only the node could tell that its containers have ended (someone may say so for it, by deleting it with force).
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.api import kinds
from steersman.controllers import claims, decision, pods, revisions
from steersman.controllers.decision import Action, Create, Decision, Delete, Emit, Failure, Patch
from steersman.controllers.revisions import History
from steersman.controllers.statefulset import identity, volume_claims
from steersman.meta import amounts, objects, selectors
from steersman.meta.objects import Object

_ALWAYS_TOLD = frozenset(("replicas", "availableReplicas"))  # also when zero, as upstream's encoder does

_HASH = "controller.kubernetes.io/hash"  # of a revision; its pods carry the revision's whole name


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`taken`: the object that already has the name of a new revision. `claims`: the pods' claims that are there, by name."""

    stateful_set: Object
    pods: Sequence[Object]
    revisions: Sequence[Object]
    now: datetime.datetime
    orphans: Sequence[Object] = ()
    orphan_revisions: Sequence[Object] = ()
    may_adopt: bool = False
    taken: Object | None = None
    claims: Mapping[str, Object] = dataclasses.field(default_factory=dict)
    failure: Failure | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Plan:
    actions: tuple[Action, ...] = ()
    why: str = "pods match"


def decide(seen: Seen) -> Decision:
    of = seen.stateful_set
    selector = selectors.from_object(of["spec"].get("selector"))
    members = [pod for pod in seen.pods if identity.ordinal(of, pod) is not None]
    orphans = [pod for pod in seen.orphans if identity.ordinal(of, pod) is not None]
    claimed = claims.classify(of, selector, members, orphans, seen.may_adopt)
    known = claims.classify(of, selector, seen.revisions, seen.orphan_revisions, seen.may_adopt)
    ownership = claims.changes(kinds.POD, of, claimed)
    ownership += claims.changes(kinds.CONTROLLER_REVISION, of, dataclasses.replace(known, released=()))
    if ownership:
        return Decision(ownership, f"{len(claimed.adopted)} pods to adopt, {len(claimed.released)} to release")
    history = revisions.look(of, seen.revisions, seen.taken, _HASH)
    if history.collides and not objects.is_terminating(of):
        count = int((of.get("status") or {}).get("collisionCount") or 0) + 1
        status = {**(of.get("status") or {}), "collisionCount": count}
        return Decision(decision.with_status(kinds.STATEFUL_SET, of, status), "the name of the revision is taken")
    return _decide(_View(of, claimed.kept, history, seen.claims, seen.now))


class _View:
    """The pods by ordinal, and what is asked of them."""

    def __init__(
        self, of: Object, kept: Sequence[Object], history: History, claims: Mapping[str, Object], now: datetime.datetime
    ) -> None:
        self.of, self.spec, self.pods, self.history, self.now = of, of["spec"], kept, history, now
        self.claims = claims
        self.update = history.update
        status = of.get("status") or {}
        self.current = history.named(str(status.get("currentRevision") or "")) or self.update
        self.start = identity.start(of)
        self.count = int(self.spec.get("replicas", 1))
        by_ordinal: Mapping[int, Object] = {identity.ordinal(of, pod) or 0: pod for pod in kept}
        self.replicas = [by_ordinal.get(self.start + index) for index in range(self.count)]
        wanted = range(self.start, self.start + self.count)
        self.condemned = [pod for number, pod in sorted(by_ordinal.items(), reverse=True) if number not in wanted]
        self.is_ordered = self.spec.get("podManagementPolicy") != "Parallel"
        self.min_ready = int(self.spec.get("minReadySeconds") or 0)

    def seconds_to_available(self, pod: Object) -> float | None:
        if pods.phase(pod) != "Running":
            return None
        return pods.seconds_to_available(pod, self.min_ready, self.now)

    def is_available(self, pod: Object | None) -> bool:
        return pod is not None and not pods.is_terminating(pod) and self.seconds_to_available(pod) == 0

    def is_ready(self, pod: Object) -> bool:
        return pods.phase(pod) == "Running" and pods.is_ready(pod)

    def revision_for(self, index: int) -> Object:
        """Below the partition the revision that was there before."""
        strategy = self.spec.get("updateStrategy") or {}
        if strategy.get("type") != "RollingUpdate":
            return self.update
        partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
        return self.current if index < partition else self.update


def _decide(view: _View) -> Decision:
    plan = _Plan(why="being deleted") if objects.is_terminating(view.of) else _pods(view)
    status, again = _status(view)
    live = {objects.name(view.current), objects.name(view.update), *map(identity.revision_of, view.pods)}
    limit = int(view.spec.get("revisionHistoryLimit", 10))
    actions = (
        *(() if objects.is_terminating(view.of) else view.history.actions),  # the garbage collector would remove it
        *plan.actions,
        *decision.with_status(kinds.STATEFUL_SET, view.of, status),
        *revisions.surplus(view.history, live, limit),
    )
    return Decision(actions, plan.why, again)


def _pods(view: _View) -> _Plan:
    """First the pods that are wanted, in order; then, in reverse, those that are not; then, in reverse, the outdated.

    Before all that the owners of claims: a pod that goes may take its claims along.
    """
    owned = volume_claims.owner_changes(
        view.of, ((pod, pod in view.condemned) for pod in view.pods if not pods.is_terminating(pod)), view.claims
    )
    if owned:
        return _Plan(owned, f"{len(owned)} claims change their owner")
    actions: list[Action] = []
    for index in range(view.count):
        found, is_held = _replica(view, index)
        actions += found
        if is_held and view.is_ordered:
            return _Plan(tuple(actions), f"{_name(view, index)} comes first")
    doomed = _condemned(view)
    actions += (_delete(view.of, pod) for pod in doomed)
    if actions or (view.condemned and view.is_ordered):
        return _Plan(tuple(actions), f"{len(view.condemned)} pods too many")
    return _rolling(view)


def _replica(view: _View, index: int) -> tuple[tuple[Action, ...], bool]:
    """What one ordinal needs, and whether the others have to wait for it."""
    pod = view.replicas[index]
    if pod is None:
        return _new(view, index), True
    if pods.is_terminating(pod):
        return (), True
    if pods.is_finished(pod):
        return () if pods.seconds_to_replace(pod, view.now) else (_delete(view.of, pod),), True
    if not view.is_available(pod):
        # It may wait for a claim that somebody has deleted.
        claims_gone = pods.phase(pod) == "Pending" and volume_claims.missing(view.of, view.start + index, view.claims)
        return claims_gone or (), True
    labels = identity.missing_labels(pod)
    return ((_label(view.of, pod, labels),), False) if labels else ((), False)


def _new(view: _View, index: int) -> tuple[Action, ...]:
    """Its claims, and when they are seen, the pod."""
    number = view.start + index
    why = volume_claims.unusable(view.of, number, view.claims)
    if why:
        text = f"create Pod {_name(view, index)} in StatefulSet {objects.name(view.of)} failed error: {why}"
        return (Emit(view.of, "Warning", "FailedCreate", text),)
    return volume_claims.missing(view.of, number, view.claims) or (_create(view, index),)


def _condemned(view: _View) -> list[Object]:
    """In order: one at a time from the highest, and only while the others are well (but for the first that is not).
    One that has ended is not waited for, as upstream would for ever."""
    if not view.is_ordered:
        return [pod for pod in view.condemned if not pods.is_terminating(pod)]
    ill = [pod for pod in reversed(view.condemned) if not view.is_available(pod)]
    for pod in view.condemned[:1]:
        if not pods.is_terminating(pod) and (view.is_available(pod) or pods.is_finished(pod) or pod is ill[0]):
            return [pod]
    return []


def _rolling(view: _View) -> _Plan:
    """Replace outdated pods from the highest ordinal down to the partition, at most `maxUnavailable` at a time.

    An outdated pod that is not available anyway costs nothing, so a broken rollout is repaired by the next one.
    """
    strategy = view.spec.get("updateStrategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return _Plan(why="pods match, outdated ones wait to be deleted")
    rolling = strategy.get("rollingUpdate") or {}
    limit = max(1, amounts.scaled(rolling.get("maxUnavailable", 1), view.count, up=False))
    outdated = [
        pod for pod in view.replicas[int(rolling.get("partition") or 0) :] if pod is not None and _is_old(view, pod)
    ]
    unavailable = sum(not view.is_available(pod) for pod in view.replicas)
    broken = sum(not view.is_available(pod) for pod in outdated)
    doomed: list[Object] = []
    for pod in reversed(outdated):
        disrupted = unavailable - broken + len(doomed)
        costs = sum(view.is_available(one) for one in doomed) + unavailable
        if disrupted < limit and (not view.is_available(pod) or costs < limit):
            doomed.append(pod)
    why = f"{len(outdated)} pods are outdated" if outdated else "pods match"
    return _Plan(tuple(_delete(view.of, pod) for pod in doomed), why)


def _is_old(view: _View, pod: Object) -> bool:
    return not pods.is_terminating(pod) and identity.revision_of(pod) != objects.name(view.update)


def _status(view: _View) -> tuple[Object, float | None]:
    current, update = objects.name(view.current), objects.name(view.update)
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"), 0)
    again: float | None = None
    for pod in view.pods:
        again = decision.earliest(again, pods.seconds_to_replace(pod, view.now) or None)
        counts["replicas"] += 1
        if view.is_ready(pod):
            counts["readyReplicas"] += 1
            left = view.seconds_to_available(pod)
            counts["availableReplicas"] += left == 0
            again = decision.earliest(again, left or None)
        if not pods.is_terminating(pod):
            counts["currentReplicas"] += identity.revision_of(pod) == current
            counts["updatedReplicas"] += identity.revision_of(pod) == update
    is_rolling = (view.spec.get("updateStrategy") or {}).get("type") == "RollingUpdate"
    if is_rolling and counts["updatedReplicas"] == counts["readyReplicas"] == counts["replicas"] == view.count:
        counts["currentReplicas"], current = counts["updatedReplicas"], update
    old = view.of.get("status") or {}
    status = {
        "observedGeneration": view.of["metadata"].get("generation", 0),
        **{name: count for name, count in counts.items() if count or name in _ALWAYS_TOLD},
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": int(old.get("collisionCount") or 0),
    }
    if old.get("conditions"):
        status["conditions"] = old["conditions"]
    return status, again


def _name(view: _View, index: int) -> str:
    return f"{objects.name(view.of)}-{view.start + index}"


def _create(view: _View, index: int) -> Create:
    pod = identity.new_pod(view.of, view.revision_for(index), view.start + index)
    return Create(kinds.POD, pod, *_events(view.of, pod, "Create"))


def _delete(of: Object, pod: Object) -> Delete:
    done, refused = _events(of, pod, "Delete")
    return decision.delete(kinds.POD, pod, done=done, refused=refused)


def _label(of: Object, pod: Object, labels: dict[str, str]) -> Patch:
    done, refused = _events(of, pod, "Update")
    return decision.patch(kinds.POD, pod, {"metadata": {"labels": labels}}, done=done, refused=refused)


def _events(of: Object, pod: Object, verb: str) -> tuple[Emit, Emit]:
    text = f"{verb.lower()} Pod {objects.name(pod)} in StatefulSet {objects.name(of)}"
    return (
        Emit(of, "Normal", f"Successful{verb}", f"{text} successful"),
        Emit(of, "Warning", f"Failed{verb}", f"{text} failed error: {{error}}"),
    )
