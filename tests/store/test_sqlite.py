"""What only a store on disk must do: keep every acknowledged write, show none that could be lost, survive anything."""

import asyncio
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from steersman.store import contract, journal
from steersman.store.contract import Cause
from steersman.store.memory import Limits
from steersman.store.sqlite import SqliteStore
from tests.store.media import delete, events, keys, pod, put, value, write


class HeldJournal(journal.Journal):
    """Appends only when let, so that a test can look at what is on its way to disk; fails when told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, 1000)
        self.let = threading.Semaphore(0)
        self.batches: list[int] = []
        self.fail_with: sqlite3.Error | None = None
        self.fail_late = False

    def append(self, transactions):
        self.let.acquire()
        self.batches.append(len(transactions))
        failure, self.fail_with = self.fail_with, None
        if failure is not None and not self.fail_late:
            self._doubtful = True
            raise failure
        super().append(transactions)
        if failure is not None:  # on disk, but nobody can know
            self._doubtful = True
            raise failure


@pytest.fixture
async def held(tmp_path):
    kept = HeldJournal(tmp_path / "store.db")
    store = SqliteStore(kept)
    yield store, kept
    kept.let.release(100)
    await store.close()


async def started(*work):
    tasks = [asyncio.ensure_future(each) for each in work]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_nothing_is_visible_before_it_is_durable(held):
    store, kept = held
    watch = store.watch("/core/pods/", store.revision)
    seen = asyncio.ensure_future(events(watch, 1))
    (writing,) = await started(write(store, put(pod("a"))))
    assert await store.get(pod("a")) is None
    assert store.revision == 1
    assert await keys(store, "/core/pods/") == []
    assert not writing.done()
    assert not seen.done()
    kept.let.release()
    assert await writing == 2
    assert store.revision == 2
    assert (await seen)[0].revision == 2
    watch.close()


async def test_one_write_to_disk_takes_along_all_that_wait(held):
    store, kept = held
    first = await started(*(write(store, put(pod(f"first-{n}"))) for n in range(3)))
    second = await started(*(write(store, put(pod(f"second-{n}"))) for n in range(5)))
    kept.let.release(2)
    assert await asyncio.gather(*first, *second) == list(range(2, 10))
    assert kept.batches == [3, 5]


async def test_writes_are_checked_against_those_on_their_way(held):
    store, kept = held
    tasks = await started(
        write(store, put(pod("a"), expect=0)),
        write(store, put(pod("a"), expect=0)),
        write(store, put(pod("a"), expect=2)),
        write(store, delete(pod("a"), expect=3)),
        write(store, delete(pod("a"))),
    )
    assert not any(task.done() for task in tasks)  # a refusal would tell of a write that may yet be lost
    kept.let.release()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [results[0], *results[2:]] == [2, 3, 4, 4]
    assert isinstance(results[1], contract.Mismatch)
    assert results[1].current is not None
    assert results[1].current.revision == 2


@pytest.mark.parametrize("late", [False, True], ids=["nothing reached the disk", "all reached the disk"])
async def test_a_disk_error_leaves_the_outcome_unknown_and_the_store_usable(held, late, caplog):
    store, kept = held
    kept.fail_with, kept.fail_late = sqlite3.OperationalError("disk I/O error"), late
    doomed = await started(write(store, put(pod("a"))))
    doomed += await started(write(store, put(pod("b"))))  # decided on top of the first
    kept.let.release()
    for task in doomed:
        with pytest.raises(contract.UnknownOutcome):
            await task
    assert await keys(store, "/core/pods/") == []
    kept.let.release()
    assert await write(store, put(pod("c"))) == 2
    assert [entry.value for entry in kept.load().entries] == [value(2)]
    assert "could not be written" in caplog.text


async def test_everything_comes_back(tmp_path):
    path = tmp_path / "store.db"
    store = SqliteStore.open(path)
    first = await write(store, put(pod("a"), "one"))
    await write(store, put(pod("a"), "two"), put(pod("b")))
    last = await store.txn([delete(pod("b"), "gone")], Cause("me", "delete", first, "2026"))
    await store.close()

    store = SqliteStore.open(path)
    assert store.revision == last
    entry = await store.get(pod("a"))
    assert entry is not None
    assert (entry.value, entry.revision, entry.created) == (value(last - 1, "two"), last - 1, first)
    assert await keys(store, "/core/pods/", at_revision=last - 1) == [pod("a"), pod("b")]
    assert await store.cause(last) == Cause("me", "delete", first, "2026")
    watch = store.watch("/core/pods/", first)
    replayed = await events(watch, 3)
    assert [(e.key, e.revision, e.deleted) for e in replayed] == [
        (pod("a"), last - 1, False),
        (pod("b"), last - 1, False),
        (pod("b"), last, True),
    ]
    assert replayed[0].before is not None
    assert replayed[0].before.revision == first
    assert await write(store, put(pod("c"))) == last + 1
    await store.close()


async def test_the_revision_never_goes_back_even_when_everything_is_deleted_and_forgotten(tmp_path):
    path = tmp_path / "store.db"
    store = SqliteStore.open(path)
    await write(store, put(pod("a")))
    revision = await write(store, delete(pod("a")))
    await store.compact(revision)
    await store.close()
    assert rows(path) == 0
    store = SqliteStore.open(path)
    assert (store.revision, store.compacted_revision) == (revision, revision)
    await store.close()


async def test_the_file_keeps_only_what_is_needed(tmp_path):
    path = tmp_path / "store.db"
    store = SqliteStore.open(path, Limits(history_events=50))
    for number in range(300):
        await write(store, put(pod(str(number % 3))), put(pod(f"other-{number}")))
        await write(store, delete(pod(f"other-{number}")))
    expected = store.statistics()["history_events"] + 3
    await store.close()
    assert rows(path) <= expected + 1


def rows(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute("SELECT count(*) FROM log").fetchone()[0])
    finally:
        db.close()


async def test_a_large_batch_takes_several_statements(tmp_path):
    path = tmp_path / "store.db"
    store = SqliteStore.open(path)
    operations = [put(pod(f"{n:04}")) for n in range(journal.ROWS_PER_STATEMENT * 3 + 1)]
    revision = await write(store, *operations)
    await store.close()
    store = SqliteStore.open(path)
    page = await store.list("/core/pods/")
    assert len(page.entries) == len(operations)
    assert {entry.revision for entry in page.entries} == {revision}
    await store.close()


async def test_two_processes_cannot_share_a_file(tmp_path):
    store = SqliteStore.open(tmp_path / "store.db")
    with pytest.raises(journal.Locked):
        SqliteStore.open(tmp_path / "store.db")
    await store.close()


async def test_only_the_owner_may_read_it(tmp_path):
    store = SqliteStore.open(tmp_path / "store.db")
    await write(store, put(pod("a")))
    await store.backup(tmp_path / "copy.db")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    await store.close()
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "copy.db": 0o600}


async def test_what_is_no_store_is_refused(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"something else entirely\n" * 100)
    with pytest.raises(journal.WrongFormat, match="is no store"):
        SqliteStore.open(path)


async def test_a_newer_format_is_refused(tmp_path):
    path = tmp_path / "store.db"
    await SqliteStore.open(path).close()
    db = sqlite3.connect(path)
    db.execute("UPDATE facts SET value = 99 WHERE name = 'format'")
    db.commit()
    db.close()
    with pytest.raises(journal.WrongFormat):
        SqliteStore.open(path)


async def test_a_backup_is_a_whole_store(tmp_path):
    store = SqliteStore.open(tmp_path / "store.db")
    revision = await write(store, put(pod("a")))
    await store.backup(tmp_path / "copy.db")
    await write(store, put(pod("b")))
    await store.close()
    copy = SqliteStore.open(tmp_path / "copy.db")
    assert copy.revision == revision
    assert await keys(copy, "/core/pods/") == [pod("a")]
    await copy.close()


async def test_a_closed_store_refuses_writes(tmp_path):
    store = SqliteStore.open(tmp_path / "store.db")
    await store.close()
    with pytest.raises(contract.UnknownOutcome):
        await write(store, put(pod("a")))
    await store.close()


WRITER = """
import asyncio, sys
from steersman.store.memory import Limits
from steersman.store.contract import Delete, Put
from steersman.store.sqlite import SqliteStore

