"""All that was ever written, in order: what invariants look at, and what the hash of a run is made of.

Keeps true: one `Change` per event of the store, in revision order, with its cause; `World` is the cluster after the latest
one. Objects in it are shared: never change them.
"""

import dataclasses
import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import orjson

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.client.shared_parsing import SharedParsing
from steersman.meta import objects, owners
from steersman.meta.objects import Object
from steersman.simulation import claims
from steersman.store import state
from steersman.store.contract import Cause, Event
from steersman.store.memory import MemoryStore

# Written all the time and looked at by no invariant: their values are not even parsed.
UNREAD = frozenset(keys.prefix(kind) for kind in (kinds.EVENT, kinds.LEASE))


# Invariants look back as far as a cache may be behind; what is older is parsed again by whoever asks.
PARSED_SECONDS = 120.0


@dataclasses.dataclass(slots=True, eq=False)
class Change:
    """One object's change. `at` is virtual seconds since the start of the run; `before`/`after` None: not there."""

    revision: int
    at: float
    resource: str
    key: str
    event: Event
    cause: Cause
    parsed: tuple[Object | None, Object | None] | None

    @property
    def before(self) -> Object | None:
        if self.parsed is not None:
            return self.parsed[0]
        return _parsed(self.event.before.value) if self.event.before is not None else None

    @property
    def after(self) -> Object | None:
        if self.parsed is not None:
            return self.parsed[1]
        return None if self.event.deleted else _parsed(self.event.value)

    @property
    def either(self) -> Object:
        obj = self.after if self.after is not None else self.before
        assert obj is not None
        return obj


