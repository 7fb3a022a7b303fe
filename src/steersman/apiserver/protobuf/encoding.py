"""An object as the protobuf that Go's typed clients read. Pure.

Only what is there is written: an absent plain field and an empty one are the same to Go.
"""

import base64
import functools
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from steersman.apiserver.protobuf import messages, wire
from steersman.meta import times
from steersman.meta.objects import Object

Write = Callable[[Any], bytes]


def encode(obj: Object) -> bytes | None:
    """In the envelope that names its kind; None for a kind without a message."""
    name = messages.name_of(obj["apiVersion"], obj["kind"])
    if name is None:
        return None
    named = wire.write_bytes(1, obj["apiVersion"]) + wire.write_bytes(2, obj["kind"])
    return messages.MAGIC + wire.write_bytes(1, named) + wire.write_bytes(2, _message(name, obj))


def frame(event: str, obj: bytes) -> bytes:
    """An event of a watch: its length, its type, and the object as `encode` wrote it."""
    text = wire.write_bytes(1, event) + wire.write_bytes(2, wire.write_bytes(1, obj))
    return len(text).to_bytes(4, "big") + text


def _message(name: str, obj: Mapping[str, Any]) -> bytes:
    named, embedded = _writers(name)
    parts = [named[key](value) for key, value in obj.items() if value is not None and key in named]
    parts += [write(obj) for write in embedded]
    return b"".join(parts)


@functools.cache
def _writers(message: str) -> tuple[dict[str, Write], tuple[Write, ...]]:
    fields = messages.fields(message)
    named = {field.name: _PLACES[field.place](field) for field in fields if field.place != "inline"}
    return named, tuple(_one(field) for field in fields if field.place == "inline")


def _one(field: messages.Field) -> Write:
    if field.kind in _NUMBERS:
        wire_type, of_number = _NUMBERS[field.kind]
        head = wire.write_varint(field.number << 3 | wire_type)
        return lambda value: head + of_number(value)
    head, of_bytes = wire.write_varint(field.number << 3 | wire.BYTES), _body(field.kind)

    def write(value: Any) -> bytes:
        body = of_bytes(value)
        return head + wire.write_varint(len(body)) + body

    return write


def _list(field: messages.Field) -> Write:
    of_item = _one(field)
    return lambda values: b"".join(map(of_item, values))


def _map(field: messages.Field) -> Write:
    of_value = _one(messages.Field(2, "", field.kind, "one", keeps_zero=True))

    def write(entries: dict[str, Any]) -> bytes:
        return b"".join(
            wire.write_bytes(field.number, wire.write_bytes(1, key) + (b"" if value is None else of_value(value)))
            for key, value in entries.items()
        )

    return write


_PLACES: dict[str, Callable[[messages.Field], Write]] = {"one": _one, "list": _list, "map": _map}


def _body(kind: str) -> Write:
    special = _SPECIAL.get(kind)
    if special is not None:
        return special
    if messages.is_list_of_texts(kind):
        return lambda texts: b"".join(wire.write_bytes(1, text) for text in texts)
    return lambda value: _message(kind, value)


def _time(text: str) -> bytes:
    at = times.parse(text)
    return wire.write_int(1, int(at.timestamp())) + wire.write_int(2, at.microsecond * 1000)


def _int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return wire.write_int(1, 1) + wire.write_bytes(3, value)
    return wire.write_int(2, value)


def _raw_json(value: Any) -> bytes:
    return wire.write_bytes(1, orjson.dumps(value))


def _alternative(kind: str, other: str) -> Write:
    def write(value: Any) -> bytes:
        if isinstance(value, dict):
            return _message(kind, {"allows": True, "schema": value})
        return _message(kind, {other: value})

    return write


_NUMBERS: dict[str, tuple[int, Write]] = {
    "int": (wire.VARINT, lambda value: wire.write_varint(value & 0xFFFFFFFFFFFFFFFF)),
    "bool": (wire.VARINT, lambda value: b"\x01" if value else b"\x00"),
    "double": (wire.FIXED64, wire.from_double),
}
_SPECIAL: dict[str, Write] = {
    "string": str.encode,
    "bytes": base64.b64decode,
    messages.META + "Time": _time,
    messages.META + "MicroTime": _time,
    messages.META + "FieldsV1": _raw_json,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": lambda value: wire.write_bytes(1, str(value)),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": _raw_json,
    messages.CUSTOM + "JSON": _raw_json,
    **{
        kind: _alternative(kind, other)
        for kind, other in zip(messages.ALTERNATIVES, ("jSONSchemas", "allows", "property"), strict=True)
    },
}
