"""No pod is bound twice, no node takes more than it has, and no hard constraint is broken at the moment of binding.

There is one scheduler, and what it cannot see yet can only be pods that have gone.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import requests
from steersman.simulation.history import Change, History, is_of, node_of, pod_is_over


def check(history: History, change: Change) -> Iterator[str]:
    if not is_of(change, kinds.POD) or change.after is None:
        return
    before, after = change.before, change.after
    was, now = node_of(before) if before is not None else "", node_of(after)
    if was and was != now:
        yield f"{change.key} was bound to {was} and then to {now or 'nothing'}"
    if not now or was:
        return
    node = history.world.get(kinds.NODE, "", now)
    if node is None:
        return  # it was deleted just now; the pod's garbage collector takes care
    yield from _too_much(history, change, node)
    selector = after["spec"].get("nodeSelector") or {}
    if any(objects.labels(node).get(name) != value for name, value in selector.items()):
        yield f"{change.key} was bound to {now}, which its nodeSelector {selector} excludes"


def _too_much(history: History, change: Change, node: Object) -> Iterator[str]:
    there = [pod for pod in history.world.pods_of(objects.name(node)) if not pod_is_over(pod)]
    has = requests.amounts((node.get("status") or {}).get("allocatable"))
    asked: dict[str, int] = {requests.PODS: len(there)}
    for pod in there:
        for name, amount in requests.of_pod(pod).items():
            asked[name] = asked.get(name, 0) + amount
    for name, amount in asked.items():
        if amount > has.get(name, 0):
            text = f"{change.key} was bound to {objects.name(node)}, whose pods then ask for {amount} of {name}"
            yield f"{text}; it has {has.get(name, 0)}"
