"""Evict pods whose devices have NoExecute taints that their claims do not tolerate, or no longer.

Reads: Pod, its ResourceClaims' allocations, taints of their devices (by drivers and by rules).
Writes: Pod (condition DisruptionTarget, delete).
Leaves to others: tainting (drivers, users), keeping claims from tainted devices (scheduler), what a rule says of it (rule_status).
Source: KEP-5055.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

from steersman.api import device_taints, kinds
from steersman.controllers import decision, pods
from steersman.controllers.decision import Decision, Emit
from steersman.meta import conditions, times
from steersman.meta.objects import Object

EVENT = "DeviceTaintManagerEviction"


@dataclasses.dataclass(frozen=True, slots=True)
class Tainted:
    """A NoExecute taint of a device that the pod uses, and what its claim tolerates. `rule`: uid of who added it, "" a driver."""

    taint: Object
    tolerations: Sequence[Object]
    rule: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`awaited`: when it was last looked at, its time was counted."""

    pod: Object
    taints: Sequence[Tainted]
    now: datetime.datetime
    awaited: bool = False


def decide(seen: Seen) -> Decision:
    pod = seen.pod
    if not may_be_evicted(pod):
        return Decision(why="nothing to evict")
    left = seconds_left(seen.taints, seen.now)
    if left is None:
        cancelled = (Emit(pod, "Normal", EVENT, "Cancelling deletion"),) if seen.awaited else ()
        return Decision(cancelled, "its devices may be used")
    if left > 0:
        return Decision(why=f"its claims tolerate taints for {left:.0f} s more", again_after_seconds=left)
    text = "Device Taint manager: deleting due to NoExecute taint"
    told = conditions.make("DisruptionTarget", "True", "DeletionByDeviceTaintManager", text)
    found = conditions.set((pod.get("status") or {}).get("conditions") or (), told, seen.now)
    return Decision(
        (
            Emit(pod, "Normal", EVENT, "Marking for deletion"),
            decision.patch(kinds.POD, pod, {"status": {"conditions": found}}, subresource="status"),
            decision.delete(kinds.POD, pod),
        ),
        "a device that it uses has a taint",
    )


def may_be_evicted(pod: Object) -> bool:
    return bool(pods.node_name(pod)) and not pods.is_terminating(pod) and not pods.is_finished(pod)


def seconds_left(taints: Iterable[Tainted], now: datetime.datetime) -> float | None:
    """Until the first tolerance ends; 0 or less: it has; None: never."""
    ends = (end(one, now) for one in taints)
    return min(((one - now).total_seconds() for one in ends if one is not None), default=None)


def end(tainted: Tainted, now: datetime.datetime) -> datetime.datetime | None:
    """The shortest of the tolerations counts; without any, it ended when the taint came."""
    added = tainted.taint.get("timeAdded")
    since = times.parse(added) if added else now
    tolerating = [one for one in tainted.tolerations if device_taints.tolerates(one, tainted.taint)]
    limits = [one["tolerationSeconds"] for one in tolerating if one.get("tolerationSeconds") is not None]
    if not limits:
        return None if tolerating else since
    return since + datetime.timedelta(seconds=max(0, min(limits)))
