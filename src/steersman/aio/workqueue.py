"""A queue of keys to look at, with client-go's promises (util/workqueue).

- Fair: keys come out in the order they were first added.
- Deduplicated: a key added many times before it is taken is taken once.
- Exclusive: a key that is being processed is never handed out again; added meanwhile, it comes back after `done`.
- Delayed and rate limited adds: the earlier of two times wins; failures of one key grow its own pause, and a bucket
  bounds all retries together.

The queue holds each key once, so it is bounded by the number of objects; `LIMIT` catches a caller that invents keys.
"""

import asyncio
import dataclasses
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from steersman.aio.clock import Clock
from steersman.aio.durations import Durations

Key = TypeVar("Key", bound=Hashable)

# More keys than any cluster has objects of one kind (upstream's limit is 150,000 pods).
LIMIT = 1_000_000
BOUNDS = tuple(10.0**power for power in range(-8, 4))  # of durations: upstream's workqueue metrics


class Full(Exception):
    """More keys than the queue's limit wait."""


class ShutDown(Exception):
    """The queue is shut down and empty."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """client-go's DefaultControllerRateLimiter: per key 5 ms doubling to 1,000 s; over all keys 10/s, burst 100."""

    initial_seconds: float = 0.005
    max_seconds: float = 1000.0
    refill_per_second: float = 10.0
    burst: int = 100


class WorkQueue(Generic[Key]):
    """Keys wait, are taken by `get`, and are given back by `done`."""

    def __init__(self, clock: Clock, rates: Rates = Rates(), limit: int = LIMIT) -> None:
        self._clock = clock
        self._rates = rates
        self._limit = limit
        self._queue: deque[Key] = deque()
        self._dirty: set[Key] = set()
        self._processing: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._added_at: dict[Key, float] = {}
        self._taken_at: dict[Key, float] = {}
        self.adds = self.retries = 0
        self.waits, self.works = (
            Durations(BOUNDS),
            Durations(BOUNDS),
        )  # from being added to being taken, and from there to done
        self._tokens = float(rates.burst)
        self._refilled_at = clock.monotonic()
        self._shut_down = False

    def add(self, key: Key) -> None:
        """Process soon. Raises Full."""
        if self._shut_down or key in self._dirty:
            return
        if len(self._dirty) >= self._limit:
            raise Full(f"{self._limit} keys wait")
        self._dirty.add(key)
        self.adds += 1
        self._added_at[key] = self._clock.monotonic()
        if key not in self._processing:
            self._queue.append(key)
            self._wake_one()

    def add_after(self, key: Key, seconds: float) -> None:
        """Process after a while; of several times the earliest holds."""
        if self._shut_down:
            return
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        elif len(self._timers) >= self._limit:
            raise Full(f"{self._limit} keys wait")
        self._timers[key] = loop.call_at(when, self._due, key)

    def add_rate_limited(self, key: Key) -> None:
        """Process again after a failure: the key's own growing pause, or the shared bucket's, whichever is longer."""
        self.retries += 1
        self.add_after(key, max(self._item_pause(key), self._bucket_pause()))

    def forget(self, key: Key) -> None:
        """The key succeeded: its next failure pauses briefly again."""
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """How often in a row the key was rate limited."""
        return self._failures.get(key, 0)

    async def get(self) -> Key:
        """The next key; `done` must follow. Raises ShutDown."""
        while not self._queue:
            if self._shut_down:
                raise ShutDown
            taker = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake_one()  # hand the wake-up on
                raise
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        now = self._taken_at[key] = self._clock.monotonic()
        self.waits.observe(now - self._added_at.pop(key, now))
        return key

    def done(self, key: Key) -> None:
        """Processing ended, well or not."""
        self._processing.discard(key)
        taken_at = self._taken_at.pop(key, None)
        if taken_at is not None:
            self.works.observe(self._clock.monotonic() - taken_at)
        if key in self._dirty:
            self._queue.append(key)
            self._wake_one()

    def shut_down(self) -> None:
        """No more adds; `get` drains what waits, then raises ShutDown."""
        self._shut_down = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._takers:
            self._wake_one()

    def __len__(self) -> int:
        return len(self._queue)

    def is_idle(self) -> bool:
        """Nothing waits, nothing is being processed (delayed keys do not count)."""
        return not self._queue and not self._processing

    def statistics(self) -> dict[str, int]:
        return {
            "waiting": len(self._queue),
            "processing": len(self._processing),
            "delayed": len(self._timers),
            "failing": len(self._failures),
        }

    def unfinished_seconds(self) -> list[float]:
        """How long each key that is being processed has been."""
        now = self._clock.monotonic()
        return [now - at for at in self._taken_at.values()]

    def _due(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

    def _wake_one(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _item_pause(self, key: Key) -> float:
        failed = self._failures.get(key, 0)
        self._failures[key] = failed + 1
        return min(self._rates.initial_seconds * 2.0 ** min(failed, 64), self._rates.max_seconds)

    def _bucket_pause(self) -> float:
        """Seconds until the token just taken is there; 0 while the burst lasts."""
        now = self._clock.monotonic()
        rate = self._rates.refill_per_second
        refilled = self._tokens + (now - self._refilled_at) * rate
        self._tokens = min(float(self._rates.burst), refilled) - 1.0
        self._refilled_at = now
        return max(0.0, -self._tokens / rate)
