"""The whole content of a store in memory: current entries, and the log of recent events that history is read from.

Keeps true: entries are ordered by key within their resource; the log holds every event after `compacted`, in revision
order; what is at revision R is the current state with the later events undone. Entries and events are never changed once
made, so a fork shares them (and whole resources, until one side writes).
Leaves to others: durability, watchers, who may write.
"""

import bisect
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from sortedcontainers import SortedList

from steersman.store import contract
from steersman.store.contract import Delete, Entry, Event, Put

_LAST = "\U0010ffff"  # sorts after every character a key may hold
_by_revision = attrgetter("revision")


def resource_of(key: str) -> str:
    """`/core/pods/` of `/core/pods/ns/name`; what is there of it when the key (or prefix) is shorter."""
    group_end = key.find("/", 1)
    plural_end = key.find("/", group_end + 1) if group_end > 0 else -1
    return key[: plural_end + 1] if plural_end > 0 else key[: group_end + 1]


class Resource:
    """The entries under one resource prefix, and its part of the log."""

    __slots__ = ("_ordered", "entries", "keys", "log", "prefix")

    def __init__(self, prefix: str, entries: Iterable[Entry] = (), log: Iterable[Event] = ()) -> None:
        self.prefix = prefix
        self.entries = {entry.key: entry for entry in entries}
        self.keys = SortedList(self.entries)
        self.log = list(log)
        self._ordered: list[Entry] | None = None

    def copy(self) -> "Resource":
        return Resource(self.prefix, self.entries.values(), self.log)

    def apply(self, event: Event) -> None:
        key = event.key
        self.log.append(event)
        self._ordered = None
        if event.deleted:
            if self.entries.pop(key, None) is not None:
                self.keys.remove(key)
            return
        if key not in self.entries:
            self.keys.add(key)
        self.entries[key] = entry_after(event)

    def ordered(self) -> list[Entry]:
        """All entries in key order; made again only after a write."""
        if self._ordered is None:
            self._ordered = list(map(self.entries.__getitem__, self.keys))
        return self._ordered

    def page(self, prefix: str, start: str, limit: int) -> tuple[list[Entry], int]:
        """Current entries under the prefix from `start` on, and how many more there are behind the limit."""
        if prefix == self.prefix and not start and not limit:
            return self.ordered(), 0
        low = self.keys.bisect_left(max(prefix, start))
        high = self.keys.bisect_right(prefix + _LAST)
        end = min(high, low + limit) if limit else high
        return [self.entries[key] for key in self.keys.islice(low, end)], max(0, high - end)

    def later_than(self, revision: int) -> list[Event]:
        return self.log[_after(self.log, revision) :]

    def undone(self, revision: int, prefix: str) -> dict[str, Entry | None]:
        """What keys that changed after `revision` held at that time."""
        return {
            event.key: event.before for event in reversed(self.later_than(revision)) if event.key.startswith(prefix)
        }

    def page_at(self, revision: int, prefix: str, start: str, limit: int) -> tuple[list[Entry], int]:
        """As `page`, at an older revision."""
        undone = self.undone(revision, prefix)
        if not undone:
            return self.page(prefix, start, limit)
        start = max(prefix, start)
        kept = [key for key in self.keys.irange(start, prefix + _LAST) if key not in undone]
        old = [key for key, entry in undone.items() if entry is not None and key >= start]
        keys = sorted(kept + old)
        wanted = keys[:limit] if limit else keys
        return [undone.get(key) or self.entries[key] for key in wanted], len(keys) - len(wanted)

    def forget(self, revision: int) -> None:
        del self.log[: _after(self.log, revision)]


