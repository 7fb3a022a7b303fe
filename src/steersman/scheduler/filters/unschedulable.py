"""Nodes with `spec.unschedulable` (kubectl cordon) take only pods that tolerate it."""

from steersman.scheduler import tolerations
from steersman.scheduler.filters.check import Check, Fixed
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot, Taint

FILTER = "NodeUnschedulable"
REASON = "node(s) were unschedulable"
_TAINT = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    if not snapshot.unschedulable.any() or tolerations.tolerates(shape.tolerations, _TAINT):
        return None
    return Fixed(FILTER, ~snapshot.unschedulable, REASON)
