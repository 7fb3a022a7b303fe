"""Which of the possible nodes suits a pod best: one file per score, 0 to 100 each, with upstream's weights."""

from collections.abc import Callable, Sequence

from steersman.scheduler.label_columns import Mask
from steersman.scheduler.scores import (
    balanced,
    image_locality,
    least_allocated,
    node_affinity,
    pod_affinity,
    spread,
    taints,
)
from steersman.scheduler.scores.score import Score
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Snapshot

# (score, weight): the weights of upstream's default profile.
SCORES: Sequence[tuple[Callable[[Shape, Snapshot, Mask], Score | None], int]] = (
    (taints.score, 3),
    (node_affinity.score, 2),
    (spread.score, 2),
    (pod_affinity.score, 2),
    (least_allocated.score, 1),
    (balanced.score, 1),
    (image_locality.score, 1),
)
