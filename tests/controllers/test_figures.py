"""What controllers and their queues tell monitoring."""

import asyncio

import pytest

from steersman.aio.clock import VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.aio.workqueue import WorkQueue
from steersman.api import kinds
from tests.controllers import paper


def test_a_queue_counts_what_it_is_given_and_how_long_that_takes():
    async def story():
        clock = VirtualClock(asyncio.get_running_loop())
        queue: WorkQueue[str] = WorkQueue(clock)
        for key in ("a", "b", "a"):
            queue.add(key)
        await clock.sleep(2)
        key = await queue.get()
        await clock.sleep(3)
        assert queue.unfinished_seconds() == [pytest.approx(3)]
        queue.done(key)
        queue.add_rate_limited(key)
        assert (queue.adds, queue.retries, len(queue)) == (2, 1, 1)
        assert queue.waits.total == pytest.approx(2)
        assert queue.works.total == pytest.approx(3)
        assert queue.unfinished_seconds() == []

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(story())


def test_controllers_tell_of_their_queues_under_upstreams_names():
    async def story():
        async with paper.cluster() as cluster:
            await cluster.create(kinds.CONFIG_MAP, {"metadata": {"name": "a"}})
            await cluster.settle()
            return list(cluster.controllers.samples())

    found = paper.run(story)
    by_name = {(one.name, one.labels["name"]): one.value for one in found if "le" not in one.labels}
    assert by_name["workqueue_adds_total", "serviceaccount"] > 0
    assert by_name["workqueue_depth", "deployment"] == 0
    waits = by_name["workqueue_queue_duration_seconds_count", "serviceaccount"]
    assert waits == by_name["workqueue_work_duration_seconds_count", "serviceaccount"] > 0
    names = [one.name.rpartition("_bucket")[0] or one.name for one in found]
    families = [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]
    assert families.count("workqueue_depth") == 1, "the samples of a family come together"
