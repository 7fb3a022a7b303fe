"""Requests that go wrong: one record says how, one transport (or handler) makes it so.

Keeps true: what a `Fault` does not name happens as without it; a request that was refused, dropped or expired never
reached the server, one whose answer was lost did; a watch whose events are held gets every one of them later, in order.
Leaves to others: which request meets which fault (`fault_rules`, or a simulation's own choice).
"""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import orjson

from steersman.aio.clock import Clock
from steersman.client.transport import Transport, Unreachable
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.serving.messages import Duplex, Request, Response

LOST = "the connection was lost (fault)"


class Gate:
    """What is held waits here until the gate opens; once open it stays so."""

    def __init__(self) -> None:
        self._open = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

    async def passed(self) -> None:
        await self._open.wait()


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request, in the order in which it happens. Seconds are the clock's."""

    name: str = ""  # for people
    delay_seconds: float = 0.0  # before the server (or the fault below) sees it
    drop: bool = False  # it never reaches the server, and there is no answer: Unreachable
    refuse: Object | None = None  # a Status that is answered instead of asking the server
    copies: int = 1  # how often the server gets it; the last answer counts
    answer_delay_seconds: float = 0.0
    lose_answer: bool = False  # it happens, and there is no answer: Unreachable
    # Of watches only; these four also befall a watch that is open already (`OpenStream.meet`).
    event_delay_seconds: float = 0.0  # before each batch of events
    hold: Gate | None = None  # events are held back until the gate opens
    close: bool = False  # ends, as servers end a watch now and then: at once, or after
    close_after_events: int = 0  # … so many events
    expire: bool = False  # ends with an ERROR event: 410, the revision is gone


Decide = Callable[[Request], Fault | None]


class FaultyTransport:
    """A transport between `inner` and its user; `decide` is asked once for each request.

    `streams` are the open ones, so that a fault can befall a watch long after it was asked for.
    """

    def __init__(self, inner: Transport, decide: Decide, clock: Clock, streams: "OpenStreams | None" = None) -> None:
        self._inner = inner
        self._decide = decide
        self._clock = clock
        self.streams = streams if streams is not None else OpenStreams()

    async def request(self, request: Request) -> Response:
        """Raises Unreachable."""
        fault = self._decide(request)
        if fault is None:
            return await self._inner.request(request)
        return await meet(fault, request, self._inner.request, self._clock)

    async def stream(self, request: Request) -> Response:
        """Raises Unreachable, also while the stream is read."""
        fault = self._decide(request)
        response = await (
            self._inner.stream(request) if fault is None else meet(fault, request, self._inner.stream, self._clock)
        )
        return self.streams.follow(request, response, fault, self._clock)

    async def upgrade(self, request: Request) -> tuple[Response, Duplex | None]:
        """Raises Unreachable."""
        fault = self._decide(request)
        if fault is None:
            return await self._inner.upgrade(request)
        raw: Duplex | None = None

        async def ask(asked: Request) -> Response:
            nonlocal raw
            if raw is not None:
                await raw.close()
            response, raw = await self._inner.upgrade(asked)
            return response

        try:
            return await meet(fault, request, ask, self._clock), raw
        except Unreachable:
            if raw is not None:
                await raw.close()
            raise

    async def close(self) -> None:
        await self._inner.close()


def faulty_handler(
    handler: messages.Handler,
    decide: Callable[[Request], Awaitable[Fault | None]],
    clock: Clock,
    streams: "OpenStreams",
) -> messages.Handler:
    """The same at the server's side, for clients that come over the network: no answer is a connection that is cut."""

    async def handle(request: Request) -> Response:
        fault = await decide(request)
        if fault is None:
            response = await handler(request)
        else:
            try:
                response = await meet(fault, request, handler, clock)
            except Unreachable as lost:
                raise messages.NoAnswer(str(lost)) from lost
        if response.stream is not None:
            response = streams.follow(request, response, fault, clock, lost=messages.NoAnswer)
        return response

    return handle


async def meet(fault: Fault, request: Request, ask: Callable[[Request], Awaitable[Response]], clock: Clock) -> Response:
    """The answer as the fault has it. Raises Unreachable."""
    if fault.delay_seconds:
        await clock.sleep(fault.delay_seconds)
    if fault.drop:
        raise Unreachable(LOST)
    if fault.refuse is not None:
        return refusal(fault.refuse)
    for _ in range(fault.copies - 1):
        await _discard(await ask(dataclasses.replace(request)))
    response = await ask(request)
    if fault.answer_delay_seconds:
        await clock.sleep(fault.answer_delay_seconds)
    if fault.lose_answer:
        await _discard(response)
        raise Unreachable(LOST)
    return response


