"""How many replicas each ReplicaSet of a Deployment should have: the arithmetic of rollouts and of scaling.

Pure numbers; source: upstream's deployment/util and the documentation "Proportional scaling".
"""

import dataclasses
import math
from collections.abc import Sequence

from steersman.controllers.deployment import revision
from steersman.meta import objects
from steersman.meta.objects import Object


def wanted(obj: Object) -> int:
    """`spec.replicas` of a Deployment or ReplicaSet."""
    replicas = obj["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def available(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("availableReplicas") or 0)


def actual(replica_set: Object) -> int:
    return int((replica_set.get("status") or {}).get("replicas") or 0)


def total(replica_sets: Sequence[Object]) -> int:
    return sum(wanted(one) for one in replica_sets)


def staying(replica_set: Object) -> int:
    """Available pods that are still wanted. The status may be older than the size: what was told off a moment ago is available
    until its controller has looked, and told off again it would be one too many (found by the simulator; upstream stumbles
    over such a state with an error)."""
    return min(wanted(replica_set), available(replica_set))


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a Deployment allows while it rolls: at most `replicas + surge` pods, at least `replicas - unavailable`
    available ones."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def maximum(self) -> int:
        return self.replicas + self.surge

    @property
    def minimum(self) -> int:
        return self.replicas - self.unavailable


def is_rolling(deployment: Object) -> bool:
    return bool((deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def limits(deployment: Object) -> Limits:
    """Percentages of surge are rounded up, of unavailable down; both zero would never move, so one may be unavailable."""
    replicas = wanted(deployment)
    if not is_rolling(deployment):
        return Limits(replicas, 0, 0)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge = _number(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = _number(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Limits(replicas, surge, min(unavailable, replicas))


def _number(value: int | str | None, replicas: int, *, round_up: bool) -> int:
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    hundredths = int(value.removesuffix("%")) * replicas
    return -(-hundredths // 100) if round_up else hundredths // 100


# A rollout


def new_size(new_wanted: int, all_wanted: int, allowed: Limits, rolling: bool) -> int:
    """Of the newest ReplicaSet, when it may grow: as far as the surge allows."""
    if not rolling:
        return allowed.replicas
    room = allowed.maximum - all_wanted
    if room <= 0:
        return new_wanted
    return new_wanted + max(0, min(room, allowed.replicas - new_wanted))


def old_sizes(new: Object, old: Sequence[Object], allowed: Limits) -> dict[str, int]:
    """By name, the new sizes of old ReplicaSets that may shrink, oldest first: unhealthy pods at once, as they count for
    nothing, healthy ones as far as enough stay available."""
    left = {objects.name(one): wanted(one) for one in old}
    before = dict(left)
    can_go = total(old) + staying(new) - allowed.minimum
    if can_go <= 0:
        return {}
    for one in old:
        unhealthy = min(can_go, max(0, wanted(one) - available(one)))
        left[objects.name(one)] -= unhealthy
        can_go -= unhealthy
    spare = staying(new) + sum(staying(one) for one in old) - allowed.minimum
    for one in old:
        if spare <= 0:
            break
        healthy = min(spare, left[objects.name(one)])
        left[objects.name(one)] -= healthy
        spare -= healthy
    return {name: size for name, size in left.items() if size != before[name]}


# Scaling


def is_saturated(new: Object | None, replicas: int) -> bool:
    """The rollout is over but for the old pods."""
    return (
        new is not None and wanted(new) == replicas and revision.desired(new) == replicas and available(new) == replicas
    )


def proportional(active: Sequence[Object], allowed: Limits, status_replicas: int) -> dict[str, int]:
    """Sizes by name when the Deployment is scaled in mid-rollout: each ReplicaSet gets its share of the difference, the
    largest what is left over by rounding."""
    sizes = {objects.name(one): wanted(one) for one in active}
    to_add = (allowed.maximum if allowed.replicas > 0 else 0) - total(active)
    if to_add == 0:
        return sizes
    # Largest first; of equals the newer one when growing, the older one when shrinking.
    ordered = sorted(active, key=_creation, reverse=to_add > 0)
    ordered.sort(key=wanted, reverse=True)
    added = 0
    for one in ordered:
        share = _share(one, allowed, to_add, added, status_replicas)
        sizes[objects.name(one)] += share
        added += share
    largest = objects.name(ordered[0])
    sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _share(replica_set: Object, allowed: Limits, to_add: int, added: int, status_replicas: int) -> int:
    size = wanted(replica_set)
    if size == 0 or to_add == added:
        return 0
    rest = to_add - added
    share = -size if allowed.replicas == 0 else _fraction(replica_set, size, allowed, status_replicas)
    return min(share, rest) if to_add > 0 else max(share, rest)


def _fraction(replica_set: Object, size: int, allowed: Limits, status_replicas: int) -> int:
    before = revision.maximum(replica_set) or status_replicas
    if before == 0:
        return 0
    exact = size * allowed.maximum / before
    return math.floor(exact + 0.5) - size


def _creation(replica_set: Object) -> tuple[str, str]:
    return str(replica_set["metadata"].get("creationTimestamp") or ""), objects.name(replica_set)
