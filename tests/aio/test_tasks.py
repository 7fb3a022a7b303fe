import asyncio
import logging

import pytest

from steersman.aio import backoff, tasks
from tests.aio import virtual

PAUSES = backoff.Pauses(initial_seconds=1, max_seconds=10, jitter=0)


async def fail(text="boom"):
    raise RuntimeError(text)


async def for_ever():
    await asyncio.get_running_loop().create_future()


async def test_wait_returns_when_all_have_ended():
    owner = tasks.Tasks("test")
    seen = []

    async def work(number):
        seen.append(number)

    owner.start("one", work(1))
    owner.start("two", work(2))
    await owner.wait()
    assert sorted(seen) == [1, 2]
    assert len(owner) == 0


async def test_a_crash_is_logged_and_raised_to_whoever_waits(caplog):
    async with tasks.Tasks("test") as owner:
        owner.start("stays", for_ever())
        owner.start("fails", fail())
        with pytest.raises(RuntimeError, match="boom"):
            await owner.wait()
    assert "test: fails crashed" in caplog.text


async def test_close_cancels_and_awaits_all():
    owner = tasks.Tasks("test")
    ended = []

    async def slow_to_end():
        try:
            await for_ever()
        finally:
            await asyncio.sleep(0)
            ended.append(True)

    task = owner.start("slow", slow_to_end())
    await virtual.turns()
    await owner.close()
    assert ended == [True]
    assert task.cancelled()
    late = for_ever()
    with pytest.raises(RuntimeError, match="after close"):
        owner.start("late", late)


async def test_a_task_may_close_its_owner():
    owner = tasks.Tasks("test")
    other = owner.start("other", for_ever())
    await owner.start("closer", owner.close())
    assert other.cancelled()


def test_a_kept_task_is_started_again_after_a_growing_pause(caplog):
    caplog.set_level(logging.CRITICAL, logger="steersman.aio.tasks")

    async def story(clock):
        starts = []

        async def work():
            starts.append(round(clock.monotonic()))
            await fail()

        owner = tasks.Tasks("test")
        owner.keep("restarts", work, clock, PAUSES)
        await clock.sleep(20)
        await owner.close()
        return starts

    assert virtual.run(story) == [0, 1, 3, 7, 15]


async def test_together_gives_all_results_in_order():
    async def later(value: int) -> int:
        await asyncio.sleep(0)
        return value

    assert await tasks.together(later(1), later(2)) == [1, 2]
    assert await tasks.together() == []


async def test_together_leaves_nothing_running_when_one_fails():
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # cleans up
            ended.append("over")

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await tasks.together(waits(), fails(), waits())
    assert ended == ["over", "over"]
