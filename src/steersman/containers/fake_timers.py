"""When containers on paper end."""

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator

from steersman.aio.clock import Clock
from steersman.containers import fake_content


class Timers:
    """When which container ends, by itself or because it was asked to: one task, which exists only while something is due."""

    def __init__(self, clock: Clock, call: Callable[[str, bool], None]) -> None:
        self._clock = clock
        self._call = call
        self._due: list[tuple[float, int, str, bool]] = []  # seconds since the start
        self._started_at: float | None = None  # None: time does not pass yet
        self._count = itertools.count()
        self._task: asyncio.Task[None] | None = None
        self._earlier = asyncio.Event()

    def set(self, seconds: float, container_id: str, *, by_itself: bool) -> None:
        heapq.heappush(self._due, (self._now() + seconds, next(self._count), container_id, by_itself))
        self._earlier.set()
        self.start()

    def start(self) -> None:
        if self._started_at is None:
            self._started_at = self._clock.monotonic()
        if self._due and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name="fake runtime timers")

    def left(self) -> Iterator[fake_content.Timer]:
        now = self._now()
        return (fake_content.Timer(at - now, name, by_itself) for at, _, name, by_itself in sorted(self._due))

    def begin_with(self, timers: Iterable[fake_content.Timer]) -> None:
        """Their seconds begin with `start`."""
        for one in timers:
            heapq.heappush(self._due, (one.seconds, next(self._count), one.container_id, one.by_itself))

    def _now(self) -> float:
        return 0.0 if self._started_at is None else self._clock.monotonic() - self._started_at

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while self._due:
            wait = self._due[0][0] - self._now()
            if wait <= 0:
                _, _, container_id, by_itself = heapq.heappop(self._due)
                self._call(container_id, by_itself)
                continue
            self._earlier.clear()
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(wait):
                    await self._earlier.wait()
