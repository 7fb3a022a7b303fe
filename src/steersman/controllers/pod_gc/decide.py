"""Remove pods that nobody else will: of nodes that are gone, terminating ones that never had a node, too many ended ones.

Reads: Pod, its Node.  Writes: Pod (phase Failed with the reason, delete at once).
Leaves to others: everything a kubelet still looks after. Source: upstream's podgc.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers import decision, pods
from steersman.controllers.decision import Action, Decision
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


@dataclasses.dataclass(frozen=True, slots=True)
class SeenPod:
    """`node_missing_seconds`: how long its node has not been there (None: it is there, or it has none)."""

    pod: Object
    node: Object | None
    node_missing_seconds: float | None
    quarantine_seconds: float
    now: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class SeenEnded:
    """Pods that have ended, of the whole cluster."""

    pods: Sequence[Object]
    threshold: int


def decide(seen: SeenPod | SeenEnded) -> Decision:
    if isinstance(seen, SeenEnded):
        return _too_many(seen)
    pod, missing = seen.pod, seen.node_missing_seconds
    if missing is not None:
        if missing < seen.quarantine_seconds:
            return Decision(why="its node is missing", again_after_seconds=seen.quarantine_seconds - missing)
        return _remove(seen, "PodGC: node no longer exists")
    if pods.is_terminating(pod) and not pods.node_name(pod):
        return _remove(seen, "")
    if pods.is_terminating(pod) and seen.node is not None and is_out_of_service(seen.node):
        return _remove(seen, "PodGC: node is out of service")
    return Decision(why="a kubelet looks after it")


def is_out_of_service(node: Object) -> bool:
    """Someone has declared a silent node dead: nothing runs there any more."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return any(one.get("key") == OUT_OF_SERVICE for one in taints) and not conditions.is_true(node, "Ready")


def _remove(seen: SeenPod, disruption: str) -> Decision:
    """Mark it failed first: its controller must not count a pod that vanished as one that succeeded."""
    pod = seen.pod
    actions: list[Action] = []
    if not pods.is_finished(pod):
        status: Object = {"phase": "Failed"}
        if disruption:
            condition = conditions.make("DisruptionTarget", "True", "DeletionByPodGC", disruption)
            old = (pod.get("status") or {}).get("conditions") or ()
            status["conditions"] = conditions.set(old, condition, seen.now)
        actions.append(decision.patch(kinds.POD, pod, {"status": status}, subresource="status"))
    actions.append(decision.delete(kinds.POD, pod, grace_seconds=0))
    return Decision(tuple(actions), disruption or "terminating, and never had a node")


def _too_many(seen: SeenEnded) -> Decision:
    excess = len(seen.pods) - seen.threshold
    if seen.threshold <= 0 or excess <= 0:
        return Decision(why="few pods have ended")
    evicted_then_oldest = sorted(seen.pods, key=_order)
    return Decision(
        tuple(decision.delete(kinds.POD, pod, grace_seconds=0) for pod in evicted_then_oldest[:excess]),
        f"{len(seen.pods)} pods have ended, {seen.threshold} may stay",
    )


def _order(pod: Object) -> tuple[bool, str, str]:
    evicted = (pod.get("status") or {}).get("reason") == "Evicted"
    return not evicted, str(pod["metadata"].get("creationTimestamp") or ""), objects.name(pod)
