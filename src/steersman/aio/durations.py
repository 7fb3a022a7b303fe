"""How long things took, counted by bounds: one bisection for each."""

import bisect
from collections.abc import Sequence


class Durations:
    """`counts`: how many took at most each of `bounds`, and were not counted before; the last ones took longer."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(self.bounds, seconds)] += 1
        self.total += seconds
