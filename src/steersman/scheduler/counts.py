"""How many pods of some description each node has: counted once, then kept by each placement, never recounted.

Spreading and pod affinity ask for such counts by owner or by selector; pods are told apart by their `Group`, so a
description is compared once with each group and not with each pod.
"""

import collections
import dataclasses
from collections.abc import Callable, Hashable

import numpy as np
import numpy.typing as npt

from steersman.scheduler.shape import Group

# How many descriptions are kept counted; the least recently asked for is dropped beyond it. One costs 4 bytes a node.
TALLIES_MAX = 2_000

PerNode = npt.NDArray[np.int32]


@dataclasses.dataclass(slots=True, eq=False)
class Tally:
    """The pods whose group `matches`, per node row."""

    matches: Callable[[Group], bool]
    per_node: PerNode


class Counts:
    def __init__(self, capacity: int, limit: int = TALLIES_MAX) -> None:
        self._capacity = capacity
        self._limit = limit
        self._pods: dict[Group, collections.Counter[int]] = {}  # group → row → pods
        self._tallies: collections.OrderedDict[Hashable, Tally] = collections.OrderedDict()
        self._matching: dict[Group, list[Tally]] = {}

    def groups(self) -> tuple[Group, ...]:
        """Those that have at least one pod on a known node."""
        return tuple(self._pods)

    def add(self, group: Group, row: int, change: int = 1) -> None:
        rows = self._pods.get(group)
        if rows is None:
            rows = self._pods[group] = collections.Counter()
            self._matching[group] = [tally for tally in self._tallies.values() if tally.matches(group)]
        rows[row] += change
        for tally in self._matching[group]:
            tally.per_node[row] += change
        if rows[row] == 0:
            del rows[row]
            if not rows:
                del self._pods[group], self._matching[group]

    def tally(self, key: Hashable, matches: Callable[[Group], bool]) -> PerNode:
        """Pods per node row whose group `matches`; `key` names the description. Owned by this object: read only."""
        tally = self._tallies.get(key)
        if tally is not None:
            self._tallies.move_to_end(key)
            return tally.per_node
        tally = self._tallies[key] = self._count(matches)
        if len(self._tallies) > self._limit:
            self._forget(self._tallies.popitem(last=False)[1])
        return tally.per_node

    def grow(self, capacity: int) -> None:
        for tally in self._tallies.values():
            more = np.zeros(capacity - self._capacity, np.int32)
            tally.per_node = np.concatenate([tally.per_node, more])
        self._capacity = capacity

    def _count(self, matches: Callable[[Group], bool]) -> Tally:
        tally = Tally(matches, np.zeros(self._capacity, np.int32))
        for group, rows in self._pods.items():
            if matches(group):
                self._matching[group].append(tally)
                for row, pods in rows.items():
                    tally.per_node[row] += pods
        return tally

    def _forget(self, tally: Tally) -> None:
        for tallies in self._matching.values():
            if tally in tallies:
                tallies.remove(tally)
