"""An OpenAPI v2 document as protobuf (gnostic's `openapi.v2.Document`): kubectl before 1.28 takes no other form. Pure.

Only what our documents contain is written. Field numbers: gnostic's OpenAPIv2.proto.
"""

from collections.abc import Callable
from typing import Any

import orjson

from steersman.apiserver.protobuf import wire
from steersman.meta.objects import Object

ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
CONTENT_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"  # Go's parser of media types refuses the @

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def document(spec: Object) -> bytes:
    info = spec["info"]
    return b"".join(
        (
            wire.write_bytes(1, spec["swagger"]),
            wire.write_bytes(2, wire.write_bytes(1, info["title"]) + wire.write_bytes(2, info["version"])),
            wire.write_bytes(8, b"".join(_named(2, path, _path(item)) for path, item in spec["paths"].items())),
            wire.write_bytes(9, b"".join(_named(1, name, _schema(one)) for name, one in spec["definitions"].items())),
        )
    )


def _named(number: int, name: str, value: bytes) -> bytes:
    return wire.write_bytes(number, wire.write_bytes(1, name) + wire.write_bytes(2, value))


def _texts(number: int, values: Any) -> bytes:
    return b"".join(wire.write_bytes(number, value) for value in values or ())


def _extensions(number: int, obj: Object) -> bytes:
    """`x-…` fields: their value is YAML text, and JSON is YAML."""
    return b"".join(
        _named(number, key, wire.write_bytes(2, orjson.dumps(value)))
        for key, value in obj.items()
        if key.startswith("x-")
    )


def _path(item: Object) -> bytes:
    found = [
        wire.write_bytes(number, _operation(item[method])) for method, number in _METHODS.items() if method in item
    ]
    return b"".join(found) + _parameters(9, item.get("parameters"))


def _operation(operation: Object) -> bytes:
    responses = b"".join(_named(1, code, _response(one)) for code, one in operation.get("responses", {}).items())
    return b"".join(
        (
            _texts(1, operation.get("tags")),
            wire.write_bytes(3, operation.get("description", "")),
            wire.write_bytes(5, operation.get("operationId", "")),
            _texts(6, operation.get("produces")),
            _texts(7, operation.get("consumes")),
            _parameters(8, operation.get("parameters")),
            wire.write_bytes(9, responses),
            _texts(10, operation.get("schemes")),
            _extensions(13, operation),
        )
    )


def _response(response: Object) -> bytes:
    found = wire.write_bytes(1, response.get("description", ""))
    if "schema" in response:
        found += wire.write_bytes(2, wire.write_bytes(1, _schema(response["schema"])))
    return wire.write_bytes(1, found)


def _parameters(number: int, parameters: Any) -> bytes:
    return b"".join(wire.write_bytes(number, wire.write_bytes(1, _parameter(one))) for one in parameters or ())


def _parameter(parameter: Object) -> bytes:
    where = parameter["in"]
    if where == "body":
        body = (
            _text(1, parameter, "description")
            + _text(2, parameter, "name")
            + _text(3, parameter, "in")
            + _bool(4, parameter, "required")
            + wire.write_bytes(5, _schema(parameter["schema"]))
        )
        return wire.write_bytes(1, body)
    start = _bool(1, parameter, "required") + _text(2, parameter, "in") + _text(3, parameter, "description")
    start += _text(4, parameter, "name")
    if where == "query":
        start += _text(6, parameter, "type") + _bool(20, parameter, "uniqueItems")
        return wire.write_bytes(2, wire.write_bytes(3, start))
    start += _text(5, parameter, "type") + _bool(19, parameter, "uniqueItems")
    return wire.write_bytes(2, wire.write_bytes(4, start))


def _text(number: int, obj: Object, key: str) -> bytes:
    return wire.write_bytes(number, obj[key]) if obj.get(key) else b""


def _bool(number: int, obj: Object, key: str) -> bytes:
    return wire.write_bool(number, True) if obj.get(key) else b""


def _schema(schema: Object) -> bytes:
    found = [write(schema[key]) for key, write in _SCHEMA_FIELDS.items() if key in schema]
    return b"".join(found) + _extensions(31, schema)


def _type(value: Any) -> bytes:
    return wire.write_bytes(22, _texts(1, value if isinstance(value, list) else [value]))


def _additional(value: Any) -> bytes:
    item = wire.write_bool(2, value) if isinstance(value, bool) else wire.write_bytes(1, _schema(value))
    return wire.write_bytes(21, item)


_SCHEMA_FIELDS: dict[str, Callable[[Any], bytes]] = {
    "$ref": lambda value: wire.write_bytes(1, value),
    "format": lambda value: wire.write_bytes(2, value),
    "description": lambda value: wire.write_bytes(4, value),
    "required": lambda value: _texts(19, value),
    "additionalProperties": _additional,
    "type": _type,
    "items": lambda value: wire.write_bytes(23, wire.write_bytes(1, _schema(value))),
    "properties": lambda value: wire.write_bytes(
        25, b"".join(_named(1, name, _schema(one)) for name, one in value.items())
    ),
}
