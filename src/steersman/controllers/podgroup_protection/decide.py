"""Keep a PodGroup that is being deleted until all of its pods have ended.

Reads: PodGroup, the pods that name it.  Writes: its finalizer scheduling.k8s.io/podgroup-protection.
Leaves to others: giving it the finalizer (the API server), deleting pods (their owners).
"""

import dataclasses
from collections.abc import Sequence

from steersman.api import kinds, pod_groups
from steersman.controllers import decision, pods
from steersman.controllers.decision import Decision
from steersman.meta import objects
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`pods`: those that name the group."""

    group: Object
    pods: Sequence[Object] = ()


def decide(seen: Seen) -> Decision:
    group = seen.group
    present = group["metadata"].get("finalizers") or []
    if not objects.is_terminating(group) or pod_groups.PROTECTION not in present:
        return Decision(why="nothing to let go")
    users = [objects.name(pod) for pod in seen.pods if not pods.is_finished(pod)]
    if users:
        return Decision(why=f"used by {', '.join(users)}")
    kept = [one for one in present if one != pod_groups.PROTECTION]
    body = {"metadata": {"finalizers": kept or None}}
    return Decision((decision.patch(kinds.POD_GROUP_V1BETA1, group, body),), "none of its pods is left")
