"""Owned background tasks: none is lost, none outlives its owner, and no crash goes unseen.

A crash of a task that was `start`ed is logged and raised to whoever awaits `wait`; a task that is `keep`t is started
again after a growing pause. `close` cancels and awaits all.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from steersman.aio.backoff import RECONNECT, Backoff, Pauses
from steersman.aio.clock import Clock

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Tasks:
    """The tasks of one owner, by name (names may repeat)."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._running: set[asyncio.Task[Any]] = set()
        self._crash: BaseException | None = None
        self._changed = asyncio.Event()
        self._closed = False

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run to its end; a crash is logged and raised by `wait`."""
        if self._closed:
            work.close()
            raise RuntimeError(f"{self._owner}: {name} started after close")
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}: {name}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def keep(
        self, name: str, work: Callable[[], Awaitable[Any]], clock: Clock, pauses: Pauses = RECONNECT
    ) -> asyncio.Task[Any]:
        """Run for ever: after a crash (logged) or an end, start it again after a pause."""
        return self.start(name, self._keep(name, work, Backoff(clock, pauses)))

    async def wait(self) -> None:
        """Return when all have ended; raise the first crash as soon as it happens."""
        while True:
            if self._crash is not None:
                raise self._crash
            if not self._running:
                return
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        """Cancel what runs and wait until it is gone. Crashes have been logged; they are not raised here."""
        self._closed = True
        current = asyncio.current_task()
        while running := [task for task in self._running if task is not current]:
            for task in running:
                task.cancel(f"{self._owner} closes")
            await asyncio.wait(running)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __len__(self) -> int:
        return len(self._running)

    async def _keep(self, name: str, work: Callable[[], Awaitable[Any]], backoff: Backoff) -> None:
        while True:
            try:
                await work()
                _log.warning("%s: %s ended, starting it again", self._owner, name)
            except Exception:
                _log.exception("%s: %s crashed, starting it again", self._owner, name)
            await backoff.wait()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        self._changed.set()
        if task.cancelled():
            return
        crash = task.exception()
        if crash is not None:
            _log.error("%s crashed", task.get_name(), exc_info=crash)
            self._crash = self._crash or crash


async def together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """The results of all. Where one fails (or we are cancelled) the others are cancelled, and over when that is raised: what
    `asyncio.gather` leaves running belongs to nobody."""
    running = [asyncio.get_running_loop().create_task(one) for one in work]
    try:
        return await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


async def turn() -> None:
    """Let every other task that can run do so once."""
    await asyncio.sleep(0)
