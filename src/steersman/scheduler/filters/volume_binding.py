"""Nodes where all of a pod's claims have, find, or can be given a volume.

Bound claims: the volume must be usable on the node. Claims that wait for their first pod: a free volume that is usable there,
or a class whose provisioner can make one there. Anything else refuses the pod as a whole, in upstream's words.
Source: upstream's VolumeBinding plugin; KEP-490 (topology), KEP-1472 (storage capacity).
"""

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from steersman.api import volume_matching, volumes
from steersman.meta import objects, quantities
from steersman.meta.objects import Object
from steersman.scheduler import node_terms
from steersman.scheduler.filters.check import Check, OfClaims, Refusal
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot
from steersman.scheduler.volumes import ClaimUse, Plan, is_owned

FILTER = "VolumeBinding"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
REASON_MATCH = "node(s) didn't find available persistent volumes to bind"
REASON_AFFINITY = "node(s) didn't match PersistentVolume's node affinity"
REASON_GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
REASON_SPACE = "node(s) did not have enough free storage"


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """A pod's claims: bound ones with their volumes (None: it is gone), and those that wait, the smallest first."""

    bound: Sequence[tuple[Object, Object | None]]
    waiting: Sequence[Object]


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    if not shape.claims:
        return None
    found = classify(shape.claims, snapshot)
    return Refusal(FILTER, snapshot.rows, found) if isinstance(found, str) else _Binding(shape, snapshot)


def classify(uses: Sequence[ClaimUse], snapshot: Snapshot) -> Claims | str:
    """Or why no node at all will do."""
    known = snapshot.volumes
    bound: list[tuple[Object, Object | None]] = []
    waiting: list[Object] = []
    immediate = False
    for use in uses:
        claim = known.claim(use)
        if claim is None or (why := _unusable(claim, use)):
            return _missing(use) if claim is None else why
        if volumes.is_bound(claim):
            bound.append((claim, known.volume_of(claim)))
        elif volumes.binding_mode(known.class_of(claim)) == "WaitForFirstConsumer" and not claim["spec"].get(
            "volumeName"
        ):
            waiting.append(claim)
        else:
            immediate = True
    return UNBOUND if immediate else Claims(bound, sorted(waiting, key=volumes.requested_bytes))


def plan(shape: Shape, snapshot: Snapshot, row: int) -> Plan | None:
    """What has to happen to the claims when the pod goes to this node; None: nothing."""
    found = classify(shape.claims, snapshot) if shape.claims else ""
    if isinstance(found, str) or not found.waiting:
        return None
    name = snapshot.names[row]
    node = volume_matching.Node(name, snapshot.labels_of_row(row))
    matched, rest = _match(found.waiting, snapshot, node)
    return Plan(name, matched, tuple(objects.key(claim) for claim in rest))


class _Binding(OfClaims):
    filter = FILTER

    def explain(self, rows: Rows) -> collections.Counter[str]:
        found: collections.Counter[str] = collections.Counter()
        for mask, reason in self._reasons:
            found[reason] += int(np.count_nonzero(~mask[rows]))
        return found

    def look(self) -> None:
        found = classify(self._shape.claims, self._snapshot)
        nobody = np.zeros(self._snapshot.rows, np.bool_)
        if isinstance(found, str):
            self._reasons: list[tuple[Mask, str]] = [(nobody, found)]
        else:
            self._reasons = [
                (_has_volumes(found, self._snapshot), REASON_GONE),
                (_fits_bound(found, self._snapshot), REASON_AFFINITY),
                *_fits_waiting(found.waiting, self._snapshot),
            ]
        self.mask = np.logical_and.reduce([mask for mask, _ in self._reasons])


def _unusable(claim: Object, use: ClaimUse) -> str:
    name = use.name
    if volumes.is_lost(claim):
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim["spec"].get("volumeName", "")}"'
    if objects.is_terminating(claim):
        return f'persistentvolumeclaim "{name}" is being deleted'
    if not is_owned(claim, use):
        return f"PVC {use.key} was not created for the pod (pod is not owner)"
    return ""


def _missing(use: ClaimUse) -> str:
    if use.pod_uid:
        return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{use.name}"'
    return f'persistentvolumeclaim "{use.name}" not found'


def _has_volumes(claims: Claims, snapshot: Snapshot) -> Mask:
    return np.full(snapshot.rows, all(volume is not None for _, volume in claims.bound), np.bool_)


def _fits_bound(claims: Claims, snapshot: Snapshot) -> Mask:
    mask = np.ones(snapshot.rows, np.bool_)
    for _, volume in claims.bound:
        if volume is not None:
            mask &= _usable(volume, snapshot)
    return mask


