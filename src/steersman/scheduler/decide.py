"""Choose nodes for pods: a pure function of the pods and the snapshot.

Keeps true: no node gets more than it has, and no hard constraint is broken, by the snapshot's own account.
Writes: its placements into the snapshot, as pods assumed to be there; the controller takes back what could not be bound.
Leaves to others: the order of the pods (queue), binding them (controller).

Pods of one shape are placed from one evaluation, which each placement updates where it matters.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from steersman.scheduler.devices import DevicePlan
from steersman.scheduler.filters import FILTERS, dynamic_resources, volume_binding
from steersman.scheduler.filters.check import Refusal
from steersman.scheduler.scores import SCORES
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot
from steersman.scheduler.volumes import Plan

NO_NODES = "no nodes available to schedule pods"

# Below every real score, so that a node that is not possible is never the best one.
_IMPOSSIBLE = -1


@dataclasses.dataclass(frozen=True, slots=True)
class PendingPod:
    """A pod without a node. `key` is namespace/name; of two pods the one with higher `priority` goes first."""

    key: str
    shape: Shape
    priority: int = 0
    preempts: bool = True  # False: preemptionPolicy Never


@dataclasses.dataclass(frozen=True, slots=True)
class Placement:
    """`plan` and `devices`: what has to happen to the pod's volume claims and resource claims first."""

    pod: PendingPod
    node: str
    plan: Plan | None = None
    devices: DevicePlan | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Rejection:
    """No node will do. `message` is what users see; `filters` are upstream's names of those that said no."""

    pod: PendingPod
    message: str
    filters: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    placements: Sequence[Placement]
    rejections: Sequence[Rejection]


def decide(pods: Iterable[PendingPod], snapshot: Snapshot) -> Decision:
    """Pods in order of priority, those of one priority grouped by shape in order of first appearance."""
    placements: list[Placement] = []
    rejections: list[Rejection] = []
    for shape, batch in _batches(pods):
        evaluation = Evaluation(shape, snapshot)
        for pod in batch:
            row = evaluation.best()
            if row is None:
                message, filters = evaluation.explain(pod)
                rejections.append(Rejection(pod, message, filters))
            else:
                node = snapshot.names[row]
                plan = volume_binding.plan(shape, snapshot, row)
                devices = dynamic_resources.plan(shape, snapshot, row)
                snapshot.set_pod(pod.key, shape, node)
                if plan is not None:
                    snapshot.volumes.promise(plan)
                if devices is not None:
                    snapshot.devices.promise(devices)
                evaluation.placed(row)
                placements.append(Placement(pod, node, plan, devices))
    return Decision(placements, rejections)


def _batches(pods: Iterable[PendingPod]) -> Iterable[tuple[Shape, list[PendingPod]]]:
    ordered = sorted(pods, key=lambda pod: -pod.priority)
    for _, equal in itertools.groupby(ordered, key=lambda pod: pod.priority):
        by_shape: dict[Shape, list[PendingPod]] = {}
        for pod in equal:
            by_shape.setdefault(pod.shape, []).append(pod)
        yield from by_shape.items()


class Evaluation:
    """All filters and scores of one shape over all nodes, kept right while pods of the shape are placed."""

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        found = [check(shape, snapshot) for check in FILTERS]
        self._checks = [check for check in found if check is not None]
        self._feasible = self._possible_nodes()
        weighted = [(score(shape, snapshot, self._feasible), weight) for score, weight in SCORES]
        self._scores = [(score, weight) for score, weight in weighted if score is not None]
        self._rank = self._ranks()
        self._explained: tuple[str, str, frozenset[str]] | None = None

    def possible(self) -> list[str]:
        """The names of the nodes that would do."""
        return [self._snapshot.names[row] for row in np.flatnonzero(self._feasible)]

    def best(self) -> int | None:
        """The row of the best node (of equals the first); None when there is none."""
        row = int(self._rank.argmax())
        return row if self._rank[row] > _IMPOSSIBLE else None

    def placed(self, row: int) -> None:
        """A pod of this shape is now on `row`, in the snapshot too."""
        others_change = [check.placed(row) for check in self._checks]
        if any(others_change):
            self._feasible = self._possible_nodes()
        else:
            self._feasible[row] = all(check.mask[row] for check in self._checks)
        ranks_change = [score.placed(row, self._feasible) for score, _ in self._scores]
        if any(others_change) or any(ranks_change):
            self._rank = self._ranks()
        else:
            self._rank[row] = self._rank_of(row)

    def explain(self, pod: PendingPod) -> tuple[str, frozenset[str]]:
        """Why no node will do: the message, and the filters that said no."""
        if self._explained is None:
            self._explained = self._explain()
        message, preemption, filters = self._explained
        if message == NO_NODES:
            return message, filters
        if not pod.preempts:
            preemption = "not eligible due to preemptionPolicy=Never."
        # "no new claims to deallocate" is upstream's answer for pods without resource claims, since 1.34.
        return f"{message} no new claims to deallocate, preemption: {preemption}", filters

    def _possible_nodes(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        feasible = self._snapshot.alive.copy()
        for check in self._checks:
            feasible &= check.mask
        return feasible

    def _ranks(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        total = np.zeros(self._snapshot.rows, np.int64)
        for score, weight in self._scores:
            total += score.values * weight
        total[~self._feasible] = _IMPOSSIBLE
        return total

    def _rank_of(self, row: int) -> int:
        if not self._feasible[row]:
            return _IMPOSSIBLE
        return sum(int(score.values[row]) * weight for score, weight in self._scores)

    def _explain(self) -> tuple[str, str, frozenset[str]]:
        nodes = len(self._snapshot)
        if nodes == 0:
            return NO_NODES, "", frozenset()
        for check in self._checks:
            if isinstance(check, Refusal):
                unhelpful = _counted(nodes, {"Preemption is not helpful for scheduling": nodes})
                return f"0/{nodes} nodes are available: {check.message}.", unhelpful, frozenset({check.filter})
        reasons: collections.Counter[str] = collections.Counter()
        filters = set()
        hopeless = 0
        remaining = self._snapshot.alive.copy()
        for check in self._checks:
            failing = np.flatnonzero(remaining & ~check.mask)
            if len(failing):
                reasons.update(check.explain(failing))
                hopeless += check.hopeless(failing)
                filters.add(check.filter)
                remaining[failing] = False
        preemption = {
            "Preemption is not helpful for scheduling": hopeless,
            "No preemption victims found for incoming pod": nodes - hopeless,
        }
        return _counted(nodes, reasons), _counted(nodes, preemption), frozenset(filters)


def _counted(nodes: int, reasons: "collections.Counter[str] | dict[str, int]") -> str:
    texts = sorted(f"{count} {reason}" for reason, count in reasons.items() if count)
    return f"0/{nodes} nodes are available: {', '.join(texts)}."
