"""Rather on nodes with more cpu and memory left, as a share of what they have."""

import numpy as np

from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores.score import MAX, Score
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import CPU, MEMORY, Snapshot


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    return _LeastAllocated(shape, snapshot)


class _LeastAllocated:
    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        self._asked = shape.for_scores
        self._snapshot = snapshot
        capacity = snapshot.allocatable[[CPU, MEMORY]]
        used = snapshot.for_scores + np.array(shape.for_scores, np.int64)[:, None]
        left = np.maximum(capacity - used, 0) * MAX // np.maximum(capacity, 1)
        self.values = left.sum(axis=0) // 2

    def placed(self, row: int, feasible: Mask) -> bool:
        snapshot = self._snapshot
        total = 0
        for index in (CPU, MEMORY):
            capacity = int(snapshot.allocatable[index, row])
            used = int(snapshot.for_scores[index, row]) + self._asked[index]
            total += max(capacity - used, 0) * MAX // max(capacity, 1)
        self.values[row] = total // 2
        return False
