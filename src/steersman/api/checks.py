"""The checks `schema` compiles definitions to: closures (value, path, unknown fields) → clean value.

Errors are upstream's decode errors, with the name of the Go struct and the path of the field.
"""

import re
from collections.abc import Callable
from typing import Any

from steersman.meta import quantities, times

# A path is a linked list from the innermost name outwards: cheap to extend on the way down, read only when something is wrong.
# (rest, field) and (rest, index); a map's key is (rest, key, True).
Path = tuple[Any, ...] | None
Check = Callable[[Any, Path, list[str]], Any]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_UNKNOWN_MAX = 32  # how many unknown fields are reported; a body of nothing but mistakes must not make a huge answer
_DEPTH_MAX = 200  # of values without a schema: the JSON writer gives up at 254 levels


class WrongType(Exception):
    """A value has the wrong JSON type; the message is upstream's decode error without its prefix."""


# Paths, for messages only.


def _dotted(path: Path) -> str:
    """`spec.containers[0].image`."""
    parts: list[str] = []
    while path is not None:
        parts.append(f"[{path[1]}]" if isinstance(path[1], int) else f".{path[1]}")
        path = path[0]
    return "".join(reversed(parts)).removeprefix(".")


def _fields_only(path: Path) -> str:
    """`spec.containers.image`: Go's decode errors leave indices and map keys out."""
    parts: list[str] = []
    while path is not None:
        if len(path) == 2 and not isinstance(path[1], int):
            parts.append(path[1])
        path = path[0]
    return ".".join(reversed(parts))


def json_type(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "number"
        case float():
            return f"number {value!r}"
        case list():
            return "array"
        case dict():
            return "object"
    return "null"


def _wrong(described: str, path: Path, struct: str, go_type: str) -> WrongType:
    into = f"Go struct field {struct.rpartition('.')[2]}.{_fields_only(path)}" if path else "Go value"
    return WrongType(f"json: cannot unmarshal {described} into {into} of type {go_type}")


class _Scalar(Exception):
    """A scalar of the wrong type; the enclosing object knows its own name."""

    def __init__(self, value: Any, path: Path, go_type: str, described: str = "") -> None:
        super().__init__()
        self.described, self.path, self.go_type = described or json_type(value), path, go_type


# Checks. Each takes (value, path, unknown) and returns the clean value, or None for what is to be left out.


def of_object(
    name: str, plain: dict[str, type], rest: dict[str, Check], required: frozenset[str], vanishing: frozenset[str]
) -> Check:
    """`plain`: fields that are checked by their class alone; `vanishing`: those whose zero is left out."""
    plain_of, rest_of = plain.get, rest.get
    go_type = ".".join(name.split(".")[-2:])

    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is not dict:
            raise _Scalar(value, path, go_type) if path else _wrong(json_type(value), path, name, go_type)
        clean = {}
        try:
            for key, item in value.items():
                if item.__class__ is plain_of(key):
                    if item or key not in vanishing:
                        clean[key] = item
                    continue
                of_field = rest_of(key)
                if of_field is None:
                    if len(unknown) < _UNKNOWN_MAX:
                        unknown.append(f'unknown field "{_dotted((path, key))}"')
                elif item is not None:
                    item = of_field(item, (path, key), unknown)
                    if item is not None:
                        if item or key not in vanishing:
                            clean[key] = item
                    elif key in required:
                        clean[key] = value[key]
        except _Scalar as wrong:
            raise _wrong(wrong.described, wrong.path, name, wrong.go_type) from None
        return clean

    return check


def of_map(of_value: Check, go_type: str) -> Check:
    only_strings = of_value is string

    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is not dict:
            raise _Scalar(value, path, go_type)
        if not value:
            return None
        if only_strings and all(item.__class__ is str for item in value.values()):
            return value
        return {
            key: "" if item is None and only_strings else of_value(item, (path, key, True), unknown)
            for key, item in value.items()
            if item is not None or only_strings
        }

    return check


def of_array(of_item: Check, go_type: str, zero: Any) -> Check:
    """`zero` makes the value that Go puts in the place of a null item."""
    only_strings = of_item is string

    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is not list:
            raise _Scalar(value, path, go_type)
        if not value:
            return None
        if only_strings and all(item.__class__ is str for item in value):
            return value
        clean = []
        for index, item in enumerate(value):
            if item is None:
                clean.append(zero() if zero else None)
            else:
                new = of_item(item, (path, index), unknown)
                clean.append(item if new is None else new)
        return clean

    return check


def anything(value: Any, path: Path, unknown: list[str]) -> Any:
    _check_depth(value, _DEPTH_MAX)
    return value


def any_object(name: str) -> Check:
    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is not dict:
            raise _Scalar(value, path, ".".join(name.split(".")[-2:]))
        _check_depth(value, _DEPTH_MAX)
        return value

    return check


def either(of_object_or_item: Check) -> Check:
    """One schema, or something plainer in its place: a list of schemas, a boolean, a list of names."""

    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is dict:
            return of_object_or_item(value, path, unknown)
        _check_depth(value, _DEPTH_MAX)
        return value

    return check


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise WrongType("exceeded max depth")
    if value.__class__ is dict:
        for inner in value.values():
            _check_depth(inner, left - 1)
    elif value.__class__ is list:
        for inner in value:
            _check_depth(inner, left - 1)


def string(value: Any, path: Path, unknown: list[str]) -> Any:
    if value.__class__ is not str:
        raise _Scalar(value, path, "string")
    return value


def boolean(value: Any, path: Path, unknown: list[str]) -> Any:
    if value.__class__ is not bool:
        raise _Scalar(value, path, "bool")
    return value


def _integer(bits: int) -> Check:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is not int:
            raise _Scalar(value, path, f"int{bits}")
        if not low <= value <= high:
            raise _Scalar(value, path, f"int{bits}", f"number {value}")
        return value

    return check


def _number(value: Any, path: Path, unknown: list[str]) -> Any:
    if value.__class__ is not float and value.__class__ is not int:
        raise _Scalar(value, path, "float64")
    return value


_is_base64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?").fullmatch


def _bytes(value: Any, path: Path, unknown: list[str]) -> Any:
    if value.__class__ is not str:
        raise _Scalar(value, path, "[]uint8")
    if not _is_base64(value):
        text = value.replace("\n", "").replace("\r", "")
        if not _is_base64(text):
            good = re.match(r"[A-Za-z0-9+/]*", value)
            raise WrongType(f"illegal base64 data at input byte {good.end() if good else 0}")
        return text
    return value


def _quantity(value: Any, path: Path, unknown: list[str]) -> Any:
    try:
        return quantities.canonical(value)
    except ValueError as why:
        raise WrongType(str(why)) from why


def _int_or_string(value: Any, path: Path, unknown: list[str]) -> Any:
    if value.__class__ is not int and value.__class__ is not str:
        raise _Scalar(value, path, "int32" if isinstance(value, float) else "string")
    if value.__class__ is int and not -(1 << 31) <= value < 1 << 31:
        raise _Scalar(value, path, "int32", f"number {value}")
    return value


def _time(value: Any, path: Path, unknown: list[str]) -> Any:
    if value.__class__ is str and len(value) == 20 and value[19] == "Z" and _is_plain_time(value):
        return value  # already in the stored form
    return times.format_seconds(_parsed_time(value, path, "v1.Time"))


def _micro_time(value: Any, path: Path, unknown: list[str]) -> Any:
    return times.format_micros(_parsed_time(value, path, "v1.MicroTime"))


_is_plain_time = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
).fullmatch


