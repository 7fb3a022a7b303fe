"""How many pods of some description each node has: counted once, then kept by each placement, never recounted.

Spreading and pod affinity ask for such counts by owner or by selector; pods are told apart by their `Group`, so a
description is compared once with each group and not with each pod.
"""

import collections
import dataclasses
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from steersman.scheduler.affinity_terms import Term
from steersman.scheduler.shape import Group

# How many descriptions are kept counted; the least recently asked for is dropped beyond it. One costs 4 bytes a node.
TALLIES_MAX = 2_000

PerNode = npt.NDArray[np.int32]


@dataclasses.dataclass(slots=True, eq=False)
class _Tally:
    """The pods whose group `matches`, per node row; terminating ones too if `with_terminating`."""

    matches: Callable[[Group], bool]
    with_terminating: bool
    per_node: PerNode

    def counts(self, kind: "_GroupKey") -> bool:
        return (self.with_terminating or not kind[1]) and self.matches(kind[0])


HeldTerm = tuple[Literal["near", "away", "rather"], Term]
_GroupKey = tuple[Group, bool]  # and whether its pods are terminating


class Counts:
    def __init__(self, capacity: int, limit: int = TALLIES_MAX) -> None:
        self._capacity = capacity
        self._limit = limit
        self._pods: dict[_GroupKey, collections.Counter[int]] = {}  # group → row → pods
        self._tallies: collections.OrderedDict[Hashable, _Tally] = collections.OrderedDict()
        self._counting: dict[_GroupKey, list[_Tally]] = {}
        self._held: collections.Counter[HeldTerm] = collections.Counter()

    @property
    def held(self) -> Iterable[HeldTerm]:
        """The pod affinity terms of all pods that are on known nodes, each once."""
        return self._held.keys()

    def add(self, group: Group, row: int, change: int, *, terminating: bool) -> None:
        kind = (group, terminating)
        rows = self._pods.get(kind)
        if rows is None:
            rows = self._appeared(kind)
        rows[row] += change
        for tally in self._counting[kind]:
            tally.per_node[row] += change
        if rows[row] == 0:
            del rows[row]
            if not rows:
                self._disappeared(kind)

    def tally(self, key: Hashable, matches: Callable[[Group], bool], *, with_terminating: bool = False) -> PerNode:
        """Pods per node row whose group `matches`; `key` names the description. Owned by this object, which keeps it up
        to date in place: read only."""
        tally = self._tallies.get(key)
        if tally is not None:
            self._tallies.move_to_end(key)
            return tally.per_node
        tally = self._tallies[key] = self._count(matches, with_terminating)
        if len(self._tallies) > self._limit:
            _, oldest = self._tallies.popitem(last=False)
            for tallies in self._counting.values():
                if oldest in tallies:
                    tallies.remove(oldest)
        return tally.per_node

    def forget_tallies(self) -> None:
        """What descriptions mean has changed (labels of a namespace): count again when next asked."""
        self._tallies.clear()
        for tallies in self._counting.values():
            tallies.clear()

    def grow(self, capacity: int) -> None:
        for tally in self._tallies.values():
            more = np.zeros(capacity - self._capacity, np.int32)
            tally.per_node = np.concatenate([tally.per_node, more])
        self._capacity = capacity

    def _appeared(self, kind: _GroupKey) -> "collections.Counter[int]":
        rows = self._pods[kind] = collections.Counter()
        self._counting[kind] = [tally for tally in self._tallies.values() if tally.counts(kind)]
        self._held.update(_held_terms(kind[0]))
        return rows

    def _disappeared(self, kind: _GroupKey) -> None:
        del self._pods[kind], self._counting[kind]
        for held in _held_terms(kind[0]):
            self._held[held] -= 1
            if not self._held[held]:
                del self._held[held]

    def _count(self, matches: Callable[[Group], bool], with_terminating: bool) -> _Tally:
        tally = _Tally(matches, with_terminating, np.zeros(self._capacity, np.int32))
        for kind, rows in self._pods.items():
            if tally.counts(kind):
                self._counting[kind].append(tally)
                for row, pods in rows.items():
                    tally.per_node[row] += pods
        return tally


def _held_terms(group: Group) -> Iterator[HeldTerm]:
    yield from (("near", term) for term in group.terms.near)
    yield from (("away", term) for term in group.terms.away)
    yield from (("rather", term) for term in group.terms.rather)
