"""What a pod requests must fit beside what the pods already there have requested."""

import collections

import numpy as np
import numpy.typing as npt

from steersman.scheduler import requests
from steersman.scheduler.filters.check import Check
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Amounts, Rows, Snapshot

Shortages = npt.NDArray[np.bool_]

FILTER = "NodeResourcesFit"
REASON_PODS = "Too many pods"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    return _Fit(shape, snapshot)


class _Fit:
    filter = FILTER
    mask: Mask

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        asked = {requests.PODS: 1, **shape.amounts}
        self._names = list(asked)
        self._resources = np.array([snapshot.resource(name) for name in asked])
        self._asked = np.array(list(asked.values()), np.int64)
        self._snapshot = snapshot
        self._as_devices = _served_as_devices(shape, self._names, snapshot)
        short = self._short(snapshot.allocatable[self._resources], snapshot.requested[self._resources])
        self.mask = ~np.logical_or.reduce(short)

    def placed(self, row: int) -> bool:
        there = (self._resources, np.array([row])[:, None])
        self.mask[row] = not self._short(self._snapshot.allocatable[there].T, self._snapshot.requested[there].T).any()
        return False

    def explain(self, rows: Rows) -> collections.Counter[str]:
        there = np.ix_(self._resources, rows)
        short = self._short(self._snapshot.allocatable[there], self._snapshot.requested[there])
        lacking = np.count_nonzero(short, axis=1)
        return collections.Counter(
            {_reason(name): int(count) for name, count in zip(self._names, lacking, strict=True) if count}
        )

    def hopeless(self, rows: Rows) -> int:
        """Nodes that are too small even when empty."""
        allocatable = self._snapshot.allocatable[np.ix_(self._resources, rows)]
        too_small = self._short(allocatable, np.zeros_like(allocatable))
        return int(np.count_nonzero(too_small.any(axis=0)))

    def _short(self, allocatable: Amounts, requested: Amounts) -> Shortages:
        """Per resource and node. What a node does not count itself and a class of devices stands for is never short here: the
        filter for devices answers for it."""
        short: Shortages = allocatable - requested < self._asked[:, None]
        if self._as_devices is not None:
            short &= ~(self._as_devices[:, None] & (allocatable == 0))
        return short


def _served_as_devices(shape: Shape, names: list[str], snapshot: Snapshot) -> Mask | None:
    """Which of the resources a class of devices stands for; None: none."""
    classes = snapshot.devices.classes_by_resource() if shape.extended else {}
    return np.array([name in classes for name in names]) if classes else None


def _reason(resource: str) -> str:
    return REASON_PODS if resource == requests.PODS else f"Insufficient {resource}"
