"""The status of a Deployment and its conditions, exactly as `kubectl rollout status` and `kubectl wait` read them.

`Progressing` tells the story of the newest rollout: created, progressing, complete, or past its deadline. Its
lastUpdateTime is the last time progress was seen, which is what the deadline counts from.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.controllers.deployment import sizes
from steersman.meta import conditions, objects, times
from steersman.meta.objects import Object

PROGRESSING = "Progressing"
AVAILABLE = "Available"
REPLICA_FAILURE = "ReplicaFailure"

COMPLETE = "NewReplicaSetAvailable"
CREATED = "NewReplicaSetCreated"
FOUND = "FoundNewReplicaSet"
UPDATED = "ReplicaSetUpdated"
TIMED_OUT = "ProgressDeadlineExceeded"
CREATE_ERROR = "ReplicaSetCreateError"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"

_NO_DEADLINE = 2**31 - 1  # upstream: the largest int32 means none


@dataclasses.dataclass(frozen=True, slots=True)
class Rollout:
    """A Deployment with its newest and its older ReplicaSets (of which `new` may not exist yet)."""

    deployment: Object
    new: Object | None
    old: Sequence[Object]
    now: datetime.datetime

    @property
    def all(self) -> list[Object]:
        return [*self.old, self.new] if self.new is not None else list(self.old)


def old_status(deployment: Object) -> Object:
    return deployment.get("status") or {}


def deadline_seconds(deployment: Object) -> int | None:
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == _NO_DEADLINE else int(seconds)


def set_condition(found: Sequence[Object], new: Object, now: datetime.datetime) -> list[Object]:
    """Upstream's SetDeploymentCondition: nothing changes when status and reason stay; times by what changed."""
    current = conditions.find(found, new["type"])
    if current and current.get("status") == new["status"] and current.get("reason") == new.get("reason"):
        return list(found)
    stamp = times.format_seconds(now)
    since = current.get("lastTransitionTime") if current and current.get("status") == new["status"] else None
    changed = {**new, "lastUpdateTime": stamp, "lastTransitionTime": since or stamp}
    return [*conditions.remove(found, new["type"]), changed]


def with_pause(deployment: Object, now: datetime.datetime) -> list[Object]:
    """The conditions after a pause or its end was noticed: a paused rollout has no deadline."""
    found: list[Object] = old_status(deployment).get("conditions") or []
    current = conditions.find(found, PROGRESSING)
    reason = current.get("reason") if current else ""
    if deadline_seconds(deployment) is None or reason == TIMED_OUT:
        return found
    paused = bool(deployment["spec"].get("paused"))
    if paused == (reason == PAUSED):
        return found
    if paused:
        new = conditions.make(PROGRESSING, "Unknown", PAUSED, "Deployment is paused")
    else:
        new = conditions.make(PROGRESSING, "Unknown", RESUMED, "Deployment is resumed")
    return set_condition(found, new, now)


def counted(rollout: Rollout, found: Sequence[Object]) -> Object:
    """Counts and the Available condition; `found` are the conditions so far."""
    deployment, everything = rollout.deployment, rollout.all
    available = sum(sizes.available(one) for one in everything)
    allowed = sizes.limits(deployment)
    condition = _available(available >= allowed.minimum)
    collisions = old_status(deployment).get("collisionCount")
    counts = {
        "replicas": sum(sizes.actual(one) for one in everything),
        "updatedReplicas": sizes.actual(rollout.new) if rollout.new is not None else 0,
        "readyReplicas": _sum(everything, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sizes.total(everything) - available),
    }
    status: Object = {"observedGeneration": deployment["metadata"].get("generation", 0)}
    status |= {name: count for name, count in counts.items() if count}
    status["terminatingReplicas"] = _sum(everything, "terminatingReplicas")
    status["conditions"] = set_condition(found, condition, rollout.now)
    if collisions is not None:
        status["collisionCount"] = collisions
    return status


