"""Deliver events to watchers: one dispatch per distinct prefix, the same list to each watcher of it, nobody waited for;
one look at an event for all watchers that have use for a part of them (`contract.Interest`).

Keeps true: a watch gets every event after its start exactly once and in order, or is cut off with Overrun. Events are
published in one place (`flush`), so `revision` says what every watcher with an empty queue has seen.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator

from steersman.store import contract, state
from steersman.store.contract import Event

# A watcher may be this many events behind before it is cut off: more than one relist of a large resource costs.
QUEUE_EVENTS_MAX = 50_000
# Framed bytes are kept on this many of the newest events: watchers that keep up are all within it.
FRAMED_EVENTS = 256

Topics = Callable[[Event], Collection[str]]


class QueuedWatch:
    """One watcher's queue of batches; it is its own iterator."""

    def __init__(
        self,
        fanout: "Fanout",
        prefix: str,
        after_revision: int,
        replay: list[Event],
        interest: contract.Interest | None = None,
    ) -> None:
        self.prefix = prefix
        self.interest = interest
        self._fanout = fanout
        self._after = after_revision
        self._delivered = after_revision
        self._batches: deque[list[Event]] = deque([replay] if replay else ())
        self._waiting = len(replay)
        self._waiter: asyncio.Future[None] | None = None
        self._overrun = False
        self._closed = False

    def __aiter__(self) -> AsyncIterator[list[Event]]:
        return self

    async def __anext__(self) -> list[Event]:
        while not self._batches:
            if self._overrun:
                raise contract.Overrun("too many events behind, or nobody knows which")
            if self._closed:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._take()

    @property
    def revision(self) -> int:
        return self._delivered if self._batches else max(self._delivered, self._fanout.revision)

    def close(self) -> None:
        self._closed = True
        self._batches.clear()
        self._fanout.remove(self)
        self._wake()

    def push(self, batch: list[Event]) -> bool:
        """False when the watcher has fallen too far behind: it is cut off."""
        if batch[0].revision <= self._after:  # watching from a revision that had not happened yet
            batch = [event for event in batch if event.revision > self._after]
            if not batch:
                return True
        self._waiting += len(batch)
        if self._waiting > self._fanout.queue_events_max:
            self.cut_off()
            return False
        self._batches.append(batch)
        self._wake()
        return True

    def cut_off(self) -> None:
        """What it has not read yet is lost to it."""
        self._batches.clear()
        self._overrun = True
        self._wake()

    def _take(self) -> list[Event]:
        batches = self._batches
        batch = batches.popleft()
        if batches:
            batch = [*batch, *(event for later in batches for event in later)]
            batches.clear()
        self._waiting = 0
        self._delivered = batch[-1].revision
        return batch

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Audience:
    """The watches of one prefix: those that hear of everything, and the others by what each of them has use for."""

    def __init__(self) -> None:
        self._everything: dict[QueuedWatch, None] = {}
        self._interested: dict[Topics, dict[str, dict[QueuedWatch, None]]] = {}

    def add(self, watch: QueuedWatch) -> None:
        interest = watch.interest
        if interest is None:
            self._everything[watch] = None
        else:
            self._interested.setdefault(interest.topics, {}).setdefault(interest.value, {})[watch] = None

    def remove(self, watch: QueuedWatch) -> None:
        interest = watch.interest
        if interest is None:
            self._everything.pop(watch, None)
            return
        by_value = self._interested.get(interest.topics, {})
        watches = by_value.get(interest.value, {})
        watches.pop(watch, None)
        if not watches:
            by_value.pop(interest.value, None)
        if not by_value:
            self._interested.pop(interest.topics, None)

    def __bool__(self) -> bool:
        return bool(self._everything or self._interested)

    def __iter__(self) -> Iterator[QueuedWatch]:
        yield from self._everything
        for by_value in self._interested.values():
            for watches in by_value.values():
                yield from watches

    def push(self, batch: list[Event]) -> list[QueuedWatch]:
        """Those that are too slow."""
        slow = [watch for watch in self._everything if not watch.push(batch)]
        for topics, by_value in self._interested.items():
            heard: dict[str, list[Event]] = {}
            for event in batch:
                for value in topics(event):
                    if value in by_value:
                        heard.setdefault(value, []).append(event)
            for value, events in heard.items():
                slow += [watch for watch in by_value[value] if not watch.push(events)]
        return slow


class Fanout:
    """All watches, by prefix within their resource."""

    def __init__(self, revision: int, queue_events_max: int = QUEUE_EVENTS_MAX) -> None:
        self.revision = revision
        self.queue_events_max = queue_events_max
        self._by_resource: dict[str, dict[str, _Audience]] = {}
        self._wide: dict[str, _Audience] = {}  # prefixes shorter than one resource
        self._unpublished: list[Event] = []
        self._framed: deque[Event] = deque()

    def add(
        self, prefix: str, after_revision: int, replay: list[Event], interest: contract.Interest | None = None
    ) -> QueuedWatch:
        """Everything published so far must be in `replay`: call `flush` before reading it."""
        if interest is not None:
            replay = [event for event in replay if interest.value in interest.topics(event)]
        watch = QueuedWatch(self, prefix, after_revision, replay, interest)
        self._group(prefix).setdefault(prefix, _Audience()).add(watch)
        return watch

    def remove(self, watch: QueuedWatch) -> None:
        group = self._group(watch.prefix)
        audience = group.get(watch.prefix)
        if audience is None:
            return
        audience.remove(watch)
        if not audience:
            del group[watch.prefix]

    def publish(self, events: list[Event]) -> None:
        """Deliver soon, together with whatever else happens in this turn of the loop."""
        if not self._unpublished:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unpublished.extend(events)

    def flush(self) -> None:
        if not self._unpublished:
            return
        events, self._unpublished = self._unpublished, []
        self._forget_frames(events)
        self.revision = events[-1].revision
        by_resource: dict[str, list[Event]] = {}
        for event in events:
            by_resource.setdefault(state.resource_of(event.key), []).append(event)
        for resource, batch in by_resource.items():
            self._dispatch(self._by_resource.get(resource), resource, batch)
        self._dispatch(self._wide, "", events)

    def _dispatch(self, group: dict[str, _Audience] | None, whole: str, batch: list[Event]) -> None:
        if not group:
            return
        slow: list[QueuedWatch] = []
        for prefix, audience in group.items():
            matching = batch if prefix == whole else [event for event in batch if event.key.startswith(prefix)]
            if matching:
                slow += audience.push(matching)
        for watch in slow:
            self.remove(watch)

    def _group(self, prefix: str) -> dict[str, _Audience]:
        return self._by_resource.setdefault(state.resource_of(prefix), {}) if prefix.count("/") >= 3 else self._wide

    def _forget_frames(self, events: list[Event]) -> None:
        self._framed.extend(events)
        while len(self._framed) > FRAMED_EVENTS:
            self._framed.popleft().frames.clear()

    def cut_off(self, revision: int) -> None:
        """Nobody can tell the watches what happened until `revision`: every one ends with Overrun."""
        self._unpublished.clear()
        self.revision = revision
        for watch in self._all():
            watch.cut_off()
            self.remove(watch)

    def close(self) -> None:
        """End every watch."""
        for watch in self._all():
            watch.close()

    def _all(self) -> list[QueuedWatch]:
        groups = [self._wide, *self._by_resource.values()]
        return [watch for group in groups for audience in group.values() for watch in audience]

    def statistics(self) -> dict[str, int]:
        return {"watches": len(self._all())}
