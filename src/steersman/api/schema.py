"""The types of every built-in kind: check an incoming object, drop what its type does not know, look up merge keys.

The definitions come from the schema package (`kubernetes-validate`), which ships upstream's OpenAPI definitions per release.
They are read on first use, and each definition is compiled once into a closure, so that checking a 3 kB pod takes some tens
of microseconds. What the package rewrites: nullability is a `["string", "null"]` type, Quantity and IntOrString are `oneOf`.

What `decode` does to an object is what upstream's decoding into Go structs and encoding again does: unknown fields, nulls and
empty optional lists and maps vanish, quantities take their canonical form, times become UTC with the precision of their type.
"""

import functools
import pathlib
import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from steersman.api.kind import Kind
from steersman.meta import errors, quantities, times
from steersman.meta.objects import Object

RELEASE = "1.37.0"
"""The newest release the schema package carries."""

FieldValidation = Literal["Ignore", "Warn", "Strict"]

Definition = dict[str, Any]
# A path is a linked list from the innermost name outwards: cheap to extend on the way down, read only when something is wrong.
# (rest, field) and (rest, index); a map's key is (rest, key, True).
Path = tuple[Any, ...] | None
Check = Callable[[Any, Path, list[str]], Any]

_REFERENCE = "#/$defs/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_UNKNOWN_MAX = 32  # how many unknown fields are reported; a body of nothing but mistakes must not make a huge answer


class WrongType(Exception):
    """A value has the wrong JSON type; the message is upstream's decode error without its prefix."""


