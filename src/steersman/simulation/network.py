"""How parts reach the API server: every message is a step at which something may go wrong.

Keeps true: what a part was told was written is in history (`acknowledged`); a part that crashed sends and hears nothing more;
a request that reached the server is worked on whatever becomes of its sender; what a watch tells comes in order.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

import orjson

from steersman.aio.clock import Chance, Clock
from steersman.client.shared_parsing import SharedParsing
from steersman.client.transport import InProcessTransport, Unreachable
from steersman.meta.errors import StatusError
from steersman.serving.messages import Duplex, Handler, Request, Response
from steersman.simulation.weather import SMOOTH, Weather

# A watcher that has not taken so many pieces is cut off, as a server cuts off a slow client.
PIECES_WAITING_MAX = 1_000

Acknowledged = Callable[[str, Request, Response], None]


class Serving:
    """One incarnation of the API server as the network sees it: requests are worked on in tasks that end with it."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self._working: dict[asyncio.Task[None], asyncio.Future[Response]] = {}
        self._streams: dict[Stream, None] = {}
        self._closed = False

    def submit(self, call: Handler, request: Request) -> "asyncio.Future[Response]":
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        if self._closed:
            answer.set_exception(Unreachable("connection refused"))
            return answer
        task = asyncio.get_running_loop().create_task(_work(call, request, answer))
        self._working[task] = answer
        task.add_done_callback(self._done)
        return answer

    def follow(self, stream: "Stream", pieces: AsyncIterator[bytes]) -> None:
        self._streams[stream] = None
        stream.pump = asyncio.get_running_loop().create_task(_pump(stream, pieces, self))

    def left(self, stream: "Stream") -> None:
        self._streams.pop(stream, None)

    def end_watches(self, part: str) -> None:
        """As a server does now and then; "*": all."""
        for stream in [stream for stream in self._streams if part in ("*", stream.part)]:
            stream.end(None)

    def abort(self) -> None:
        """The server is gone: nobody hears from it any more."""
        self._closed = True
        for task, answer in [*self._working.items()]:
            task.cancel()
            if not answer.done():
                answer.set_exception(Unreachable("connection reset by peer"))
        for stream in [*self._streams]:
            stream.end(Unreachable("connection reset by peer"))

    def _done(self, task: "asyncio.Task[None]") -> None:
        answer = self._working.pop(task)
        if answer.cancelled():
            return
        if not answer.done():
            answer.set_exception(Unreachable("connection reset by peer"))
        answer.exception()  # who waited for it may be gone


async def _work(call: Handler, request: Request, answer: "asyncio.Future[Response]") -> None:
    response = await call(request)
    if not answer.done():
        answer.set_result(response)


async def _pump(stream: "Stream", pieces: AsyncIterator[bytes], serving: Serving) -> None:
    try:
        async for piece in pieces:
            stream.push(piece)
        stream.end(None)
    finally:
        serving.left(stream)
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


class Stream:
    """One open watch, seen from its reader."""

    def __init__(self, part: str, weather: Weather, clock: Clock, step: Callable[[], None]) -> None:
        self.part = part
        self.pump: asyncio.Task[None] | None = None
        self._weather = weather
        self._clock = clock
        self._step = step
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._last_due = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._why: Exception | None = None

    def push(self, piece: bytes) -> None:
        if len(self._pieces) >= PIECES_WAITING_MAX:
            self.end(Unreachable("the reader is too slow"))
            return
        due = self._clock.monotonic() + self._weather.stale_seconds(self.part)
        self._last_due = max(due, self._last_due)
        self._pieces.append((self._last_due, piece))
        self._wake()

    def end(self, why: Exception | None) -> None:
        """No more pieces come after those on the way; with a reason, those are lost, too."""
        if self._ended:
            return
        self._ended, self._why = True, why
        if why is not None:
            self._pieces.clear()
        if self.pump is not None:
            self.pump.cancel()
        self._wake()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            while not self._pieces:
                if self._ended:
                    if self._why is not None:
                        raise self._why
                    raise StopAsyncIteration
                self._waiter = asyncio.get_running_loop().create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
            due = self._pieces[0][0]
            wait = due - self._clock.monotonic()
            if wait > 0:
                await self._clock.sleep(wait)
                continue
            self._step()
            if self._weather.is_cut_off(self.part):
                await self._wait_for_connection()
                continue
            return self._pieces.popleft()[1]

    async def _wait_for_connection(self) -> None:
        """What is on the way when a connection breaks is lost; the reader learns of it when it is back."""
        while self._weather.is_cut_off(self.part):
            await self._clock.sleep(0.5)
        self.end(Unreachable("connection timed out"))
        self._pieces.clear()

    async def aclose(self) -> None:
        self.end(None)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Network:
    """Where the API servers are now, and who may reach them: each message goes to any that serves, as through a load balancer."""

    def __init__(
        self,
        servers: int,
        chance: Chance,
        weather: Weather,
        clock: Clock,
        acknowledged: Acknowledged,
        parsing: SharedParsing,
    ) -> None:
        """`servers`: how many there should be; `chance` chooses among those that there are."""
        self.servers = servers
        self._chance = chance
        self.weather = weather
        self.parsing = parsing
        self.clock = clock
        self.acknowledged = acknowledged
        self.servings: dict[str, Serving] = {}
        self.messages = 0

    @property
    def is_served(self) -> bool:
        return len(self.servings) == self.servers

    def any_server(self) -> Serving:
        """Raises Unreachable."""
        serving = [*self.servings.values()]
        if not serving:
            raise Unreachable("connection refused")
        return serving[0] if len(serving) == 1 else self._chance.choice(serving)


