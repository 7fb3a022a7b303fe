"""What every store keeps, whatever the medium: etcd v3's model, so that etcd itself can be the medium.

- One revision counter for the whole store; each transaction that changes anything takes the next one.
- A transaction is all or nothing, and answered only when durable (memory excepted: it never is).
- `watch(prefix, after_revision)` delivers every later event under the prefix exactly once, in order, or fails with
  `Compacted` (the revision is gone) or `Overrun` (the reader was too slow and is cut off). There is no gap between a
  read at revision R and a watch after R.
- Values are the JSON bytes clients receive, resourceVersion included. The revision is known only inside the transaction,
  so a value is given as `head` and `tail`; what is stored is head + decimal revision + tail.

Keys are `/GROUP/PLURAL/NAMESPACE/NAME` (`/core/…` for the core group, namespace left out for cluster-scoped kinds):
see `apiserver.registry`. The store only needs them to be text that sorts.
"""

import dataclasses
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable


class Cause(NamedTuple):
    """Why a write happened: kept with its revision, walked by `steersman why`.

    `because` is the revision of what the writer saw when it decided (0: nobody said, e.g. a user's own wish);
    `at` is wall time in RFC 3339 with microseconds.
    """

    who: str = ""
    verb: str = ""
    because: int = 0
    at: str = ""


NOBODY = Cause()
OPERATIONS_MAX = 100  # of one transaction, on whatever medium: etcd takes 128


@dataclasses.dataclass(slots=True, eq=False)
class Entry:
    """One stored object. `created` and `revision` are the revisions of its first and its last write.

    `stale`: what is stored is in another form than `value` shows and than a write would give it, so that also a write of the
    same value is worth its while (objects of an older version of a custom kind).
    """

    key: str
    value: bytes
    revision: int
    created: int
    stale: bool = False


class Put(NamedTuple):
    """Write `head + revision + tail` to `key` if its current revision is `expect` (0: must not exist; None: any).

    `ttl_seconds`: a store that `expires` removes the entry some time after as many seconds without another write; 0: never.
    """

    key: str
    head: bytes
    tail: bytes
    expect: int | None = None
    ttl_seconds: int = 0


class Delete(NamedTuple):
    """Remove `key` if its current revision is `expect` (None: any). `head + revision + tail` is the last state, which
    watchers receive with the revision of the deletion."""

    key: str
    head: bytes
    tail: bytes
    expect: int | None = None


@dataclasses.dataclass(slots=True, eq=False)
class Event:
    """One change. `value` is the new state (the last one for a deletion); `before` the previous entry, None if created.

    Every watcher gets the same Event object: `frames` is for readers to keep its framed bytes, by form, so that they are
    made once. The store empties it when newer events have come.
    """

    key: str
    value: bytes
    revision: int
    deleted: bool
    before: Entry | None
    frames: dict[Hashable, bytes] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Interest:
    """What a watcher has use for: events that `topics` names `value` for. Watchers with equal `topics` share its answers."""

    topics: Callable[[Event], Collection[str]]
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """Entries in key order, as of `revision`; `remaining` counts those behind the limit."""

    entries: Sequence[Entry]
    revision: int
    remaining: int = 0


class StoreError(Exception):
    """Something the store says no to."""


class Mismatch(StoreError):
    """A precondition failed; nothing was written. `current` is what is there now (None: nothing)."""

    def __init__(self, key: str, current: Entry | None) -> None:
        super().__init__(key)
        self.key = key
        self.current = current


class Compacted(StoreError):
    """The revision asked for is no longer kept."""


class Future(StoreError):
    """The revision asked for has not happened yet."""


class Overrun(StoreError):
    """A watcher fell too far behind and was cut off."""


class UnknownOutcome(StoreError):
    """The write may or may not have happened (lost connection, disk error): read before trying again."""


class Unavailable(StoreError):
    """The store cannot be read now, or nobody can tell whether what could be read is the newest; nothing was written."""


class Refused(StoreError):
    """The medium does not take the write (too large, no space left); nothing was written."""


class Watch(Protocol):
    """An open watch: `async for batch in watch`, each a non-empty list of events in revision order."""

    def __aiter__(self) -> AsyncIterator[list[Event]]: ...

    @property
    def revision(self) -> int:
        """Everything up to this revision has been delivered (moves on also when nothing matched: for bookmarks)."""

    def close(self) -> None: ...


class Store(Protocol):
    """A store on another machine may also raise Unavailable from reads, and Refused from writes."""

    @property
    def expires(self) -> bool:
        """Whether `Put.ttl_seconds` is kept; else whoever writes such entries sweeps them."""

    @property
    def revision(self) -> int:
        """The revision of the newest durable transaction; 1 for an empty store."""

    @property
    def compacted_revision(self) -> int:
        """History can be read from this revision on."""

    async def changes(self, prefix: str, after_revision: int) -> Sequence[Event]:
        """What happened under the prefix after that revision, in order. Raises Compacted."""

    async def get(self, key: str, *, at_revision: int = 0) -> Entry | None:
        """The entry now, or as of `at_revision`. Raises Compacted, Future."""

    async def list(self, prefix: str, *, at_revision: int = 0, limit: int = 0, start: str = "") -> Page:
        """Entries under `prefix` with key >= `start`, as of `at_revision` (0: now). Raises Compacted, Future."""

    async def txn(self, operations: Sequence[Put | Delete], cause: Cause = NOBODY) -> int:
        """Apply all or none, each key at most once; returns the new revision, or the current one when nothing changed
        (deleting what is not there). Raises Mismatch, UnknownOutcome."""

    def watch(self, prefix: str, after_revision: int, interest: Interest | None = None) -> Watch:
        """With an interest, other events need not be delivered, but may be. Raises Compacted at once or from the iterator;
        Overrun from the iterator."""

    async def compact(self, revision: int) -> None:
        """Forget history up to and including `revision`; current entries stay."""

    async def cause(self, revision: int) -> Cause | None:
        """Who wrote `revision`, and why; None when unknown or compacted."""

    async def close(self) -> None: ...


@runtime_checkable
class BacksUp(Protocol):
    """A store that can write all that it holds into a file while it runs."""

    async def backup(self, path: Path) -> None: ...
