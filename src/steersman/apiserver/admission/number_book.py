"""Numbers (addresses, ports) that are given out once each. Pure."""

import itertools


class Numbers:
    """Integers of a range, each given out at most once; the lowest `static_band` last, so that people can choose there.

    `taken` may be shared by ranges that overlap.
    """

    def __init__(self, low: int, high: int, static_band: int, taken: set[int] | None = None) -> None:
        self.low, self.high = low, high
        self._dynamic_low = min(high, low + static_band)
        self._taken: set[int] = set() if taken is None else taken
        self._next: int = self._dynamic_low

    def __contains__(self, number: int) -> bool:
        return self.low <= number <= self.high

    def take(self, number: int) -> bool:
        """False when it is somebody's already."""
        if number in self._taken:
            return False
        self._taken.add(number)
        return True

    def take_any(self) -> int | None:
        """A free number; None when all are taken."""
        for low, high in ((self._dynamic_low, self.high), (self.low, self._dynamic_low - 1)):
            start = self._next if low <= self._next <= high else low
            for number in itertools.chain(range(start, high + 1), range(low, start)):
                if self.take(number):
                    self._next = number + 1
                    return number
        return None

    def release(self, number: int) -> None:
        self._taken.discard(number)


def static_band(size: int, low: int, high: int) -> int:
    """How many of the lowest numbers are kept for static choice: upstream's min(max(low, size/step), high)."""
    return 0 if size <= low else min(max(low, size // low), high)
