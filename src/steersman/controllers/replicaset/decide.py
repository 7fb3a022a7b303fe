"""Keep the number of pods of a ReplicaSet at its wanted count.

Reads: ReplicaSet, its pods, orphans it may adopt.  Writes: pods (create, delete, ownerReferences), ReplicaSet status.
Leaves to others: choosing nodes, restarting containers, deleting its pods when it is deleted (garbage collector).
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from steersman.api import kinds
from steersman.controllers import claims, decision, pods
from steersman.controllers.decision import Action, Create, Decision, Delete, Emit, Failure
from steersman.controllers.replicaset import ranking
from steersman.meta import conditions, objects, owners, selectors
from steersman.meta.objects import Object

BURST_MAX = 500  # creates or deletes of one decision (upstream's BurstReplicas)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`owned` name this ReplicaSet as controller; `may_adopt`: a live read showed that it is not being deleted.

    `neighbours`: active pods per node of all ReplicaSets with the same controller; only needed to scale down.
    """

    replica_set: Object
    owned: Sequence[Object]
    now: datetime.datetime
    orphans: Sequence[Object] = ()
    may_adopt: bool = False
    neighbours: Mapping[str, int] = dataclasses.field(default_factory=dict)
    failure: Failure | None = None


def decide(seen: Seen) -> Decision:
    replica_set = seen.replica_set
    selector = selectors.from_object(replica_set["spec"].get("selector"))
    active = [pod for pod in seen.owned if pods.is_active(pod)]
    orphans = [pod for pod in seen.orphans if pods.is_active(pod)]
    claimed = claims.classify(replica_set, selector, active, orphans, seen.may_adopt)
    ownership = claims.changes(kinds.POD, replica_set, claimed)
    refused = [
        left for pod in seen.owned if not pods.is_terminating(pod) and (left := pods.seconds_to_replace(pod, seen.now))
    ]
    scaling, why = _scale(seen, claimed.kept, len(refused))
    status, again = _status(seen, claimed.kept)
    again = decision.earliest(again, min(refused, default=None))
    if ownership:
        why = f"{len(claimed.adopted)} pods to adopt, {len(claimed.released)} to release; {why}"
    actions = (*ownership, *scaling, *decision.with_status(kinds.REPLICA_SET, replica_set, status))
    return Decision(actions, why, again)


def wanted(replica_set: Object) -> int:
    replicas = replica_set["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def _scale(seen: Seen, live: Sequence[Object], refused: int) -> tuple[tuple[Action, ...], str]:
    if objects.is_terminating(seen.replica_set):
        return (), "being deleted: the garbage collector removes the pods"
    missing = wanted(seen.replica_set) - len(live)
    if 0 < missing <= refused:
        return (), f"{missing} pods missing, after a pause"
    if missing > 0:
        missing -= refused
        return tuple([_create(seen.replica_set)] * min(missing, BURST_MAX)), f"{missing} pods missing"
    if missing < 0:
        doomed = ranking.pick(live, min(-missing, BURST_MAX), seen.neighbours, seen.now)
        return tuple(_delete(seen.replica_set, pod) for pod in doomed), f"{-missing} pods too many"
    return (), "pods match"


def _create(replica_set: Object) -> Create:
    template = replica_set["spec"].get("template") or {}
    given = template.get("metadata") or {}
    meta: Object = {
        "generateName": f"{objects.name(replica_set)}-",
        "namespace": objects.namespace(replica_set),
        "ownerReferences": [owners.make(replica_set)],
    }
    meta |= {field: given[field] for field in ("labels", "annotations", "finalizers") if given.get(field)}
    return Create(
        kinds.POD,
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template.get("spec") or {}},
        done=Emit(replica_set, "Normal", "SuccessfulCreate", "Created pod: {name}"),
        refused=Emit(replica_set, "Warning", "FailedCreate", "Error creating: {error}"),
    )


def _delete(replica_set: Object, pod: Object) -> Delete:
    return decision.delete(
        kinds.POD,
        pod,
        done=Emit(replica_set, "Normal", "SuccessfulDelete", "Deleted pod: {name}"),
        refused=Emit(replica_set, "Warning", "FailedDelete", "Error deleting: {error}"),
    )


def _status(seen: Seen, live: Sequence[Object]) -> tuple[Object, float | None]:
    """The status, and when a ready pod will have been ready for long enough."""
    spec = seen.replica_set["spec"]
    template_labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    pairs = template_labels.items()
    min_ready = int(spec.get("minReadySeconds") or 0)
    labelled = ready = available = 0
    again: float | None = None
    for pod in live:
        labelled += pairs <= objects.labels(pod).items()
        left = pods.seconds_to_available(pod, min_ready, seen.now)
        if left is not None:
            ready += 1
            available += left == 0
            again = decision.earliest(again, left or None)
    status: Object = {"replicas": len(live)}
    counts = {
        "fullyLabeledReplicas": labelled,
        "readyReplicas": ready,
        "availableReplicas": available,
    }
    status |= {name: count for name, count in counts.items() if count}
    going = (pod for pod in seen.owned if pods.is_terminating(pod) and not pods.is_finished(pod))
    status["terminatingReplicas"] = sum(1 for _ in going)
    status["observedGeneration"] = seen.replica_set["metadata"].get("generation", 0)
    found = _conditions(seen, wanted(seen.replica_set) - len(live))
    if found:
        status["conditions"] = found
    return status, again


def _conditions(seen: Seen, missing: int) -> list[Object]:
    old: list[Object] = (seen.replica_set.get("status") or {}).get("conditions") or []
    failed = seen.failure is not None and seen.failure.resource == kinds.POD.resource and missing != 0
    if not failed:
        return conditions.remove(old, "ReplicaFailure")
    if conditions.find(old, "ReplicaFailure") is not None:
        return list(old)
    assert seen.failure is not None
    reason = "FailedCreate" if missing > 0 else "FailedDelete"
    return conditions.set(old, conditions.make("ReplicaFailure", "True", reason, seen.failure.message), seen.now)
