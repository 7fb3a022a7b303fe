"""Any sequence of writes, reads, watches, compactions and reopenings gives what a list of all states would give."""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from steersman.aio.clock import SystemClock
from steersman.store import contract
from steersman.store.etcd.store import EtcdStore
from steersman.store.memory import Limits, MemoryStore
from steersman.store.sqlite import SqliteStore
from tests.store import etcd_server, media
from tests.store.media import delete, put

LIMITS = Limits(history_events=12)
KEYS = [media.pod(name, space) for space in ("x", "y") for name in "ab"] + ["/core/nodes/n", "/apps/deployments/x/d"]
PREFIXES = ["", "/core/", "/core/pods/", "/core/pods/x/", "/apps/deployments/"]

State = dict[str, tuple[bytes, int, int]]  # key → value, revision, created


class StoreMachine(RuleBasedStateMachine):
    watches = Bundle("watches")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.states: dict[int, State] = {1: {}}
        self.events: list[tuple[int, str, bytes, bool]] = []
        self.open: list[contract.Watch] = []
        self.store: media.AnyStore = self.start()

    def start(self) -> media.AnyStore:
        return MemoryStore(LIMITS)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @property
    def revision(self) -> int:
        return max(self.states)

    @rule(
        chosen=st.lists(
            st.tuples(
                st.sampled_from(KEYS), st.sampled_from(["put", "delete"]), st.sampled_from([None, None, 0, "now"])
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda each: each[0],
        )
    )
    def transaction(self, chosen: list[tuple[str, str, Any]]) -> None:
        now = self.states[self.revision]
        operations: list[contract.Put | contract.Delete] = []
        holds = True
        for key, what, wanted in chosen:
            current = now[key][1] if key in now else 0
            expect = current if wanted == "now" else wanted
            holds = holds and expect in (None, current)
            operations.append(put(key, what, expect) if what == "put" else delete(key, what, expect))
        if not holds:
            try:
                self.run(media.write(self.store, *operations))
            except contract.Mismatch:
                return
            raise AssertionError("a failed precondition was let pass")
        self.apply(operations, self.run(media.write(self.store, *operations)))

    def apply(self, operations: list[contract.Put | contract.Delete], revision: int) -> None:
        now = dict(self.states[self.revision])
        expected = self.revision + 1
        changed = False
        for operation in operations:
            value = media.value(expected, "delete" if isinstance(operation, contract.Delete) else "put")
            if isinstance(operation, contract.Delete):
                if now.pop(operation.key, None) is None:
                    continue
            else:
                created = now[operation.key][2] if operation.key in now else expected
                now[operation.key] = (value, expected, created)
            self.events.append((expected, operation.key, value, isinstance(operation, contract.Delete)))
            changed = True
        assert revision == (expected if changed else self.revision)
        if changed:
            self.states[expected] = now

    @rule(prefix=st.sampled_from(PREFIXES), back=st.integers(0, 20), limit=st.integers(0, 3), data=st.data())
    def list_at(self, prefix: str, back: int, limit: int, data: st.DataObject) -> None:
        revision = max(1, self.revision - back)
        start = data.draw(st.sampled_from(["", *KEYS]))
        try:
            page = self.run(self.store.list(prefix, at_revision=revision, limit=limit, start=start))
        except contract.Compacted:
            assert revision < self.store.compacted_revision
            return
        state = self.states[revision]
        wanted = [(key, *state[key]) for key in sorted(state) if key.startswith(prefix) and key >= start]
        shown = wanted[:limit] if limit else wanted
        assert [(entry.key, entry.value, entry.revision, entry.created) for entry in page.entries] == shown
        assert page.remaining == len(wanted) - len(shown)

    @rule(target=watches, prefix=st.sampled_from(PREFIXES), back=st.integers(0, 20))
    def watch(self, prefix: str, back: int) -> Any:
        after = max(1, self.revision - back)
        try:
            watch = self.run(self.in_loop(lambda: self.store.watch(prefix, after)))
        except contract.Compacted:
            assert after < self.store.compacted_revision
            return hypothesis.stateful.multiple()
        self.open.append(watch)
        return prefix, after, watch

    @rule(opened=consumes(watches))
    def drain(self, opened: Any) -> None:
        prefix, after, watch = opened
        if watch not in self.open:
            return  # lost by a restart
        wanted = [event for event in self.events if event[0] > after and event[1].startswith(prefix)]
        got = self.run(media.events(watch, len(wanted))) if wanted else []
        assert [(event.revision, event.key, event.value, event.deleted) for event in got] == wanted
        for event in got:
            before = self.states[event.revision - 1].get(event.key)
            assert (event.before and (event.before.value, event.before.revision, event.before.created)) == before
        self.run(asyncio.sleep(0))
        assert watch.revision == max(after, self.revision)
        self.run(self.in_loop(watch.close))
        self.open.remove(watch)

    @rule(back=st.integers(0, 10))
    def compact(self, back: int) -> None:
        revision = max(self.revision - back, self.store.compacted_revision)
        self.run(self.store.compact(revision))

    @invariant()
    def current_state_agrees(self) -> None:
        page = self.run(self.store.list(""))
        assert {e.key: (e.value, e.revision, e.created) for e in page.entries} == self.states[self.revision]
        assert self.store.revision == page.revision == self.revision
        assert self.store.compacted_revision >= self.revision - 2 * LIMITS.history_events

    async def in_loop(self, function: Any) -> Any:
        return function()

    def teardown(self) -> None:
        self.run(self.store.close())
        self.run(self.loop.shutdown_default_executor())
        self.loop.close()


class SqliteMachine(StoreMachine):
    def start(self) -> media.AnyStore:
        self.folder = Path(tempfile.mkdtemp())
        return SqliteStore.open(self.folder / "store.db", LIMITS)

    @rule()
    def reopen(self) -> None:
        self.run(self.store.close())
        self.open.clear()
        self.store = SqliteStore.open(self.folder / "store.db", LIMITS)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


class EtcdMachine(StoreMachine):
    def start(self) -> media.AnyStore:
        self.folder = Path(tempfile.mkdtemp())
        self.etcd = contextlib.ExitStack()
        self.address = self.etcd.enter_context(etcd_server.running(self.folder)).address
        return self.opened()

    def opened(self) -> media.AnyStore:
        return self.run(EtcdStore.open(self.address, SystemClock(), limits=LIMITS))  # type: ignore[no-any-return]

    @rule()
    def reopen(self) -> None:
        self.run(self.store.close())
        self.open.clear()
        self.store = self.opened()

    def teardown(self) -> None:
        super().teardown()
        self.etcd.close()
        shutil.rmtree(self.folder)


TestMemory = StoreMachine.TestCase
TestMemory.settings = hypothesis.settings(max_examples=40, stateful_step_count=40, deadline=None)
TestSqlite = SqliteMachine.TestCase
TestSqlite.settings = hypothesis.settings(max_examples=10, stateful_step_count=40, deadline=None)
TestEtcd = EtcdMachine.TestCase
TestEtcd.settings = hypothesis.settings(max_examples=6, stateful_step_count=30, deadline=None)
TestEtcd.pytestmark = [  # type: ignore[attr-defined]
    pytest.mark.slow,
    pytest.mark.skipif(not etcd_server.is_installed(), reason="needs etcd (Debian: etcd-server)"),
]