class Schema:
    """The definitions of one release, compiled as they are asked for."""

    def __init__(self, release: str = RELEASE) -> None:
        self.release = release
        self._checks: dict[str, Check] = {}
        self._compiling: set[str] = set()

    @functools.cached_property
    def definitions(self) -> dict[str, Definition]:
        """Every definition by its OpenAPI name (`io.k8s.api.core.v1.Pod`)."""
        found: dict[str, Definition] = msgspec.json.decode(_definitions_file(self.release).read_bytes())["$defs"]
        return found

    @functools.cached_property
    def _names(self) -> dict[tuple[str, str, str], str]:
        """(group, version, kind) → definition name; for kinds known in many groups (DeleteOptions), meta's own wins."""
        found: dict[tuple[str, str, str], str] = {}
        for name, definition in self.definitions.items():
            for gvk in definition.get("x-kubernetes-group-version-kind", ()):
                found.setdefault((gvk["group"], gvk["version"], gvk["kind"]), name)
        return found

    def name_of(self, group: str, version: str, kind: str) -> str | None:
        """The definition's name, or None for a kind without one (custom resources)."""
        return self._names.get((group, version, kind))

    def definition_of(self, group: str, version: str, kind: str) -> Definition | None:
        name = self.name_of(group, version, kind)
        return None if name is None else self.definitions[name]

    def resolve(self, definition: Definition) -> Definition:
        """Follow a `$ref` (its own description wins)."""
        reference = definition.get("$ref")
        if reference is None:
            return definition
        target = self.definitions[reference.removeprefix(_REFERENCE)]
        return {**target, "description": definition["description"]} if "description" in definition else target

    def field(self, definition: Definition | None, name: str) -> Definition | None:
        """The definition of a field or of a map's values, for walking along a path; None where nothing is known."""
        if definition is None:
            return None
        target = self.resolve(definition)
        found = target.get("properties", {}).get(name)
        if found is None:
            found = target.get("additionalProperties")
        return found if isinstance(found, dict) else None

    def items(self, definition: Definition | None) -> Definition | None:
        """The definition of a list's items."""
        return None if definition is None else self.resolve(definition).get("items")

    def decode(self, kind: Kind, obj: Object, field_validation: FieldValidation = "Ignore") -> tuple[Object, list[str]]:
        """A new, clean object and the warnings to send with the answer.

        Fills in a missing apiVersion or kind. Raises StatusError 400 for a wrong type and, when Strict, for unknown fields.
        Kinds without a definition pass unchanged.
        """
        obj = _with_type(kind, obj)
        name = self.name_of(kind.group, kind.version, kind.kind)
        if name is None:
            return obj, []
        unknown: list[str] = []
        try:
            clean: Object = self.check(name)(obj, None, unknown)
        except WrongType as wrong:
            raise _cannot_be_handled(kind, str(wrong)) from wrong
        if not unknown or field_validation == "Ignore":
            return clean, []
        if field_validation == "Strict":
            raise _cannot_be_handled(kind, "strict decoding error: " + ", ".join(unknown))
        return clean, unknown

    def check(self, name: str) -> Check:
        """The compiled check of a definition: (value, path, unknown) → clean value."""
        found = self._checks.get(name)
        if found is None:
            self._compiling.add(name)
            found = self._checks[name] = self._compile_named(name)
            self._compiling.discard(name)
        return found

    def _compile_named(self, name: str) -> Check:
        special = _SPECIAL.get(name)
        if special is not None:
            return special
        definition = self.definitions[name]
        if "properties" not in definition and "type" in definition and _type_of(definition) == "object":
            return _anything_in_braces(name) if name in _OPEN else _object(name, {}, {}, frozenset())
        return self._compile(definition, name)

    def _compile(self, definition: Definition, name: str) -> Check:
        reference = definition.get("$ref")
        if reference is not None:
            return self._reference(reference.removeprefix(_REFERENCE))
        kind = _type_of(definition)
        if kind == "object" and "properties" in definition:
            return self._compile_object(definition, name)
        if kind == "object" and isinstance(definition.get("additionalProperties"), dict):
            return _map(self._compile(definition["additionalProperties"], name), self._go_type(definition))
        if kind == "array":
            zero = _ZERO.get(_type_of(self.resolve(definition["items"])))
            return _array(self._compile(definition["items"], name), self._go_type(definition), zero)
        return _SCALARS.get((kind, definition.get("format", "")), _anything)

    def _reference(self, name: str) -> Check:
        """The check itself, or, inside a definition that contains itself, a detour to it."""
        if name not in self._compiling:
            return self.check(name)
        checks = self._checks

        def check(value: Any, path: Path, unknown: list[str]) -> Any:
            return checks[name](value, path, unknown)

        return check

    def _compile_object(self, definition: Definition, name: str) -> Check:
        plain: dict[str, type] = {}
        rest: dict[str, Check] = {}
        for field, of_field in definition["properties"].items():
            rest[field] = self._compile(of_field, name)
            if rest[field] is _string:
                plain[field] = str
            elif rest[field] is _boolean:
                plain[field] = bool
        return _object(name, plain, rest, frozenset(definition.get("required", ())))

    def _go_type(self, definition: Definition) -> str:
        """The Go type as upstream's messages name it: `[]v1.Container`, `map[string]string`."""
        reference = definition.get("$ref")
        if reference is not None:
            *_, package, name = reference.split(".")
            return f"{package}.{name}"
        kind = _type_of(definition)
        if kind == "array":
            return "[]" + self._go_type(definition["items"])
        if kind == "object":
            inner = definition.get("additionalProperties")
            return "map[string]" + (self._go_type(inner) if isinstance(inner, dict) else "interface {}")
        return _GO_TYPES.get((kind, definition.get("format", "")), kind)


@functools.cache
def of_release(release: str = RELEASE) -> Schema:
    """The one Schema of a release in this process."""
    return Schema(release)


def decode(kind: Kind, obj: Object, field_validation: FieldValidation = "Ignore") -> tuple[Object, list[str]]:
    """`Schema.decode` with the newest release."""
    return of_release().decode(kind, obj, field_validation)


def _definitions_file(release: str) -> pathlib.Path:
    import importlib.util

    spec = importlib.util.find_spec("kubernetes_validate")
    assert spec is not None, "kubernetes-validate is a dependency"
    assert spec.origin is not None, "kubernetes-validate is a dependency"
    return pathlib.Path(spec.origin).parent / "kubernetes-json-schema" / f"v{release}-local" / "_definitions.json"


