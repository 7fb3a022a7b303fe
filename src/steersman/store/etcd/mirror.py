"""What etcd holds under a prefix, in memory: read once, then followed by one watch.

Keeps true: memory shows etcd's revisions one by one and each whole. A watch that etcd ended goes on where it stopped; what etcd has
compacted meanwhile is read anew, and the watchers here are cut off, because nobody can tell them what they missed.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Sequence
from typing import Any

import grpc.aio
from aetcd import rpc

from steersman.aio.backoff import Backoff, Pauses
from steersman.aio.clock import Clock
from steersman.store import contract, memory, state
from steersman.store.contract import Cause, Entry, Event
from steersman.store.etcd import connection, records
from steersman.store.etcd.connection import Connection, prefix_end
from steersman.store.memory import Limits

_log = logging.getLogger(__name__)

PAGE_ENTRIES = 1_000  # per question at start: some megabytes
# Reconnecting is cheap, and everybody waits for it.
_RECONNECT = Pauses(initial_seconds=0.1, max_seconds=2.0, reset_after_seconds=10.0)


class _Gone(Exception):
    """etcd has compacted what the watch needs; `revision` is the oldest it still has."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"etcd keeps nothing before revision {revision}")
        self.revision = revision


class Mirror(memory.MemoryStore):
    """Keys are `PREFIX/objects` + the store's key; `PREFIX/cause` is written by every transaction."""

    def __init__(self, members: Connection, clock: Clock, prefix: str, limits: Limits) -> None:
        super().__init__(limits)
        self._connection = members
        self._clock = clock
        self._objects = f"{prefix}/objects".encode()
        self._cause_key = f"{prefix}/cause".encode()
        self._all = f"{prefix}/".encode()
        self._leased: dict[str, int] = {}  # length of the head of entries that may go by themselves
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # for a revision, lowest first
        self._tickets = itertools.count()

    async def _reached(self, revision: int) -> None:
        """The memory shows `revision`. Raises Unavailable when it does not come."""
        if revision <= self._state.revision:
            return
        shown = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (revision, next(self._tickets), shown))
        try:
            async with self._clock.timeout(connection.ASK_SECONDS):
                await shown
        except TimeoutError as error:
            raise contract.Unavailable(f"etcd's watch is behind: at {self._state.revision}, not {revision}") from error

    async def _ask_range(self, request: Any) -> Any:
        return await self._connection.ask(lambda member: member.kv.Range, request)

    async def _load(self) -> None:
        """Start from an old state that etcd still has: following it from there on gives the history, too."""
        newest = await self._ask_range(rpc.RangeRequest(key=self._cause_key, keys_only=True))
        revision = newest.header.revision
        if newest.kvs:
            revision = max(1, revision - self._limits.history_events, await self._oldest())
        entries: list[Entry] = []
        start, end = self._objects, prefix_end(self._objects)
        while True:
            request = rpc.RangeRequest(key=start, range_end=end, limit=PAGE_ENTRIES, revision=revision)
            page = await self._ask_range(request)
            entries.extend(self._entry(kv) for kv in page.kvs)
            if not page.more:
                break
            start = page.kvs[-1].key + b"\0"
        self._state = state.State.load(entries, (), revision, revision if revision > 1 else 0)

    async def _oldest(self) -> int:
        """The revision that etcd was last compacted at; 0: never. There is a cause."""
        request = rpc.WatchCreateRequest(key=self._cause_key, start_revision=1)
        try:
            async with self._clock.timeout(connection.ASK_SECONDS), self._connection.watching(request) as answers:
                async for answer in answers:
                    if answer.compact_revision or answer.events:
                        return int(answer.compact_revision)
        except (TimeoutError, grpc.aio.AioRpcError) as error:
            raise contract.Unavailable(f"etcd does not answer: {error}") from error
        raise contract.Unavailable("etcd ended a watch without a word")

    def _entry(self, kv: Any) -> Entry:
        key = kv.key[len(self._objects) :].decode()
        if kv.lease:
            self._leased[key] = records.head_length(kv.value)
        return Entry(key, records.value_at(kv.value, kv.mod_revision), kv.mod_revision, kv.create_revision)

    async def _follow(self) -> None:
        """Until cancelled."""
        backoff = Backoff(self._clock, _RECONNECT)
        while True:
            try:
                await self._follow_once()
            except _Gone as gone:
                _log.warning("%s; reading everything anew", gone)
                await self._start_over()
            except grpc.aio.AioRpcError as error:
                _log.warning("the watch on etcd ended: %s", error.details())
            await backoff.wait()

    async def _follow_once(self) -> None:
        request = rpc.WatchCreateRequest(
            key=self._all, range_end=prefix_end(self._all), start_revision=self._state.revision + 1
        )
        async with self._connection.watching(request) as answers:
            async for answer in answers:
                if answer.compact_revision:
                    raise _Gone(answer.compact_revision)
                if answer.canceled:
                    return
                for revision, found in itertools.groupby(answer.events, lambda event: event.kv.mod_revision):
                    if revision > self._state.revision:
                        self._happened(revision, list(found))

    async def _start_over(self) -> None:
        try:
            await self._load()
        except (contract.Unavailable, grpc.aio.AioRpcError) as error:
            _log.warning("etcd could not be read: %s", error)
            return
        self._fanout.cut_off(self._state.revision)
        self._wake()

    def _happened(self, revision: int, found: Sequence[Any]) -> None:
        """All that etcd tells of one of its revisions."""
        told = next((records.read_cause(one.kv.value) for one in found if one.kv.key == self._cause_key), None)
        last = told.last if told is not None else {}
        events = [self._event(one, last) for one in found if one.kv.key.startswith(self._objects)]
        if told is not None:
            self._keep_cause(revision, Cause(told.who, told.verb, told.because, told.at))
        if events:
            self._make_visible(events)
        self._state.revision = revision
        self._wake()

    def _event(self, found: Any, last: dict[str, bytes]) -> Event:
        kv = found.kv
        key = kv.key[len(self._objects) :].decode()
        before = self._state.get(key)
        if found.type == rpc.Event.DELETE:
            return Event(key, self._last_value(key, kv.mod_revision, before, last), kv.mod_revision, True, before)
        if kv.lease:
            self._leased[key] = records.head_length(kv.value)
        else:
            self._leased.pop(key, None)
        return Event(key, records.value_at(kv.value, kv.mod_revision), kv.mod_revision, False, before)

    def _last_value(self, key: str, revision: int, before: Entry | None, last: dict[str, bytes]) -> bytes:
        """What watchers of a deletion get: what its writer said, or what was there when its lease ended."""
        head = self._leased.pop(key, None)
        if key in last:
            return records.value_at(last[key], revision)
        assert before is not None, f"{key} was deleted and had never been there"
        if head is None:  # by somebody with a tool of their own
            return before.value
        tail = before.value[head + len(str(before.revision)) :]
        return b"%b%d%b" % (before.value[:head], revision, tail)

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._state.revision:
            _, _, shown = heapq.heappop(self._waiting)
            if not shown.done():
                shown.set_result(None)