class State:
    """Every resource, one revision counter and the log."""

    def __init__(self) -> None:
        self.revision = 1  # an empty etcd stands at 1
        self.compacted = 0
        self.history: deque[Event] = deque()
        self.history_bytes = 0
        self._resources: dict[str, Resource] = {}
        self._owned: set[str] = set()

    @classmethod
    def load(cls, entries: Iterable[Entry], log: Iterable[Event], revision: int, compacted: int) -> "State":
        """From what a medium kept; `entries` are the current ones."""
        state = cls()
        state.revision, state.compacted = revision, compacted
        state.history.extend(log)
        state.history_bytes = sum(len(event.value) for event in state.history)
        grouped: dict[str, tuple[list[Entry], list[Event]]] = {}
        for entry in entries:
            grouped.setdefault(resource_of(entry.key), ([], []))[0].append(entry)
        for event in state.history:
            grouped.setdefault(resource_of(event.key), ([], []))[1].append(event)
        state._resources = {prefix: Resource(prefix, *parts) for prefix, parts in grouped.items()}
        state._owned = set(grouped)
        return state

    def fork(self) -> "State":
        """An independent copy: resources are shared until either side writes to them."""
        fork = State()
        fork.revision, fork.compacted = self.revision, self.compacted
        fork.history, fork.history_bytes = self.history.copy(), self.history_bytes
        fork._resources = dict(self._resources)
        self._owned = set()
        return fork

    # Reading

    def get(self, key: str) -> Entry | None:
        resource = self._resources.get(resource_of(key))
        return resource.entries.get(key) if resource is not None else None

    def get_at(self, key: str, revision: int) -> Entry | None:
        self.check_kept(revision)
        resource = self._resources.get(resource_of(key))
        if resource is None:
            return None
        for event in resource.later_than(revision):
            if event.key == key:
                return event.before
        return resource.entries.get(key)

    def page(self, prefix: str, at_revision: int, start: str, limit: int) -> contract.Page:
        if at_revision:
            self.check_kept(at_revision)
        revision = at_revision or self.revision
        entries: Sequence[Entry] = ()
        remaining = 0
        for number, resource in enumerate(self._under(prefix)):
            room = limit - len(entries) if limit else 0
            asked = room if not limit or room else 1  # full: ask for one, only to count what remains
            if revision == self.revision:
                found, more = resource.page(_narrower(prefix, resource.prefix), start, asked)
            else:
                found, more = resource.page_at(revision, _narrower(prefix, resource.prefix), start, asked)
            if limit and not room:
                remaining += len(found) + more
            else:
                entries = found if number == 0 else [*entries, *found]
                remaining += more
        return contract.Page(entries, revision, remaining)

    def later_than(self, revision: int, prefix: str) -> list[Event]:
        """Events after `revision` under the prefix, in order. Raises Compacted."""
        if revision < self.compacted:
            raise contract.Compacted(f"revision {revision} is gone, history starts after {self.compacted}")
        resources = self._under(prefix)
        if len(resources) == 1:
            return [event for event in resources[0].later_than(revision) if event.key.startswith(prefix)]
        later = itertools.takewhile(lambda event: event.revision > revision, reversed(self.history))
        return [event for event in later if event.key.startswith(prefix)][::-1]

    def check_kept(self, revision: int) -> None:
        """Raises Compacted, Future."""
        if revision < self.compacted:
            raise contract.Compacted(f"revision {revision} is gone, history starts at {self.compacted}")
        if revision > self.revision:
            raise contract.Future(f"revision {revision} has not happened yet, the newest is {self.revision}")

    # Writing

    def apply(self, events: Sequence[Event]) -> None:
        """Make planned events current; their revision becomes the store's."""
        for event in events:
            self._writable(resource_of(event.key)).apply(event)
            self.history_bytes += len(event.value)
        self.history.extend(events)
        self.revision = events[-1].revision

    def forget(self, revision: int) -> list[Event]:
        """Drop the log up to and including `revision`; what was dropped."""
        forgotten = []
        while self.history and self.history[0].revision <= revision:
            event = self.history.popleft()
            self.history_bytes -= len(event.value)
            forgotten.append(event)
        for prefix in {resource_of(event.key) for event in forgotten}:
            self._writable(prefix).forget(revision)
        self.compacted = max(self.compacted, revision)
        return forgotten

    def _writable(self, prefix: str) -> Resource:
        if prefix not in self._owned:
            shared = self._resources.get(prefix)
            self._resources[prefix] = shared.copy() if shared is not None else Resource(prefix)
            self._owned.add(prefix)
        return self._resources[prefix]

    def _under(self, prefix: str) -> list[Resource]:
        """Resources that may hold keys under the prefix, in key order."""
        if prefix.count("/") >= 3:
            resource = self._resources.get(resource_of(prefix))
            return [resource] if resource is not None else []
        names = sorted(name for name in self._resources if name.startswith(prefix) or prefix.startswith(name))
        return [self._resources[name] for name in names]


def entry_after(event: Event) -> Entry:
    """What an event that is no deletion leaves behind."""
    created = event.before.created if event.before is not None else event.revision
    return Entry(event.key, event.value, event.revision, created)


def plan(operations: Sequence[Put | Delete], revision: int, current: Callable[[str], Entry | None]) -> Iterator[Event]:
    """What the operations change if they happen as `revision`. Raises Mismatch."""
    for operation in operations:
        before = current(operation.key)
        expect = operation.expect
        if expect is not None and (before.revision if before is not None else 0) != expect:
            raise contract.Mismatch(operation.key, before)
        deleted = isinstance(operation, Delete)
        if deleted and before is None:
            continue
        value = operation.head + str(revision).encode() + operation.tail
        yield Event(operation.key, value, revision, deleted, before)


def _after(log: list[Event], revision: int) -> int:
    """Index of the first event later than `revision`."""
    return bisect.bisect_right(log, revision, key=_by_revision)


def _narrower(prefix: str, resource_prefix: str) -> str:
    return prefix if len(prefix) > len(resource_prefix) else resource_prefix
