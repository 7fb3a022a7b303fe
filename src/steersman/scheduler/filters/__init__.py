"""Which nodes a pod may run on: one file per filter, in upstream's order.

The order shows: a node is counted under the reason of the first filter that refuses it.
"""

from collections.abc import Callable, Sequence

from steersman.scheduler.filters import (
    node_affinity,
    pod_affinity,
    ports,
    resources,
    taints,
    topology_spread,
    unschedulable,
)
from steersman.scheduler.filters.check import Check
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

FILTERS: Sequence[Callable[[Shape, Snapshot], Check | None]] = (
    unschedulable.check,
    taints.check,
    node_affinity.check,
    ports.check,
    resources.check,
    topology_spread.check,
    pod_affinity.check,
)

# What can make a filter pass that did not before: a node added or changed, a pod gone from a node, a pod put on a node.
_ABOUT_PODS = frozenset({topology_spread.FILTER, pod_affinity.FILTER})
_ABOUT_NODES = frozenset({unschedulable.FILTER, taints.FILTER, node_affinity.FILTER})
HELPED_BY_PODS = _ABOUT_PODS | {ports.FILTER, resources.FILTER}
HELPED_BY_NODES = _ABOUT_NODES | HELPED_BY_PODS
HELPED_BY_PLACEMENTS = _ABOUT_PODS
