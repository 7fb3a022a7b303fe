from steersman.aio import backoff
from tests.aio import virtual

PLAIN = backoff.Pauses(initial_seconds=1, max_seconds=5, jitter=0, reset_after_seconds=60)


def test_pauses_grow_to_their_limit_and_reset():
    async def story(clock):
        pause = backoff.Backoff(clock, PLAIN)
        grown = [pause.next() for _ in range(5)]
        pause.reset()
        return grown, pause.next()

    assert virtual.run(story) == ([1, 2, 4, 5, 5], 1)


def test_a_long_time_without_failure_counts_as_recovered():
    async def story(clock):
        pause = backoff.Backoff(clock, PLAIN)
        for _ in range(3):
            await pause.wait()
        await clock.sleep(100)
        return pause.next()

    assert virtual.run(story) == 1


def test_pauses_are_spread_by_chance():
    async def story(clock):
        pause = backoff.Backoff(clock, backoff.Pauses(initial_seconds=1, max_seconds=1, jitter=1.0))
        return [pause.next() for _ in range(20)]

    pauses = virtual.run(story)
    assert all(1 <= seconds <= 2 for seconds in pauses)
    assert len(set(pauses)) > 10
