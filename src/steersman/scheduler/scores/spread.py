"""Rather where fewer pods of the same kind run: by the pod's own soft constraints, or else by upstream's default ones.

The defaults (PodTopologySpread, `defaultingType: System`) are for pods of a ReplicaSet, StatefulSet or
ReplicationController: maxSkew 3 over kubernetes.io/hostname and maxSkew 5 over topology.kubernetes.io/zone, counting the
pods of the same owner. Nodes without a zone are then ranked too; a pod's own constraints leave out nodes without the label.
"""

import math

import numpy as np
import numpy.typing as npt

from steersman.scheduler import pod_counts
from steersman.scheduler.counts import PerNode
from steersman.scheduler.filters import node_affinity
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores.score import MAX, Score, Values
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot
from steersman.scheduler.topology import Topology

Raw = npt.NDArray[np.float64]

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
_DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))  # (topology key, maxSkew)


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    group = shape.group
    if shape.spread:
        return _own_constraints(shape, snapshot, feasible)
    if not group.owner_uid:
        return None
    pods = pod_counts.owned(snapshot, group.namespace, group.owner_uid)
    everywhere = np.ones(snapshot.rows, np.bool_)
    parts = [_part(snapshot, key, skew, pods, feasible, counted=None, own_kind=True) for key, skew in _DEFAULTS]
    return _Spread([part for part in parts if part is not None], everywhere, feasible)


def _own_constraints(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    soft = [constraint for constraint in shape.spread if not constraint.hard]
    if not soft:
        return None
    labelled: Mask = np.logical_and.reduce([snapshot.labels.has(constraint.topology_key) for constraint in soft])
    matching = node_affinity.matching(shape, snapshot)
    ranked = feasible & labelled
    parts = []
    for one in soft:
        pods = pod_counts.selected(snapshot, shape.group.namespace, one.selector)
        own_kind = one.selector.matches(shape.group.labels)
        counted = labelled if matching is None or not one.honors_affinity else labelled & matching
        parts.append(_part(snapshot, one.topology_key, one.max_skew, pods, ranked, counted, own_kind))
    return _Spread([part for part in parts if part is not None], labelled, feasible)


def _part(
    snapshot: Snapshot, key: str, max_skew: int, pods: PerNode, ranked: Mask, counted: Mask | None, own_kind: bool
) -> "_OverNodes | _OverDomains | None":
    if key == HOSTNAME:
        return _OverNodes(pods, int(np.count_nonzero(ranked)), max_skew)
    topology = Topology(snapshot, key)
    domains = len(topology.domains(ranked))
    if not domains:
        return None
    return _OverDomains(topology, topology.sums(pods, counted), domains, max_skew, own_kind)


class _OverNodes:
    """Every node is a domain of its own."""

    def __init__(self, pods: PerNode, nodes: int, max_skew: int) -> None:
        self._pods = pods  # the snapshot keeps it up to date
        self._weight = _weight(nodes)
        self._max_skew = max_skew

    def placed(self, row: int) -> None:
        return

    def raw(self) -> Raw:
        return self._pods.astype(np.float64) * self._weight + (self._max_skew - 1)


class _OverDomains:
    def __init__(self, topology: Topology, sums: Values, domains: int, max_skew: int, own_kind: bool) -> None:
        self._topology = topology
        self._sums = sums
        self._weight = _weight(domains)
        self._max_skew = max_skew
        self._own_kind = own_kind

    def placed(self, row: int) -> None:
        if self._own_kind:
            self._topology.add(self._sums, row)

    def raw(self) -> Raw:
        raw: Raw = self._sums.astype(np.float64) * self._weight + (self._max_skew - 1)
        return raw[self._topology.domain]


class _Spread:
    def __init__(self, parts: list[_OverNodes | _OverDomains], ranked: Mask, feasible: Mask) -> None:
        self._parts = parts
        self._unranked = None if ranked.all() else ~ranked
        self.values = self._score(feasible)

    def placed(self, row: int, feasible: Mask) -> bool:
        for part in self._parts:
            part.placed(row)
        self.values = self._score(feasible)
        return True

    def _score(self, feasible: Mask) -> Values:
        """Turned round so that few pods score high: upstream's 100 × (max + min - raw) / max."""
        nothing: Raw = np.zeros(len(feasible))  # no node has the labels: there are no parts
        raw: Values = np.rint(sum((part.raw() for part in self._parts), nothing)).astype(np.int64)
        possible = raw[feasible if self._unranked is None else feasible & ~self._unranked]
        highest, lowest = int(possible.max(initial=0)), int(possible.min(initial=np.iinfo(np.int64).max))
        values: Values = MAX * (highest + lowest - raw) // highest if highest else np.full(len(raw), MAX, np.int64)
        if self._unranked is not None:
            values[self._unranked] = 0
        return values


def _weight(domains: int) -> float:
    """The more domains, the smaller the count in each, and the more each counts."""
    return math.log(domains + 2)
