"""Rather where fewer pods of the same owner run: per node, and per zone where nodes have one.

These are upstream's default constraints (PodTopologySpread, `defaultingType: System`) for pods that set none themselves:
maxSkew 3 over kubernetes.io/hostname and maxSkew 5 over topology.kubernetes.io/zone, both ScheduleAnyway.
"""

import math

import numpy as np

from steersman.scheduler.label_columns import ABSENT, Ids, Mask
from steersman.scheduler.scores.score import MAX, Score
from steersman.scheduler.shape import Group, Shape
from steersman.scheduler.snapshot import Snapshot

_HOSTNAME_SKEW = 3
_ZONE = "topology.kubernetes.io/zone"
_ZONE_SKEW = 5


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    if shape.spread_constraints or not shape.group.owner_uid:
        return None
    return _DefaultSpread(shape.group, snapshot, feasible)


class _DefaultSpread:
    def __init__(self, group: Group, snapshot: Snapshot, feasible: Mask) -> None:
        key = ("owner", group.namespace, group.owner_uid)
        on_node = snapshot.counts.tally(key, lambda other: (other.namespace, other.owner_uid) == key[1:])
        self._on_node = on_node.astype(np.float64)
        self._zone: Ids = snapshot.labels.of(_ZONE)
        has_zone = self._zone != ABSENT
        self._zone_slot = np.where(has_zone, self._zone, snapshot.labels.values_known)  # the last slot: no zone
        self._in_zone = np.bincount(
            self._zone_slot[has_zone], weights=self._on_node[has_zone], minlength=snapshot.labels.values_known + 1
        )
        self._zones = len(np.unique(self._zone[has_zone & feasible]))
        self.values = self._score(feasible)

    def placed(self, row: int, feasible: Mask) -> bool:
        self._on_node[row] += 1
        if self._zone[row] != ABSENT:
            self._in_zone[self._zone_slot[row]] += 1
        self.values = self._score(feasible)
        return True

    def _score(self, feasible: Mask) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        """A topology with more domains weighs more, since each count in it is smaller."""
        raw = self._on_node * math.log(int(np.count_nonzero(feasible)) + 2) + (_HOSTNAME_SKEW - 1)
        if self._zones:
            raw += self._in_zone[self._zone_slot] * math.log(self._zones + 2) + (_ZONE_SKEW - 1)
        rounded = np.round(raw).astype(np.int64)
        possible = rounded[feasible]
        highest, lowest = int(possible.max(initial=0)), int(possible.min(initial=0))
        if highest == 0:
            return np.full(len(rounded), MAX, np.int64)
        return MAX * (highest + lowest - rounded) // highest