def refusal(status: Object) -> Response:
    headers = {"content-type": "application/json"}
    after = (status.get("details") or {}).get("retryAfterSeconds")
    if after is not None:
        headers["retry-after"] = str(after)
    return Response(int(status["code"]), headers, orjson.dumps(status))


async def _discard(response: Response) -> None:
    close = getattr(response.stream, "aclose", None)
    if close is not None:
        await close()


class OpenStreams:
    """The streams that run now, in the order in which they were opened."""

    def __init__(self) -> None:
        self._open: dict[OpenStream, None] = {}

    def follow(
        self,
        request: Request,
        response: Response,
        fault: Fault | None,
        clock: Clock,
        *,
        lost: type[Exception] = Unreachable,
    ) -> Response:
        """The response with its stream watched over; what is not a stream is left as it is."""
        if response.stream is None:
            return response
        stream = OpenStream(request, response.stream, clock, self._ended, lost)
        self._open[stream] = None
        response.stream = stream
        if fault is not None:
            stream.meet(fault)
        return response

    def __iter__(self) -> "Iterator[OpenStream]":
        return iter([*self._open])

    def __len__(self) -> int:
        return len(self._open)

    def _ended(self, stream: "OpenStream") -> None:
        self._open.pop(stream, None)


class OpenStream:
    """One streamed answer. It is its own iterator, read by one task; `meet` may be called at any time by another."""

    def __init__(
        self,
        request: Request,
        inner: AsyncIterator[bytes],
        clock: Clock,
        ended: Callable[["OpenStream"], None],
        lost: type[Exception],
    ) -> None:
        self.request = request
        self._inner = inner
        self._clock = clock
        self._ended = ended
        self._lost = lost
        self._gates: list[Gate] = []
        self._event_delay_seconds = 0.0
        self._events_left = -1  # no limit
        self._verdict: Fault | None = None  # how it ends, once that is decided
        self._reader: asyncio.Task[Any] | None = None
        self._interrupted = False

    def meet(self, fault: Fault) -> None:
        """From now on; what does not concern open streams is passed over."""
        if fault.hold is not None:
            self._gates.append(fault.hold)
        if fault.event_delay_seconds:
            self._event_delay_seconds = fault.event_delay_seconds
        if fault.close_after_events:
            self._events_left = fault.close_after_events
        elif fault.drop or fault.expire or fault.close:
            self._end_with(fault)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._verdict is None:
            try:
                piece = await self._interruptible()
                if piece is not None:
                    return piece
            except BaseException:
                self._ended(self)
                raise
        return await self._last()

    async def aclose(self) -> None:
        self._ended(self)
        close = getattr(self._inner, "aclose", None)
        if close is not None:
            await close()

    async def _last(self) -> bytes:
        """What is read once it is decided that it ends."""
        verdict = self._verdict
        assert verdict is not None
        await self.aclose()
        if verdict.expire:
            self._verdict = dataclasses.replace(verdict, expire=False, drop=False)
            gone = errors.expired("too old resource version (fault)")
            return b'{"type":"ERROR","object":%b}\n' % orjson.dumps(gone.status)
        if verdict.drop:
            raise self._lost(LOST)
        raise StopAsyncIteration

    async def _interruptible(self) -> bytes | None:
        """The next piece; None when its end was decided meanwhile. As `watching.Interruption`: no task for each event."""
        self._reader = asyncio.current_task()
        assert self._reader is not None
        try:
            return await self._next()
        except asyncio.CancelledError:
            if self._interrupted and self._reader.uncancel() <= 0:
                return None
            raise
        finally:
            self._reader = None
            self._interrupted = False

    async def _next(self) -> bytes:
        piece = await anext(self._inner)
        if self._event_delay_seconds:
            await self._clock.sleep(self._event_delay_seconds)
        while self._gates:
            await self._gates[0].passed()
            self._gates.pop(0)
        if self._events_left >= 0:
            lines = piece.splitlines(keepends=True)[: self._events_left]
            self._events_left -= len(lines)
            piece = b"".join(lines)
            if self._events_left == 0:
                self._verdict = Fault(close=True)
        return piece

    def _end_with(self, fault: Fault) -> None:
        if self._verdict is not None:
            return
        self._verdict = fault
        if self._reader is not None and not self._interrupted:
            self._interrupted = True
            self._reader.cancel("a fault ends the stream")
