"""How fast the number of replicas may change: limits, policies and windows of stability. Pure.

Source: "Horizontal Pod Autoscaling", configurable scaling behavior; upstream's normalizeDesiredReplicas….
"""

import dataclasses
import datetime
import math
from collections.abc import Callable

from steersman.meta.objects import Object

DOWN_WINDOW_SECONDS = 300  # upstream's --horizontal-pod-autoscaler-downscale-stabilization
HISTORY_SECONDS = 3600  # the longest window there may be

# Without a behavior: at most twice as many, but four are always allowed.
UP_FACTOR, UP_MIN = 2, 4


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """A number at a time: a recommendation, or by how much was scaled."""

    at: datetime.datetime
    replicas: int


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """What no object says: recommendations, scalings up and down, and one that was decided and may not have happened."""

    recommendations: tuple[Change, ...] = ()
    ups: tuple[Change, ...] = ()
    downs: tuple[Change, ...] = ()
    pending: tuple[Change, int] | None = None  # from how many; to how many

    def recommended(self, at: datetime.datetime, replicas: int) -> "History":
        kept = _kept(self.recommendations, at)
        return dataclasses.replace(self, recommendations=(*kept, Change(at, replicas)))

    def decided(self, at: datetime.datetime, before: int, after: int) -> "History":
        return dataclasses.replace(self, pending=(Change(at, before), after))

    def settled(self, current: int) -> "History":
        """What was decided last has happened, or not."""
        if self.pending is None:
            return self
        before, after = self.pending
        ups, downs = self.ups, self.downs
        if after == current and after > before.replicas:
            ups = (*_kept(ups, before.at), Change(before.at, after - before.replicas))
        elif after == current:
            downs = (*_kept(downs, before.at), Change(before.at, before.replicas - after))
        return dataclasses.replace(self, ups=ups, downs=downs, pending=None)


@dataclasses.dataclass(frozen=True, slots=True)
class Limited:
    """`stable` and `limit` are reasons and messages of the conditions AbleToScale and ScalingLimited."""

    replicas: int
    is_limited: bool
    stable: tuple[str, str]
    limit: tuple[str, str]


_READY = ("ReadyForNewScale", "recommended size matches current size")
_LOWER = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_HIGHER = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FAST = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_TOO_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    current: int
    desired: int
    least: int
    most: int
    history: History
    now: datetime.datetime


def limit(wish: Wish, behavior: Object | None) -> Limited:
    if behavior is None:
        steady = max([wish.desired, *_since(wish.history.recommendations, wish.now, DOWN_WINDOW_SECONDS)])
        replicas, reason = _plain(wish, steady)
        stable = _HIGHER if steady != wish.desired else _READY
    else:
        steady, told = _steady(wish, behavior)
        replicas, reason = _by_rate(dataclasses.replace(wish, desired=steady), behavior)
        stable = told if steady != wish.desired else _READY
    return Limited(replicas, replicas != steady, stable, reason)


def _plain(wish: Wish, desired: int) -> tuple[int, tuple[str, str]]:
    fastest = max(UP_FACTOR * wish.current, UP_MIN)
    most, reason = (fastest, _TOO_FAST) if wish.most > fastest else (wish.most, _TOO_MANY)
    if desired < wish.least:
        return wish.least, _TOO_FEW
    return (most, reason) if desired > most else (desired, _WITHIN)


def _steady(wish: Wish, behavior: Object) -> tuple[int, tuple[str, str]]:
    """The most careful of the recommendations in the windows of both directions."""
    up_window, down_window = _window(behavior, "scaleUp", 0), _window(behavior, "scaleDown", DOWN_WINDOW_SECONDS)
    found = wish.history.recommendations
    lowest = min([wish.desired, *_since(found, wish.now, up_window)])
    highest = max([wish.desired, *_since(found, wish.now, down_window)])
    return min(max(wish.current, lowest), highest), _LOWER if wish.desired >= wish.current else _HIGHER


def _by_rate(wish: Wish, behavior: Object) -> tuple[int, tuple[str, str]]:
    if wish.desired > wish.current:
        fastest = max(wish.current, _bound(wish, behavior.get("scaleUp") or {}, _UP))
        most, reason = (fastest, _TOO_FAST) if wish.most > fastest else (wish.most, _TOO_MANY)
        if wish.desired > most:
            return most, reason
    elif wish.desired < wish.current:
        slowest = min(wish.current, _bound(wish, behavior.get("scaleDown") or {}, _DOWN))
        least, reason = (slowest, _TOO_FAST_DOWN) if wish.least < slowest else (wish.least, _TOO_FEW)
        if wish.desired < least:
            return least, reason
    return wish.desired, _WITHIN


@dataclasses.dataclass(frozen=True, slots=True)
class _Direction:
    """`further` and `nearer` pick, of several bounds, the one that allows more, or less."""

    sign: int
    rounded: Callable[[float], int]
    further: Callable[[list[int]], int]
    nearer: Callable[[list[int]], int]


_UP, _DOWN = _Direction(1, math.ceil, max, min), _Direction(-1, int, min, max)


def _bound(wish: Wish, rules: Object, direction: _Direction) -> int:
    """How many there may be by now, at most or at least."""
    chosen, found = rules.get("selectPolicy") or "Max", []
    if chosen == "Disabled":
        return wish.current
    for policy in rules.get("policies") or ():
        ups, downs = (_since(of, wish.now, policy["periodSeconds"]) for of in (wish.history.ups, wish.history.downs))
        start, change = wish.current - sum(ups) + sum(downs), direction.sign * policy["value"]
        found.append(start + change if policy["type"] == "Pods" else direction.rounded(start * (1 + change / 100)))
    pick = direction.nearer if chosen == "Min" else direction.further
    return pick(found) if found else wish.current


def _window(behavior: Object, which: str, otherwise: int) -> int:
    seconds = (behavior.get(which) or {}).get("stabilizationWindowSeconds")
    return otherwise if seconds is None else int(seconds)


def _since(changes: tuple[Change, ...], now: datetime.datetime, seconds: int) -> list[int]:
    start = now - datetime.timedelta(seconds=seconds)
    return [one.replicas for one in changes if one.at > start]


def _kept(changes: tuple[Change, ...], now: datetime.datetime) -> tuple[Change, ...]:
    start = now - datetime.timedelta(seconds=HISTORY_SECONDS)
    return tuple(one for one in changes if one.at > start)
