"""Growing pauses between tries: exponential, with a share of chance so that many do not return at the same moment."""

import dataclasses

from steersman.aio.clock import Clock


@dataclasses.dataclass(frozen=True, slots=True)
class Pauses:
    """`reset_after_seconds` without a failure counts as recovered (0: only `reset` does)."""

    initial_seconds: float = 0.8
    max_seconds: float = 30.0
    factor: float = 2.0
    jitter: float = 1.0
    reset_after_seconds: float = 120.0


# The defaults above are client-go's for reconnecting reflectors.
RECONNECT = Pauses()


class Backoff:
    """One thing that is tried again and again."""

    def __init__(self, clock: Clock, pauses: Pauses = RECONNECT) -> None:
        self._clock = clock
        self._pauses = pauses
        self._next_seconds = pauses.initial_seconds
        self._last_failure = clock.monotonic()

    def next(self) -> float:
        """Seconds to pause after one more failure."""
        pauses, now = self._pauses, self._clock.monotonic()
        if pauses.reset_after_seconds and now - self._last_failure > pauses.reset_after_seconds + self._next_seconds:
            self.reset()
        self._last_failure = now
        seconds = self._next_seconds
        self._next_seconds = min(seconds * pauses.factor, pauses.max_seconds)
        return self._clock.jitter(seconds, pauses.jitter)

    def reset(self) -> None:
        self._next_seconds = self._pauses.initial_seconds

    async def wait(self) -> None:
        """Pause after one more failure."""
        await self._clock.sleep(self.next())
