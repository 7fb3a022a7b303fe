"""Run a coroutine under virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from steersman.aio import clock, virtual_loop


def run(test: Callable[[clock.VirtualClock], Coroutine[Any, Any, Any]], seed: int = 0) -> Any:
    """`test(clock)` to its end on a loop of its own; what it returns."""
    loop = virtual_loop.VirtualLoop()
    try:
        return loop.run_until_complete(test(clock.VirtualClock(loop, seed)))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(turns())
        loop.close()


async def turns(count: int = 10) -> None:
    """Let other tasks run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def finish(work: Awaitable[Any]) -> Any:
    return await work
