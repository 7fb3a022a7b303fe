"""A protobuf body of a Kubernetes client as the object its JSON would have been. Pure.

What is not in the table (`messages`), such as a field of a later release, is not seen, as Go's decoder skips what it does not know.
"""

import base64
import datetime
import functools
from collections.abc import Callable
from typing import Any

import orjson

from steersman.apiserver.protobuf import messages, wire
from steersman.meta import times
from steersman.meta.objects import Object

_DEPTH_MAX = 100  # protobuf's own limit for nested messages


def decode(body: bytes) -> Object:
    """The object in a request body. Raises wire.Malformed."""
    if not body.startswith(messages.MAGIC):
        raise wire.Malformed("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = memoryview(b"")
    for number, _, value in wire.fields(body[len(messages.MAGIC) :]):
        if number == 1 and isinstance(value, memoryview):
            texts = {field: str(_text(part)) for field, _, part in wire.fields(value) if isinstance(part, memoryview)}
            api_version, kind = texts.get(1, ""), texts.get(2, "")
        elif number == 2 and isinstance(value, memoryview):
            raw = value
    name = messages.name_of(api_version, kind)
    if name is None:
        raise wire.Malformed(f'no kind "{kind}" is registered for version "{api_version}"')
    return {"kind": kind, "apiVersion": api_version, **_message(name, raw, 0)}


def _message(name: str, data: memoryview, depth: int) -> Object:
    if depth > _DEPTH_MAX:
        raise wire.Malformed("exceeded the nesting limit")
    readers = _readers(name)
    found: Object = {}
    for number, _, value in wire.fields(data):
        known = readers.get(number)
        if known is None:
            continue
        field, read = known
        item = read(value, depth)
        if field.place == "inline":
            found.update(item)
        elif field.place == "list":
            found.setdefault(field.name, []).append(item)
        elif field.place == "map":
            found.setdefault(field.name, {})[item[0]] = item[1]
        elif item or (item is not None and (field.keeps_zero or not field.is_scalar)):
            found[field.name] = item
    return found


@functools.cache
def _readers(message: str) -> dict[int, tuple[messages.Field, Callable[[Any, int], Any]]]:
    found = {}
    for field in messages.fields(message):
        read = _reader(field.kind)
        found[field.number] = (
            field,
            _entry(read, "" if field.kind == "string" else None) if field.place == "map" else read,
        )
    return found


def _reader(kind: str) -> Callable[[Any, int], Any]:
    special = _SPECIAL.get(kind)
    if special is not None:
        return special
    if messages.is_list_of_texts(kind):
        return lambda value, depth: _message(kind, _view(value), depth + 1).get("items", [])
    return lambda value, depth: _message(kind, _view(value), depth + 1)


def _entry(of_value: Callable[[Any, int], Any], empty: str | None) -> Callable[[Any, int], Any]:
    def read(value: Any, depth: int) -> tuple[str, Any]:
        key, found = "", empty
        for number, _, part in wire.fields(_view(value)):
            if number == 1:
                key = _text(part)
            elif number == 2:
                found = of_value(part, depth)
        return key, found

    return read


def _view(value: Any) -> memoryview:
    if not isinstance(value, memoryview):
        raise wire.Malformed("wrong wireType")
    return value


def _number(value: Any) -> int:
    if isinstance(value, memoryview):
        raise wire.Malformed("wrong wireType")
    return wire.signed(value)


def _text(value: Any) -> str:
    try:
        return str(_view(value), "utf-8")
    except UnicodeDecodeError as error:
        raise wire.Malformed("a text is not UTF-8") from error


def _parts(value: Any) -> dict[int, Any]:
    return {number: part for number, _, part in wire.fields(_view(value))}


def _time(value: Any, depth: int) -> str | None:
    return _moment(value, times.format_seconds)


def _micro_time(value: Any, depth: int) -> str | None:
    return _moment(value, times.format_micros)


def _moment(value: Any, write: Callable[[datetime.datetime], str]) -> str | None:
    parts = _parts(value)
    if not parts:
        return None
    seconds, nanos = _number(parts.get(1, 0)), _number(parts.get(2, 0))
    try:
        at = datetime.datetime.fromtimestamp(seconds, datetime.UTC) + datetime.timedelta(microseconds=nanos // 1000)
    except (OverflowError, ValueError, OSError) as error:
        raise wire.Malformed("a time is out of range") from error
    return None if at.year <= 1 else write(at)


def _quantity(value: Any, depth: int) -> str:
    return _text(_parts(value).get(1, memoryview(b"")))


def _int_or_string(value: Any, depth: int) -> int | str:
    parts = _parts(value)
    if _number(parts.get(1, 0)) == 1:
        return _text(parts.get(3, memoryview(b"")))
    return _number(parts.get(2, 0))


def _raw_json(value: Any, depth: int) -> Any:
    raw = _parts(value).get(1)
    if raw is None:
        return None
    try:
        return orjson.loads(_view(raw))
    except orjson.JSONDecodeError as error:
        raise wire.Malformed(f"an embedded object is not JSON: {error}") from error


def _any_of(kind: str) -> Callable[[Any, int], Any]:
    """What in JSON is one thing or the other (`JSONSchemaPropsOrBool`) has a field for each on the wire, one of them set."""

    def read(value: Any, depth: int) -> Any:
        found = _message(kind, _view(value), depth + 1)
        allows = found.pop("allows", False)  # true beside a schema, too
        return next(iter(found.values()), allows)

    return read


_SPECIAL: dict[str, Callable[[Any, int], Any]] = {
    "string": lambda value, depth: _text(value),
    "int": lambda value, depth: _number(value),
    "bool": lambda value, depth: bool(_number(value)),
    "double": lambda value, depth: wire.double(_number(value) & 0xFFFFFFFFFFFFFFFF),
    "bytes": lambda value, depth: base64.b64encode(_view(value)).decode(),
    messages.META + "Time": _time,
    messages.META + "MicroTime": _micro_time,
    messages.META + "FieldsV1": _raw_json,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _quantity,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": _raw_json,
    messages.CUSTOM + "JSON": _raw_json,
    **{kind: _any_of(kind) for kind in messages.ALTERNATIVES},
}
