"""What a PodDisruptionBudget's status says, for those who write it: the disruption controller and the eviction subresource."""

import datetime
from collections.abc import Mapping

from steersman.meta import conditions
from steersman.meta.objects import Object

ALLOWED = "DisruptionAllowed"
SYNC_FAILED = "SyncFailed"

# How long a pod that was evicted counts as about to go: between the eviction's write to the budget and the deletion's event.
DELETION_SECONDS = 120
DISRUPTED_MAX = 2000  # evictions the controller has not confirmed yet


def with_condition(status: Object, now: datetime.datetime) -> Object:
    """The status with the condition that follows from how many disruptions it allows."""
    allowed = int(status.get("disruptionsAllowed") or 0) > 0
    reason = "SufficientPods" if allowed else "InsufficientPods"
    return _with(status, "True" if allowed else "False", reason, "", now)


def failed(status: Object, message: str, now: datetime.datetime) -> Object:
    """Nothing is known: nothing is allowed."""
    return _with({**status, "disruptionsAllowed": 0}, "False", SYNC_FAILED, message, now)


def failure(status: Mapping[str, object]) -> str | None:
    """Why the status could not be calculated; None when it could."""
    found = conditions.get({"status": status}, ALLOWED)
    if found is None or found.get("status") != "False" or found.get("reason") != SYNC_FAILED:
        return None
    return str(found.get("message", ""))


def _with(status: Object, word: str, reason: str, message: str, now: datetime.datetime) -> Object:
    told = {"type": ALLOWED, "status": word, "reason": reason, "message": message}
    if status.get("observedGeneration"):
        told["observedGeneration"] = status["observedGeneration"]
    return {**status, "conditions": conditions.set(status.get("conditions") or (), told, now)}
