"""Only nodes that `spec.nodeSelector` and the required node affinity name."""

import numpy as np

from steersman.scheduler import node_terms
from steersman.scheduler.filters.check import Check, Fixed, Refusal
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

FILTER = "NodeAffinity"
REASON = "node(s) didn't match Pod's node affinity/selector"
REASON_NOT_NAMED = f"node(s) didn't satisfy plugin(s) [{FILTER}]"
CONFLICT = "pod affinity terms conflict"


def named(shape: Shape, snapshot: Snapshot) -> Check | None:
    """Only nodes that the required node affinity names, where all its terms do: the others are not looked at at all."""
    required = (shape.affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    names: set[str] = set()
    for term in (required or {}).get("nodeSelectorTerms") or ():
        fields = term.get("matchFields") or ()
        listed = [set(one["values"]) for one in fields if (one["key"], one["operator"]) == ("metadata.name", "In")]
        if not listed:
            return None
        names |= set.intersection(*listed)
    if not names:
        return Refusal(FILTER, snapshot.rows, CONFLICT) if required else None
    mask = np.zeros(snapshot.rows, np.bool_)
    mask[[row for name in names if (row := snapshot.row_of(name)) is not None]] = True
    return Fixed(FILTER, mask, REASON_NOT_NAMED)


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
