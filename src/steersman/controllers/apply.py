"""Carry out the actions of one decision: the only place where controllers write.

- Creates go in batches of 1, 2, 4, …, so that a refusal that would hit all of them (quota) costs one request.
- Deletes and patches of a decision go side by side; everything else in order.
- After a refusal the remaining writes are left for the next decision, but for the status, which says what was seen.
- A write may follow another one of the same object: it then builds on that one's resourceVersion.
"""

import asyncio
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from steersman.api.kind import Kind
from steersman.client.client import Client, Unreachable
from steersman.controllers.decision import (
    Action,
    Create,
    Delete,
    DeleteCollection,
    Emit,
    Failure,
    Patch,
    Update,
    UpdateStatus,
    Write,
)
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

FIRST_BATCH = 1  # upstream's SlowStartInitialBatchSize
SIDE_BY_SIDE_MAX = 64  # writes of one decision under way at once: enough to fill a group commit


_VERBS: dict[type, str] = {UpdateStatus: "update", DeleteCollection: "delete"}


class Recorder(Protocol):
    def event(self, obj: Object, type: str, reason: str, message: str) -> None: ...  # noqa: A002


@dataclasses.dataclass(slots=True)
class Outcome:
    """`stale`: the view was out of date, look again; `failure`: refused for another reason. `doubts`: (kind, namespace) of
    objects that may or may not have been written."""

    stale: bool = False
    failure: Failure | None = None
    retry_after_seconds: float = 0.0
    written: int = 0
    doubts: list[tuple[Kind, str]] = dataclasses.field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.stale and self.failure is None


