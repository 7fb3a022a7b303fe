import asyncio

import pytest

from steersman.aio import workers
from tests.aio import virtual


class Crew:
    """What workers were given and how many were at it."""

    def __init__(self, most):
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.go_on = asyncio.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.task = asyncio.ensure_future(workers.run("crew", most, self.queue.get, self.work))

    async def work(self, item):
        self.begun.append(item)
        if item == "bad":
            raise ZeroDivisionError
        await self.go_on.wait()
        self.ended.append(item)

    async def put(self, items):
        for item in items:
            self.queue.put_nowait(item)
        await virtual.turns(20)


def tasks_of(owner):
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(f"{owner}: worker")]


async def end(crew):
    crew.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await crew.task
    assert tasks_of("crew") == []


async def test_so_many_at_one_time_and_in_order():
    crew = Crew(most=3)
    await crew.put("abcde")
    assert (crew.begun, crew.ended) == (["a", "b", "c"], [])
    crew.go_on.set()
    await virtual.turns(20)
    assert crew.begun == ["a", "b", "c", "d", "e"]
    assert sorted(crew.ended) == crew.begun
    await end(crew)


async def test_one_waits_and_another_comes_when_it_has_work():
    crew = Crew(most=5)
    await virtual.turns()
    assert len(tasks_of("crew")) == 1
    await crew.put("a")
    assert len(tasks_of("crew")) == 2
    await crew.put("bcdefgh")
    assert len(tasks_of("crew")) == 5
    await end(crew)


async def test_a_crash_ends_all_and_is_raised(caplog):
    crew = Crew(most=2)
    await crew.put(["a", "bad"])
    with pytest.raises(ZeroDivisionError):
        await crew.task
    assert tasks_of("crew") == []
