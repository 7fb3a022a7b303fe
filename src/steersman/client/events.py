"""Record Kubernetes Events about objects, without ever holding up the recorder.

Occurrences wait in a bounded queue that `run` writes to the server, one by one; what does not fit is counted and
dropped, as upstream does. What becomes of an occurrence is decided in `event_correlation`.
"""

import asyncio
import dataclasses
import datetime
import logging
from collections.abc import Callable, Mapping

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.client import event_correlation
from steersman.client.client import Client, Unreachable
from steersman.client.event_correlation import Occurrence, Write
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# client-go's limits: maxQueuedEvents, maxTriesPerEvent, defaultSleepDuration.
QUEUE_MAX = 1000
TRIES_MAX = 12
RETRY_SECONDS = 10.0
DROPS_TOLD_SECONDS = (
    10.0  # between two lines of the log about dropped events: a flood of events must not become one of lines
)


# What is happening comes before what is told of it, but not for ever.
GIVE_WAY_SECONDS, GIVE_WAY_LOOK_SECONDS = 1.0, 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Pace:
    """So many writes a second, and `burst` at once after a pause; 0 a second: as fast as they are answered."""

    per_second: float = 0.0
    burst: int = 1


class Recorder:
    """One source (component, and the node's name as host where there is one) of Events."""

    def __init__(self, client: Client, clock: Clock, component: str, host: str = "", pace: Pace = Pace()) -> None:
        self._client = client
        self._clock = clock
        self._component = component
        self._host = host
        self._queue: asyncio.Queue[Occurrence] = asyncio.Queue(QUEUE_MAX)
        self._correlator = event_correlation.Correlator()
        self._pace = pace
        self._tokens, self._counted_at = float(pace.burst), clock.monotonic()
        self.dropped = 0
        self._dropped_untold = 0
        self._tell_drops_at = 0.0
        self._is_busy: Callable[[], bool] = lambda: False

    def give_way(self, is_busy: Callable[[], bool]) -> None:
        """While that is so, an event waits until it is GIVE_WAY_SECONDS old."""
        self._is_busy = is_busy

    def event(
        self,
        obj: Object,
        type: str,  # noqa: A002
        reason: str,
        message: str,
        *,
        field_path: str = "",
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        """`type` is Normal or Warning; `obj` carries apiVersion and kind; `field_path` like `spec.containers{web}`;
        `annotations`: of the Event itself."""
        involved = event_correlation.reference(obj, field_path)
        now, component, host = self._clock.now(), self._component, self._host
        seen = Occurrence(involved, type, reason, message, now, component, host, annotations or {})
        try:
            self._queue.put_nowait(seen)
        except asyncio.QueueFull:
            self._drop(reason, message)

    def _drop(self, reason: str, message: str) -> None:
        self.dropped += 1
        self._dropped_untold += 1
        now = self._clock.monotonic()
        if now >= self._tell_drops_at:
            text = "events dropped, %d wait already: %d, the last one %s %s"
            _log.warning(text, QUEUE_MAX, self._dropped_untold, reason, message)
            self._dropped_untold = 0
            self._tell_drops_at = now + DROPS_TOLD_SECONDS

    async def run(self) -> None:
        """Write events until cancelled."""
        while True:
            seen = await self._queue.get()
            write = self._correlator.decide(seen)
            if write is not None:
                await self._let_others_go_first(seen)
                await self._wait_for_turn()
                await self._write(write)
            self._queue.task_done()

    async def flush(self) -> None:
        """Wait until everything recorded so far has been written (or given up), while `run` runs."""
        await self._queue.join()

    async def _let_others_go_first(self, seen: Occurrence) -> None:
        until = seen.at + datetime.timedelta(seconds=GIVE_WAY_SECONDS)
        while self._is_busy() and self._clock.now() < until:
            await self._clock.sleep(GIVE_WAY_LOOK_SECONDS)

    async def _wait_for_turn(self) -> None:
        """A bucket of tokens, one for each write."""
        if not self._pace.per_second:
            return
        now = self._clock.monotonic()
        filled = self._tokens + (now - self._counted_at) * self._pace.per_second
        self._tokens, self._counted_at = min(filled, float(max(1, self._pace.burst))) - 1, now
        if self._tokens < 0:
            await self._clock.sleep(-self._tokens / self._pace.per_second)

    async def _write(self, write: Write) -> None:
        for number in range(TRIES_MAX):
            try:
                await self._send(write)
                return
            except StatusError as refused:
                self._correlator.forget(write.key)
                level = logging.DEBUG if is_expected(refused) else logging.WARNING
                _log.log(level, "event refused: %s", refused)
                return
            except Unreachable as lost:
                _log.warning("event not written yet: %s", lost)
                # the first pause is random, so that many sources do not come back together
                await self._clock.sleep(RETRY_SECONDS if number else self._clock.jitter(RETRY_SECONDS / 2, 1.0))
        _log.error("event given up after %d tries: %s", TRIES_MAX, write.event["message"])
        self._correlator.forget(write.key)

    async def _send(self, write: Write) -> None:
        meta = write.event["metadata"]
        if write.patch is not None:
            try:
                await self._client.patch(kinds.EVENT, meta["name"], meta["namespace"], write.patch)
                return
            except StatusError as refused:
                if refused.code != 404:
                    raise
        await self._client.create(kinds.EVENT, write.event)


def is_expected(refused: StatusError) -> bool:
    """Written already by an earlier try, or about something in a namespace that is being deleted."""
    causes = refused.status.get("details", {}).get("causes") or []
    return refused.reason == "AlreadyExists" or any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
