"""Many wake-ups with one sleeping task: an alarm per key, the latest setting counts.

One `Alarms` may serve any number of kubelets of a process.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Hashable

from steersman.aio.clock import Clock
from steersman.aio.tasks import Tasks

# A sleep may end this much early: loops round to their clock's resolution.
ROUNDING_SECONDS = 1e-6


class Alarms:
    def __init__(self, clock: Clock, tasks: Tasks) -> None:
        self._clock = clock
        self._tasks = tasks
        self._heap: list[tuple[float, int, Hashable]] = []
        self._set: dict[Hashable, tuple[float, int, Callable[[], None]]] = {}
        self._numbers = itertools.count()
        self._sleeper: asyncio.Task[None] | None = None
        self._sleeps_until = 0.0
        self._ringing = False

    def set(self, key: Hashable, seconds: float, ring: Callable[[], None]) -> None:
        """Call `ring()` in `seconds`, instead of what was set for `key` before."""
        at, number = self._clock.monotonic() + max(0.0, seconds), next(self._numbers)
        self._set[key] = (at, number, ring)
        heapq.heappush(self._heap, (at, number, key))
        if self._ringing:
            return  # `_wait` looks at the heap when it is done
        if self._sleeper is None:
            self._sleep(at)
        elif at < self._sleeps_until:
            self._sleeper.cancel()
            self._sleep(at)

    def cancel(self, key: Hashable) -> None:
        self._set.pop(key, None)

    def is_set(self, key: Hashable) -> bool:
        return key in self._set

    def _sleep(self, until: float) -> None:
        self._sleeps_until = until
        self._sleeper = self._tasks.start("alarms", self._wait(until))

    async def _wait(self, until: float) -> None:
        await self._clock.sleep(max(0.0, until - self._clock.monotonic()))
        self._ringing = True
        self._ring_due()
        self._ringing, self._sleeper = False, None
        if self._heap:
            self._sleep(self._heap[0][0])

    def _ring_due(self) -> None:
        now = self._clock.monotonic() + ROUNDING_SECONDS
        while self._heap and self._heap[0][0] <= now:
            _, number, key = heapq.heappop(self._heap)
            found = self._set.get(key)
            if found is not None and found[1] == number:
                del self._set[key]
                found[2]()
