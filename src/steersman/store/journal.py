"""The SQLite file behind a store: every event with its cause, appended; what history no longer needs, removed.

Keeps true: the file holds the newest event of every key and all events after `compacted`, so the whole store, history
included, can be read back. An append is on disk (WAL, synchronous=FULL) when it returns.

Everything here is synchronous and runs in the store's one thread. SQLite's module gives up the interpreter lock once per
step of a statement and may wait some milliseconds to get it back, so each append is one statement with many rows, and
removal is one statement over a JSON list: never one per row.
"""

import dataclasses
import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from steersman.store import contract
from steersman.store.contract import Cause, Entry, Event

FORMAT = 1

# A row's id is revision << OPERATION_BITS | position within the transaction: rows are ordered as they happened.
OPERATION_BITS = 10
OPERATIONS_MAX = 1 << OPERATION_BITS

# Rows per statement: statements are compiled once per size and kept.
ROWS_PER_STATEMENT = 64
_STATEMENTS_KEPT = ROWS_PER_STATEMENT + 16

# Pages (4 kB) after which a commit copies the write-ahead log into the database: larger means fewer, longer pauses.
CHECKPOINT_PAGES = 4000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB NOT NULL,
    created INTEGER NOT NULL, -- the revision that created the object, or 0: this event deleted it
    who TEXT NOT NULL, verb TEXT NOT NULL, because INTEGER NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS causes ( -- of events whose rows are gone
    revision INTEGER PRIMARY KEY, who TEXT NOT NULL, verb TEXT NOT NULL, because INTEGER NOT NULL, at TEXT NOT NULL
);
"""

_INSERT = "INSERT INTO log VALUES " + "(?,?,?,?,?,?,?,?)"
_STATEMENTS = [_INSERT + ",(?,?,?,?,?,?,?,?)" * more for more in range(ROWS_PER_STATEMENT)]

# Rows named by [id of the first row of their revision, key].
_SUPERSEDED = f"""
SELECT log.id FROM json_each(?) AS named CROSS JOIN log
WHERE log.id >= json_extract(named.value, '$[0]') AND log.id < json_extract(named.value, '$[0]') + {OPERATIONS_MAX}
  AND log.key = json_extract(named.value, '$[1]')
"""


class Locked(contract.StoreError):
    """Another process has the file open."""


class WrongFormat(contract.StoreError):
    """The file was written by a newer Steersman, or is no store."""


@dataclasses.dataclass(frozen=True, slots=True)
class Content:
    entries: list[Entry]
    log: list[Event]
    revision: int
    compacted: int


class Journal:
    """One open file, locked for this process alone."""

    def __init__(self, path: Path, causes_max: int) -> None:
        self._causes_max = causes_max
        self._doubtful = False  # the last append failed: rows that nobody was told of may be there
        _create_private(path)
        self._db = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=_STATEMENTS_KEPT, timeout=0
        )
        try:
            self._prepare()
        except sqlite3.DatabaseError as failed:
            self._db.close()
            if failed.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise Locked(f"{path} is open in another process") from failed
            if failed.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise WrongFormat(f"{path} is no store") from failed
            raise
        except BaseException:
            self._db.close()
            raise

    def load(self) -> Content:
        """Everything in the file."""
        compacted = self._fact("compacted")
        current: dict[str, Entry] = {}
        log: list[Event] = []
        revision = max(1, compacted)
        for row, key, value, created in self._db.execute("SELECT id, key, value, created FROM log ORDER BY id"):
            revision = row >> OPERATION_BITS
            before = current.get(key)
            if created:
                current[key] = Entry(key, value, revision, created)
            elif before is not None:
                del current[key]
            if revision > compacted:
                log.append(Event(key, value, revision, not created, before))
        return Content(list(current.values()), log, max(revision, compacted), compacted)

    def append(self, transactions: Sequence[tuple[Sequence[Event], Cause]]) -> None:
        """Make transactions durable, all or none."""
        rows = [row for events, cause in transactions for row in _rows(events, cause)]
        try:
            if len(rows) <= ROWS_PER_STATEMENT and not self._doubtful:
                self._insert(rows)
                return
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM log WHERE id >= ?", (rows[0][0],))
            for start in range(0, len(rows), ROWS_PER_STATEMENT):
                self._insert(rows[start : start + ROWS_PER_STATEMENT])
            self._db.execute("COMMIT")
            self._doubtful = False
        except sqlite3.Error:
            self._doubtful = True
            self._rollback()
            raise

    def compact(self, forgotten: Iterable[Event], revision: int) -> None:
        """Remove what only history up to and including `revision` needed; causes stay."""
        names = []
        for event in forgotten:
            if event.before is not None:
                names.append((event.before.revision << OPERATION_BITS, event.key))
            if event.deleted:
                names.append((event.revision << OPERATION_BITS, event.key))
        gone = json.dumps(names)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                f"INSERT OR IGNORE INTO causes SELECT id >> {OPERATION_BITS}, who, verb, because, at FROM log "
                f"WHERE id IN ({_SUPERSEDED}) AND (who <> '' OR because <> 0)",
                (gone,),
            )
            self._db.execute(f"DELETE FROM log WHERE id IN ({_SUPERSEDED})", (gone,))
            self._db.execute("DELETE FROM causes WHERE revision < ?", (revision - self._causes_max,))
            self._db.execute("REPLACE INTO facts VALUES ('compacted', ?)", (revision,))
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._rollback()
            raise

    def cause(self, revision: int) -> Cause | None:
        first = revision << OPERATION_BITS
        row = self._db.execute(
            "SELECT who, verb, because, at FROM log WHERE id >= ? AND id < ? LIMIT 1", (first, first + OPERATIONS_MAX)
        ).fetchone()
        row = (
            row
            or self._db.execute("SELECT who, verb, because, at FROM causes WHERE revision = ?", (revision,)).fetchone()
        )
        return Cause(*row) if row is not None else None

    def copy_to(self, path: Path) -> None:
        """A whole, consistent copy in a new file."""
        _create_private(path)
        self._db.execute("VACUUM INTO ?", (str(path),))

    def close(self) -> None:
        self._db.close()

    def _prepare(self) -> None:
        db = self._db
        # Exclusive: one owner, and the WAL's index needs no shared memory file.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        db.execute("BEGIN EXCLUSIVE")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT OR IGNORE INTO facts VALUES ('format', ?)", (FORMAT,))
        db.execute("COMMIT")
        if self._fact("format") != FORMAT:
            raise WrongFormat(f"the store has format {self._fact('format')}, this version knows {FORMAT}")

    def _insert(self, rows: Sequence[tuple[object, ...]]) -> None:
        self._db.execute(_STATEMENTS[len(rows) - 1], [value for row in rows for value in row])

    def _fact(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row is not None else 0

    def _rollback(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _create_private(path: Path) -> None:
    """The store holds secrets: only its owner may read it (the write-ahead log takes the mode of its database)."""
    path.touch(mode=0o600, exist_ok=True)


def _rows(events: Sequence[Event], cause: Cause) -> Iterable[tuple[int, str, bytes, int, str, str, int, str]]:
    for number, event in enumerate(events):
        row = event.revision << OPERATION_BITS | number
        created = 0 if event.deleted else event.before.created if event.before is not None else event.revision
        yield row, event.key, event.value, created, cause.who, cause.verb, cause.because, cause.at
