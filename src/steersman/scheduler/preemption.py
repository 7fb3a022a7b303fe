"""Which pods have to go so that one of higher priority gets a node: a pure function of the pod and the snapshot.

Keeps true: nobody of the same or higher priority goes; no more go from the chosen node than must; budgets are kept where that
is possible. Reads: the snapshot, with what it knows of budgets. Changes nothing that lasts: pods are taken out and put back.
Leaves to others: deleting the victims (controller), keeping the room meanwhile (nominations).

Source of the rules and their order: "Pod Priority and Preemption", and upstream's default preemption.
"""

import collections
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from steersman.meta import objects, selectors
from steersman.meta.objects import Object
from steersman.scheduler.filters.check import Check, Fixed
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import PlacedPod, Snapshot

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
WAITING = "not eligible due to terminating pod on the nominated node."

# Upstream's: so many nodes that would do are compared, or a tenth of all.
CANDIDATES_MIN = 100
CANDIDATES_SHARE = 10
# Added to each priority, so that more victims never sum up to less.
_ABOVE_NEGATIVE = 2**31

_Pod = tuple[str, PlacedPod]
Make = Callable[[Shape, Snapshot], Check | None]
Reasons = collections.Counter[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """`victims` are keys of pods, most important first; `violations` counts those that a budget protects."""

    node: str
    victims: tuple[_Pod, ...]
    violations: int

    @property
    def keys(self) -> tuple[str, ...]:
        """Of those that somebody has to tell: the others are going already."""
        return tuple(key for key, pod in self.victims if not pod.terminating)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """`candidate` None: `reasons` say why, with the number of nodes each holds for."""

    candidate: Candidate | None
    reasons: Reasons


def is_waiting(key: str, priority: int, snapshot: Snapshot, checks: Sequence[Check]) -> bool:
    """Room was made for the pod on a node that may still do, and who had to go is not gone yet."""
    node = snapshot.nominations.node_of(key)
    row = snapshot.row_of(node) if node else None
    if row is None or _is_hopeless(checks, row):
        return False
    pods = (snapshot.pod(one) for one in snapshot.pods_of(node))
    return any(pod is not None and pod.terminating and pod.priority < priority for pod in pods)


def decide(shape: Shape, priority: int, snapshot: Snapshot, made: Sequence[tuple[Make, Check]]) -> Outcome:
    """`made` are the filters that have something to say about the shape, and what they say, which no node passes."""
    reasons: Reasons = collections.Counter()
    checks = [check for _, check in made]
    # Who is on a node changes nothing for the others.
    about_pods = [make for make, check in made if not isinstance(check, Fixed)]
    if not snapshot.has_below(priority):
        return Outcome(None, _without_victims(snapshot, checks))
    found: list[Candidate] = []
    enough = max(CANDIDATES_MIN, len(snapshot) // CANDIDATES_SHARE)
    for row in np.flatnonzero(snapshot.alive):
        if _is_hopeless(checks, int(row)):
            reasons[NOT_HELPFUL] += 1
            continue
        one = _Node(shape, priority, snapshot, int(row), about_pods).candidate()
        if isinstance(one, Candidate):
            found.append(one)
            if len(found) >= enough:
                break
        else:
            reasons.update(one)
    return Outcome(pick(found) if found else None, reasons)


def pick(candidates: Sequence[Candidate]) -> Candidate:
    """The fewest violated budgets, the lowest of the highest priorities, the lowest sum of priorities, the fewest victims, the
    youngest of the most important ones; of equals the first."""
    best = min(map(_cost, candidates))
    equal = [one for one in candidates if _cost(one) == best]
    return max(equal, key=_earliest_start)


def _cost(one: Candidate) -> tuple[int, int, int, int]:
    told = [pod for _, pod in one.victims if not pod.terminating]
    highest = told[0].priority if told else -_ABOVE_NEGATIVE
    return one.violations, highest, sum(pod.priority + _ABOVE_NEGATIVE for pod in told), len(told)


def _earliest_start(one: Candidate) -> str:
    told = [pod for _, pod in one.victims if not pod.terminating]
    return min((pod.started for pod in told if pod.priority == told[0].priority), default="")


def _is_hopeless(checks: Sequence[Check], row: int) -> bool:
    """By the first filter that refuses the node, as upstream stops there."""
    refusing = next((check for check in checks if not check.mask[row]), None)
    return refusing is not None and bool(refusing.hopeless(np.array([row])))


def _without_victims(snapshot: Snapshot, checks: Sequence[Check]) -> Reasons:
    hopeless, remaining = 0, snapshot.alive.copy()
    for check in checks:
        failing = np.flatnonzero(remaining & ~check.mask)
        hopeless += check.hopeless(failing)
        remaining[failing] = False
    return collections.Counter({NOT_HELPFUL: hopeless, NO_VICTIMS: len(snapshot) - hopeless})


class _Node:
    """One node, with its pods of lower priority taken out and put back one by one."""

    def __init__(self, shape: Shape, priority: int, snapshot: Snapshot, row: int, about_pods: Sequence[Make]) -> None:
        self._about_pods = about_pods
        self._shape = shape
        self._snapshot = snapshot
        self._row = row
        self._name = snapshot.names[row]
        self._lower = units_below(snapshot, priority, snapshot.pods_of(self._name))

    def candidate(self) -> Candidate | Reasons:
        """Or why not, for this one node."""
        if not self._lower:
            return collections.Counter({NO_VICTIMS: 1})
        for unit in self._lower:
            take_out(unit, self._snapshot)
        out = {unit.key for unit in self._lower}
        try:
            refusing = self._refusing()
            if refusing is not None:
                return +refusing.explain(np.array([self._row]))
            violating, others = by_budgets(sorted(self._lower, key=importance), self._snapshot.budgets.values())
            violations = sum(not self._stays(one, out) for one in violating)
            for one in others:
                self._stays(one, out)
            pods = sorted((pod for unit in self._lower if unit.key in out for pod in unit.pods), key=_rank)
            return Candidate(self._name, tuple(pods), violations)
        finally:
            for unit in self._lower:
                if unit.key in out:
                    put_back(unit, self._snapshot)

    def _stays(self, unit: "Unit", out: set[str]) -> bool:
        """Put back, if the new one still fits beside it."""
        put_back(unit, self._snapshot)
        if self._refusing() is None:
            out.discard(unit.key)
            return True
        take_out(unit, self._snapshot)
        return False

    def _refusing(self) -> Check | None:
        for make in self._about_pods:
            check = make(self._shape, self._snapshot)
            if check is not None and not check.mask[self._row]:
                return check
        return None


# --- who goes together ---


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One pod, or all placed pods of a group that can only be disrupted together (disruptionMode `all`)."""

    key: str
    pods: tuple[_Pod, ...]
    priority: int
    is_group: bool = False


def units_below(snapshot: Snapshot, priority: int, keys: Iterable[str]) -> list[Unit]:
    """What of these pods may be sent away for somebody of `priority`, with the pods of other nodes that go along."""
    found: dict[str, Unit] = {}
    for key in keys:
        pod = snapshot.pod(key)
        assert pod is not None, "keys are of pods in the snapshot"
        group = snapshot.groups.get(pod.pod_group) if pod.pod_group else None
        if group is None or not group.goes_together:
            unit = Unit(key, ((key, pod),), pod.priority)
        elif group.key in found:
            continue
        else:
            members = ((one, snapshot.pod(one)) for one in snapshot.members_of(group.key))
            together = tuple((one, member) for one, member in members if member is not None)
            unit = Unit(group.key, together, group.priority, is_group=True)
        if unit.priority < priority:
            found[unit.key] = unit
    return [*found.values()]


def take_out(unit: Unit, snapshot: Snapshot) -> None:
    for key, _ in unit.pods:
        snapshot.remove_pod(key)


def put_back(unit: Unit, snapshot: Snapshot) -> None:
    for key, pod in unit.pods:
        snapshot.put_back(key, pod)


def _rank(one: _Pod) -> tuple[int, str, str]:
    """Most important first: of one priority, who has run for longer."""
    key, pod = one
    return -pod.priority, pod.started, key


def importance(unit: Unit) -> tuple[bool, int, bool, int, str, str]:
    """Most important first: by priority, groups before single pods, large before small ones, old before young ones; but
    whoever is going already is never worth keeping."""
    is_going = all(pod.terminating for _, pod in unit.pods)
    started = min(pod.started for _, pod in unit.pods)
    return is_going, -unit.priority, not unit.is_group, -len(unit.pods), started, unit.key


def by_budgets(units: Iterable[Unit], budgets: Iterable[Object]) -> tuple[list[Unit], list[Unit]]:
    """Those that a budget cannot spare any more, counted in order of importance; and the others."""
    known = [_Budget(budget) for budget in budgets]
    violating: list[Unit] = []
    others: list[Unit] = []
    for unit in units:
        pods = [one for one in unit.pods if not one[1].terminating]
        spared = [budget.spares(key, pod) for key, pod in pods for budget in known]
        (others if all(spared) else violating).append(unit)
    return violating, others


class _Budget:
    def __init__(self, budget: Object) -> None:
        status: Any = budget.get("status") or {}
        wanted = (budget.get("spec") or {}).get("selector")
        self._namespace = objects.namespace(budget)
        self._selector = selectors.from_object(wanted) if wanted else None  # an empty one selects nothing here
        self._gone = status.get("disruptedPods") or {}
        self._left = int(status.get("disruptionsAllowed") or 0)

    def spares(self, key: str, pod: PlacedPod) -> bool:
        """Each pod it speaks of uses up one of what it allows."""
        group = pod.shape.group
        if self._selector is None or group.namespace != self._namespace or not group.labels:
            return True
        if not self._selector.matches(group.labels) or key.rpartition("/")[2] in self._gone:
            return True
        self._left -= 1
        return self._left >= 0
