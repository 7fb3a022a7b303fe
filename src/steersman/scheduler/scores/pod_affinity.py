"""Rather near the pods one would like to be near, and those that would like us near; rather not near the others.

An existing pod that must be near pods like ours also draws ours a little (upstream's hardPodAffinityWeight of 1).
"""

from collections.abc import Iterator

import numpy as np

from steersman.scheduler import pod_counts
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores.score import MAX, Score, Values
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot
from steersman.scheduler.topology import PerDomain, Topology

_HARD_WEIGHT = 1


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    pulls = [*_our_wishes(shape, snapshot), *_wishes_for_us(shape, snapshot)]
    return _PodAffinity(pulls, feasible) if pulls else None


class _Pull:
    """`change`: what one more pod of our shape adds in its domain."""

    def __init__(self, topology: Topology, weights: PerDomain, change: int) -> None:
        self.topology = topology
        self.weights = weights
        self.change = change


class _PodAffinity:
    def __init__(self, pulls: list[_Pull], feasible: Mask) -> None:
        self._pulls = pulls
        self.values = self._score(feasible)

    def placed(self, row: int, feasible: Mask) -> bool:
        changed = False
        for pull in self._pulls:
            if pull.change:
                pull.topology.add(pull.weights, row, pull.change)
                changed = True
        if changed:
            self.values = self._score(feasible)
        return changed

    def _score(self, feasible: Mask) -> Values:
        raw: Values = np.sum([pull.weights[pull.topology.domain] for pull in self._pulls], axis=0)
        possible = raw[feasible]
        if not len(possible):
            return np.zeros(len(raw), np.int64)
        lowest, highest = int(possible.min()), int(possible.max())
        if lowest == highest:
            return np.zeros(len(raw), np.int64)
        return MAX * (raw - lowest) // (highest - lowest)


def _our_wishes(shape: Shape, snapshot: Snapshot) -> Iterator[_Pull]:
    for term in shape.group.terms.rather:
        topology = Topology(snapshot, term.topology_key)
        sums = topology.sums(pod_counts.of_all(snapshot, (term.who,)))
        own_kind = pod_counts.who_matches(snapshot, term.who, shape.group)
        # A pod of our own kind wishes the same of us: it counts once for each.
        yield _Pull(topology, sums * term.weight, 2 * term.weight if own_kind else 0)


def _wishes_for_us(shape: Shape, snapshot: Snapshot) -> Iterator[_Pull]:
    for held in list(snapshot.counts.held):
        role, term = held
        weight = {"near": _HARD_WEIGHT, "away": 0, "rather": term.weight}[role]
        if weight and pod_counts.who_matches(snapshot, term.who, shape.group):
            topology = Topology(snapshot, term.topology_key)
            yield _Pull(topology, topology.sums(pod_counts.holding(snapshot, held)) * weight, 0)
