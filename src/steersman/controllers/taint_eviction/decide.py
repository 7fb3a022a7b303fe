"""Evict pods from nodes whose NoExecute taints they do not tolerate, or no longer.

Reads: Pod, the NoExecute taints of its node.  Writes: Pod (condition DisruptionTarget, delete).
Leaves to others: setting taints (node_lifecycle, users), replacing pods (their controllers), the default tolerations that
give pods some minutes on a lost node (admission).
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import kinds
from steersman.controllers import decision, pods
from steersman.controllers.decision import Decision, Emit
from steersman.meta import conditions, objects
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Taint:
    """A NoExecute taint, and since when it is known."""

    key: str
    value: str
    since: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`awaited`: when it was last looked at, its time on the node was counted."""

    pod: Object
    taints: Sequence[Taint]
    now: datetime.datetime
    awaited: bool = False


def decide(seen: Seen) -> Decision:
    pod = seen.pod
    if pods.is_terminating(pod) or pods.is_finished(pod):
        return Decision(why="nothing to evict")
    left = seconds_left(pod, seen.taints, seen.now)
    if left is None:
        text = f"Cancelling deletion of Pod {objects.key(pod)}"
        cancelled = (Emit(pod, "Normal", "TaintManagerEviction", text),) if seen.awaited else ()
        return Decision(cancelled, "tolerates its node's taints for ever")
    if left > 0:
        return Decision(why=f"tolerates its node's taints for {left:.0f} s more", again_after_seconds=left)
    told = conditions.make(
        "DisruptionTarget", "True", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"
    )
    found = conditions.set((pod.get("status") or {}).get("conditions") or (), told, seen.now)
    text = f"Marking for deletion Pod {objects.key(pod)}"
    return Decision(
        (
            Emit(pod, "Normal", "TaintManagerEviction", text),
            decision.patch(kinds.POD, pod, {"status": {"conditions": found}}, subresource="status"),
            decision.delete(kinds.POD, pod),
        ),
        "does not tolerate its node's taints",
    )


def seconds_left(pod: Object, taints: Sequence[Taint], now: datetime.datetime) -> float | None:
    """Until the first tolerance ends; 0 or less: it has; None: never."""
    tolerations = (pod.get("spec") or {}).get("tolerations") or ()
    ends = [_end(taint, [one for one in tolerations if tolerates(one, taint)]) for taint in taints]
    return min(((end - now).total_seconds() for end in ends if end is not None), default=None)


def _end(taint: Taint, tolerating: Sequence[Object]) -> datetime.datetime | None:
    """The shortest of the tolerations counts; without any, it ended when the taint came."""
    limits = [one["tolerationSeconds"] for one in tolerating if one.get("tolerationSeconds") is not None]
    if not limits:
        return None if tolerating else taint.since
    return taint.since + datetime.timedelta(seconds=max(0, min(limits)))


def tolerates(toleration: Object, taint: Taint) -> bool:
    if toleration.get("effect") not in (None, "", "NoExecute"):
        return False
    operator = toleration.get("operator") or "Equal"
    key = toleration.get("key") or ""
    if key and key != taint.key:
        return False
    if operator == "Exists":
        return True
    return bool(key) and (toleration.get("value") or "") == taint.value
