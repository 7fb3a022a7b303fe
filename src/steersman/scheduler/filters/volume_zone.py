"""A volume with labels of a zone or region can be used only there (volumes made before they had node affinity)."""

import numpy as np

from steersman.meta import objects
from steersman.scheduler.filters.check import Check, Fixed
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

FILTER = "VolumeZone"
REASON = "node(s) had no available volume zone"
_TOPOLOGY = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
)
_SEPARATOR = "__"  # a volume that is in several zones names them all


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    mask = None
    for use in shape.claims:
        claim = snapshot.volumes.claim(use)
        volume = snapshot.volumes.volume_of(claim) if claim is not None else None
        labels = objects.labels(volume) if volume is not None else {}
        for key in _TOPOLOGY:
            if key in labels:
                mask = np.ones(snapshot.rows, np.bool_) if mask is None else mask
                mask &= snapshot.labels.is_one_of(key, labels[key].split(_SEPARATOR))
    return None if mask is None else Fixed(FILTER, mask, REASON)
