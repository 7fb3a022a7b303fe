"""Hard topology spread constraints: no domain may have more than maxSkew pods above the emptiest one.

Source: "Pod Topology Spread Constraints" in the Kubernetes documentation, KEP-895, KEP-3022 (minDomains),
KEP-3094 (nodeAffinityPolicy, nodeTaintsPolicy).
"""

import collections

import numpy as np

from steersman.scheduler import pod_counts
from steersman.scheduler.filters import node_affinity, taints
from steersman.scheduler.filters.check import Check
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape, SpreadConstraint
from steersman.scheduler.snapshot import Rows, Snapshot
from steersman.scheduler.topology import Topology

FILTER = "PodTopologySpread"
REASON = "node(s) didn't match pod topology spread constraints"
REASON_NO_LABEL = f"{REASON} (missing required label)"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    hard = [constraint for constraint in shape.spread if constraint.hard]
    return _Spread(shape, hard, snapshot) if hard else None


class _Spread:
    filter = FILTER

    def __init__(self, shape: Shape, hard: list[SpreadConstraint], snapshot: Snapshot) -> None:
        topologies = [Topology(snapshot, constraint.topology_key) for constraint in hard]
        self._has_labels: Mask = np.logical_and.reduce([topology.has for topology in topologies])
        self._constraints = [
            _Constraint(shape, constraint, topology, snapshot, self._has_labels)
            for constraint, topology in zip(hard, topologies, strict=True)
        ]
        self._combine()

    def placed(self, row: int) -> bool:
        changed = [constraint.placed(row) for constraint in self._constraints]
        if any(changed):
            self._combine()
        return any(changed)

    def explain(self, rows: Rows) -> collections.Counter[str]:
        missing = self.hopeless(rows)
        return collections.Counter({REASON_NO_LABEL: missing, REASON: len(rows) - missing})

    def hopeless(self, rows: Rows) -> int:
        return int(np.count_nonzero(~self._has_labels[rows]))

    def _combine(self) -> None:
        self.mask = np.logical_and.reduce([self._has_labels, *(one.mask for one in self._constraints)])


class _Constraint:
    def __init__(
        self, shape: Shape, constraint: SpreadConstraint, topology: Topology, snapshot: Snapshot, labelled: Mask
    ) -> None:
        self._constraint = constraint
        self._topology = topology
        self._counted = _counted_nodes(shape, constraint, snapshot) & labelled
        pods = pod_counts.selected(snapshot, shape.group.namespace, constraint.selector)
        self._sums = topology.sums(pods, self._counted)
        self._domains = topology.domains(self._counted)
        self._own_kind = constraint.selector.matches(shape.group.labels)
        self._set_mask()

    def placed(self, row: int) -> bool:
        if self._own_kind and self._counted[row]:
            self._topology.add(self._sums, row)
            self._set_mask()
            return True
        return False

    def _set_mask(self) -> None:
        fewest = int(self._sums[self._domains].min(initial=np.iinfo(np.int64).max)) if len(self._domains) else 0
        if len(self._domains) < self._constraint.min_domains:
            fewest = 0
        skew = self._sums + int(self._own_kind) - fewest
        self.mask: Mask = (skew <= self._constraint.max_skew)[self._topology.domain]


def _counted_nodes(shape: Shape, constraint: SpreadConstraint, snapshot: Snapshot) -> Mask:
    """Nodes whose pods count and whose domains exist for this pod."""
    counted = snapshot.alive
    if constraint.honors_affinity:
        matching = node_affinity.matching(shape, snapshot)
        counted = counted if matching is None else counted & matching
    if constraint.honors_taints:
        untainted = taints.check(shape, snapshot)
        counted = counted if untainted is None else counted & untainted.mask
    return counted
