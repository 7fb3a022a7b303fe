"""So many at once, and then so many each second: whoever comes beyond that is told so, not made to wait."""


class Bucket:
    """Full at first."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = float(burst)
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one may go, `now` in seconds of a clock that is never put back."""
        passed = max(0.0, now - self._at)
        self._left, self._at = min(self._burst, self._left + passed * self._per_second), now
        if self._left < 1:
            return False
        self._left -= 1
        return True
