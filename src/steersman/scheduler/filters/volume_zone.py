"""A volume with labels of a zone or region can be used only there (volumes made before they had node affinity)."""

import numpy as np

from steersman.meta import objects
from steersman.scheduler.filters.check import Check, Fixed
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

FILTER = "VolumeZone"
REASON = "node(s) had no available volume zone"
_TOPOLOGY = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
_BETA = {f"failure-domain.beta.kubernetes.io/{name}": f"topology.kubernetes.io/{name}" for name in ("zone", "region")}
_SEPARATOR = "__"  # a volume that is in several zones names them all


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    """Nodes that say nothing about where they are take all volumes."""
    mask = None
    for use in shape.claims:
        claim = snapshot.volumes.claim(use)
        volume = snapshot.volumes.volume_of(claim) if claim is not None else None
        labels = objects.labels(volume) if volume is not None else {}
        for key in (*_TOPOLOGY, *_BETA):
            if key in labels:
                mask = np.ones(snapshot.rows, np.bool_) if mask is None else mask
                mask &= _is_there(snapshot, key, labels[key].split(_SEPARATOR))
    if mask is None:
        return None
    somewhere = np.logical_or.reduce([snapshot.labels.has(key) for key in (*_TOPOLOGY, *_BETA)])
    return Fixed(FILTER, mask | ~somewhere, REASON)


def _is_there(snapshot: Snapshot, key: str, values: list[str]) -> Mask:
    """A node without the beta label may have the one that came after it."""
    there = snapshot.labels.is_one_of(key, values)
    if key in _BETA:
        there |= ~snapshot.labels.has(key) & snapshot.labels.is_one_of(_BETA[key], values)
    return there
