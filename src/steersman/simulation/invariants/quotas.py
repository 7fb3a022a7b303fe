"""A namespace never has more than its quota allows, and the quota knows what it has: at every revision, not only once quiet."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import objects, quantities
from steersman.meta.objects import Object
from steersman.scheduler import requests
from steersman.simulation.history import Change, History, is_of, pod_counts


def check(history: History, change: Change) -> Iterator[str]:
    """Whoever creates what a quota counts writes the quota in the same revision, after the object: so at each change of a quota it
    knows of all, and when a pod is created, of all others."""
    if is_of(change, kinds.RESOURCE_QUOTA) and change.after is not None:
        yield from _compare(history, change, change.after, None)
    elif is_of(change, kinds.POD) and change.before is None and change.after is not None:
        quota = history.world.get(kinds.RESOURCE_QUOTA, objects.namespace(change.after), "quota")
        if quota is not None:
            yield from _compare(history, change, quota, change.after)


def _compare(history: History, change: Change, quota: Object, new: Object | None) -> Iterator[str]:
    """`new` may not be counted yet; a quota that has just come has counted nothing."""
    status = quota.get("status") or {}
    if not status.get("hard") or not status.get("used"):
        return
    there = [  # one whose time to end has passed is not counted any more, though it may still be there
        pod
        for pod in history.world.of(kinds.POD).values()
        if objects.namespace(pod) == objects.namespace(quota) and pod_counts(pod) and pod is not new
    ]
    yield from _amount(change, status, "pods", len(there))
    yield from _amount(change, status, "requests.cpu", sum(requests.of_pod(pod).get("cpu", 0) for pod in there))


def _amount(change: Change, status: Object, name: str, amount: int) -> Iterator[str]:
    """`amount` in the scheduler's units: millicores, numbers."""
    hard, used = (quantities.parse(status[field][name]) for field in ("hard", "used"))
    allowed, counted = (one.millis if name.endswith("cpu") else one.whole for one in (hard, used))
    if counted > allowed:
        yield f"{change.key}: its quota counts {counted} of {name} and allows {allowed}"
    if amount > counted:
        yield f"{change.key}: its quota counts {counted} of {name}, there are {amount}"
