"""What a controller may decide: a tuple of actions, why, and when to look again. Values only; `apply` carries them out.

Preconditions stand in the action: `Update` and `UpdateStatus` carry the resourceVersion and uid of the object they were
made from, `Patch` and `Delete` name theirs. Each write says which revision it answers to (`because`); 0 leaves that to
the loop, which names the newest change that woke the key.
"""

import dataclasses
from typing import Any, Literal

from steersman.api.kind import Kind
from steersman.meta import objects
from steersman.meta.objects import Object

When = Literal["always", "done", "refused"]


@dataclasses.dataclass(frozen=True, slots=True)
class Emit:
    """A Kubernetes Event about an object. In the message of an action's own event, `{name}` is the name of what was
    written (the server may have made it up) and `{error}` why it was refused."""

    about: Object
    type: str  # Normal or Warning
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Create:
    """`done` and `refused` are told when it is known how it went."""

    kind: Kind
    obj: Object
    done: Emit | None = None
    refused: Emit | None = None
    because: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Update:
    """Replace the object, or what `subresource` covers of it."""

    kind: Kind
    obj: Object
    subresource: str = ""
    done: Emit | None = None
    refused: Emit | None = None
    because: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class UpdateStatus:
    """Replace the status. It says what was seen, so by default it is written also when an earlier action was refused;
    `when` it tells of these actions, only if they were `done`, or only if one was `refused`."""

    kind: Kind
    obj: Object
    when: When = "always"
    because: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Patch:
    """A merge patch."""

    kind: Kind
    name: str
    namespace: str
    patch: Any
    subresource: str = ""
    uid: str = ""
    resource_version: str = ""
    done: Emit | None = None
    refused: Emit | None = None
    because: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Delete:
    """Of something that is already gone, or that another object has taken the name of, it is done."""

    kind: Kind
    name: str
    namespace: str
    uid: str
    resource_version: str = ""
    grace_seconds: int | None = None
    propagation: str = ""
    done: Emit | None = None
    refused: Emit | None = None
    because: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteCollection:
    """Everything of the kind in the namespace, in one request: for kinds that nobody waits for one by one."""

    kind: Kind
    namespace: str
    refused: Emit | None = None
    done: Emit | None = None
    because: int = 0


Write = Create | Update | UpdateStatus | Patch | Delete | DeleteCollection
Action = Write | Emit


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """The last write of a key that was refused for a reason a new look does not cure: what the next decision may tell
    the user. `verb` is create, update, patch or delete."""

    verb: str
    resource: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """`again_after_seconds`: look again then, also when nothing changes (None: no need)."""

    actions: tuple[Action, ...] = ()
    why: str = ""
    again_after_seconds: float | None = None


def delete(kind: Kind, obj: Object, **more: Any) -> Delete:
    """Delete exactly this object, not a later one of the same name."""
    return Delete(kind, objects.name(obj), objects.namespace(obj), objects.uid(obj), **more)


def patch(kind: Kind, obj: Object, body: Any, **more: Any) -> Patch:
    """Patch exactly this state of the object: refused when it has changed since."""
    name, space = objects.name(obj), objects.namespace(obj)
    return Patch(kind, name, space, body, uid=objects.uid(obj), resource_version=objects.resource_version(obj), **more)


def with_status(kind: Kind, obj: Object, status: Object, when: When = "always") -> tuple[UpdateStatus, ...]:
    """Write `status` where it differs from what is there; empty values count as absent."""
    if _without_empty(obj.get("status") or {}) == _without_empty(status):
        return ()
    return (UpdateStatus(kind, {**obj, "status": status}, when),)


def earliest(*seconds: float | None) -> float | None:
    """The first of several times to look again."""
    return min((one for one in seconds if one is not None), default=None)


def _without_empty(status: Object) -> Object:
    return {key: value for key, value in status.items() if value not in (None, 0, "", [], {})}
