import asyncio
import datetime
import re

import pytest

from steersman.aio import clock, virtual_loop
from tests.aio import virtual


def test_virtual_sleep_costs_no_time_and_moves_the_clock():
    async def story(virtual_clock):
        before = virtual_clock.now()
        await virtual_clock.sleep(3600)
        return virtual_clock.now() - before, virtual_clock.monotonic()

    passed, seconds = virtual.run(story)
    assert passed == datetime.timedelta(hours=1)
    assert seconds == pytest.approx(3600)


def test_virtual_timers_fire_in_order():
    async def story(virtual_clock):
        seen = []

        async def after(seconds):
            await virtual_clock.sleep(seconds)
            seen.append((seconds, round(virtual_clock.monotonic(), 6)))

        await asyncio.gather(*(after(seconds) for seconds in (5, 0.5, 60, 1)))
        return seen

    assert virtual.run(story) == [(0.5, 0.5), (1, 1), (5, 5), (60, 60)]


def test_virtual_time_stays_exact_enough_for_years():
    async def story(virtual_clock):
        await virtual_clock.sleep(3e8 + 1 / 3)
        for _ in range(100):
            await virtual_clock.sleep(0.1)
            await virtual_clock.sleep(1 / 3e5)
        return virtual_clock.monotonic()

    assert virtual.run(story) == pytest.approx(3e8 + 10.3, abs=0.1)


def test_virtual_timeout():
    async def story(virtual_clock):
        with pytest.raises(TimeoutError):
            async with virtual_clock.timeout(5):
                await virtual_clock.sleep(6)
        async with virtual_clock.timeout(5):
            await virtual_clock.sleep(4)
        return virtual_clock.monotonic()

    assert virtual.run(story) == pytest.approx(9)


def test_the_same_seed_gives_the_same_chance():
    async def story(virtual_clock):
        return virtual_clock.uid(), virtual_clock.suffix(), virtual_clock.jitter(10)

    assert virtual.run(story, seed=7) == virtual.run(story, seed=7)
    assert virtual.run(story, seed=7) != virtual.run(story, seed=8)


def test_waiting_for_what_can_never_happen_is_told():
    loop = virtual_loop.VirtualLoop()
    try:
        with pytest.raises(virtual_loop.Stuck):
            loop.run_until_complete(virtual.finish(loop.create_future()))
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(virtual.turns())
    finally:
        loop.close()


async def test_system_clock():
    system = clock.SystemClock()
    assert system.now().tzinfo is datetime.UTC
    before = system.monotonic()
    await system.sleep(0)
    assert system.monotonic() >= before
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", system.uid())
    assert system.uid() != system.uid()
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{8}", system.suffix(8))
    assert 10 <= system.jitter(10, 0.5) <= 15
    with pytest.raises(TimeoutError):
        async with system.timeout(0):
            await asyncio.Event().wait()


def test_each_name_has_a_stream_of_chance_of_its_own():
    first, second = clock.Chance(1, "delay"), clock.Chance(1, "loss")
    drawn = [first.random() for _ in range(3)]
    assert [second.random() for _ in range(3)] != drawn
    assert [clock.Chance(1, "delay").random(), clock.Chance(1, "delay").random()] == [drawn[0]] * 2


def test_who_waits_until_a_time_finds_that_it_has_come():
    async def story(virtual_clock):
        late = 0
        for number in range(1, 2000):
            due = virtual_clock.monotonic() + 1 / number
            while virtual_clock.monotonic() < due:
                await virtual_clock.sleep(due - virtual_clock.monotonic())
                late += 1
        return late

    assert virtual.run(story) < 2500
