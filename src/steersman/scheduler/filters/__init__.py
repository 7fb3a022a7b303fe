"""Which nodes a pod may run on: one file per filter, in upstream's order.

The order shows: a node is counted under the reason of the first filter that refuses it.
"""

from collections.abc import Callable, Sequence

from steersman.scheduler.filters import (
    dynamic_resources,
    node_affinity,
    pod_affinity,
    ports,
    resources,
    taints,
    topology_spread,
    unschedulable,
    volume_binding,
    volume_limits,
    volume_restrictions,
    volume_zone,
)
from steersman.scheduler.filters.check import Check
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

FILTERS: Sequence[Callable[[Shape, Snapshot], Check | None]] = (
    node_affinity.named,
    unschedulable.check,
    taints.check,
    node_affinity.check,
    ports.check,
    resources.check,
    volume_restrictions.check,
    volume_limits.check_installed,
    volume_limits.check,
    volume_binding.check,
    volume_zone.check,
    topology_spread.check,
    pod_affinity.check,
    dynamic_resources.check,
)

# What can make a filter pass that did not before: a node added or changed, a pod gone from a node, a pod put on a node, a claim,
# volume or class that came or changed.
_ABOUT_PODS = frozenset({topology_spread.FILTER, pod_affinity.FILTER})
_ABOUT_NODES = frozenset({unschedulable.FILTER, taints.FILTER, node_affinity.FILTER})
_VOLUMES = frozenset({volume_binding.FILTER, volume_restrictions.FILTER, volume_limits.FILTER, volume_zone.FILTER})
HELPED_BY_PODS = _ABOUT_PODS | {ports.FILTER, resources.FILTER, volume_restrictions.FILTER, volume_limits.FILTER}
HELPED_BY_DEVICES = frozenset({dynamic_resources.FILTER})
HELPED_BY_NODES = _ABOUT_NODES | HELPED_BY_PODS | _VOLUMES | HELPED_BY_DEVICES
HELPED_BY_VOLUMES = _VOLUMES
HELPED_BY_PLACEMENTS = _ABOUT_PODS
