"""What a pod requests must fit beside what the pods already there have requested."""

import collections

import numpy as np

from steersman.scheduler import requests
from steersman.scheduler.filters.check import Check
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot

FILTER = "NodeResourcesFit"
REASON_PODS = "Too many pods"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    return _Fit(shape, snapshot)


class _Fit:
    filter = FILTER

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        asked = {requests.PODS: 1, **shape.amounts}
        self._names = list(asked)
        self._resources = np.array([snapshot.resource(name) for name in asked])
        self._asked = np.array(list(asked.values()), np.int64)
        self._snapshot = snapshot
        free = snapshot.allocatable[self._resources] - snapshot.requested[self._resources]
        self.mask = (free >= self._asked[:, None]).all(axis=0)

    def placed(self, row: int) -> bool:
        free = self._snapshot.allocatable[self._resources, row] - self._snapshot.requested[self._resources, row]
        self.mask[row] = (free >= self._asked).all()
        return False

    def explain(self, rows: Rows) -> collections.Counter[str]:
        there = np.ix_(self._resources, rows)
        short = self._snapshot.allocatable[there] - self._snapshot.requested[there] < self._asked[:, None]
        lacking = np.count_nonzero(short, axis=1)
        return collections.Counter(
            {_reason(name): int(count) for name, count in zip(self._names, lacking, strict=True) if count}
        )

    def hopeless(self, rows: Rows) -> int:
        """Nodes that are too small even when empty."""
        too_small = self._snapshot.allocatable[np.ix_(self._resources, rows)] < self._asked[:, None]
        return int(np.count_nonzero(too_small.any(axis=0)))


def _reason(resource: str) -> str:
    return REASON_PODS if resource == requests.PODS else f"Insufficient {resource}"
