"""The end of a CustomResourceDefinition: its objects are deleted, then the finalizer that held it goes.

Objects with finalizers of their own are waited for. Source: upstream's controller finalizer.
"""

import contextlib
import datetime
from typing import cast

import orjson

from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.custom import definitions
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.apiserver import deletion, keys
from steersman.meta import conditions, objects, times
from steersman.meta.objects import Object
from steersman.store import contract

_KIND = kinds.CUSTOM_RESOURCE_DEFINITION
_PAGE = 500  # objects looked at in one go
_WHO = "system:apiserver"


def mark(definition: Object, now: datetime.datetime) -> None:
    """What the first DELETE of a definition adds to it, in place."""
    meta = definition["metadata"]
    if meta.get("deletionTimestamp"):
        return
    finalizers = meta.get("finalizers") or []
    if definitions.CLEANUP not in finalizers:
        meta["finalizers"] = [*finalizers, definitions.CLEANUP]
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    _set(definition, conditions.make("Terminating", "True", "InstanceDeletionPending", text), now)


def cause(clock: Clock, who: str = _WHO) -> contract.Cause:
    return contract.Cause(who, "delete" if who == _WHO else "update", 0, times.format_micros(clock.now()))


class Removal:
    def __init__(self, store: contract.Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, name: str, uid: str) -> None:
        """Until the definition is gone, or is another one."""
        definition = await self._definition(name, uid)
        if definition is None or definitions.CLEANUP not in (definition[0]["metadata"].get("finalizers") or ()):
            return
        await self._empty(custom_kinds.storage(definition[0]))
        while (found := await self._definition(name, uid)) is not None:
            with contextlib.suppress(contract.Mismatch):
                await self._release(*found)
                return

    async def _definition(self, name: str, uid: str) -> tuple[Object, contract.Entry] | None:
        entry = await self._store.get(keys.key(_KIND, "", name))
        if entry is None:
            return None
        obj = cast(Object, orjson.loads(entry.value))
        return (obj, entry) if objects.uid(obj) == uid else None

    async def _empty(self, kind: Kind) -> None:
        """Return when there are no objects left. A change of any of them is the sign to look again."""
        prefix = keys.prefix(kind)
        while True:
            revision = self._store.revision
            if await self._delete_all(kind, prefix):
                return
            try:
                with contextlib.closing(self._store.watch(prefix, revision)) as watch:
                    await anext(aiter(watch))
            except (contract.Compacted, contract.Overrun, StopAsyncIteration):
                continue

    async def _delete_all(self, kind: Kind, prefix: str) -> bool:
        """Whether nothing is left."""
        start, is_empty = "", True
        while True:
            page = await self._store.list(prefix, limit=_PAGE, start=start)
            for entry in page.entries:
                is_empty = await self._delete(kind, entry) and is_empty
            if not page.remaining:
                return is_empty
            start = page.entries[-1].key + "\0"

    async def _delete(self, kind: Kind, entry: contract.Entry) -> bool:
        """Whether the object is gone."""
        obj = cast(Object, orjson.loads(entry.value))
        head = entry.value[: entry.value.index(b'"resourceVersion":"') + len(b'"resourceVersion":"')]
        outcome = deletion.decide(kind, obj, deletion.Options(), self._clock.now())
        operation: contract.Put | contract.Delete
        if isinstance(outcome, deletion.Pending):
            return False
        if isinstance(outcome, deletion.Mark):
            operation = contract.Put(entry.key, head, keys.tail(outcome.obj), entry.revision)
        else:
            operation = contract.Delete(entry.key, head, keys.tail(outcome.last), entry.revision)
        try:
            await self._store.txn([operation], cause(self._clock))
        except contract.Mismatch:
            return False  # changed meanwhile: that change wakes the next look
        return isinstance(operation, contract.Delete)

    async def _release(self, definition: Object, entry: contract.Entry) -> None:
        meta = definition["metadata"]
        left = [one for one in meta.get("finalizers") or () if one != definitions.CLEANUP]
        meta["finalizers"] = left
        done = conditions.make("Terminating", "False", "InstanceDeletionCompleted", "removed all instances")
        _set(definition, done, self._clock.now())
        if not left:
            del meta["finalizers"]
        head, tail = keys.head(_KIND), keys.tail(definition)
        operation: contract.Put | contract.Delete = contract.Put(entry.key, head, tail, entry.revision)
        if not left:
            operation = contract.Delete(entry.key, head, tail, entry.revision)
        await self._store.txn([operation], cause(self._clock))


def _set(definition: Object, condition: Object, now: datetime.datetime) -> None:
    status = definition["status"] = dict(definition.get("status") or {})
    status["conditions"] = conditions.set(status.get("conditions") or (), condition, now)