def _with_type(kind: Kind, obj: Object) -> Object:
    if not isinstance(obj, dict):
        raise errors.bad_request(
            f"couldn't get version/kind; json parse error: json: cannot unmarshal {_json_type(obj)} into Go value of type "
            'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        )
    api_version, name = obj.get("apiVersion") or kind.api_version, obj.get("kind") or kind.kind
    if api_version != kind.api_version:
        raise errors.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    if name != kind.kind:
        raise errors.bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): the kind in the data is {name}"
        )
    if "apiVersion" in obj and "kind" in obj:
        return obj
    return {**obj, "apiVersion": api_version, "kind": name}


def _cannot_be_handled(kind: Kind, why: str) -> errors.StatusError:
    return errors.bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}',
    )


def _type_of(definition: Definition) -> str:
    declared = definition.get("type", "")
    if isinstance(declared, list):
        return next((str(one) for one in declared if one != "null"), "")
    return str(declared)


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


def _json_type(value: Any) -> str:
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
        self.described, self.path, self.go_type = described or _json_type(value), path, go_type


# Checks. Each takes (value, path, unknown) and returns the clean value, or None for what is to be left out.


def _object(name: str, plain: dict[str, type], rest: dict[str, Check], required: frozenset[str]) -> Check:
    plain_of, rest_of = plain.get, rest.get
    go_type = ".".join(name.split(".")[-2:])

    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is not dict:
            raise _Scalar(value, path, go_type) if path else _wrong(_json_type(value), path, name, go_type)
        clean = {}
        try:
            for key, item in value.items():
                if item.__class__ is plain_of(key):
                    clean[key] = item
                    continue
                of_field = rest_of(key)
                if of_field is None:
                    if len(unknown) < _UNKNOWN_MAX:
                        unknown.append(f'unknown field "{_dotted((path, key))}"')
                elif item is not None:
                    item = of_field(item, (path, key), unknown)
                    if item is not None:
                        clean[key] = item
                    elif key in required:
                        clean[key] = value[key]
        except _Scalar as wrong:
            raise _wrong(wrong.described, wrong.path, name, wrong.go_type) from None
        return clean

    return check


def _map(of_value: Check, go_type: str) -> Check:
    only_strings = of_value is _string

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


def _array(of_item: Check, go_type: str, zero: Any) -> Check:
    """`zero` makes the value that Go puts in the place of a null item."""
    only_strings = of_item is _string

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


def _anything(value: Any, path: Path, unknown: list[str]) -> Any:
    return value


def _anything_in_braces(name: str) -> Check:
    def check(value: Any, path: Path, unknown: list[str]) -> Any:
        if value.__class__ is not dict:
            raise _Scalar(value, path, ".".join(name.split(".")[-2:]))
        return value

    return check


def _string(value: Any, path: Path, unknown: list[str]) -> Any:
    if value.__class__ is not str:
        raise _Scalar(value, path, "string")
    return value


def _boolean(value: Any, path: Path, unknown: list[str]) -> Any:
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


_SPECIAL: dict[str, Check] = {
    _QUANTITY: _quantity,
    _INT_OR_STRING: _int_or_string,
    _META + "Time": _time,
    _META + "MicroTime": _micro_time,
}

_ZERO: dict[str, Callable[[], Any]] = {"object": dict, "string": str, "integer": int, "number": int, "boolean": bool}

# Definitions that hold any object at all.
_OPEN = frozenset((_META + "FieldsV1", _META + "Patch", "io.k8s.apimachinery.pkg.runtime.RawExtension"))

_SCALARS: dict[tuple[str, str], Check] = {
    ("string", ""): _string,
    ("string", "byte"): _bytes,
    ("string", "date-time"): _time,
    ("boolean", ""): _boolean,
    ("integer", ""): _integer(64),
    ("integer", "int32"): _integer(32),
    ("integer", "int64"): _integer(64),
    ("number", ""): _number,
    ("number", "double"): _number,
}

_GO_TYPES = {
    ("string", ""): "string",
    ("string", "byte"): "[]uint8",
    ("boolean", ""): "bool",
    ("integer", "int32"): "int32",
    ("integer", "int64"): "int64",
    ("integer", ""): "int64",
    ("number", "double"): "float64",
}