class World:
    """The cluster as the store has it now, by kind and key (`namespace/name`)."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Object]] = {}
        self._owned: dict[str, dict[str, Object]] = {}  # owner's uid → key of the store → object
        self._pods_of_node: dict[str, dict[str, Object]] = {}
        self._claimants: dict[tuple[str, str], dict[str, Object]] = {}  # (resource, claim) → key of the store → object

    def of(self, kind: Kind) -> dict[str, Object]:
        return self._objects.setdefault(keys.prefix(kind), {})

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self.of(kind).get(f"{namespace}/{name}" if namespace else name)

    def owned_by(self, uid: str, kind: Kind) -> list[Object]:
        """Objects of the kind whose controller has this uid."""
        prefix = keys.prefix(kind)
        return [obj for key, obj in self._owned.get(uid, {}).items() if key.startswith(prefix)]

    def pods_of(self, node: str) -> list[Object]:
        return [*self._pods_of_node.get(node, {}).values()]

    def claimants(self, resource: str, claim: str) -> list[Object]:
        """Who has this address, port or range now."""
        return [*self._claimants.get((resource, claim), {}).values()]

    def everything(self) -> Iterator[tuple[str, Object]]:
        """(resource prefix, object)"""
        for resource, found in self._objects.items():
            for obj in found.values():
                yield resource, obj

    def change(self, resource: str, key: str, before: Object | None, after: Object | None) -> None:
        found = self._objects.setdefault(resource, {})
        name = key[len(resource) :]
        if before is not None:
            self._drop(key, before, resource)
        if after is None:
            found.pop(name, None)
            return
        found[name] = after
        for claim in claims.of(resource, after):
            self._claimants.setdefault((resource, claim), {})[key] = after
        owner = owners.controller_uid(after)
        if owner:
            self._owned.setdefault(owner, {})[key] = after
        if resource == _PODS:
            self._pods_of_node.setdefault(node_of(after), {})[key] = after

    def _drop(self, key: str, before: Object, resource: str) -> None:
        owner = owners.controller_uid(before)
        if owner:
            self._owned[owner].pop(key, None)
        if resource == _PODS:
            self._pods_of_node[node_of(before)].pop(key, None)
        for claim in claims.of(resource, before):
            self._claimants[resource, claim].pop(key, None)


_PODS = keys.prefix(kinds.POD)


def node_of(pod: Object) -> str:
    return str(pod["spec"].get("nodeName") or "")


class History:
    """Grows by `add`; listeners hear of each change at once."""

    def __init__(self, base: MemoryStore, parsing: SharedParsing) -> None:
        self._parsing = parsing
        self._fresh: deque[Change] = deque()
        self.changes: list[Change] = []
        self.world = World()
        self.revision = self.base_revision = base.revision
        self._of_revision: dict[int, list[Change]] = {}
        self._of_key: dict[str, list[Change]] = {}
        # Faults so far: kind, part, and when each ends. Invariants about what must not happen in calm weather ask.
        self.struck: list[tuple[str, str, float]] = []
        self._written_at: dict[str, float] = {}
        self._digest = hashlib.sha256()
        self._listeners: list[Callable[[Change], None]] = []
        for entry in base.content().page("", 0, "", 0).entries:
            resource = state.resource_of(entry.key)
            self._note(entry.key, entry.value, entry.revision, deleted=False, cause=Cause())
            if resource not in UNREAD:
                self.world.change(resource, entry.key, None, _parsed(entry.value))

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def add(self, events: Sequence[Event], cause: Cause, at: float) -> None:
        for event in events:
            self._note(event.key, event.value, event.revision, deleted=event.deleted, cause=cause)
            change = self._change(event, cause, at)
            self._age(change)
            self.changes.append(change)
            self._of_revision.setdefault(change.revision, []).append(change)
            self._written_at[change.key] = at
            if change.resource not in UNREAD:
                self._of_key.setdefault(change.key, []).append(change)
            self.revision = event.revision
            for listener in self._listeners:
                listener(change)

    def hash(self) -> str:
        """SHA-256 over every revision: key, value, revision, cause."""
        return self._digest.hexdigest()

    def at_revision(self, revision: int) -> list[Change]:
        return self._of_revision.get(revision, [])

    def values_at(self, revision: int) -> list[bytes]:
        return [change.event.value for change in self.at_revision(revision)]

    def of_key(self, key: str) -> Sequence[Change]:
        """In order."""
        return self._of_key.get(key, ())

    def written_at(self, key: str) -> float:
        """The last time in this run; -inf: never."""
        return self._written_at.get(key, -math.inf)

    def versions(self, key: str, since: float) -> list[Object]:
        """What the object at this key of the store was at any time since then."""
        found: list[Object] = []
        for change in reversed(self._of_key.get(key, [])):
            if change.after is not None:
                found.append(change.after)
            if change.at < since:
                break
        return found

    def _age(self, newest: Change) -> None:
        """Hours of parsed objects would not fit into memory."""
        fresh = self._fresh
        if newest.resource not in UNREAD:
            fresh.append(newest)
        while fresh and fresh[0].at < newest.at - PARSED_SECONDS:
            fresh.popleft().parsed = None

    def _note(self, key: str, value: bytes, revision: int, *, deleted: bool, cause: Cause) -> None:
        head = f"{revision}\0{key}\0{deleted}\0{cause.who}\0{cause.verb}\0{cause.because}\0{cause.at}\0{len(value)}\0"
        self._digest.update(head.encode())
        self._digest.update(value)

    def _change(self, event: Event, cause: Cause, at: float) -> Change:
        resource = state.resource_of(event.key)
        if resource in UNREAD:
            return Change(event.revision, at, resource, event.key, event, cause, (None, None))
        before = self.world._objects.get(resource, {}).get(event.key[len(resource) :])
        after = None if event.deleted else self._parsing.loads(event.value)
        self.world.change(resource, event.key, before, after)
        return Change(event.revision, at, resource, event.key, event, cause, (before, after))


def _parsed(value: bytes) -> Object:
    return cast(Object, orjson.loads(value))


def is_of(change: Change, kind: Kind) -> bool:
    return change.resource == kind.prefix


def name_of(change: Change) -> str:
    """`pods/default/web-1`"""
    return change.key.split("/", 2)[2]


def pod_is_over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def pod_counts(pod: Object) -> bool:
    """Neither over nor being deleted."""
    return not pod_is_over(pod) and not objects.is_terminating(pod)