def _fits_waiting(waiting: Sequence[Object], snapshot: Snapshot) -> list[tuple[Mask, str]]:
    """One claim with a free volume is answered for all nodes at once. Several that need volumes each are tried node by node:
    they must not count on the same one."""
    no_match, no_space = (np.ones(snapshot.rows, np.bool_) for _ in range(2))
    without_provisioner = []
    for claim in waiting:
        matching = _matching(claim, snapshot)
        can_make, has_space = _provisionable(claim, snapshot)
        no_match &= matching | can_make
        no_space &= matching | has_space | ~can_make
        if not can_make.any():
            without_provisioner.append(claim)
    if len(without_provisioner) > 1:
        for row in np.flatnonzero(no_match & snapshot.alive):
            node = volume_matching.Node(snapshot.names[row], snapshot.labels_of_row(int(row)))
            no_match[row] = not _match(without_provisioner, snapshot, node)[1]
    return [(no_match, REASON_MATCH), (no_space, REASON_SPACE)]


def _matching(claim: Object, snapshot: Snapshot) -> Mask:
    """Nodes on which a free volume would do. None is looked for once a node was chosen to make one."""
    mask = np.zeros(snapshot.rows, np.bool_)
    promised = snapshot.volumes.promised_volume(claim)
    if promised is not None:
        return _usable(promised, snapshot)
    if snapshot.volumes.node_of(claim):
        return mask
    for volume in volume_matching.fitting(claim, snapshot.volumes.candidates(claim)):
        mask |= _usable(volume, snapshot)
    return mask


def _provisionable(claim: Object, snapshot: Snapshot) -> tuple[Mask, Mask]:
    """Where the class can make a volume at all, and where there is room for it."""
    nowhere = np.zeros(snapshot.rows, np.bool_)
    storage_class = snapshot.volumes.class_of(claim) or {}
    provisioner = storage_class.get("provisioner", "")
    if provisioner in ("", volumes.NO_PROVISIONER) or snapshot.volumes.promised_volume(claim) is not None:
        return nowhere, nowhere
    chosen = snapshot.volumes.node_of(claim)
    if chosen:
        row = snapshot.row_of(chosen)
        if row is not None:
            nowhere[row] = True
        return nowhere, nowhere
    where = np.ones(snapshot.rows, np.bool_)
    topologies = storage_class.get("allowedTopologies") or ()
    if topologies:
        where = np.logical_or.reduce([_in_topology(term, snapshot) for term in topologies])
    return where, where & _has_space(claim, storage_class, snapshot)


def _in_topology(term: Object, snapshot: Snapshot) -> Mask:
    mask = np.ones(snapshot.rows, np.bool_)
    for expression in term.get("matchLabelExpressions") or ():
        mask &= snapshot.labels.is_one_of(expression["key"], expression.get("values") or [])
    return mask


def _has_space(claim: Object, storage_class: Object, snapshot: Snapshot) -> Mask:
    """Only drivers that publish their capacity are asked for it."""
    driver = snapshot.volumes.drivers.get(storage_class.get("provisioner", ""))
    if driver is None or not driver["spec"].get("storageCapacity"):
        return np.ones(snapshot.rows, np.bool_)
    mask = np.zeros(snapshot.rows, np.bool_)
    size = volumes.requested_bytes(claim)
    for capacity in snapshot.volumes.capacities.values():
        largest = capacity.get("maximumVolumeSize") or capacity.get("capacity")
        fits = largest is not None and quantities.whole(largest) >= size
        if fits and capacity.get("storageClassName") == objects.name(storage_class):
            mask |= _selected(capacity.get("nodeTopology"), snapshot)
    return mask


def _selected(selector: Object | None, snapshot: Snapshot) -> Mask:
    if selector is None:
        return np.zeros(snapshot.rows, np.bool_)
    mask = node_terms.match_map(snapshot, selector.get("matchLabels") or {})
    expressions = selector.get("matchExpressions")
    return mask & node_terms.match(snapshot, {"matchExpressions": expressions}) if expressions else mask


def _usable(volume: Object, snapshot: Snapshot) -> Mask:
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    if required is None:
        return np.ones(snapshot.rows, np.bool_)
    return node_terms.match_any(snapshot, required.get("nodeSelectorTerms") or ())


def _match(
    waiting: Sequence[Object], snapshot: Snapshot, node: volume_matching.Node
) -> tuple[dict[str, str], list[Object]]:
    """Volume → claim for those that find one on the node; and the rest."""
    matched: dict[str, str] = {}
    rest = []
    for claim in waiting:
        found = None
        if not snapshot.volumes.node_of(claim):
            candidates = snapshot.volumes.candidates(claim)
            found = volume_matching.find_on_node(claim, candidates, node, matched.keys())
        if found is None:
            rest.append(claim)
        else:
            matched[objects.name(found)] = objects.key(claim)
    return matched, rest
