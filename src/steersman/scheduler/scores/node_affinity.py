"""Rather on nodes that the preferred node affinity names, by the sum of the weights."""

import numpy as np

from steersman.scheduler import node_terms
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores.score import Fixed, Score, normalized
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    preferred = (shape.affinity.get("nodeAffinity") or {}).get("preferredDuringSchedulingIgnoredDuringExecution")
    if not preferred:
        return None
    raw = np.zeros(snapshot.rows, np.int64)
    for term in preferred:
        raw += node_terms.match(snapshot, term["preference"]) * int(term["weight"])
    values = normalized(raw, feasible)
    return None if values is None else Fixed(values)
