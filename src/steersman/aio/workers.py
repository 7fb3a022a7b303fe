"""Several at one time, but no more idle ones than are needed: most owners of many workers never have work for two."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from steersman.aio import tasks

Item = TypeVar("Item")


async def run(
    owner: str, most: int, take: Callable[[], Awaitable[Item]], work: Callable[[Item], Awaitable[None]]
) -> None:
    """Work on whatever `take` hands out, up to `most` at one time, until cancelled; what crashes in it is raised.

    Another worker is started when the last one that waited has got something to do.
    """
    waiting = 0

    async def worker() -> None:
        nonlocal waiting
        while True:
            waiting += 1
            try:
                item = await take()
            finally:
                waiting -= 1
            if not waiting and len(running) < most:
                start()
            await work(item)

    def start() -> None:
        running.start(f"worker {len(running)}", worker())

    async with tasks.Tasks(owner) as running:
        start()
        await running.wait()
