"""Rather where the pod's images are already: the larger they are and the more nodes have them.

An image that few nodes have counts for little, so that not all pods go where the first one went.
Source: upstream's ImageLocality plugin.
"""

import numpy as np

from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores.score import MAX, Fixed, Score
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

_MEBIBYTE = 1024 * 1024
LEAST_BYTES = 23 * _MEBIBYTE  # below it fetching takes no time
MOST_BYTES_PER_CONTAINER = 1000 * _MEBIBYTE


def score(shape: Shape, snapshot: Snapshot, feasible: Mask) -> Score | None:
    known = [name for name in shape.images if snapshot.images.has(name)]
    if not known:
        return None
    there = np.zeros(snapshot.rows, np.int64)
    for name in known:
        sizes = snapshot.images.sizes(name, snapshot.rows)
        share = np.count_nonzero(sizes) / len(snapshot)
        there += (sizes * share).astype(np.int64)
    most = MOST_BYTES_PER_CONTAINER * len(shape.images)
    return Fixed(MAX * (np.clip(there, LEAST_BYTES, most) - LEAST_BYTES) // (most - LEAST_BYTES))
