"""A store whose content lives in memory for reading and in an SQLite file for keeping.

Keeps true: a transaction is answered, and becomes visible to readers and watchers, only when it is on disk. One write to
disk takes along every transaction that waits (group commit); it happens in a thread, so the loop goes on.

A transaction is checked against what is visible plus what is on its way to disk (`_pending`). So a refusal may rest on a
write that is not durable yet: it is held back until that write is, for nobody may learn of a write that could be lost.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from steersman.store import contract, journal, memory, state
from steersman.store.contract import Cause, Delete, Entry, Event, Put
from steersman.store.memory import DEFAULT_LIMITS, Limits

_log = logging.getLogger(__name__)


class _Batch:
    """Transactions that go to disk together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.transactions: list[tuple[list[Event], Cause]] = []
        self.durable: asyncio.Future[None] = loop.create_future()


@dataclasses.dataclass(frozen=True, slots=True)
class _Pending:
    """What a key holds once its batch is durable."""

    entry: Entry | None
    batch: _Batch


class SqliteStore(memory.MemoryStore):
    """`contract.Store` in an SQLite file; `SqliteStore.open(path)`."""

    def __init__(self, kept: journal.Journal, limits: Limits = DEFAULT_LIMITS) -> None:
        content = kept.load()
        loaded = state.State.load(content.entries, content.log, content.revision, content.compacted)
        super().__init__(limits, content=loaded)
        assert limits.operations_per_transaction <= journal.OPERATIONS_MAX
        self._journal = kept
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._next_revision = loaded.revision + 1
        self._pending: dict[str, _Pending] = {}
        self._waiting: _Batch | None = None
        self._writing: _Batch | None = None
        self._closed = False

    @classmethod
    def open(cls, path: Path | str, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Open or create the file and read all of it. Raises Locked, WrongFormat."""
        return cls(journal.Journal(Path(path), limits.causes), limits)

    async def txn(self, operations: Sequence[Put | Delete], cause: Cause = contract.NOBODY) -> int:
        if self._closed:
            raise contract.UnknownOutcome("the store is closed")
        memory.check_operations(operations, self._limits.operations_per_transaction)
        try:
            events = list(state.plan(operations, self._next_revision, self._newest))
        except contract.Mismatch as mismatch:
            await self._wait_durable([mismatch.key])
            raise
        if not events:
            await self._wait_durable([operation.key for operation in operations])
            return self._state.revision
        revision = self._next_revision
        self._next_revision += 1
        await asyncio.shield(self._enqueue(events, cause).durable)
        return revision

    async def compact(self, revision: int) -> None:
        self._state.check_kept(revision)
        await self._start_compaction(revision)

    async def cause(self, revision: int) -> Cause | None:
        if revision > self._state.revision:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.cause, revision)

    async def backup(self, path: Path) -> None:
        """Write a copy of the file as of now."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.copy_to, path)

    async def close(self) -> None:
        """Wait for the writes under way, then end watches and close the file."""
        if self._closed:
            return
        self._closed = True
        while (batch := self._writing or self._waiting) is not None:
            await asyncio.wait([batch.durable])
        await asyncio.get_running_loop().run_in_executor(self._thread, self._journal.close)
        self._thread.shutdown(wait=True)
        await super().close()

    # Group commit

    def _newest(self, key: str) -> Entry | None:
        pending = self._pending.get(key)
        return pending.entry if pending is not None else self._state.get(key)

    async def _wait_durable(self, keys: Sequence[str]) -> None:
        """Return when everything that was decided about these keys is visible. Raises UnknownOutcome."""
        for key in keys:
            pending = self._pending.get(key)
            if pending is not None:
                await asyncio.shield(pending.batch.durable)

    def _enqueue(self, events: list[Event], cause: Cause) -> _Batch:
        batch = self._waiting
        if batch is None:
            loop = asyncio.get_running_loop()
            batch = self._waiting = _Batch(loop)
            if self._writing is None:
                loop.call_soon(self._write_waiting)  # after the other tasks of this turn have added theirs
        batch.transactions.append((events, cause))
        for event in events:
            entry = None if event.deleted else state.entry_after(event)
            self._pending[event.key] = _Pending(entry, batch)
        return batch

    def _write_waiting(self) -> None:
        batch = self._waiting
        if batch is None or self._writing is not None:
            return
        self._writing, self._waiting = batch, None
        written = asyncio.get_running_loop().run_in_executor(self._thread, self._journal.append, batch.transactions)
        written.add_done_callback(self._written)

    def _written(self, written: "asyncio.Future[None]") -> None:
        batch, self._writing = self._writing, None
        assert batch is not None
        failure = written.exception()
        if failure is not None:
            self._fail(batch, failure)
            return
        for events, _ in batch.transactions:
            for event in events:
                pending = self._pending.get(event.key)
                if pending is not None and pending.batch is batch:
                    del self._pending[event.key]
        self._make_visible([event for events, _ in batch.transactions for event in events])
        batch.durable.set_result(None)
        self._write_waiting()

    def _fail(self, batch: _Batch, failure: BaseException) -> None:
        """Nothing of the batch is visible, nor of the one that was decided on top of it: both are unknown to the callers.

        The journal removes whatever may have reached the file before it writes again.
        """
        _log.error("the store could not be written", exc_info=failure)
        for lost in (batch, self._waiting):
            if lost is not None:
                lost.durable.set_exception(contract.UnknownOutcome(str(failure)))
                lost.durable.exception()  # marked as seen, also when every caller was cancelled
        self._waiting = None
        self._pending.clear()
        self._next_revision = self._state.revision + 1

    # Compaction

    def _compact(self, revision: int) -> None:
        self._start_compaction(revision).add_done_callback(_log_failure)

    def _start_compaction(self, revision: int) -> "asyncio.Future[None]":
        forgotten = self._state.forget(revision)
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, self._journal.compact, forgotten, revision)


def _log_failure(compaction: "asyncio.Future[None]") -> None:
    """No harm is done: the file keeps more than it needs."""
    failure = compaction.exception()
    if failure is not None:
        _log.error("the store's file could not be compacted", exc_info=failure)
