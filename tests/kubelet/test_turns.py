"""Who may start, and when."""

import asyncio

from steersman.aio.tasks import Tasks
from steersman.kubelet.alarms import Alarms
from steersman.kubelet.turns import TURN_SECONDS, Turns
from tests.aio import virtual


def play(test):
    """Run `test(turns, ask, going, clock)` under virtual time, two at once; `ask` has a pod wait for its turn."""

    async def whole(clock):
        async with Tasks("test") as tasks:
            turns, going = Turns(Alarms(clock, tasks), 2), []

            async def wait(uid):
                await turns.wait(uid)
                going.append(uid)

            await test(turns, lambda uid: tasks.start(uid, wait(uid)), going, clock)
            await tasks.close()

    virtual.run(whole)


def test_a_few_at_a_time_in_their_order():
    async def test(turns, ask, going, clock):
        for uid in "abcd":
            ask(uid)
        await clock.sleep(0.01)
        assert going == ["a", "b"]
        turns.end("b")
        await clock.sleep(0.01)
        assert going == ["a", "b", "c"]
        turns.end("a")
        turns.end("a")
        await clock.sleep(0.01)
        assert going == ["a", "b", "c", "d"]

    play(test)


def test_nobody_waits_for_one_that_takes_long():
    async def test(turns, ask, going, clock):
        for uid in "abcdef":
            ask(uid)
        await clock.sleep(TURN_SECONDS + 0.01)
        assert going == ["a", "b", "c", "d"]
        await clock.sleep(TURN_SECONDS)
        assert going == ["a", "b", "c", "d", "e", "f"]

    play(test)


def test_volumes_and_sandbox_of_a_pod_share_its_turn():
    async def test(turns, ask, going, clock):
        for uid in ("a", "a", "b", "c", "c"):
            ask(uid)
        await clock.sleep(0.01)
        assert going == ["a", "a", "b"]
        turns.end("a")
        await clock.sleep(0.01)
        assert going == ["a", "a", "b", "c", "c"]

    play(test)


def test_a_pod_that_is_to_go_does_not_wait():
    async def test(turns, ask, going, clock):
        for uid in "abcd":
            ask(uid)
        await clock.sleep(0.01)
        turns.end("d")
        await clock.sleep(0.01)
        assert going == ["a", "b", "d"], "its work sees for itself that there is nothing to make"
        turns.end("a")
        await clock.sleep(0.01)
        assert going == ["a", "b", "d", "c"]

    play(test)


def test_one_that_is_cancelled_takes_no_place():
    async def test(turns, ask, going, clock):
        for uid in "ab":
            ask(uid)
        third, fourth = ask("c"), ask("d")
        await clock.sleep(0.01)
        third.cancel()
        await asyncio.wait([third])
        turns.end("c")
        turns.end("a")
        await asyncio.wait([fourth])
        assert going == ["a", "b", "d"]

    play(test)
