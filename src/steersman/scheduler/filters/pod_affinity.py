"""Required pod affinity and anti-affinity: with the pods one must be near, away from those one must not be near, and not
where a pod already is that does not want us near.

The first pod of a group that must be near its own kind may go anywhere: otherwise none could ever start.
"""

import collections

import numpy as np

from steersman.scheduler import pod_counts
from steersman.scheduler.filters.check import Check
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot
from steersman.scheduler.topology import PerDomain, Topology

FILTER = "InterPodAffinity"
REASON_NEAR = "node(s) didn't match pod affinity rules"
REASON_AWAY = "node(s) didn't match pod anti-affinity rules"
REASON_UNWANTED = "node(s) didn't satisfy existing pods anti-affinity rules"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    terms = shape.group.terms
    unwanted = _unwanted(shape, snapshot)
    return _PodAffinity(shape, snapshot, unwanted) if terms.near or terms.away or unwanted is not None else None


class _PodAffinity:
    filter = FILTER

    def __init__(self, shape: Shape, snapshot: Snapshot, unwanted: Mask | None) -> None:
        self._near = _Near(shape, snapshot) if shape.group.terms.near else None
        self._away = _Away(shape, snapshot) if shape.group.terms.away else None
        self._wanted: Mask = np.ones(snapshot.rows, np.bool_) if unwanted is None else ~unwanted
        self._combine()

    def placed(self, row: int) -> bool:
        changed = [part.placed(row) for part in (self._near, self._away) if part is not None]
        if any(changed):
            self._combine()
        return any(changed)

    def explain(self, rows: Rows) -> collections.Counter[str]:
        found: collections.Counter[str] = collections.Counter()
        for mask, reason in self._reasons():
            found[reason] += int(np.count_nonzero(~mask[rows]))
            rows = rows[mask[rows]]
        return found

    def hopeless(self, rows: Rows) -> int:
        """Removing pods brings nobody nearer to the pods they must be near."""
        return 0 if self._near is None else int(np.count_nonzero(~self._near.mask[rows]))

    def _combine(self) -> None:
        self.mask = np.logical_and.reduce([mask for mask, _ in self._reasons()])

    def _reasons(self) -> list[tuple[Mask, str]]:
        """In upstream's order: a node counts under the first that refuses it."""
        found = []
        if self._near is not None:
            found.append((self._near.mask, REASON_NEAR))
        if self._away is not None:
            found.append((self._away.mask, REASON_AWAY))
        return [*found, (self._wanted, REASON_UNWANTED)]


class _Near:
    """All terms must hold, each over its own topology, for pods that all terms speak of."""

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        terms = shape.group.terms.near
        whos = tuple(term.who for term in terms)
        pods = pod_counts.of_all(snapshot, whos)
        self._topologies = [Topology(snapshot, term.topology_key) for term in terms]
        self._sums = [topology.sums(pods) for topology in self._topologies]
        self._own_kind = all(pod_counts.who_matches(snapshot, who, shape.group) for who in whos)
        self._set_mask()

    def placed(self, row: int) -> bool:
        if self._own_kind:
            for topology, sums in zip(self._topologies, self._sums, strict=True):
                topology.add(sums, row)
            self._set_mask()
        return self._own_kind

    def _set_mask(self) -> None:
        if self._own_kind and not any(sums.any() for sums in self._sums):
            masks = [topology.has for topology in self._topologies]
        else:
            masks = [(s > 0)[topology.domain] for topology, s in zip(self._topologies, self._sums, strict=True)]
        self.mask: Mask = np.logical_and.reduce(masks)


class _Away:
    """Each term by itself. Nodes without the term's label are nobody's neighbours."""

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        self._terms: list[tuple[Topology, PerDomain, bool]] = []
        for term in shape.group.terms.away:
            topology = Topology(snapshot, term.topology_key)
            sums = topology.sums(pod_counts.of_all(snapshot, (term.who,)))
            self._terms.append((topology, sums, pod_counts.who_matches(snapshot, term.who, shape.group)))
        self.mask: Mask = np.logical_and.reduce([(sums == 0)[topology.domain] for topology, sums, _ in self._terms])

    def placed(self, row: int) -> bool:
        changed = False
        for topology, sums, own_kind in self._terms:
            if own_kind and topology.has[row]:
                topology.add(sums, row)
                self.mask &= topology.domain != topology.domain[row]
                changed = True
        return changed


def _unwanted(shape: Shape, snapshot: Snapshot) -> Mask | None:
    """Where a pod is that must not be near this one. Pods of this shape place no further ones by themselves: whoever
    does not want its own kind near says so in its own terms, which `_Away` keeps."""
    mask: Mask | None = None
    for held in list(snapshot.counts.held):
        role, term = held
        if role == "away" and pod_counts.who_matches(snapshot, term.who, shape.group):
            topology = Topology(snapshot, term.topology_key)
            near = (topology.sums(pod_counts.holding(snapshot, held)) > 0)[topology.domain]
            mask = near if mask is None else mask | near
    return mask
