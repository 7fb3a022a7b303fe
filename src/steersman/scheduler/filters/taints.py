"""Nodes with a NoSchedule or NoExecute taint take only pods that tolerate it."""

import numpy as np

from steersman.scheduler import tolerations
from steersman.scheduler.filters.check import Check, Fixed
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

FILTER = "TaintToleration"
REASON = "node(s) had untolerated taint(s)"  # without key and value since Kubernetes 1.34 (they may be sensitive)
_HARD = frozenset({"NoSchedule", "NoExecute"})


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    untolerated = [
        mask
        for taint, mask in snapshot.taints.items()
        if taint.effect in _HARD and not tolerations.tolerates(shape.tolerations, taint)
    ]
    if not untolerated:
        return None
    return Fixed(FILTER, ~np.logical_or.reduce(untolerated), REASON)
