"""Rather not on nodes with PreferNoSchedule taints that the pod does not tolerate."""

import numpy as np

from steersman.scheduler import tolerations
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores.score import Fixed, Score, normalized
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    unwanted = np.zeros(snapshot.rows, np.int64)
    for taint, mask in snapshot.taints.items():
        if taint.effect == "PreferNoSchedule" and not tolerations.tolerates(shape.tolerations, taint):
            unwanted += mask
    values = normalized(unwanted, feasible, reverse=True)
    return None if values is None else Fixed(values)
