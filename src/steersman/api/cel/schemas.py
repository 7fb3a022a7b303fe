"""Structural schemas as types of expressions, and JSON values as values of those types.

What has no schema is not seen by expressions: fields that are preserved but not declared, lists of such, … Sizes are the largest
a request can carry, or what maxItems, maxLength and maxProperties allow: the estimate of costs lives on them.
Source: apiserver's cel/common/schemas.go, values.go and cel/limits.go.
"""

import base64
import functools
from collections.abc import Callable
from typing import Any

from steersman.api.cel import conversions, escaping, types, values
from steersman.api.cel.types import Type
from steersman.meta.objects import Object

REQUEST_BYTES = 3 * 1024 * 1024
"""The largest request."""

_TIME_MAX, _DATE_MAX, _DURATION_MAX = 32, 12, 32  # characters of the longest such texts, quotes included
# The smallest JSON of each: `""`, `true`, `0`, a date, a time, a duration.
_TEXT_MIN, _BOOL_MIN, _NUMBER_MIN, _DATE_MIN, _TIME_MIN, _DURATION_MIN = 2, 4, 1, 12, 21, 3
_BYTES_OF_CHARACTER = 4  # at most, in UTF-8

_TEXT: Object = {"type": "string"}
_METADATA: Object = {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}}

Convert = Callable[[Any], Any]
Resolve = Callable[[Object], Object]


class Declaration:
    """One schema as a type. Made as expressions reach it: large schemas cost only what of them is used.

    `items_max` is how many items, entries or bytes a value may have; `bytes_min` its smallest JSON.
    """

    def __init__(self, schema: Object, name: str, kind: str, resolve: "Resolve") -> None:
        self.schema = schema
        self.name = name
        self.kind = kind
        self._resolve = resolve

    @functools.cached_property
    def type(self) -> Type:
        if self.kind == "list":
            assert self.element is not None, "a list without a type of its items is not declared"
            return types.list_of(self.element.type)
        if self.kind == "map":
            assert self.element is not None, "a map without a type of its values is not declared"
            return types.map_of(types.STRING, self.element.type)
        if self.kind == "object":
            return types.struct(self.name, self._field_type)
        return _SIMPLE[self.kind]

    @functools.cached_property
    def element(self) -> "Declaration | None":
        """Of a list or map."""
        if self.kind == "list":
            return self._declare(self.schema["items"], "@idx")
        if self.kind == "map":
            return self._declare(self.schema["additionalProperties"], "@elem")
        return None

    def _declare(self, inner: Object, name: str) -> "Declaration | None":
        return declare(inner, f"{self.name}.{name}", is_root=_is_embedded(inner), resolve=self._resolve)

    @functools.cached_property
    def _names(self) -> dict[str, str]:
        """Names of properties by how expressions write them."""
        found = {}
        for name in self.schema.get("properties") or {}:
            written = escaping.escape(name)
            if written is not None:
                found[written] = name
        return found

    @functools.cached_property
    def _fields(self) -> "dict[str, Declaration | None]":
        return {}

    def property(self, name: str) -> "Declaration | None":
        """By its name in the data."""
        if name not in self._fields:
            inner = (self.schema.get("properties") or {}).get(name)
            self._fields[name] = None if inner is None else self._declare(inner, name)
        return self._fields[name]

    def field(self, written: str) -> "Declaration | None":
        """By its name in expressions."""
        name = self._names.get(written)
        return None if name is None else self.property(name)

    def _field_type(self, written: str) -> tuple[Type, str] | None:
        found = self.field(written)
        return None if found is None else (found.type, self._names[written])

    @functools.cached_property
    def items_max(self) -> int:
        return _LARGEST.get(self.kind, _nothing)(self)

    @functools.cached_property
    def bytes_min(self) -> int:
        if self.kind != "object":
            return _SMALLEST[self.kind]
        total = 2
        for name in self.schema.get("required") or ():
            found = self.property(name)
            if found is not None and "default" not in found.schema:
                total += len(name) + found.bytes_min + 4
        return total

    @functools.cached_property
    def convert(self) -> Convert | None:
        """Makes values of JSON; None where JSON's are right as they are."""
        if self.kind == "object":
            inner = {}
            for name in self.schema.get("properties") or {}:
                found = self.property(name)
                if found is not None and found.convert is not None:
                    inner[name] = found.convert
            return _object_converter(inner) if inner else None
        if self.kind == "map":
            return _map_converter(self.element.convert) if self.element and self.element.convert else None
        if self.kind == "list":
            return _list_converter(self)
        return _CONVERTERS.get(self.kind)


_SIMPLE = {
    "dyn": types.DYN,
    "bytes": types.BYTES,
    "duration": types.DURATION,
    "date": types.TIMESTAMP,
    "timestamp": types.TIMESTAMP,
    "string": types.STRING,
    "bool": types.BOOL,
    "double": types.DOUBLE,
    "int": types.INT,
}
_FORMATS = {"byte": "bytes", "duration": "duration", "date": "date", "date-time": "timestamp"}
_SCALARS = {"boolean": "bool", "number": "double", "integer": "int"}
_SMALLEST = {
    "dyn": _NUMBER_MIN,
    "bytes": _TEXT_MIN,
    "duration": _DURATION_MIN,
    "date": _DATE_MIN,
    "timestamp": _TIME_MIN,
    "string": _TEXT_MIN,
    "bool": _BOOL_MIN,
    "double": _NUMBER_MIN,
    "int": _NUMBER_MIN,
    "list": 2,
    "map": 2,
}


