"""The code that serves one version of a custom kind: that of built-in kinds, over the store as this version sees it."""

import dataclasses
from typing import Protocol

from steersman.aio import clock as clocks
from steersman.api import schema
from steersman.api.kind import Kind
from steersman.apiserver import decoded, reading, shapes, watching, writing
from steersman.apiserver.admission import chain
from steersman.apiserver.call import Call
from steersman.apiserver.extensions import scaling, view
from steersman.apiserver.subresources import scale
from steersman.meta.objects import Object
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


@dataclasses.dataclass(frozen=True, slots=True)
class Handlers:
    view: view.View
    reader: reading.Reader
    writer: writing.Writer
    watcher: watching.Watcher
    scaling: scale.Scaling | None


def of(parts: Parts, kind: Kind, versions: view.Versions, scale_paths: Object | None) -> Handlers:
    seen = view.View(parts.store, kind, versions)
    objects = decoded.DecodedObjects(seen)
    writer = writing.Writer(seen, parts.clock, parts.types, parts.admission, parts.shaper, parts.check_may_create)
    scaled = None
    if scale_paths:
        scaled = scale.Scaling(seen, writer, scaling.seen_by(scale_paths), scaling.change_by(scale_paths))
    return Handlers(
        seen,
        reading.Reader(seen, objects, parts.shaper),
        writer,
        watching.Watcher(seen, parts.clock, objects, parts.shaper),
        scaled,
    )
