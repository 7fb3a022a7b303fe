"""Nodes grouped by the value of one label: sums over each group, in a few operations on arrays."""

import numpy as np
import numpy.typing as npt

from steersman.scheduler.label_columns import ABSENT, Mask
from steersman.scheduler.snapshot import Snapshot

PerDomain = npt.NDArray[np.int64]


class Topology:
    """`has` tells which nodes have the label; nodes without it share one last domain, whose sum is always 0."""

    def __init__(self, snapshot: Snapshot, key: str) -> None:
        column = snapshot.labels.of(key)
        self._nowhere = snapshot.labels.values_known
        self.has: Mask = column != ABSENT
        self.domain = np.where(self.has, column, self._nowhere)

    def sums(self, per_node: npt.NDArray[np.int32], among: Mask | None = None) -> PerDomain:
        """Per domain the sum over its nodes (those `among` the given ones)."""
        counted = self.has if among is None else self.has & among
        weights = per_node[counted]
        return np.bincount(self.domain[counted], weights=weights, minlength=self._nowhere + 1).astype(np.int64)

    def domains(self, among: Mask) -> npt.NDArray[np.int64]:
        """The domains that the given nodes are in."""
        return np.unique(self.domain[self.has & among])

    def add(self, per_domain: PerDomain, row: int, change: int = 1) -> None:
        if self.has[row]:
            per_domain[self.domain[row]] += change
