"""How plain (not async) tests run what is async: by a thread with an event loop, or by turning the loop in place.

In a thread the cluster lives on between calls, in real time, and can answer clients from outside. In place it only moves
while a call runs, in virtual time: a minute passes in the microseconds that its work takes.
"""

import asyncio
import concurrent.futures
import datetime
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from steersman.aio.clock import Clock, SystemClock, VirtualClock
from steersman.aio.virtual_loop import VirtualLoop

Result = TypeVar("Result")


class Driver(Protocol):
    @property
    def clock(self) -> Clock: ...

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for its result; exceptions come through."""

    def call(self, function: Callable[[], Result]) -> Result:
        """Call it where the loop runs."""

    def close(self) -> None: ...


class ThreadDriver:
    """Real time, in a thread of its own."""

    def __init__(self, name: str = "steersman") -> None:
        self.clock: Clock = SystemClock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except (KeyboardInterrupt, concurrent.futures.CancelledError):
            future.cancel()
            raise

    def call(self, function: Callable[[], Result]) -> Result:
        if threading.current_thread() is self._thread:
            return function()

        async def inside() -> Result:
            return function()

        return self.run(inside())

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self.run(_end_of_loop(self._loop))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class VirtualDriver:
    """Virtual time from a seed, in the caller's thread."""

    def __init__(self, seed: int = 0, start: datetime.datetime = VirtualClock.START) -> None:
        self._loop = VirtualLoop()
        self.clock: Clock = VirtualClock(self._loop, seed, start)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    def call(self, function: Callable[[], Result]) -> Result:
        return function()

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self.run(_end_of_loop(self._loop))
        self._loop.close()


async def _end_of_loop(loop: asyncio.AbstractEventLoop) -> None:
    await loop.shutdown_asyncgens()