class Application:
    """One decision being applied. `wrote(kind, obj)` and `deleted(kind, key, uid)` tell what was done."""

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        because: int,
        wrote: Callable[[Kind, Object], None],
        deleted: Callable[[Kind, str, str], None],
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._because = because
        self._wrote = wrote
        self._deleted = deleted
        self._newer: dict[tuple[str, str], tuple[str, Object]] = {}  # object → (resourceVersion seen, the object now)
        self.outcome = Outcome()

    async def run(self, actions: Sequence[Action]) -> Outcome:
        for kind_of_action, group in itertools.groupby(actions, type):
            for batch in _batches(kind_of_action, list(group)):
                if self._is_due(batch[0]):
                    await self._batch(batch)
        return self.outcome

    def _is_due(self, action: Action) -> bool:
        if isinstance(action, UpdateStatus):
            return action.when == "always" or (action.when == "done") == self.outcome.is_clean
        return self.outcome.is_clean

    async def _batch(self, batch: Sequence[Action]) -> None:
        if len(batch) == 1:
            await self._one(batch[0])
            return
        async with asyncio.TaskGroup() as group:
            for action in batch:
                group.create_task(self._one(action))

    async def _one(self, action: Action) -> None:
        if isinstance(action, Emit):
            self._emit(action)
            return
        try:
            obj = await self._write(action)
        except StatusError as refused:
            self._refused(action, refused)
        except Unreachable as lost:
            self._doubt(action)
            self._failed(action, str(lost))
        else:
            self.outcome.written += 1
            self._succeeded(action, obj)

    async def _write(self, action: Write) -> Object | None:
        because = action.because or self._because
        match action:
            case Create():
                return await self._client.create(action.kind, action.obj, because=because)
            case Update():
                obj = self._rebased(action.kind, action.obj)
                return await self._client.update(action.kind, obj, subresource=action.subresource, because=because)
            case UpdateStatus():
                obj = self._with_status(action)
                return await self._client.update(action.kind, obj, subresource="status", because=because)
            case Patch():
                return await self._client.patch(
                    action.kind,
                    action.name,
                    action.namespace,
                    self._guarded(action),
                    subresource=action.subresource,
                    because=because,
                )
            case Delete():
                await self._client.delete(
                    action.kind,
                    action.name,
                    action.namespace,
                    uid=action.uid,
                    resource_version=action.resource_version,
                    grace_seconds=action.grace_seconds,
                    propagation=action.propagation,
                    because=because,
                )
                return None
            case DeleteCollection():
                await self._client.delete(action.kind, "", action.namespace, because=because)
                return None

    def _succeeded(self, action: Write, obj: Object | None) -> None:
        if isinstance(action, Delete):
            self._deleted(action.kind, _key(action.namespace, action.name), action.uid)
        elif obj is not None and "metadata" in obj:
            self._wrote(action.kind, obj)
            seen = _seen_version(action)
            if seen:
                self._newer[action.kind.resource, objects.key(obj)] = seen, obj
        done = None if isinstance(action, UpdateStatus) else action.done
        if done is not None:
            name = objects.name(obj) if obj is not None else _name(action)
            self._emit(done, name=name)

    def _refused(self, action: Write, refused: StatusError) -> None:
        if isinstance(action, Delete) and (
            refused.code == 404 or (refused.code == 409 and not action.resource_version)
        ):
            self._deleted(action.kind, _key(action.namespace, action.name), action.uid)
        elif refused.reason in ("Conflict", "AlreadyExists") or refused.code == 404:
            self.outcome.stale = True
            _log.debug("%s %s: %s", action.kind.resource, _name(action), refused)
        elif is_namespace_terminating(refused):
            _log.debug("%s %s: %s", action.kind.resource, _name(action), refused)
        else:
            if refused.code >= 500:
                self._doubt(action)
            self.outcome.retry_after_seconds = float(refused.retry_after_seconds or 0)
            self._failed(action, str(refused))

    def _doubt(self, action: Write) -> None:
        """It may have been carried out. Decided again on what the caches still show, a second pod would be one too many, and
        a second ReplicaSet be scaled down beside the first."""
        if not isinstance(action, Delete | DeleteCollection):
            namespace = action.namespace if isinstance(action, Patch) else objects.namespace(action.obj)
            self.outcome.doubts.append((action.kind, namespace))

    def _failed(self, action: Write, message: str) -> None:
        verb = _VERBS.get(type(action)) or type(action).__name__.lower()
        self.outcome.failure = self.outcome.failure or Failure(verb, action.kind.resource, message)
        _log.warning("%s %s %s refused: %s", verb, action.kind.resource, _name(action), message)
        if not isinstance(action, UpdateStatus) and action.refused is not None:
            self._emit(action.refused, error=message)

    def _emit(self, event: Emit, name: str = "", error: str = "") -> None:
        message = event.message.replace("{name}", name).replace("{error}", error)
        self._recorder.event(event.about, event.type, event.reason, message)

    def _now(self, kind: Kind, key: str, seen: str) -> Object | None:
        """The object as our own earlier write left it, if that built on the state that was seen."""
        before, now = self._newer.get((kind.resource, key), ("", None))
        return now if seen and before == seen else None

    def _rebased(self, kind: Kind, obj: Object) -> Object:
        now = self._now(kind, objects.key(obj), objects.resource_version(obj))
        if now is None:
            return obj
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": objects.resource_version(now)}}

    def _with_status(self, action: UpdateStatus) -> Object:
        """On top of what we wrote ourselves: some kinds let a write of the status change metadata, too."""
        now = self._now(action.kind, objects.key(action.obj), objects.resource_version(action.obj))
        return action.obj if now is None else {**now, "status": action.obj.get("status") or {}}

    def _guarded(self, action: Patch) -> Object:
        """The patch with its preconditions, which the server checks as fields of metadata."""
        meta = dict(action.patch.get("metadata") or {})
        if action.uid:
            meta["uid"] = action.uid
        if action.resource_version:
            now = self._now(action.kind, _key(action.namespace, action.name), action.resource_version)
            meta["resourceVersion"] = action.resource_version if now is None else objects.resource_version(now)
        return {**action.patch, "metadata": meta} if meta else action.patch


def is_namespace_terminating(refused: StatusError) -> bool:
    """Nothing can be created there any more, and nothing needs to be."""
    causes: Iterable[Object] = (refused.status.get("details") or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def _batches(kind_of_action: type, actions: list[Action]) -> Iterator[list[Action]]:
    if kind_of_action is Create:
        size, start = FIRST_BATCH, 0
        while start < len(actions):
            yield actions[start : start + size]
            start, size = start + size, min(2 * size, SIDE_BY_SIDE_MAX)
    else:
        size = SIDE_BY_SIDE_MAX if kind_of_action in (Delete, Patch) else 1
        for start in range(0, len(actions), size):
            yield actions[start : start + size]


def _key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def _name(action: Write) -> str:
    if isinstance(action, Patch | Delete):
        return action.name
    if isinstance(action, DeleteCollection):
        return f"in {action.namespace}"
    meta = action.obj["metadata"]
    return str(meta.get("name") or meta.get("generateName", ""))


def _seen_version(action: Write) -> str:
    """The resourceVersion that the write was conditional on."""
    match action:
        case Update() | UpdateStatus():
            return objects.resource_version(action.obj)
        case Patch():
            return action.resource_version
        case _:
            return ""
