"""An eviction asks first: a ready pod goes only when its disruption budget has been charged for it, and none is ever overdrawn."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import conditions, objects, selectors
from steersman.meta.objects import Object
from steersman.simulation.history import Change, History, is_of


def check(history: History, change: Change) -> Iterator[str]:
    if is_of(change, kinds.POD_DISRUPTION_BUDGET) and change.after is not None:
        allowed = (change.after.get("status") or {}).get("disruptionsAllowed") or 0
        if allowed < 0:
            yield f"{change.key} allows {allowed} disruptions"
    elif is_of(change, kinds.POD) and _is_eviction(change):
        assert change.before is not None
        name = objects.name(change.before)
        for budget in history.world.of(kinds.POD_DISRUPTION_BUDGET).values():
            status = budget.get("status") or {}
            if _covers(budget, change.before) and name not in (status.get("disruptedPods") or {}):
                yield f"{change.key} was evicted, and its budget {objects.name(budget)} was not asked"


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
