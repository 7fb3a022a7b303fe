"""A claim of access mode ReadWriteOncePod has one pod at a time, in the whole cluster."""

import collections

import numpy as np

from steersman.api import volumes
from steersman.scheduler.filters.check import Check
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot

FILTER = "VolumeRestrictions"
REASON = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    alone = []
    for use in shape.claims:
        claim = snapshot.volumes.claim(use)
        if claim is not None and "ReadWriteOncePod" in volumes.access_modes(claim):
            alone.append(use.key)
    return _Alone(alone, snapshot) if alone else None


class _Alone:
    filter = FILTER

    def __init__(self, claims: list[str], snapshot: Snapshot) -> None:
        self._claims = claims
        self._snapshot = snapshot
        in_use = any(snapshot.volumes.users.get(claim) for claim in claims)
        self.mask: Mask = np.full(snapshot.rows, not in_use, np.bool_)

    def placed(self, row: int) -> bool:
        self.mask[:] = False
        return True

    def explain(self, rows: Rows) -> collections.Counter[str]:
        return collections.Counter({REASON: len(rows)})

    def hopeless(self, rows: Rows) -> int:
        """Another pod would have to go, wherever it is."""
        return 0
