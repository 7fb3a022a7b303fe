"""The promises of client-go's work queue."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.aio import workqueue
from steersman.aio.workqueue import Rates, WorkQueue
from tests.aio import virtual


def test_keys_come_in_order_and_once():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock)
        for key in "abab":
            queue.add(key)
        return [await queue.get(), await queue.get(), len(queue)]

    assert virtual.run(story) == ["a", "b", 0]


def test_a_key_in_processing_comes_back_only_after_done():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock)
        queue.add("a")
        key = await queue.get()
        queue.add("a")
        queue.add("a")
        assert len(queue) == 0
        taker = asyncio.ensure_future(queue.get())
        await virtual.turns()
        assert not taker.done()
        queue.done(key)
        assert await taker == "a"
        queue.done("a")
        assert queue.is_idle()

    virtual.run(story)


def test_of_several_delays_the_earliest_holds():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock)
        queue.add_after("a", 10)
        queue.add_after("a", 5)
        queue.add_after("a", 20)
        queue.add_after("b", 0)
        times = []
        for _ in range(2):
            key = await queue.get()
            queue.done(key)
            times.append((key, clock.monotonic()))
        await clock.sleep(60)
        return times, len(queue)

    assert virtual.run(story) == ([("b", 0), ("a", 5)], 0)


def test_failures_grow_the_keys_own_pause_until_it_is_forgotten():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock, Rates(initial_seconds=1, max_seconds=6))
        times = []
        for number in range(6):
            if number == 5:
                queue.forget("a")
            started = clock.monotonic()
            queue.add_rate_limited("a")
            queue.done(await queue.get())
            times.append(clock.monotonic() - started)
        return times, queue.failures("a")

    times, failures = virtual.run(story)
    assert times == pytest.approx([1, 2, 4, 6, 6, 1])
    assert failures == 1


def test_the_bucket_bounds_all_retries_together():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock, Rates(initial_seconds=0.001, refill_per_second=10, burst=5))
        for number in range(15):
            queue.add_rate_limited(number)
        for _ in range(15):
            queue.done(await queue.get())
        return clock.monotonic()

    assert virtual.run(story) == pytest.approx(1.0)


def test_shut_down_drains_then_ends():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock)
        queue.add("a")
        queue.add_after("late", 1)
        waiting = [asyncio.ensure_future(queue.get()) for _ in range(3)]
        await virtual.turns()
        queue.shut_down()
        queue.add("b")
        results = await asyncio.gather(*waiting, return_exceptions=True)
        return results[0], [type(result) for result in results[1:]]

    assert virtual.run(story) == ("a", [workqueue.ShutDown, workqueue.ShutDown])


def test_a_cancelled_taker_loses_no_key():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock)
        first, second = asyncio.ensure_future(queue.get()), asyncio.ensure_future(queue.get())
        await virtual.turns()
        queue.add("a")  # wakes the first, which is cancelled before it runs
        first.cancel()
        return await second

    assert virtual.run(story) == "a"


def test_more_keys_than_the_limit_are_refused():
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock, limit=2)
        queue.add("a")
        queue.add("b")
        with pytest.raises(workqueue.Full):
            queue.add("c")

    virtual.run(story)


@given(st.lists(st.tuples(st.sampled_from(["add", "get", "done", "later"]), st.integers(0, 4)), max_size=60))
def test_never_two_at_a_time_and_nothing_is_lost(steps):
    async def story(clock):
        queue: WorkQueue[Any] = WorkQueue(clock)
        taken, wanted = [], set()
        for what, key in steps:
            if what == "add":
                queue.add(key)
                wanted.add(key)
            elif what == "later":
                queue.add_after(key, 1)
                wanted.add(key)
            elif what == "get" and len(queue):
                got = await queue.get()
                assert got not in taken
                taken.append(got)
                wanted.discard(got)
            elif what == "done" and taken:
                queue.done(taken.pop(0))
            if key == 4:
                await clock.sleep(0.5)
        await clock.sleep(2)
        while taken:
            queue.done(taken.pop())
        left = set()
        while len(queue):
            left.add(await queue.get())
        assert wanted <= left

    virtual.run(story)
