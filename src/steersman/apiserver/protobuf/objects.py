"""A protobuf body of a Kubernetes client as the object its JSON would have been. Pure.

Field numbers come from `fields.json` (made by `extract`), JSON names and nesting from the schema. Go writes every plain field,
also an empty one, and a pointer only when it is set; JSON leaves empty plain fields out. The wire does not tell the two apart,
so the pointers whose zero means something are named here. Fields newer than `fields.json` are not seen.
"""

import base64
import datetime
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import orjson

from steersman.api import schema
from steersman.apiserver.protobuf import wire
from steersman.meta import times
from steersman.meta.objects import Object

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_DEPTH_MAX = 100  # protobuf's own limit for nested messages

# Optional fields whose zero is a wish and not an absence.
_POINTERS = frozenset(
    (
        # numbers
        "replicas", "terminationGracePeriodSeconds", "activeDeadlineSeconds", "revisionHistoryLimit", "tolerationSeconds",
        "priority", "runAsUser", "runAsGroup", "fsGroup", "deletionGracePeriodSeconds", "gracePeriodSeconds", "defaultMode",
        "mode", "parallelism", "completions", "backoffLimit", "ttlSecondsAfterFinished", "startingDeadlineSeconds",
        "successfulJobsHistoryLimit", "failedJobsHistoryLimit", "minReplicas", "leaseTransitions", "partition", "seconds",
        "stabilizationWindowSeconds",
        # booleans
        "automountServiceAccountToken", "enableServiceLinks", "runAsNonRoot", "privileged", "allowPrivilegeEscalation",
        "readOnlyRootFilesystem", "optional", "controller", "blockOwnerDeletion", "allocateLoadBalancerNodePorts",
        "hostUsers", "immutable", "shareProcessNamespace", "setHostnameAsFQDN", "ready", "serving", "terminating", "suspend",
        "orphanDependents", "started", "allowVolumeExpansion",
        # texts
        "storageClassName",
    )
)  # fmt: skip


def decode(body: bytes) -> Object:
    """The object in a request body. Raises wire.Malformed."""
    if not body.startswith(_MAGIC):
        raise wire.Malformed("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = ""
    raw = memoryview(b"")
    for number, _, value in wire.fields(body[len(_MAGIC) :]):
        if number == 1 and isinstance(value, memoryview):
            texts = {field: str(_text(part)) for field, _, part in wire.fields(value) if isinstance(part, memoryview)}
            api_version, kind = texts.get(1, ""), texts.get(2, "")
        elif number == 2 and isinstance(value, memoryview):
            raw = value
    group, _, version = api_version.rpartition("/")
    name = schema.of_release().name_of(group, version, kind) or f"{_META}{kind}"
    if name not in _fields():
        raise wire.Malformed(f'no kind "{kind}" is registered for version "{api_version}"')
    obj = _message(name, raw, 0)
    return {"kind": kind, "apiVersion": api_version, **obj}


@functools.cache
def _fields() -> dict[str, dict[str, list[str]]]:
    path = pathlib.Path(__file__).with_name("fields.json")
    found: dict[str, dict[str, list[str]]] = orjson.loads(path.read_bytes())
    return found


def _message(name: str, data: memoryview, depth: int) -> Object:
    if depth > _DEPTH_MAX:
        raise wire.Malformed("exceeded the nesting limit")
    shape = _shape(name)
    found: Object = {}
    for number, _, value in wire.fields(data):
        field = shape.get(number)
        if field is None:
            continue
        item = field.read(value, depth)
        if field.place == "inline":
            found.update(item)
        elif field.place == "list":
            found.setdefault(field.name, []).append(item)
        elif field.place == "map":
            found.setdefault(field.name, {})[item[0]] = item[1]
        elif item or field.keeps_zero or item.__class__ is dict:
            found[field.name] = item
    return found


class _Field:
    """One field: how it is read, and where it goes in the object (`one`, `list`, `map` or `inline`)."""

    __slots__ = ("keeps_zero", "name", "place", "read")

    def __init__(self, name: str, place: str, read: Callable[[Any, int], Any], *, keeps_zero: bool) -> None:
        self.name, self.place, self.read, self.keeps_zero = name, place, read, keeps_zero


@functools.cache
def _shape(message: str) -> dict[int, _Field]:
    definition = schema.of_release().definitions.get(message) or {}
    properties = {name.lower(): name for name in definition.get("properties", {})}
    required = set(definition.get("required", ()))
    found = {}
    for number, (spelled, kind) in _fields()[message].items():
        name = properties.get(spelled.lower())
        place = "list" if kind.startswith("[]") else "map" if kind.startswith("map:") else "one"
        kind = kind.removeprefix("[]").removeprefix("map:")
        if name is None and place == "one" and kind in _fields() and properties:
            place = "inline"  # Go embeds it, so JSON has its fields in the parent
        read = _entry(_reader(kind)) if place == "map" else _reader(kind)
        name = name or spelled
        found[int(number)] = _Field(name, place, read, keeps_zero=name in required or name in _POINTERS)
    return found


def _reader(kind: str) -> Callable[[Any, int], Any]:
    special = _SPECIAL.get(kind)
    if special is not None:
        return special
    if list(_fields()[kind].values()) == [["items", "[]string"]]:  # a named list of texts (ExtraValue, Verbs)
        return lambda value, depth: _message(kind, _view(value), depth + 1).get("items", [])
    return lambda value, depth: _message(kind, _view(value), depth + 1)


def _entry(of_value: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
    def read(value: Any, depth: int) -> tuple[str, Any]:
        key, found = "", None
        for number, _, part in wire.fields(_view(value)):
            if number == 1:
                key = _text(part)
            elif number == 2:
                found = of_value(part, depth)
        return key, "" if found is None else found

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


_SPECIAL: dict[str, Callable[[Any, int], Any]] = {
    "string": lambda value, depth: _text(value),
    "int": lambda value, depth: _number(value),
    "bool": lambda value, depth: bool(_number(value)),
    "double": lambda value, depth: wire.double(_number(value) & 0xFFFFFFFFFFFFFFFF),
    "bytes": lambda value, depth: base64.b64encode(_view(value)).decode(),
    _META + "Time": _time,
    _META + "MicroTime": _micro_time,
    _META + "FieldsV1": _raw_json,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _quantity,
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": _raw_json,
}