class Link:
    """A `client.transport.Transport`: one incarnation of a part, as one user. `step()` is called at each message; it may crash
    the part, and then does not return."""

    def __init__(
        self, network: Network, part: str, user: str, groups: tuple[str, ...], step: Callable[[], None]
    ) -> None:
        self.is_dead = False
        self._network = network
        self._part = part
        self._user, self._groups = user, groups
        self._step = step
        self._duplicates: dict[asyncio.Task[None], None] = {}
        self._ways: dict[Serving, InProcessTransport] = {}

    async def request(self, request: Request) -> Response:
        self._check()
        network = self._network
        network.messages += 1
        journey = network.weather.journey(self._part, request)
        if journey is SMOOTH:
            answer = await self._submit(request)
        else:
            if journey.again_after_seconds is not None:
                self._send_again(request, journey.before_seconds + journey.again_after_seconds)
            if journey.before_seconds:
                await network.clock.sleep(journey.before_seconds)
            if journey.lost_seconds is not None:
                await network.clock.sleep(journey.lost_seconds)
                raise Unreachable("i/o timeout")
            answer = _refusal(journey.refused) if journey.refused is not None else await self._submit(request)
            if journey.after_seconds:
                await network.clock.sleep(journey.after_seconds)
            if journey.answer_lost or network.weather.is_cut_off(self._part):
                raise Unreachable("connection reset by peer")
        self._check()
        if request.method != "GET":
            network.acknowledged(self._part, request, answer)
        return answer

    async def stream(self, request: Request) -> Response:
        self._check()
        network = self._network
        journey = network.weather.journey(self._part, request)
        if journey.before_seconds:
            await network.clock.sleep(journey.before_seconds)
        if journey.lost_seconds is not None or journey.answer_lost:
            await network.clock.sleep(journey.lost_seconds or 1.0)
            raise Unreachable("i/o timeout")
        if journey.refused is not None:
            return _refusal(journey.refused)
        serving, ours = self._to_server()
        response = await serving.submit(ours.stream, _copy(request))
        if response.stream is not None:
            stream = Stream(self._part, network.weather, network.clock, self._check)
            serving.follow(stream, response.stream)
            response.stream = stream
        return response

    async def upgrade(self, request: Request) -> tuple[Response, Duplex | None]:
        self._check()
        return await self._to_server()[1].upgrade(request)

    async def close(self) -> None:
        return

    def _check(self) -> None:
        """Raises Unreachable for what a crashed part still tries on its way out."""
        if self.is_dead:
            raise Unreachable("crashed")
        self._step()
        if self.is_dead:
            raise asyncio.CancelledError("crashed")

    async def _submit(self, request: Request) -> Response:
        serving, ours = self._to_server()
        return await serving.submit(ours.request, request)

    def _to_server(self) -> tuple[Serving, InProcessTransport]:
        """Raises Unreachable while there is none."""
        serving = self._network.any_server()
        way = self._ways.get(serving)
        if way is None:
            if len(self._ways) >= self._network.servers:  # some of them have gone
                self._ways.clear()
            way = self._ways[serving] = InProcessTransport(serving.handler, self._user, self._groups)
        return serving, way

    def _send_again(self, request: Request, seconds: float) -> None:
        async def send() -> None:
            await self._network.clock.sleep(seconds)
            with contextlib.suppress(Unreachable):
                await self._submit(_copy(request))

        task = asyncio.get_running_loop().create_task(send())
        self._duplicates[task] = None
        task.add_done_callback(lambda done: self._duplicates.pop(done, None))


def _copy(request: Request) -> Request:
    return Request(request.method, request.path, request.query, request.headers, request.body, request.peer)


def _refusal(refused: StatusError) -> Response:
    headers = {"content-type": "application/json"}
    if refused.retry_after_seconds is not None:
        headers["retry-after"] = str(refused.retry_after_seconds)
    return Response(refused.code, headers, orjson.dumps(refused.status))
