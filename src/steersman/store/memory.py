"""A store that lives in memory only: for tests, simulation and forks.

Reading and watching is the same for every medium that keeps its whole state in memory, so `SqliteStore` builds on it and
only replaces how a transaction becomes durable.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from steersman.store import contract, fanout, state
from steersman.store.contract import Cause, Delete, Entry, Event, Put


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a store keeps besides the current entries.

    History serves watches that reconnect, continue tokens and looks into the past: 10,000 events are some minutes of a
    busy cluster, and at most the bytes named here. Causes are small and kept longer, for `why`.
    """

    history_events: int = 10_000
    history_bytes: int = 32 * 1024 * 1024
    causes: int = 50_000
    watch_queue_events: int = fanout.QUEUE_EVENTS_MAX
    operations_per_transaction: int = 1_000


DEFAULT_LIMITS = Limits()
Events = list[Event]


class MemoryStore:
    """`contract.Store` in memory."""

    expires = False

    def __init__(
        self,
        limits: Limits = DEFAULT_LIMITS,
        *,
        content: state.State | None = None,
        causes: Mapping[int, Cause] | None = None,
    ) -> None:
        self._limits = limits
        self._state = content if content is not None else state.State()
        self._fanout = fanout.Fanout(self._state.revision, limits.watch_queue_events)
        self._causes: OrderedDict[int, Cause] = OrderedDict(causes or {})

    @property
    def revision(self) -> int:
        return self._state.revision

    @property
    def compacted_revision(self) -> int:
        return self._state.compacted

    async def get(self, key: str, *, at_revision: int = 0) -> Entry | None:
        return self._state.get_at(key, at_revision) if at_revision else self._state.get(key)

    async def list(self, prefix: str, *, at_revision: int = 0, limit: int = 0, start: str = "") -> contract.Page:
        return self._state.page(prefix, at_revision, start, limit)

    async def changes(self, prefix: str, after_revision: int) -> Sequence[Event]:
        return self._state.later_than(after_revision, prefix)

    async def txn(self, operations: Sequence[Put | Delete], cause: Cause = contract.NOBODY) -> int:
        revision = self._state.revision + 1
        events = self._plan(operations, revision)
        if events:
            self._make_visible(events)
            self._keep_cause(revision, cause)
        return self._state.revision

    def watch(self, prefix: str, after_revision: int, interest: contract.Interest | None = None) -> contract.Watch:
        self._fanout.flush()
        replay = self._state.later_than(after_revision, prefix)
        return self._fanout.add(prefix, after_revision, replay, interest)

    async def compact(self, revision: int) -> None:
        self._state.check_kept(revision)
        self._compact(revision)

    async def cause(self, revision: int) -> Cause | None:
        return self._causes.get(revision)

    async def close(self) -> None:
        self._fanout.flush()
        self._fanout.close()

    def fork(self) -> "MemoryStore":
        """An independent store with the same content and history; entries are shared, so it takes less than a millisecond."""
        return MemoryStore(self._limits, content=self._state.fork(), causes=self._causes)

    def entries(self) -> Sequence[Entry]:
        """Everything there is now, in key order."""
        return self._state.page("", 0, "", 0).entries

    def history(self) -> Sequence[Event]:
        """Everything that happened after `compacted_revision`, in order."""
        return tuple(self._state.history)

    @property
    def causes(self) -> Mapping[int, Cause]:
        """Of the revisions that are remembered."""
        return self._causes

    def content(self) -> state.State:
        """What it holds, for another store to build on; this one must not be used any more."""
        return self._state

    def statistics(self) -> dict[str, int]:
        return {
            "revision": self._state.revision,
            "compacted": self._state.compacted,
            "history_events": len(self._state.history),
            "history_bytes": self._state.history_bytes,
            **self._fanout.statistics(),
        }

    def _plan(self, operations: Sequence[Put | Delete], revision: int) -> Events:
        check_operations(operations, self._limits.operations_per_transaction)
        return list(state.plan(operations, revision, self._state.get))

    def _make_visible(self, events: Events) -> None:
        self._state.apply(events)
        self._fanout.publish(events)
        revision = self._revision_to_forget()
        if revision:
            self._compact(revision)

    def _compact(self, revision: int) -> None:
        self._state.forget(revision)

    def _revision_to_forget(self) -> int:
        """0 while the log is within its limits; else what to cut so that a tenth of them is free again: the cost per
        write stays small."""
        content, limits = self._state, self._limits
        if len(content.history) <= limits.history_events and content.history_bytes <= limits.history_bytes:
            return 0
        events, size, revision = len(content.history), content.history_bytes, 0
        for event in content.history:
            if events <= limits.history_events * 9 // 10 and size <= limits.history_bytes * 9 // 10:
                break
            events, size, revision = events - 1, size - len(event.value), event.revision
        return revision

    def _keep_cause(self, revision: int, cause: Cause) -> None:
        self._causes[revision] = cause
        if len(self._causes) > self._limits.causes:
            self._causes.popitem(last=False)


def check_operations(operations: Sequence[Put | Delete], most: int) -> None:
    assert len(operations) <= most, f"a transaction of {len(operations)} operations, more than {most}"
    if len(operations) > 1:
        assert len({operation.key for operation in operations}) == len(operations), "a key twice in one transaction"
