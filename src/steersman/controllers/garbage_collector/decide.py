"""Delete what has lost its last owner, and carry out foreground and orphaning deletions.

Reads: owner references and finalizers of every kind.  Writes: deletes dependants, owner references, the two finalizers.
Leaves to others: everything without owners; contents of namespaces (namespace controller).

An object is kept as long as one owner exists ("solid"). An owner that waits for its dependants to be deleted first
(foregroundDeletion) does not keep them. Source: the documentation "Garbage Collection" and upstream's attemptToDeleteItem.
"""

import dataclasses
import enum
from collections.abc import Sequence

from steersman.api.kind import Kind
from steersman.controllers import decision
from steersman.controllers.decision import Decision, Emit, Patch
from steersman.meta import objects, owners
from steersman.meta.objects import Object

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class State(enum.Enum):
    """Of an owner: `WAITING` is being deleted in the foreground; `UNKNOWN` cannot be told, so it keeps its dependants."""

    SOLID = "solid"
    ABSENT = "absent"
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class Owner:
    """`misplaced`: it exists, but where its dependant may not refer to; the text names it as it was looked for."""

    uid: str
    state: State
    misplaced: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Dependant:
    kind: Kind
    obj: Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`owners` of `obj`, and its `dependants` (only needed while one of the two deletes in the foreground or orphans)."""

    kind: Kind
    obj: Object
    owners: Sequence[Owner] = ()
    dependants: Sequence[Dependant] = ()


def has_finalizer(obj: Object, name: str) -> bool:
    return name in (obj["metadata"].get("finalizers") or ())


def is_waiting(obj: Object) -> bool:
    """Being deleted, and its dependants go first."""
    return objects.is_terminating(obj) and has_finalizer(obj, FOREGROUND)


def decide(seen: Seen) -> Decision:
    obj = seen.obj
    if objects.is_terminating(obj):
        if has_finalizer(obj, ORPHAN):
            return _orphan(seen)
        if has_finalizer(obj, FOREGROUND):
            return _wait_for_dependants(seen)
        return Decision(why="being deleted")
    by_state = {state: [one.uid for one in seen.owners if one.state is state] for state in State}
    keeping = by_state[State.SOLID] + by_state[State.UNKNOWN]
    lost = by_state[State.ABSENT] + by_state[State.WAITING]
    if not lost:
        again = 30.0 if by_state[State.UNKNOWN] else None  # a kind may be served later
        return Decision(why="all owners exist", again_after_seconds=again)
    told = tuple(_misplaced(obj, one.misplaced) for one in seen.owners if one.misplaced)
    if keeping:
        return Decision((*told, _without_owners(seen.kind, obj, lost)), "some owners are gone, others remain")
    deleted = _delete(seen, bool(by_state[State.WAITING]))
    return dataclasses.replace(deleted, actions=(*told, *deleted.actions))


def _misplaced(obj: Object, text: str) -> Emit:
    message = f'ownerRef {text} does not exist in namespace "{objects.namespace(obj)}"'
    return Emit(obj, "Warning", "OwnerRefInvalidNamespace", message)


def _delete(seen: Seen, owner_waits: bool) -> Decision:
    obj = seen.obj
    more = {"resource_version": objects.resource_version(obj)}
    if owner_waits and seen.dependants:
        # Two that wait for each other would wait for ever: what waits for us itself need not be waited for.
        unblock = tuple(
            _unblocked(one, obj) for one in seen.dependants if is_waiting(one.obj) and _blocks(one.obj, obj)
        )
        delete = decision.delete(seen.kind, obj, propagation="Foreground", **more)
        return Decision((*unblock, delete), "its owner waits for it to be deleted")
    if has_finalizer(obj, ORPHAN):
        propagation = "Orphan"
    elif has_finalizer(obj, FOREGROUND):
        propagation = "Foreground"
    else:
        propagation = "Background"
    return Decision((decision.delete(seen.kind, obj, propagation=propagation, **more),), "its last owner is gone")


def _orphan(seen: Seen) -> Decision:
    if seen.dependants:
        uid = objects.uid(seen.obj)
        freed = tuple(_without_owners(one.kind, one.obj, [uid]) for one in seen.dependants)
        return Decision(freed, f"{len(freed)} dependants to orphan")
    return Decision((_without_finalizer(seen, ORPHAN),), "its dependants are orphaned")


def _wait_for_dependants(seen: Seen) -> Decision:
    blocking = [one for one in seen.dependants if _blocks(one.obj, seen.obj)]
    if blocking:
        return Decision(why=f"waits for {len(blocking)} dependants")
    return Decision((_without_finalizer(seen, FOREGROUND),), "no dependant is left")


def _blocks(dependant: Object, owner: Object) -> bool:
    uid = objects.uid(owner)
    return any(one.get("uid") == uid and one.get("blockOwnerDeletion") for one in owners.of(dependant))


def _without_owners(kind: Kind, obj: Object, uids: Sequence[str]) -> Patch:
    left = [one for one in owners.of(obj) if one.get("uid") not in uids]
    return decision.patch(kind, obj, {"metadata": {"ownerReferences": left or None}})


def _unblocked(dependant: Dependant, owner: Object) -> Patch:
    uid = objects.uid(owner)
    references = [
        {**one, "blockOwnerDeletion": False} if one.get("uid") == uid else one for one in owners.of(dependant.obj)
    ]
    return decision.patch(dependant.kind, dependant.obj, {"metadata": {"ownerReferences": references}})


def _without_finalizer(seen: Seen, name: str) -> Patch:
    left = [one for one in seen.obj["metadata"].get("finalizers") or () if one != name]
    return decision.patch(seen.kind, seen.obj, {"metadata": {"finalizers": left or None}})
