"""Run a Deployment's template on its wanted number of pods, and change from one template to the next step by step.

Reads: Deployment, its ReplicaSets, orphans it may adopt.  Writes: ReplicaSets (create, scale, annotate, delete old
ones), Deployment status and its revision annotation.
Leaves to others: pods (ReplicaSets), deleting ReplicaSets when the Deployment is deleted (garbage collector),
rollback (`kubectl rollout undo` patches the template; the old ReplicaSet is then found again).
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers import claims, decision
from steersman.controllers.decision import Action, Create, Decision, Delete, Emit, Failure, Update
from steersman.controllers.deployment import revision, sizes, status, template
from steersman.controllers.deployment.status import Rollout
from steersman.meta import conditions, objects, owners, selectors
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`owned` and `orphans` are ReplicaSets; `may_adopt`: a live read showed that the Deployment is not being deleted.

    `taken`: what already has the name that a new ReplicaSet would get. `old_pods_left`: pods of old ReplicaSets that have
    not finished, terminating ones included (only needed for Recreate).
    """

    deployment: Object
    owned: Sequence[Object]
    now: datetime.datetime
    orphans: Sequence[Object] = ()
    may_adopt: bool = False
    taken: Object | None = None
    old_pods_left: bool = False
    failure: Failure | None = None


def decide(seen: Seen) -> Decision:
    deployment = seen.deployment
    selector = selectors.from_object(deployment["spec"].get("selector"))
    if selector.is_everything:
        return _selects_everything(deployment)
    claimed = claims.classify(deployment, selector, seen.owned, seen.orphans, seen.may_adopt)
    ownership = claims.changes(kinds.REPLICA_SET, deployment, claimed)
    if ownership:
        return Decision(ownership, f"{len(claimed.adopted)} to adopt, {len(claimed.released)} to release")

    new = template.find_new(deployment, claimed.kept)
    old = sorted((one for one in claimed.kept if one is not new), key=template.creation_order)
    rollout = Rollout(deployment, new, old, seen.now)
    if objects.is_terminating(deployment):
        return _end(rollout, Draft(deployment), status.counted(rollout, _old_conditions(deployment)), "being deleted")
    draft = Draft(deployment)
    found = status.with_pause(deployment, seen.now)
    if new is not None:
        found = _adopt_revision(rollout, draft, found)
    if deployment["spec"].get("paused") or _is_scaled(rollout):
        return _scale(rollout, draft, found)
    if sizes.is_rolling(deployment):
        return _roll(seen, rollout, draft, found)
    return _recreate(seen, rollout, draft, found)


class Draft:
    """The ReplicaSets and annotations as they are to be; each changed ReplicaSet is written once."""

    def __init__(self, deployment: Object) -> None:
        self.deployment = deployment
        self.limits = sizes.limits(deployment)
        self.annotations: dict[str, str] = {}
        self._changed: dict[str, Object] = {}
        self._events: dict[str, Emit] = {}

    def annotate(self, replica_set: Object, annotations: dict[str, str]) -> None:
        latest = self._latest(replica_set)
        if annotations != objects.annotations(latest):
            meta = {**latest["metadata"], "annotations": annotations}
            self._changed[objects.name(latest)] = {**latest, "metadata": meta}

    def set_spec(self, replica_set: Object, **fields: object) -> None:
        latest = self._latest(replica_set)
        spec = latest["spec"]
        if any(spec.get(name) != value for name, value in fields.items()):
            self._changed[objects.name(latest)] = {**latest, "spec": {**spec, **fields}}

    def resize(self, replica_set: Object, size: int) -> bool:
        """Whether that changes anything."""
        before = self._changed.get(objects.name(replica_set))
        size_before = sizes.wanted(replica_set)
        self.set_spec(replica_set, replicas=size)
        latest = self._latest(replica_set)
        marks = revision.sizes(self.limits.replicas, self.limits.maximum)
        self.annotate(replica_set, {**objects.annotations(latest), **marks})
        if size != size_before:
            direction = "up" if size > size_before else "down"
            name = objects.name(replica_set)
            text = f"Scaled {direction} replica set {name} from {size_before} to {size}"
            self._events[name] = Emit(self.deployment, "Normal", "ScalingReplicaSet", text)
        return self._changed.get(objects.name(replica_set)) is not before

    def actions(self) -> tuple[Action, ...]:
        updates = (Update(kinds.REPLICA_SET, obj, done=self._events.get(name)) for name, obj in self._changed.items())
        if not self.annotations:
            return tuple(updates)
        body = {"metadata": {"annotations": self.annotations}}
        return (*updates, decision.patch(kinds.DEPLOYMENT, self.deployment, body))

    def set_revision(self, number: int) -> None:
        if revision.of(self.deployment) != number:
            self.annotations = {revision.REVISION: str(number)}

    def _latest(self, replica_set: Object) -> Object:
        return self._changed.get(objects.name(replica_set), replica_set)


# The newest ReplicaSet


