"""`Table` of meta.k8s.io/v1: what the server sends when kubectl asks for something to print.

Kinds without columns of their own get NAME and AGE.
"""

import datetime
import functools
from collections.abc import Iterable
from typing import Any, Literal

from steersman.api import schema
from steersman.api.kind import Column, Kind
from steersman.api.printing import cells
from steersman.meta.objects import Object

IncludeObject = Literal["None", "Metadata", "Object"]

GROUP_VERSION = "meta.k8s.io/v1"


def table(
    kind: Kind,
    objects: Iterable[Object],
    now: datetime.datetime,
    *,
    include: IncludeObject = "Metadata",
    metadata: Object | None = None,
    headers: bool = True,
) -> Object:
    """`metadata` is the list's (resourceVersion, continue, remainingItemCount). `headers=False` leaves the column
    definitions out, as in all but the first event of a watch."""
    return {
        "kind": "Table",
        "apiVersion": GROUP_VERSION,
        "metadata": metadata or {},
        "columnDefinitions": column_definitions(kind) if headers else None,
        "rows": [row(kind, obj, now, include) for obj in objects],
    }


def row(kind: Kind, obj: Object, now: datetime.datetime, include: IncludeObject = "Metadata") -> Object:
    values = kind.cells(obj, now) if kind.cells else [obj["metadata"].get("name", ""), cells.age(obj, now)]
    result: Object = {"cells": values}
    if kind.row_conditions is not None and (marks := kind.row_conditions(obj)):
        result["conditions"] = marks
    if include == "Metadata":
        result["object"] = partial_metadata(obj)
    else:
        result["object"] = obj if include == "Object" else None
    return result


def partial_metadata(obj: Object) -> Object:
    """PartialObjectMetadata: an object cut down to its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": GROUP_VERSION, "metadata": obj["metadata"]}


def partial_metadata_list(objects: Iterable[Object], metadata: Object) -> Object:
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": GROUP_VERSION,
        "metadata": metadata,
        "items": [partial_metadata(obj) for obj in objects],
    }


def column_definitions(kind: Kind) -> list[Object]:
    """The columns in API shape. Cached, not to be changed."""
    return _definitions(kind.group, kind.version, kind.kind, kind.columns or GENERIC)


GENERIC = (cells.NAME, cells.AGE)


@functools.lru_cache(maxsize=512)
def _definitions(group: str, version: str, kind: str, columns: tuple[Column, ...]) -> list[Object]:
    types = schema.of_release()
    root = types.definition_of(group, version, kind) or types.definition_of("", "v1", "Namespace")
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description or _documentation(types, root, column.field),
            "priority": column.priority,
        }
        for column in columns
    ]


def _documentation(types: schema.Schema, definition: Any, path: str) -> str:
    for part in path.split(".") if path else ():
        definition = types.items(definition) or definition
        definition = types.field(definition, part)
        if definition is None:
            return ""
    return str(definition.get("description", "")) if path and definition else ""
