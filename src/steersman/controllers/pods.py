"""The questions controllers ask of a pod."""

import datetime

from steersman.meta import conditions, times
from steersman.meta.objects import Object

REFUSED_PAUSE_SECONDS = 2.0  # times of creation are whole seconds: at least one


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def is_finished(pod: Object) -> bool:
    """It has ended for good and will not run again."""
    return phase(pod) in ("Succeeded", "Failed")


def is_terminating(pod: Object) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def is_active(pod: Object) -> bool:
    """It counts as a replica: neither finished nor on its way out."""
    return not is_terminating(pod) and not is_finished(pod)


def seconds_to_replace(pod: Object, now: datetime.datetime) -> float:
    """One that failed as soon as it was made was refused by its node, as its successor would be: that waits a little, or the
    two would be at it without a pause (and stop the clock of a cluster in virtual time)."""
    made = pod["metadata"].get("creationTimestamp")
    if phase(pod) != "Failed" or not made:
        return 0.0
    return max(0.0, REFUSED_PAUSE_SECONDS - times.seconds_since(made, now))


def node_name(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName", ""))


def ready_condition(pod: Object) -> Object | None:
    return conditions.get(pod, "Ready")


def is_ready(pod: Object) -> bool:
    condition = ready_condition(pod)
    return condition is not None and condition.get("status") == "True"


def ready_at(pod: Object) -> str:
    """Since when it is ready; empty when it is not."""
    condition = ready_condition(pod)
    if condition is None or condition.get("status") != "True":
        return ""
    return str(condition.get("lastTransitionTime") or "")


def seconds_to_available(pod: Object, min_ready_seconds: int, now: datetime.datetime) -> float | None:
    """How long until a ready pod counts as available (0: it does); None for a pod that is not ready."""
    since = ready_at(pod)
    if min_ready_seconds <= 0:
        return 0.0 if is_ready(pod) else None
    if not since:
        return None
    return max(0.0, min_ready_seconds - times.seconds_since(since, now))


def restarts(pod: Object) -> int:
    """The most restarts any of its containers had."""
    found = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((int(one.get("restartCount") or 0) for one in found), default=0)