def _adopt_revision(rollout: Rollout, draft: Draft, found: list[Object]) -> list[Object]:
    """Give the newest ReplicaSet the Deployment's annotations and the highest revision; the conditions then."""
    deployment, new = rollout.deployment, rollout.new
    assert new is not None
    annotations = revision.annotations(deployment, new, revision.next_after(rollout.old))
    draft.annotate(new, annotations)
    draft.set_spec(new, **_min_ready(deployment, new))
    draft.set_revision(int(annotations.get(revision.REVISION, "0")))
    if status.deadline_seconds(deployment) is not None and conditions.find(found, status.PROGRESSING) is None:
        text = f'Found new replica set "{objects.name(new)}"'
        condition = conditions.make(status.PROGRESSING, "True", status.FOUND, text)
        return status.set_condition(found, condition, rollout.now)
    return found


def _min_ready(deployment: Object, replica_set: Object) -> dict[str, object]:
    wanted = deployment["spec"].get("minReadySeconds") or 0
    same = (replica_set["spec"].get("minReadySeconds") or 0) == wanted
    return {} if same else {"minReadySeconds": wanted}


def _create_new(seen: Seen, rollout: Rollout, draft: Draft, found: list[Object]) -> tuple[Action, ...]:
    """Create the ReplicaSet of the present template, and tell of it; or say that its name is taken."""
    deployment = rollout.deployment
    if seen.taken is not None:
        collisions = (status.old_status(deployment).get("collisionCount") or 0) + 1
        return decision.with_status(
            kinds.DEPLOYMENT, deployment, {**status.old_status(deployment), "collisionCount": collisions}
        )
    number = revision.next_after(rollout.old)
    new = _new_replica_set(rollout, draft.limits, number)
    name, size = objects.name(new), sizes.wanted(new)
    event = Emit(deployment, "Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}")
    refused = f'Failed to create new replica set "{name}": {{error}}'
    create = Create(
        kinds.REPLICA_SET,
        new,
        done=event if size else None,
        refused=Emit(deployment, "Warning", status.CREATE_ERROR, refused),
    )
    draft.set_revision(number)
    return (create, *draft.actions(), *_told_of_new(seen, rollout, found, new))


def _told_of_new(seen: Seen, rollout: Rollout, found: list[Object], new: Object) -> tuple[Action, ...]:
    """The status once it is made, which counts it, and that after a refusal."""
    name = objects.name(new)
    if status.deadline_seconds(rollout.deployment) is None:
        found_then = found
    else:
        text = f'Created new replica set "{name}"'
        made = conditions.make(status.PROGRESSING, "True", status.CREATED, text)
        found_then = status.set_condition(found, made, rollout.now)
    deployment = rollout.deployment
    made_so = dataclasses.replace(rollout, new=new)
    done = decision.with_status(kinds.DEPLOYMENT, deployment, status.progressed(made_so, found_then), "done")
    if seen.failure is None or seen.failure.resource != kinds.REPLICA_SET.resource:
        return done
    text = f'Failed to create new replica set "{name}": {seen.failure.message}'
    failed = conditions.make(status.PROGRESSING, "False", status.CREATE_ERROR, text)
    told = status.counted(rollout, status.set_condition(found, failed, rollout.now))
    return (*done, *decision.with_status(kinds.DEPLOYMENT, deployment, told, "refused"))


def _new_replica_set(rollout: Rollout, allowed: sizes.Limits, number: int) -> Object:
    deployment = rollout.deployment
    given = deployment["spec"].get("template") or {}
    mark = {template.HASH_LABEL: template.hash_of(deployment)}
    labels = {**((given.get("metadata") or {}).get("labels") or {}), **mark}
    selector = deployment["spec"]["selector"]
    spec: Object = {
        "replicas": sizes.new_size(0, sizes.total(rollout.old), allowed, sizes.is_rolling(deployment)),
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **mark}},
        "template": {**given, "metadata": {**(given.get("metadata") or {}), "labels": labels}},
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    bare: Object = {"metadata": {}}
    annotations = revision.annotations(deployment, bare, number)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": template.new_name(deployment),
            "namespace": objects.namespace(deployment),
            "labels": labels,
            "annotations": annotations | revision.sizes(allowed.replicas, allowed.maximum),
            "ownerReferences": [owners.make(deployment)],
        },
        "spec": spec,
    }


# Scaling and pause


def _is_scaled(rollout: Rollout) -> bool:
    """Whether the Deployment's size changed since its active ReplicaSets were last scaled."""
    replicas = sizes.wanted(rollout.deployment)
    marks = (revision.desired(one) for one in rollout.all if sizes.wanted(one) > 0)
    return any(mark is not None and mark != replicas for mark in marks)


