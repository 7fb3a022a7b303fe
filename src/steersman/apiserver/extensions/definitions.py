"""CustomResourceDefinitions at work: names accepted, kinds served as soon as they are written, and taken away with their objects.

Keeps true: the table `kinds` shows what the stored definitions say; a definition that this server wrote is settled before its
writer is answered, one that another server wrote as soon as the watch tells; after a start, before the first request.
Reads and writes: definitions (status, the cleanup finalizer).  Writes: deletes the objects of definitions that go.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import cast

import orjson

from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.custom import naming, types
from steersman.api.kind import Kind, Kinds
from steersman.apiserver import keys, webhook_client
from steersman.apiserver.call import Call
from steersman.apiserver.extensions import conversion, handlers, removal, view
from steersman.meta import errors, objects
from steersman.meta.objects import Object
from steersman.store import contract

log = logging.getLogger(__name__)

_PREFIX = keys.prefix(kinds.CUSTOM_RESOURCE_DEFINITION)
_CAUSE = "system:apiserver"


class Served:
    """One definition as it is served now: its rows, and handlers of those that have been asked for."""

    def __init__(
        self, definition: Object, revision: int, parts: handlers.Parts, client: webhook_client.WebhookClient
    ) -> None:
        self.definition = definition
        self.revision = revision
        self.rows = custom_kinds.of(definition)
        self._parts = parts
        self._handlers: dict[str, handlers.Handlers] = {}
        hooked = definition["spec"].get("conversion", {}).get("strategy") == "Webhook"
        self._webhook = conversion.Webhook(definition, client, parts.clock) if hooked else None
        self._since_revision = revision

    @property
    def is_terminating(self) -> bool:
        return objects.is_terminating(self.definition)

    def keep(self, definition: Object, revision: int) -> bool:
        """Take over a newer state that is served in the same way; False when it is not."""
        old = self.definition
        if definition["spec"] != old["spec"] or _served_names(definition) != _served_names(old):
            return False
        self.definition, self.revision = definition, revision
        return True

    def handlers(self, kind: Kind) -> handlers.Handlers:
        found = self._handlers.get(kind.version)
        if found is None:
            found = self._handlers[kind.version] = handlers.of(self._parts, kind, self._versions(), self._scale(kind))
        return found

    def _versions(self) -> view.Versions:
        listed = self.definition["spec"]["versions"]
        known = {row.version: cast(types.Type, row.custom) for row in self.rows}
        for version in listed:
            if version["name"] not in known:
                known[version["name"]] = cast(types.Type, custom_kinds.row(self.definition, version).custom)
        convert = self._webhook or conversion.renamed
        return view.Versions(known, custom_kinds.storage(self.definition), self._since_revision, convert)

    def _scale(self, kind: Kind) -> Object | None:
        version = next(one for one in self.definition["spec"]["versions"] if one["name"] == kind.version)
        found: Object | None = (version.get("subresources") or {}).get("scale")
        return found

    async def close(self) -> None:
        for one in self._handlers.values():
            assert one.seen is not None, "a custom kind is always seen in a version"
            await one.seen.close()

    async def convert(self, obj: Object, wanted: Kind) -> Object:
        """An object of another version as one of `wanted`."""
        versions = self._versions()
        (converted,) = await versions.convert([obj], wanted.api_version)
        return versions.types[wanted.version].coerce(converted)


class Definitions:
    """`start` before serving, `run` for ever; `kinds` is the table of what they add."""

    def __init__(self, parts: handlers.Parts, client: webhook_client.WebhookClient, running: tasks.Tasks) -> None:
        self.kinds = Kinds()
        self._parts = parts
        self._store = parts.store
        self._clock: Clock = parts.clock
        self._client = client
        self._tasks = running
        self._served: dict[str, Served] = {}  # by name of the definition
        self._of_row: dict[int, Served] = {}  # by identity of the row
        self._removing: set[str] = set()  # uids
        self._revision = 0
        self.changed: Callable[[], None] = lambda: None  # called when other kinds are served than before
        self._lock = asyncio.Lock()  # one change of what is served at a time, in the order of revisions

    # What the request path asks

    def handlers(self, call: Call) -> handlers.Handlers:
        """Raises StatusError 405 for a creation while the kind goes."""
        served = self._of_row.get(id(call.kind))
        if served is None:
            raise errors.no_route()
        if served.is_terminating and call.target.verb == "create":
            refusal = errors.method_not_allowed()
            refusal.status["message"] = "create not allowed while custom resource definition is terminating"
            raise refusal
        return served.handlers(call.kind)

    async def convert(self, obj: Object, kind: Kind, wanted: Kind) -> Object:
        """An object of one version as one of another. Raises StatusError 500."""
        served = self._of_row.get(id(kind))
        if served is None:
            raise errors.no_route()
        return await served.convert(obj, wanted)

    def deprecation(self, kind: Kind) -> str:
        """What to warn users of this version of; "" when there is nothing."""
        served = self._of_row.get(id(kind))
        if served is None:
            return ""
        version = next(one for one in served.definition["spec"]["versions"] if one["name"] == kind.version)
        if not version.get("deprecated"):
            return ""
        return str(version.get("deprecationWarning") or f"{kind.api_version} {kind.kind} is deprecated")

    # Following

    async def start(self) -> None:
        await self.refresh()

    async def run(self) -> None:
        """Follow the definitions until cancelled."""
        while True:
            try:
                with contextlib.closing(self._store.watch(_PREFIX, self._revision)) as watch:
                    async for batch in watch:
                        await self._follow(batch)
                return
            except (contract.Compacted, contract.Overrun) as gap:
                log.warning("the custom resource definitions are read again: %r", gap)
                await self.start()

    async def refresh(self) -> None:
        """Settle whatever has been written so far."""
        async with self._lock:
            page = await self._store.list(_PREFIX)
            there = {keys.split(entry.key)[1]: entry for entry in page.entries}
            groups = {await self._drop(name) for name in [name for name in self._served if name not in there]}
            for name, entry in there.items():
                known = self._served.get(name)
                if known is None or known.revision < entry.revision:
                    groups.add(await self._take(entry))
            self._revision = max(self._revision, page.revision)
            await self._settle(groups)

    async def close(self) -> None:
        for served in self._served.values():
            await served.close()

    async def _follow(self, batch: list[contract.Event]) -> None:
        async with self._lock:
            groups: set[str] = set()
            for event in batch:
                name = keys.split(event.key)[1]
                known = self._served.get(name)
                if known is not None and known.revision >= event.revision:
                    continue  # settled already, by the request that wrote it
                if not event.deleted:
                    groups.add(await self._take(contract.Entry(event.key, event.value, event.revision, event.revision)))
                elif known is not None:
                    groups.add(await self._drop(name))
            self._revision = batch[-1].revision
            await self._settle(groups)

    async def _take(self, entry: contract.Entry) -> str:
        """Serve what the definition says; the group it is in."""
        definition = cast(Object, orjson.loads(entry.value))
        name, group = objects.name(definition), str(definition["spec"]["group"])
        known = self._served.get(name)
        if known is not None and known.revision >= entry.revision:
            return group
        if known is None or not known.keep(definition, entry.revision):
            if known is not None:
                await self._drop(name)
            served = self._served[name] = Served(definition, entry.revision, self._parts, self._client)
            for row in served.rows:
                self.kinds.add(row)
                self._of_row[id(row)] = served
        if objects.is_terminating(definition) and objects.uid(definition) not in self._removing:
            self._removing.add(objects.uid(definition))
            self._tasks.start(f"removal of {name}", self._remove(name, objects.uid(definition)))
        return group

    async def _drop(self, name: str) -> str:
        """Serve it no more; the group it was in."""
        served = self._served.pop(name)
        for row in served.rows:
            self.kinds.remove(row)
            self._of_row.pop(id(row), None)
        await served.close()
        return str(served.definition["spec"]["group"])

    # Names and conditions

    async def _settle(self, groups: Iterable[str]) -> None:
        """Write the status each definition of these groups should have, until they all have it."""
        self.changed()
        for group in groups:
            for served in self._in(group):
                if not served.is_terminating:
                    await self._accept(served, group)

    def _in(self, group: str) -> list[Served]:
        """The definitions of a group, those first that came first."""
        found = [served for served in self._served.values() if served.definition["spec"]["group"] == group]
        return sorted(found, key=lambda one: (one.definition["metadata"].get("creationTimestamp", ""), one.revision))

    async def _accept(self, served: Served, group: str) -> None:
        others = [one.definition for one in self._in(group) if one is not served]
        definition = served.definition
        status = naming.status(definition, others, self._clock.now())
        if status == definition.get("status"):
            return
        changed = {**definition, "status": status}
        key = _PREFIX + objects.name(definition)
        put = contract.Put(key, keys.head(kinds.CUSTOM_RESOURCE_DEFINITION), keys.tail(changed), served.revision)
        try:
            revision = await self._store.txn([put], removal.cause(self._clock, _CAUSE))
        except contract.Mismatch:
            return  # it was changed meanwhile, and will be settled as it is then
        await self._take(contract.Entry(key, b"%b%d%b" % (put.head, revision, put.tail), revision, revision))

    # Going

    async def _remove(self, name: str, uid: str) -> None:
        try:
            await removal.Removal(self._store, self._clock).run(name, uid)
        finally:
            self._removing.discard(uid)
        await self.refresh()


def _served_names(definition: Object) -> object:
    return (definition.get("status") or {}).get("acceptedNames"), naming.is_served(definition)