async def write(store, number):
    for turn in range(1_000_000):
        key = f"/core/pods/{number}/{turn % 20}"
        kind = Delete if turn % 7 == 6 else Put
        revision = await store.txn([kind(key, b"", f" {turn}".encode())])
        print(revision, key, turn, kind.__name__, flush=True)

async def main():
    store = SqliteStore.open(sys.argv[1], Limits(history_events=200))
    await asyncio.gather(*(write(store, number) for number in range(8)))

asyncio.run(main())
"""


def start_writer(path: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 50, 400, 1500])
async def test_kill_9_loses_no_acknowledged_write(tmp_path, lines):
    """The writer says what was acknowledged; after it is killed, all of that must be there."""
    path = tmp_path / "store.db"
    process = start_writer(path)
    assert process.stdout is not None
    acknowledged: dict[str, tuple[int, str, str]] = {}
    newest = 0

    def note(line: str) -> None:
        nonlocal newest
        parts = line.split()
        if line.endswith("\n") and len(parts) == 4:
            acknowledged[parts[1]] = (int(parts[0]), parts[2], parts[3])
            newest = max(newest, int(parts[0]))

    try:
        for _ in range(lines):
            note(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        for line in process.stdout:  # what it had said before it died
            note(line)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert acknowledged
    store = SqliteStore.open(path)
    assert store.revision >= newest
    for key, (revision, turn, kind) in acknowledged.items():
        entry = await store.get(key)
        if entry is not None and entry.revision > revision:
            continue  # a later write that was durable but not yet acknowledged
        if kind == "Delete":
            assert entry is None or entry.revision > revision
        elif entry is not None:
            assert (entry.revision, entry.value) == (revision, f"{revision} {turn}".encode())
        else:
            last = await store.get(key, at_revision=revision)
            assert last is not None  # a later delete that was not yet acknowledged
    await store.close()