def as_it_is(schema: Object) -> Object:
    return schema


def declare(schema: Object, name: str, *, is_root: bool = False, resolve: Resolve = as_it_is) -> Declaration | None:
    """`is_root`: of a whole object, whose type and name can be asked for. None for what expressions do not see.

    `resolve` makes a structural schema of one that may refer to others.
    """
    schema = resolve(schema)
    if schema.get("x-kubernetes-int-or-string"):
        return Declaration(schema, name, "dyn", resolve)
    if is_root:
        schema = with_identity(schema)
    declared = schema.get("type")
    if declared == "string":
        return Declaration(schema, name, _FORMATS.get(schema.get("format", ""), "string"), resolve)
    if declared in _SCALARS:
        return Declaration(schema, name, _SCALARS[declared], resolve)
    if declared == "array":
        found = Declaration(schema, name, "list", resolve)
        return found if isinstance(schema.get("items"), dict) and found.element is not None else None
    if declared != "object":
        return None
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        found = Declaration(schema, name, "map", resolve)
        return found if found.element is not None else None
    return Declaration(schema, name, "object", resolve)


def with_identity(schema: Object) -> Object:
    """With the fields every object has: apiVersion, kind, metadata.name and metadata.generateName."""
    properties = dict(schema.get("properties") or {})
    properties["apiVersion"] = properties["kind"] = _TEXT
    declared = (properties.get("metadata") or {}).get("properties") or {}
    inner = {**_METADATA["properties"], **{key: declared[key] for key in ("name", "generateName") if key in declared}}
    properties["metadata"] = {**_METADATA, "properties": inner}
    return {**schema, "properties": properties}


def _is_embedded(schema: Object) -> bool:
    return schema.get("x-kubernetes-embedded-resource") is True


# How large values may be.


def _nothing(one: Declaration) -> int:
    return 0


def _items(one: Declaration) -> int:
    given = one.schema.get("maxItems")
    if given is not None:
        return max(int(given), 0)
    assert one.element is not None, "a list has a type of its items"
    return (REQUEST_BYTES - 2) // (one.element.bytes_min + 1)


def _entries(one: Declaration) -> int:
    given = one.schema.get("maxProperties")
    if given is not None:
        return max(int(given), 0)
    assert one.element is not None, "a map has a type of its values"
    return (REQUEST_BYTES - 2) // (one.element.bytes_min + 6)


def _length(one: Declaration) -> int:
    given = one.schema.get("maxLength")
    if given is not None:
        return max(int(given), 0) * (1 if one.kind == "bytes" else _BYTES_OF_CHARACTER)
    if one.kind == "string" and one.schema.get("enum"):
        return max((len(str(value).encode()) for value in one.schema["enum"] if isinstance(value, str)), default=0)
    return REQUEST_BYTES - 2


_LARGEST: dict[str, Callable[[Declaration], int]] = {
    "list": _items,
    "map": _entries,
    "string": _length,
    "bytes": _length,
    "dyn": _length,
    "duration": lambda one: _DURATION_MAX,
    "date": lambda one: _DATE_MAX,
    "timestamp": lambda one: _TIME_MAX,
}


def cardinality_max(one: Declaration) -> int:
    """How often it may occur in one request, if nothing else bounds it."""
    return REQUEST_BYTES // (one.bytes_min + 1)


# JSON to values.


def _object_converter(inner: dict[str, Convert]) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: inner[name](item) if name in inner else item for name, item in value.items()}

    return convert


def _map_converter(inner: Convert) -> Convert:
    def convert(value: Any) -> Any:
        return {name: inner(item) for name, item in value.items()} if isinstance(value, dict) else value

    return convert


def _list_converter(one: Declaration) -> Convert | None:
    assert one.element is not None, "a list has a type of its items"
    inner = one.element.convert
    list_type, keys = (
        one.schema.get("x-kubernetes-list-type"),
        tuple(one.schema.get("x-kubernetes-list-map-keys") or ()),
    )
    if inner is None and list_type not in ("set", "map"):
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        items = value if inner is None else [inner(item) for item in value]
        if list_type == "set":
            return values.SetList(items)
        return values.KeyedList(items, keys) if list_type == "map" and keys else items

    return convert


def _double(value: Any) -> Any:
    return float(value) if value.__class__ is int else value


def _text_reader(read: Callable[[str], Any]) -> Convert:
    return lambda value: read(value) if isinstance(value, str) else value


def _date(text: str) -> values.Timestamp:
    return conversions.parse_timestamp(f"{text}T00:00:00Z")


_CONVERTERS: dict[str, Convert] = {
    "double": _double,
    "bytes": _text_reader(base64.b64decode),
    "duration": _text_reader(conversions.parse_duration),
    "date": _text_reader(_date),
    "timestamp": _text_reader(conversions.parse_timestamp),
}
