"""Rather on nodes whose cpu and memory would then be used to a similar share, so that neither is left over."""

import numpy as np

from steersman.scheduler import requests
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores.score import MAX, Score
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import CPU, MEMORY, Snapshot


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    """Pods that ask for neither leave the balance as it is."""
    asked = (shape.amounts.get(requests.CPU, 0), shape.amounts.get(requests.MEMORY, 0))
    return _Balanced(asked, snapshot) if any(asked) else None


class _Balanced:
    def __init__(self, asked: tuple[int, int], snapshot: Snapshot) -> None:
        self._asked = asked
        self._snapshot = snapshot
        capacity = snapshot.allocatable[[CPU, MEMORY]]
        used = snapshot.requested[[CPU, MEMORY]] + np.array(asked, np.int64)[:, None]
        shares = np.minimum(used / np.maximum(capacity, 1), 1.0)
        # Half the difference is the standard deviation of two numbers.
        self.values = ((1 - np.abs(shares[0] - shares[1]) / 2) * MAX).astype(np.int64)

    def placed(self, row: int, feasible: Mask) -> bool:
        cpu, memory = (self._share(index, row) for index in (CPU, MEMORY))
        self.values[row] = int((1 - abs(cpu - memory) / 2) * MAX)
        return False

    def _share(self, index: int, row: int) -> float:
        used = int(self._snapshot.requested[index, row]) + self._asked[index]
        return min(used / max(int(self._snapshot.allocatable[index, row]), 1), 1.0)
