"""Only nodes that `spec.nodeSelector` and the required node affinity name."""

from steersman.scheduler import node_terms
from steersman.scheduler.filters.check import Check, Fixed
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

FILTER = "NodeAffinity"
REASON = "node(s) didn't match Pod's node affinity/selector"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    mask = matching(shape, snapshot)
    return None if mask is None else Fixed(FILTER, mask, REASON)


def matching(shape: Shape, snapshot: Snapshot) -> Mask | None:
    """The nodes the pod asks for; None: it does not mind."""
    mask = None
    if shape.node_selector:
        mask = node_terms.match_map(snapshot, shape.node_selector)
    required = (shape.affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is not None:
        terms = node_terms.match_any(snapshot, required.get("nodeSelectorTerms") or ())
        mask = terms if mask is None else mask & terms
    return mask
