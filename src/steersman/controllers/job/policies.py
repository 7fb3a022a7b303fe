"""What a pod's failure means (`podFailurePolicy`), when enough indexes have succeeded (`successPolicy`), how long to wait."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence

from steersman.meta import conditions, indexes, objects, times
from steersman.meta.indexes import Intervals
from steersman.meta.objects import Object

# Upstream's DefaultJobPodFailureBackOff and MaxJobPodFailureBackOff.
FIRST_PAUSE_SECONDS = 10.0
PAUSE_MAX_SECONDS = 600.0


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """`counts`: towards the limits. `message`: why the whole Job fails, if it does. `action` of the rule that matched."""

    counts: bool = True
    message: str = ""
    action: str = ""


def judge(policy: Object | None, pod: Object) -> Judgement:
    """Of a failed pod."""
    for number, rule in enumerate((policy or {}).get("rules") or ()):
        action, place = rule.get("action", ""), f"{objects.namespace(pod)}/{objects.name(pod)}"
        suffix = f"matching {action} rule at index {number}"
        if rule.get("onExitCodes") is not None:
            container = _ended_container(pod, rule["onExitCodes"])
            if container is None:
                continue
            code = container["state"]["terminated"]["exitCode"]
            message = f"Container {container['name']} for pod {place} failed with exit code {code} {suffix}"
        else:
            condition = _condition(pod, rule.get("onPodConditions") or ())
            if condition is None:
                continue
            message = f"Pod {place} has condition {condition['type']} {suffix}"
        return Judgement(action != "Ignore", message if action == "FailJob" else "", action)
    return Judgement()


def _ended_container(pod: Object, requirement: Object) -> Object | None:
    """The first container that failed with one of the codes (or none of them, for NotIn)."""
    status, values = pod.get("status") or {}, requirement.get("values") or ()
    name, is_in = requirement.get("containerName"), requirement.get("operator") == "In"
    for field in ("containerStatuses", "initContainerStatuses"):
        for container in status.get(field) or ():
            ended = (container.get("state") or {}).get("terminated")
            if ended is None or name not in (None, container.get("name")):
                continue
            code = ended.get("exitCode") or 0
            if code != 0 and (code in values) == is_in:
                return dict(container)
    return None


def _condition(pod: Object, patterns: Sequence[Object]) -> Object | None:
    wanted = {(pattern.get("type"), pattern.get("status")) for pattern in patterns}
    found: Iterable[Object] = (pod.get("status") or {}).get("conditions") or ()
    return next((one for one in found if (one.get("type"), one.get("status")) in wanted), None)


def met_success_rule(policy: Object | None, completions: int, succeeded: Intervals) -> str:
    """Which rule is met, in upstream's words; "" if none is."""
    if policy is None or not succeeded:
        return ""
    for number, rule in enumerate(policy.get("rules") or ()):
        listed, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        if listed is None:
            is_met = count is not None and indexes.count(succeeded) >= count
        else:
            wanted = indexes.parse_known(listed, completions)
            both = _common(wanted, succeeded)
            is_met = bool(wanted) and (both == indexes.count(wanted) or (count is not None and both >= count))
        if is_met:
            return f"Matched rules at index {number}"
    return ""


def _common(one: Intervals, other: Intervals) -> int:
    """How many indexes are in both."""
    total = here = there = 0
    while here < len(one) and there < len(other):
        low, high = max(one[here][0], other[there][0]), min(one[here][1], other[there][1])
        total += max(0, high - low + 1)
        if one[here][1] < other[there][1]:
            here += 1
        else:
            there += 1
    return total


# Pauses after failures.


def seconds_to_wait(failures: int, last: datetime.datetime | None, now: datetime.datetime) -> float:
    """Ten seconds after the first failure, twice as long after each further one."""
    if failures <= 0 or last is None:
        return 0.0
    pause = min(PAUSE_MAX_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
    return max(0.0, pause - (now - last).total_seconds())


def finished_at(pod: Object) -> datetime.datetime:
    status = pod.get("status") or {}
    listed = status.get("containerStatuses") or ()
    ends = [str(((one.get("state") or {}).get("terminated") or {}).get("finishedAt") or "") for one in listed]
    if ends and all(ends):
        return max(times.parse(end) for end in ends)
    ready = conditions.get(pod, "Ready")
    if ready is not None and ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return times.parse(ready["lastTransitionTime"])
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        grace = datetime.timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0)
        return times.parse(meta["deletionTimestamp"]) - grace
    return times.parse(meta.get("creationTimestamp") or "1970-01-01T00:00:00Z")