def progressed(rollout: Rollout, found: Sequence[Object]) -> Object:
    """`counted`, with the story of the rollout told on."""
    deployment = rollout.deployment
    status = counted(rollout, found)
    current = conditions.find(found, PROGRESSING)
    if deadline_seconds(deployment) is None:
        status["conditions"] = conditions.remove(status["conditions"], PROGRESSING)
    elif not _was_complete(status, current):
        status["conditions"] = _told(rollout, status, current)
    failure = _replica_failure(rollout)
    if failure is not None:
        status["conditions"] = set_condition(status["conditions"], failure, rollout.now)
    else:
        status["conditions"] = conditions.remove(status["conditions"], REPLICA_FAILURE)
    return status


def is_complete(deployment: Object, status: Object) -> bool:
    """All pods are of the newest template and available, and no old one is left."""
    replicas = sizes.wanted(deployment)
    return bool(
        status.get("updatedReplicas", 0) == replicas
        and status.get("replicas", 0) == replicas
        and status.get("availableReplicas", 0) == replicas
        and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    )


def seconds_to_deadline(rollout: Rollout, status: Object) -> float | None:
    """When to look whether the rollout is stuck."""
    limit = deadline_seconds(rollout.deployment)
    current = conditions.find(status.get("conditions") or (), PROGRESSING)
    if limit is None or current is None or is_complete(rollout.deployment, status):
        return None
    if current.get("reason") in (TIMED_OUT, COMPLETE, PAUSED):
        return None
    return max(0.0, limit - _seconds_without_progress(current, rollout.now)) + 1.0


def _available(enough: bool) -> Object:
    if enough:
        return conditions.make(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return conditions.make(
        AVAILABLE, "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."
    )


def _told(rollout: Rollout, status: Object, current: Object | None) -> list[Object]:
    found: list[Object] = status["conditions"]
    if is_complete(rollout.deployment, status):
        return set_condition(found, _say(rollout, "True", COMPLETE, "has successfully progressed."), rollout.now)
    if _is_progressing(old_status(rollout.deployment), status):
        new = _say(rollout, "True", UPDATED, "is progressing.")
        stamp = times.format_seconds(rollout.now)
        since = current.get("lastTransitionTime") if current and current.get("status") == "True" else None
        told = {**new, "lastUpdateTime": stamp, "lastTransitionTime": since or stamp}
        return [*conditions.remove(found, PROGRESSING), told]
    if _is_timed_out(rollout, current):
        return set_condition(found, _say(rollout, "False", TIMED_OUT, "has timed out progressing."), rollout.now)
    return found


def _say(rollout: Rollout, status: str, reason: str, what: str) -> Object:
    if rollout.new is not None:
        who = f'ReplicaSet "{objects.name(rollout.new)}"'
    else:
        who = f'Deployment "{objects.name(rollout.deployment)}"'
    return conditions.make(PROGRESSING, status, reason, f"{who} {what}")


def _was_complete(status: Object, current: Object | None) -> bool:
    done = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    return done and current is not None and current.get("reason") == COMPLETE


def _is_progressing(old: Object, new: Object) -> bool:
    def old_pods(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    return old_pods(new) < old_pods(old) or any(
        new.get(name, 0) > old.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )


def _is_timed_out(rollout: Rollout, current: Object | None) -> bool:
    limit = deadline_seconds(rollout.deployment)
    if limit is None or current is None or current.get("reason") == COMPLETE:
        return False
    return current.get("reason") == TIMED_OUT or _seconds_without_progress(current, rollout.now) > limit


def _seconds_without_progress(current: Object, now: datetime.datetime) -> float:
    since = current.get("lastUpdateTime") or current.get("lastTransitionTime")
    return times.seconds_since(since, now) if since else 0.0


def _replica_failure(rollout: Rollout) -> Object | None:
    """What the newest ReplicaSet complains of, or else any other."""
    newest_first = [rollout.new] if rollout.new is not None else []
    for replica_set in (*newest_first, *rollout.old):
        found = conditions.get(replica_set, REPLICA_FAILURE)
        if found is not None and found.get("status") == "True":
            return conditions.make(REPLICA_FAILURE, "True", found.get("reason", ""), found.get("message", ""))
    return None


def _sum(replica_sets: Sequence[Object], field: str) -> int:
    return sum(int((one.get("status") or {}).get(field) or 0) for one in replica_sets)
