"""What a score answers for one shape of pod: how good each node is, kept right while pods of the shape are placed."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from steersman.scheduler.label_columns import Mask

MAX = 100

Values = npt.NDArray[np.int64]


class Score(Protocol):
    """`values[row]` is 0 to 100. A score that tells no node from another is None instead."""

    values: Values

    def placed(self, row: int, feasible: Mask) -> bool:
        """The snapshot has one more pod of this shape on `row`. True: other rows may have changed too."""


class Fixed:
    """A score that placements do not change."""

    def __init__(self, values: Values) -> None:
        self.values = values

    def placed(self, row: int, feasible: Mask) -> bool:
        return False


def normalized(raw: Values, feasible: Mask, *, reverse: bool = False) -> Values | None:
    """Scaled so that the highest raw value of a possible node is 100; `reverse`: 0, and nothing is 100."""
    highest = int(raw[feasible].max(initial=0))
    if highest == 0:
        return None
    scaled = raw * MAX // highest
    return MAX - scaled if reverse else scaled
