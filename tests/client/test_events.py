import pytest

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client import events
from steersman.client.client import Client, Unreachable
from steersman.client.transport import InProcessTransport
from steersman.meta import errors
from tests.aio import virtual
from tests.client.fake_server import FakeServer, pod, running

POD = pod("web")


def story(test):
    """Run `test(clock, server, recorder)` under virtual time."""

    def run(caplog):
        async def whole(clock):
            server = FakeServer()
            client = Client(InProcessTransport(server.handle), clock=clock)
            recorder = events.Recorder(client, clock, "kubelet", "n1")
            await test(clock, server, recorder)
            return caplog.text

        virtual.run(whole)

    run.__name__ = test.__name__
    return run


async def recorded(server):
    client = Client(InProcessTransport(server.handle), clock=SystemClock())
    found = await client.list(kinds.EVENT)
    return [(event["reason"], event["message"], event["count"]) for event in found.items]


@story
async def test_events_are_written_and_counted(clock, server, recorder):
    async with running(recorder.run()):
        recorder.event(POD, "Normal", "Started", "Started container")
        recorder.event(POD, "Warning", "Failed", "Failed")
        await clock.sleep(1)
        recorder.event(POD, "Normal", "Started", "Started container")
        await recorder.flush()
    assert sorted(await recorded(server)) == [("Failed", "Failed", 1), ("Started", "Started container", 2)]


@story
async def test_events_give_way_for_a_second(clock, server, recorder):
    busy = True
    recorder.give_way(lambda: busy)
    async with running(recorder.run()):
        recorder.event(POD, "Normal", "Pulled", "for long")
        await clock.sleep(0.9)
        assert await recorded(server) == []
        await recorder.flush()
        assert await recorded(server) == [("Pulled", "for long", 1)]
        assert clock.monotonic() == pytest.approx(1.0, abs=0.1)
        recorder.event(POD, "Normal", "Started", "for a moment")
        await clock.sleep(0.2)
        busy = False
        await recorder.flush()
        assert len(await recorded(server)) == 2
        assert clock.monotonic() == pytest.approx(1.25, abs=0.1)


@story
async def test_recording_never_blocks_and_the_queue_is_bounded(clock, server, recorder):
    for number in range(events.QUEUE_MAX + 5):
        recorder.event(pod(f"p{number}"), "Normal", "Reason", "message")
    assert recorder.dropped == 5
    async with running(recorder.run()):
        await recorder.flush()
    assert len(await recorded(server)) == events.QUEUE_MAX


def test_a_pace_is_kept_after_a_burst():
    async def whole(clock):
        server = FakeServer()
        pace = events.Pace(per_second=10, burst=5)
        recorder = events.Recorder(Client(InProcessTransport(server.handle), clock=clock), clock, "kubelet", "n1", pace)
        began = clock.monotonic()
        async with running(recorder.run()):
            for number in range(8):
                recorder.event(pod(f"p{number}"), "Normal", "Reason", "message")
            await clock.sleep(0.05)
            assert len(await recorded(server)) == 5
            await recorder.flush()
            assert clock.monotonic() - began == pytest.approx(0.3)
            await clock.sleep(60)
            for number in range(5):
                recorder.event(pod(f"q{number}"), "Normal", "Reason", "message")
            await clock.sleep(0.05)
            assert len(await recorded(server)) == 13, "a pause gives the burst back, and not more"

    virtual.run(whole)


async def test_a_flood_is_told_once(caplog):
    clock = SystemClock()
    recorder = events.Recorder(Client(InProcessTransport(FakeServer().handle), clock=clock), clock, "kubelet")
    for number in range(events.QUEUE_MAX + 5):
        recorder.event(pod(f"p{number}"), "Normal", "Reason", "message")
    assert recorder.dropped == 5
    assert len(caplog.records) == 1


@story
async def test_an_event_that_was_deleted_is_made_again(clock, server, recorder):
    async with running(recorder.run()):
        recorder.event(POD, "Normal", "Started", "message")
        await recorder.flush()
        page = await server.store.list("/core/events/")
        await server.remove(page.entries[0].key)
        recorder.event(POD, "Normal", "Started", "message")
        await recorder.flush()
    assert await recorded(server) == [("Started", "message", 2)]


@story
async def test_while_the_server_is_away_it_tries_again(clock, server, recorder):
    server.refuse["POST"] = [Unreachable("away")] * 3
    async with running(recorder.run()):
        recorder.event(POD, "Normal", "Started", "message")
        await recorder.flush()
    assert await recorded(server) == [("Started", "message", 1)]
    assert 20 < clock.monotonic() <= 30


@story
async def test_it_gives_up_in_the_end(clock, server, recorder):
    server.refuse["POST"] = [Unreachable("away")] * events.TRIES_MAX
    async with running(recorder.run()):
        recorder.event(POD, "Normal", "Started", "one")
        recorder.event(POD, "Normal", "Started", "two")
        await recorder.flush()
    assert await recorded(server) == [("Started", "two", 1)]


@story
async def test_a_refused_event_is_not_tried_again(clock, server, recorder):
    server.refuse["POST"] = [errors.forbidden("events", "", "no")]
    async with running(recorder.run()):
        recorder.event(POD, "Normal", "Started", "message")
        await recorder.flush()
        assert await recorded(server) == []
        recorder.event(POD, "Normal", "Started", "message")
        await recorder.flush()
    assert await recorded(server) == [("Started", "message", 1)]


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (errors.already_exists("events", "a"), True),
        (errors.StatusError(errors.status(403, "Forbidden", "", causes=[{"reason": "NamespaceTerminating"}])), True),
        (errors.forbidden("events", "a", "no"), False),
    ],
)
def test_expected_refusals(refused, expected):
    assert events.is_expected(refused) is expected
