"""Events are forgotten an hour after they last happened: they are news, not state.

Reads: Events. Writes: Events (delete). etcd gives each a lease, as upstream has it; elsewhere they are swept.
"""

import datetime
from collections import deque
from collections.abc import Iterable

import orjson

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.apiserver import keys
from steersman.meta import times
from steersman.meta.objects import Object
from steersman.store import contract

SWEEP_SECONDS = 300.0  # an event may outlive its time by this much
SCAN_ENTRIES = 500  # looked at in one go, so that requests in between are not held up


class EventExpiry:
    def __init__(self, store: contract.Store, clock: clocks.Clock) -> None:
        self._store = store
        self._clock = clock
        self._keep = datetime.timedelta(seconds=kinds.EVENT.ttl_seconds)
        # (when, revision) of earlier sweeps that are younger than what is swept away.
        self._marks: deque[tuple[float, int]] = deque()

    async def run(self) -> None:
        """Sweep until cancelled."""
        self._mark()
        while True:
            await self._clock.sleep(SWEEP_SECONDS)
            await self.sweep()

    async def sweep(self) -> None:
        prefix, start = keys.prefix(kinds.EVENT), ""
        young_after = self._mark()
        while True:
            page = await self._store.list(prefix, limit=SCAN_ENTRIES, start=start)
            old = [entry for entry in page.entries if entry.revision <= young_after]
            for entry in expired(old, self._clock.now() - self._keep):
                await self._remove(entry)
            if not page.remaining:
                return
            start = page.entries[-1].key + "\0"
            await self._clock.sleep(0)

    def _mark(self) -> int:
        """The revision after which nothing is old enough: it was written since a look that was less than so long ago."""
        now, marks = self._clock.monotonic(), self._marks
        while marks and marks[0][0] <= now - self._keep.total_seconds():
            marks.popleft()
        marks.append((now, self._store.revision))
        return marks[0][1]

    async def _remove(self, entry: contract.Entry) -> None:
        head = keys.head(kinds.EVENT)
        gone = contract.Delete(entry.key, head, keys.tail(orjson.loads(entry.value)), entry.revision)
        try:
            await self._store.txn(
                [gone], contract.Cause("system:apiserver", "expire", 0, times.format_micros(self._clock.now()))
            )
        except contract.Mismatch:
            return  # it happened again just now, or somebody else deleted it


def expired(entries: Iterable[contract.Entry], before: datetime.datetime) -> list[contract.Entry]:
    text = times.format_seconds(before)
    return [entry for entry in entries if _last_happened(orjson.loads(entry.value)) < text]


def _last_happened(event: Object) -> str:
    """The latest of an event's times. RFC 3339 in UTC sorts as text."""
    series = event.get("series") or {}
    seen = (
        event["metadata"].get("creationTimestamp"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        series.get("lastObservedTime"),
    )
    return max(str(one) for one in seen if one)
