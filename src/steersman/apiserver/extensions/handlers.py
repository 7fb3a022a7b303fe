"""The code that serves a kind: reading, writing and watching, of a version over the store as this version sees it."""

import dataclasses
from typing import Protocol

from steersman.aio import clock as clocks
from steersman.api import schema
from steersman.api.kind import Kind
from steersman.apiserver import decoded, page_expiry, reading, shapes, watching, writing
from steersman.apiserver.admission import chain
from steersman.apiserver.call import Call
from steersman.apiserver.extensions import scaling, view
from steersman.apiserver.subresources import scale
from steersman.meta.objects import Object
from steersman.serving import messages
from steersman.store import contract


class MayCreate(Protocol):
    def __call__(self, call: Call) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What all kinds share."""

    store: contract.Store
    clock: clocks.Clock
    types: schema.Schema
    admission: chain.Chain
    shaper: shapes.Shaper
    check_may_create: MayCreate
    pages: page_expiry.PageExpiry


@dataclasses.dataclass(frozen=True, slots=True)
class Handlers:
    """`seen` is the store as a version sees it, None for kinds that are stored as they are; `scaling` is that of a custom kind."""

    reader: reading.Reader
    writer: writing.Writer
    watcher: watching.Watcher
    seen: view.View | None = None
    scaling: scale.Scaling | None = None

    async def answer(self, call: Call) -> messages.Response:
        """A request to the main resource or its status."""
        match call.target.verb:
            case "get":
                return await self.reader.get(call)
            case "list":
                return await self.reader.list(call)
            case "watch":
                return await self.watcher.watch(call)
            case "create":
                return await self.writer.create(call)
            case "update":
                return await self.writer.update(call)
            case "patch":
                return await self.writer.patch(call)
            case "delete":
                return await self.writer.delete(call)
        page, _ = await self.reader.page(call)
        return await self.writer.delete_collection(call, page)


def of(parts: Parts, kind: Kind, versions: view.Versions, scale_paths: Object | None = None) -> Handlers:
    seen = view.View(parts.store, kind, versions)
    objects = decoded.DecodedObjects(seen)
    writer = writing.Writer(seen, parts.clock, parts.types, parts.admission, parts.shaper, parts.check_may_create)
    scaled = None
    if scale_paths:
        scaled = scale.Scaling(seen, writer, scaling.seen_by(scale_paths), scaling.change_by(scale_paths))
    return Handlers(
        reading.Reader(seen, objects, parts.shaper, parts.pages),
        writer,
        watching.Watcher(seen, parts.clock, objects, parts.shaper),
        seen,
        scaled,
    )