def _parsed_time(value: Any, path: Path, go_type: str) -> Any:
    if value.__class__ is not str:
        raise _Scalar(value, path, go_type)
    try:
        return times.parse(value)
    except (ValueError, OverflowError) as why:
        text = f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"'
        raise WrongType(text) from why


SPECIAL: dict[str, Check] = {
    _QUANTITY: _quantity,
    _INT_OR_STRING: _int_or_string,
    _META + "Time": _time,
    _META + "MicroTime": _micro_time,
}

ZEROS: dict[str, Callable[[], Any]] = {"object": dict, "string": str, "integer": int, "number": int, "boolean": bool}

# Definitions that hold any object at all.
OPEN = frozenset((_META + "FieldsV1", _META + "Patch", "io.k8s.apimachinery.pkg.runtime.RawExtension"))

# JSON schemas inside of schemas, where the schema package says nothing.
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."
EITHER = {
    _EXTENSIONS + name: _EXTENSIONS + "JSONSchemaProps"
    for name in ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray")
}

SCALARS: dict[tuple[str, str], Check] = {
    ("string", ""): string,
    ("string", "byte"): _bytes,
    ("string", "date-time"): _time,
    ("boolean", ""): boolean,
    ("integer", ""): _integer(64),
    ("integer", "int32"): _integer(32),
    ("integer", "int64"): _integer(64),
    ("number", ""): _number,
    ("number", "double"): _number,
}

GO_TYPES = {
    ("string", ""): "string",
    ("string", "byte"): "[]uint8",
    ("boolean", ""): "bool",
    ("integer", "int32"): "int32",
    ("integer", "int64"): "int64",
    ("integer", ""): "int64",
    ("number", "double"): "float64",
}
