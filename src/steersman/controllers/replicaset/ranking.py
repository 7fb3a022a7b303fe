"""Which pods go first when there are too many.

Upstream's order (controller.ActivePodsWithRanks): not bound before bound; pending, unknown, running; not ready before
ready; lower pod-deletion-cost; on the node with more pods of this controller; more recently ready; more restarts; more
recently created. Ages are compared by their logarithm (LogarithmicScaleDown), equal ones by uid.
"""

import datetime
import functools
import math
from collections.abc import Mapping, Sequence

from steersman.controllers import pods
from steersman.meta import objects, times
from steersman.meta.objects import Object

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_INT32_MAX = 2**31 - 1


def pick(live: Sequence[Object], count: int, neighbours: Mapping[str, int], now: datetime.datetime) -> list[Object]:
    """The `count` pods to delete. `neighbours`: pods per node."""
    if count >= len(live):
        return list(live)
    ranked = [_Ranked(pod, neighbours.get(pods.node_name(pod), 0), now) for pod in live]
    ranked.sort(key=functools.cmp_to_key(_compare))
    return [one.pod for one in ranked[:count]]


class _Ranked:
    __slots__ = ("created", "first", "now", "pod", "ready", "restarts", "uid")

    def __init__(self, pod: Object, neighbours: int, now: datetime.datetime) -> None:
        ready = pods.is_ready(pod)
        self.pod = pod
        self.now = now
        self.first = (bool(pods.node_name(pod)), _PHASES.get(pods.phase(pod), 0), ready, _cost(pod), -neighbours)
        self.ready = pods.ready_at(pod)
        self.restarts = pods.restarts(pod)
        self.created = str(pod["metadata"].get("creationTimestamp") or "")
        self.uid = objects.uid(pod)


def _compare(one: _Ranked, other: _Ranked) -> int:
    """Negative: `one` goes first."""
    if one.first != other.first:
        return -1 if one.first < other.first else 1
    if one.ready != other.ready:
        return _younger_first(one.ready, other.ready, one, other)
    if one.restarts != other.restarts:
        return other.restarts - one.restarts
    if one.created != other.created:
        return _younger_first(one.created, other.created, one, other)
    return 0


def _younger_first(at: str, other_at: str, one: _Ranked, other: _Ranked) -> int:
    if not at or not other_at:
        return -1 if not at else 1
    difference = _magnitude(at, one.now) - _magnitude(other_at, one.now)
    if difference:
        return difference
    return -1 if one.uid < other.uid else 1


def _magnitude(at: str, now: datetime.datetime) -> int:
    """The power of two of the age in nanoseconds."""
    nanoseconds = int(times.seconds_since(at, now) * 1e9)
    return int(math.log2(nanoseconds)) if nanoseconds > 0 else -1


def _cost(pod: Object) -> int:
    text = objects.annotations(pod).get(DELETION_COST, "0")
    try:
        cost = int(text)
    except ValueError:
        return 0
    return cost if -_INT32_MAX <= cost <= _INT32_MAX else 0