def _scale(rollout: Rollout, draft: Draft, found: list[Object]) -> Decision:
    allowed = draft.limits
    active = [one for one in rollout.all if sizes.wanted(one) > 0]
    if len(active) <= 1:
        only = active[0] if active else (rollout.new or next(reversed(rollout.old), None))
        if only is not None and (active or sizes.wanted(only) != allowed.replicas):
            draft.resize(only, allowed.replicas)
    elif sizes.is_saturated(rollout.new, allowed.replicas):
        for one in active:
            if one is not rollout.new:
                draft.resize(one, 0)
    elif sizes.is_rolling(rollout.deployment):
        status_replicas = int(status.old_status(rollout.deployment).get("replicas") or 0)
        shares = sizes.proportional(active, allowed, status_replicas)
        for one in active:
            draft.resize(one, shares[objects.name(one)])
    paused = bool(rollout.deployment["spec"].get("paused"))
    cleanup = _cleanup(rollout) if paused else ()
    return _end(rollout, draft, status.counted(rollout, found), "paused" if paused else "scaled", cleanup)


# The two strategies


def _roll(seen: Seen, rollout: Rollout, draft: Draft, found: list[Object]) -> Decision:
    allowed, new = draft.limits, rollout.new
    if new is None:
        return Decision(_create_new(seen, rollout, draft, found), "no ReplicaSet has the present template")
    if _grow_new(rollout, draft):
        return _end(rollout, draft, status.progressed(rollout, found), "the new ReplicaSet may grow")
    shrunk = sizes.old_sizes(new, rollout.old, allowed)
    for one in rollout.old:
        if objects.name(one) in shrunk:
            draft.resize(one, shrunk[objects.name(one)])
    if shrunk:
        return _end(rollout, draft, status.progressed(rollout, found), "old ReplicaSets may shrink")
    return _finish(rollout, draft, found)


def _recreate(seen: Seen, rollout: Rollout, draft: Draft, found: list[Object]) -> Decision:
    active = [one for one in rollout.old if sizes.wanted(one) > 0]
    for one in active:
        draft.resize(one, 0)
    if active:
        return _end(rollout, draft, status.progressed(rollout, found), "old pods go first")
    if seen.old_pods_left or any(sizes.actual(one) for one in rollout.old):
        return _end(rollout, draft, status.progressed(rollout, found), "old pods are still there")
    if rollout.new is None:
        return Decision(_create_new(seen, rollout, draft, found), "no ReplicaSet has the present template")
    if _grow_new(rollout, draft):
        return _end(rollout, draft, status.progressed(rollout, found), "the new ReplicaSet may grow")
    return _finish(rollout, draft, found)


def _grow_new(rollout: Rollout, draft: Draft) -> bool:
    new, allowed = rollout.new, draft.limits
    assert new is not None
    size = sizes.wanted(new)
    if size == allowed.replicas:
        return False
    if size > allowed.replicas:
        wanted = allowed.replicas
    else:
        rolling = sizes.is_rolling(rollout.deployment)
        wanted = sizes.new_size(size, sizes.total(rollout.all), allowed, rolling)
    if wanted == size:
        return False
    draft.resize(new, wanted)
    return True


def _finish(rollout: Rollout, draft: Draft, found: list[Object]) -> Decision:
    deployment = rollout.deployment
    complete = status.is_complete(deployment, status.old_status(deployment))
    why = "rolled out" if complete else "waiting for pods"
    cleanup = _cleanup(rollout) if complete else ()
    return _end(rollout, draft, status.progressed(rollout, found), why, cleanup)


def _cleanup(rollout: Rollout) -> tuple[Delete, ...]:
    """Old ReplicaSets beyond the history limit, oldest revision first, that run nothing."""
    limit = rollout.deployment["spec"].get("revisionHistoryLimit")
    alive = [one for one in rollout.old if not objects.is_terminating(one)]
    if limit is None or len(alive) <= limit:
        return ()
    ordered = sorted(alive, key=lambda one: (revision.of(one), template.creation_order(one)))
    return tuple(
        decision.delete(kinds.REPLICA_SET, one) for one in ordered[: len(alive) - limit] if _is_empty_for_good(one)
    )


def _is_empty_for_good(replica_set: Object) -> bool:
    observed = (replica_set.get("status") or {}).get("observedGeneration") or 0
    return (
        sizes.actual(replica_set) == 0
        and sizes.wanted(replica_set) == 0
        and replica_set["metadata"].get("generation", 0) <= observed
    )


def _end(rollout: Rollout, draft: Draft, new_status: Object, why: str, more: tuple[Action, ...] = ()) -> Decision:
    told = decision.with_status(kinds.DEPLOYMENT, rollout.deployment, new_status)
    again = status.seconds_to_deadline(rollout, new_status)
    return Decision((*draft.actions(), *more, *told), why, again)


def _old_conditions(deployment: Object) -> list[Object]:
    found: list[Object] = status.old_status(deployment).get("conditions") or []
    return found


def _selects_everything(deployment: Object) -> Decision:
    why = "This deployment is selecting all pods. A non-empty selector is required."
    generation = deployment["metadata"].get("generation", 0)
    if status.old_status(deployment).get("observedGeneration", 0) >= generation:
        return Decision(why=why)
    told = {**status.old_status(deployment), "observedGeneration": generation}
    event = Emit(deployment, "Warning", "SelectingAll", why)
    return Decision((event, *decision.with_status(kinds.DEPLOYMENT, deployment, told)), why)
