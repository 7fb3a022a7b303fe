"""An eviction asks first: a ready pod goes only when its disruption budget has been charged for it, and none is ever overdrawn."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.apiserver import keys
from steersman.meta import conditions, objects, selectors
from steersman.meta.objects import Object
from steersman.simulation.history import Change, History, is_of

ASKED_SECONDS_MAX = 10.0  # between the charge and the deletion, which one request makes


def check(history: History, change: Change) -> Iterator[str]:
    if is_of(change, kinds.POD_DISRUPTION_BUDGET) and change.after is not None:
        allowed = (change.after.get("status") or {}).get("disruptionsAllowed") or 0
        if allowed < 0:
            yield f"{change.key} allows {allowed} disruptions"
    elif is_of(change, kinds.POD) and _is_eviction(change):
        assert change.before is not None
        for budget in history.world.of(kinds.POD_DISRUPTION_BUDGET).values():
            if _covers(budget, change.before) and not _was_charged(history, change, budget):
                yield f"{change.key} was evicted, and its budget {objects.name(budget)} was not asked"


def _was_charged(history: History, change: Change, budget: Object) -> bool:
    """At any time lately: a controller whose clock is ahead strikes the pod off as one that never went."""
    assert change.before is not None
    key = keys.key(kinds.POD_DISRUPTION_BUDGET, objects.namespace(budget), objects.name(budget))
    told = (one.get("status") or {} for one in history.versions(key, change.at - ASKED_SECONDS_MAX))
    return any(objects.name(change.before) in (status.get("disruptedPods") or {}) for status in told)


def _is_eviction(change: Change) -> bool:
    """Of a pod that counts. It is a subresource that is created."""
    before = change.before
    if before is None or change.cause.verb != "create" or objects.is_terminating(before):
        return False
    is_going = change.after is None or objects.is_terminating(change.after)
    return is_going and conditions.is_true(before, "Ready")


def _covers(budget: Object, pod: Object) -> bool:
    if objects.namespace(budget) != objects.namespace(pod):
        return False
    return selectors.from_object(budget["spec"].get("selector")).matches(objects.labels(pod))
