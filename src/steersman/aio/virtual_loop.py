"""An event loop whose time jumps: when nothing is ready, the clock moves to the next timer at once.

For simulation and tests without I/O: a loop that waits for a real socket would never see it, because nothing ever blocks.
Its tasks are told apart by number, not by address: a set of them (asyncio and we keep some) has the same order in every run.
"""

import asyncio
import itertools
import math
import selectors
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

Arguments = TypeVarTuple("Arguments")

# Time moves in ticks of about a microsecond. Powers of two, so that sums and differences of times are exact: whoever waited
# until T finds that it is T, not a hair before it, and does not wait again for ever.
TICKS_PER_SECOND = 2**20


# Asking the kernel for what is ready costs more than many a turn of the loop: while there is work, only each so many turns.
TURNS_UNASKED_MAX = 16


class Stuck(RuntimeError):
    """Nothing is ready and no timer is set: the program waits for something that can never happen."""


class _JumpingSelector(selectors.BaseSelector):
    """Polls real descriptors without waiting (asyncio's own wake-up pipe) and turns waits into jumps of time."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.skipped_seconds = 0.0
        self._unasked = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Any:
        return self._real.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout == 0 and self._unasked < TURNS_UNASKED_MAX:
            self._unasked += 1  # there is work to do: the descriptors can wait
            return []
        self._unasked = 0
        ready = self._real.select(0)
        if ready:
            return ready
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set")
        self.skipped_seconds += max(0.0, timeout)
        return []

    def close(self) -> None:
        self._real.close()


class _NumberedTask(asyncio.Task[Any]):
    """Hashes by its number within its loop."""

    def __init__(self, number: int, *arguments: Any, **more: Any) -> None:
        self._number = number  # first: Task.__init__ puts the task into a set
        super().__init__(*arguments, **more)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at 0.0 seconds; `time()` is the sum of all waits skipped so far."""

    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        super().__init__(self._jumps)
        self._clock_resolution = 0.5 / TICKS_PER_SECOND  # what is due now is due
        numbers = itertools.count()

        def make(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
            return _NumberedTask(next(numbers), work, loop=loop, **more)

        self.set_task_factory(make)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """At the tick at or after `when`."""
        return super().call_at(math.ceil(when * TICKS_PER_SECOND) / TICKS_PER_SECOND, callback, *args, context=context)

    def time(self) -> float:
        return self._jumps.skipped_seconds
