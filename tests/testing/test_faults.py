"""What each fault does to one request, by the transport and by the handler."""

import asyncio

import pytest

from steersman.client.transport import InProcessTransport, Unreachable
from steersman.meta import errors
from steersman.serving import messages
from steersman.serving.messages import Request, Response
from steersman.testing import faults
from steersman.testing.driver import VirtualDriver
from steersman.testing.faults import Fault

BUSY = errors.too_many_requests("slow down", 7).status


class Server:
    """Counts what reaches it; streams the events it is given."""

    def __init__(self):
        self.reached = 0
        self.events: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(self, request):
        self.reached += 1
        if request.query == "watch=1":
            return Response(200, {}, stream=self._stream())
        return Response(200, {}, b"%d" % self.reached)

    async def _stream(self):
        while True:
            yield await self.events.get()


class World:
    def __init__(self, clock, fault):
        self.clock = clock
        self.server = Server()
        self.transport = faults.FaultyTransport(InProcessTransport(self.server.handle), lambda _: fault, self.clock)

    async def get(self):
        return (await self.transport.request(Request("GET", "/"))).body

    async def watch(self):
        return (await self.transport.stream(Request("GET", "/", "watch=1"))).stream


@pytest.fixture
def run():
    """Tells a story in virtual time."""
    driver = VirtualDriver()

    async def tell(story, fault):
        await story(World(driver.clock, fault))

    yield lambda story, fault=None: driver.run(tell(story, fault))
    driver.close()


@pytest.mark.parametrize(
    ("fault", "reached", "seconds", "answer"),
    [
        pytest.param(None, 1, 0, b"1", id="none"),
        pytest.param(Fault(delay_seconds=3), 1, 3, b"1", id="delay"),
        pytest.param(Fault(answer_delay_seconds=3), 1, 3, b"1", id="late answer"),
        pytest.param(Fault(copies=3), 3, 0, b"3", id="duplicated"),
        pytest.param(Fault(drop=True, delay_seconds=2), 0, 2, None, id="dropped after a while"),
        pytest.param(Fault(lose_answer=True), 1, 0, None, id="answer lost"),
    ],
)
def test_requests(run, fault, reached, seconds, answer):
    async def story(world):
        if answer is None:
            with pytest.raises(Unreachable):
                await world.get()
        else:
            assert await world.get() == answer
        assert world.server.reached == reached
        assert world.clock.monotonic() == pytest.approx(seconds)

    run(story, fault)


def test_a_refusal_says_when_to_try_again(run):
    async def story(world):
        response = await world.transport.request(Request("GET", "/"))
        assert (response.status, response.headers["retry-after"], world.server.reached) == (429, "7", 0)

    run(story, Fault(refuse=BUSY))


async def read(stream):
    """All until it ends; the name of the error if there is one."""
    pieces = []
    try:
        async for piece in stream:
            pieces.append(piece)
    except Exception as error:
        pieces.append(type(error).__name__)
    return pieces


@pytest.mark.parametrize(
    ("fault", "expect"),
    [
        pytest.param(Fault(close=True), [b"a\n"], id="closed"),
        pytest.param(Fault(drop=True), [b"a\n", "Unreachable"], id="lost"),
        pytest.param(Fault(expire=True), [b"a\n", b"ERROR"], id="expired"),
    ],
)
def test_an_open_watch_ends_while_nothing_happens(run, fault, expect):
    async def story(world):
        stream = await world.watch()
        world.server.events.put_nowait(b"a\n")
        reading = asyncio.create_task(read(stream))
        await world.clock.sleep(1)
        (one,) = world.transport.streams
        one.meet(fault)
        found = await reading
        assert [b"ERROR" if b'"code":410' in piece else piece for piece in found if isinstance(piece, bytes)] + [
            piece for piece in found if isinstance(piece, str)
        ] == expect
        assert len(world.transport.streams) == 0

    run(story)


def test_a_watch_is_closed_after_so_many_events(run):
    async def story(world):
        stream = await world.watch()
        world.server.events.put_nowait(b"a\nb\nc\n")
        assert await read(stream) == [b"a\nb\n"]

    run(story, Fault(close_after_events=2))


def test_held_events_come_later_and_in_order(run):
    async def story(world):
        stream = await world.watch()
        (one,) = world.transport.streams
        gate = faults.Gate()
        one.meet(Fault(hold=gate))
        reading = asyncio.create_task(read(stream))
        for event in (b"a\n", b"b\n"):
            world.server.events.put_nowait(event)
        await world.clock.sleep(60)
        assert not reading.done()
        gate.open()
        await world.clock.sleep(0.1)
        one.meet(Fault(close=True))
        assert await reading == [b"a\n", b"b\n"]

    run(story)


def test_a_held_watch_can_be_closed_and_cancelled(run):
    async def story(world):
        for close in (True, False):
            stream = await world.watch()
            (one,) = world.transport.streams
            one.meet(Fault(hold=faults.Gate()))
            reading = asyncio.create_task(read(stream))
            world.server.events.put_nowait(b"a\n")
            await world.clock.sleep(1)
            if close:
                one.meet(Fault(close=True))
                assert await reading == []
            else:
                reading.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reading
            assert len(world.transport.streams) == 0

    run(story)


def test_each_batch_of_events_is_late(run):
    async def story(world):
        stream = await world.watch()
        for event in (b"a\n", b"b\n"):
            world.server.events.put_nowait(event)
        assert [await anext(stream), await anext(stream)] == [b"a\n", b"b\n"]
        assert world.clock.monotonic() == pytest.approx(4)
        await stream.aclose()

    run(story, Fault(event_delay_seconds=2))


def test_the_server_cuts_the_connection_instead_of_answering(run):
    async def story(world):
        async def decide(_):
            return Fault(drop=True)

        handle = faults.faulty_handler(world.server.handle, decide, world.clock, world.transport.streams)
        with pytest.raises(messages.NoAnswer):
            await handle(Request("GET", "/"))

    run(story)
