"""The store as one version of a kind sees it: reads show every object in that version, writes store it as it is stored.

So reading, writing and watching need not know of versions. What is stored in the version asked for, since the schema last
changed, is passed on as the same bytes; the rest is pruned, given defaults and converted, once per revision.
"""

import collections
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import cast

import orjson

from steersman.aio import tasks
from steersman.api.custom import types
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.apiserver.extensions.conversion import Convert
from steersman.meta.objects import Object
from steersman.store import contract
from steersman.store.contract import Cause, Delete, Entry, Event, Page, Put

Events = list[Event]

_LAST_TURNS = 100  # of the event loop that watchers get to take the last events
_SHOWN_MAX = 4096  # converted objects remembered per version


@dataclasses.dataclass(frozen=True, slots=True)
class Versions:
    """Of one kind: types by version name (custom kinds), where objects are stored, since when the schemas are what they are."""

    types: dict[str, types.Type]
    storage: Kind
    since_revision: int
    convert: Convert


class View:
    """A `contract.Store` for one kind."""

    def __init__(self, store: contract.Store, kind: Kind, versions: Versions) -> None:
        self._store = store
        self._kind = kind
        self._versions = versions
        self._head = keys.head(kind)
        self._storage_head = keys.head(versions.storage)
        self._shown: collections.OrderedDict[tuple[str, int], bytes] = collections.OrderedDict()
        self._watches: set[_Watch] = set()
        self._is_closed = False

    @property
    def expires(self) -> bool:
        return self._store.expires

    @property
    def revision(self) -> int:
        return self._store.revision

    @property
    def compacted_revision(self) -> int:
        return self._store.compacted_revision

    async def changes(self, prefix: str, after_revision: int) -> Sequence[Event]:
        return await self._events(list(await self._store.changes(prefix, after_revision)))

    async def get(self, key: str, *, at_revision: int = 0) -> Entry | None:
        entry = await self._store.get(key, at_revision=at_revision)
        return None if entry is None else (await self._entries((entry,)))[0]

    async def list(self, prefix: str, *, at_revision: int = 0, limit: int = 0, start: str = "") -> Page:
        page = await self._store.list(prefix, at_revision=at_revision, limit=limit, start=start)
        return dataclasses.replace(page, entries=await self._entries(page.entries))

    async def txn(self, operations: Sequence[Put | Delete], cause: Cause = contract.NOBODY) -> int:
        if self._head != self._storage_head:
            operations = [await self._stored(one) for one in operations]
        return await self._store.txn(operations, cause)

    def watch(self, prefix: str, after_revision: int, interest: contract.Interest | None = None) -> contract.Watch:
        """One that is opened after the end of the view ends at once: its client watches on as things are now."""
        watch = _Watch(self._store.watch(prefix, after_revision), self._events, self._watches.discard)
        self._watches.add(watch)
        if self._is_closed:
            watch.close()
        return watch

    async def compact(self, revision: int) -> None:
        await self._store.compact(revision)

    async def cause(self, revision: int) -> Cause | None:
        return await self._store.cause(revision)

    async def close(self) -> None:
        """End the watches, which first get what has happened: the kind is served otherwise from now on, or no more."""
        self._is_closed = True
        for _ in range(_LAST_TURNS):
            if all(watch.revision >= self._store.revision for watch in self._watches):
                break
            await tasks.turn()
        for watch in list(self._watches):
            watch.close()

    # Reading

    def _is_current(self, value: bytes, revision: int) -> bool:
        return revision > self._versions.since_revision and value.startswith(self._head)

    async def _entries(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        if all(self._is_current(entry.value, entry.revision) for entry in entries):
            return entries
        values = await self._values([(entry.key, entry.revision, entry.value) for entry in entries])
        return [
            entry
            if value is entry.value
            else Entry(
                entry.key, value, entry.revision, entry.created, stale=not entry.value.startswith(self._storage_head)
            )
            for entry, value in zip(entries, values, strict=True)
        ]

    async def _events(self, events: Events) -> Events:
        if all(
            self._is_current(event.value, event.revision)
            and (event.before is None or self._is_current(event.before.value, event.before.revision))
            for event in events
        ):
            return events
        values = await self._values([(event.key, event.revision, event.value) for event in events])
        befores = [event.before for event in events if event.before is not None]
        before = iter(await self._entries(befores))
        return [
            Event(event.key, value, event.revision, event.deleted, next(before) if event.before is not None else None)
            for event, value in zip(events, values, strict=True)
        ]

    async def _values(self, stored: Sequence[tuple[str, int, bytes]]) -> Sequence[bytes]:
        """Stored bytes as this version shows them."""
        missing = [
            one for one in stored if not self._is_current(one[2], one[1]) and (one[0], one[1]) not in self._shown
        ]
        made: dict[tuple[str, int], bytes] = {}
        if missing:
            objects = await self._converted([cast(Object, orjson.loads(value)) for _, _, value in missing])
            for (key, revision, _), obj in zip(missing, objects, strict=True):
                made[key, revision] = b"%b%d%b" % (self._head, revision, keys.tail(obj))
        result = [
            value if self._is_current(value, revision) else made.get((key, revision)) or self._shown[key, revision]
            for key, revision, value in stored
        ]
        self._remember(made)
        return result

    async def _converted(self, objects: Sequence[Object]) -> Sequence[Object]:
        known = self._versions.types
        clean = [self._coerced(known.get(str(obj.get("apiVersion", "")).rpartition("/")[2]), obj) for obj in objects]
        others = [index for index, obj in enumerate(clean) if obj.get("apiVersion") != self._kind.api_version]
        if others:
            of_this = known.get(self._kind.version)
            converted = await self._versions.convert([clean[index] for index in others], self._kind.api_version)
            for index, obj in zip(others, converted, strict=True):
                clean[index] = self._coerced(of_this, obj)
        return clean

    @staticmethod
    def _coerced(of_version: types.Type | None, obj: Object) -> Object:
        return obj if of_version is None else of_version.coerce(obj)

    def _remember(self, made: dict[tuple[str, int], bytes]) -> None:
        self._shown.update(made)
        while len(self._shown) > _SHOWN_MAX:
            self._shown.popitem(last=False)

    # Writing

    async def _stored(self, operation: Put | Delete) -> Put | Delete:
        """The same write in the storage version; one of another kind as it is."""
        if operation.head != self._head:
            return operation
        obj = cast(Object, orjson.loads(b"%b0%b" % (operation.head, operation.tail)))
        converted = (await self._versions.convert([obj], self._versions.storage.api_version))[0]
        return operation._replace(head=self._storage_head, tail=keys.tail(converted))


class _Watch:
    """Batches of a watch, converted. What is being converted is not lost when the wait for it is cancelled."""

    def __init__(
        self,
        inner: contract.Watch,
        convert: Callable[[list[Event]], Awaitable[list[Event]]],
        ended: "Callable[[_Watch], None]",
    ) -> None:
        self._inner = inner
        self._batches = aiter(inner)
        self._convert = convert
        self._ended = ended
        self._pending: list[Event] = []
        self._delivered = 0

    def __aiter__(self) -> AsyncIterator[list[Event]]:
        return self

    async def __anext__(self) -> list[Event]:
        if not self._pending:
            self._delivered = self._inner.revision
            self._pending = await anext(self._batches)
        converted = await self._convert(self._pending)
        self._pending = []
        return converted

    @property
    def revision(self) -> int:
        return self._delivered if self._pending else self._inner.revision

    def close(self) -> None:
        self._inner.close()
        self._ended(self)
