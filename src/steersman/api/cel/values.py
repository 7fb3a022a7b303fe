"""What expressions compute with: JSON's own Python values, and a few kinds that JSON does not have.

int is int64, `Uint` uint64, float double; list and dict are the API's own objects, never copied. Equality and order are CEL's:
numbers compare across their kinds, true is not 1. Source: the CEL specification, "Values" and "Equality".
"""

import dataclasses
import datetime
from collections.abc import Iterator
from typing import Any

INT_MAX, INT_MIN, UINT_MAX = 2**63 - 1, -(2**63), 2**64 - 1
NANOS = 10**9


class EvalError(Exception):
    """An expression has no value: division by zero, no such key, …"""


class CostExceeded(Exception):
    """The budget of one evaluation is spent; no operator absorbs it."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


NO_OVERLOAD = "no such overload"


def no_overload() -> EvalError:
    return EvalError(NO_OVERLOAD)


class Uint(int):
    """An unsigned number."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Duration:
    """Nanoseconds, as many as fit 64 bits."""

    nanos: int

    def __post_init__(self) -> None:
        if not INT_MIN <= self.nanos <= INT_MAX:
            raise EvalError("duration overflow")

    def __str__(self) -> str:
        """Seconds, as protobuf's JSON has it: `3600s`, `1.5s`."""
        sign, nanos = ("-", -self.nanos) if self.nanos < 0 else ("", self.nanos)
        whole, rest = divmod(nanos, NANOS)
        return f"{sign}{whole}{'.' + f'{rest:09d}'.rstrip('0') if rest else ''}s"


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FIRST = int((datetime.datetime(1, 1, 1, tzinfo=datetime.UTC) - _EPOCH).total_seconds())
_LAST = int((datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC) - _EPOCH).total_seconds())


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since 1970, in the years 1 to 9999; `offset` is the minutes from UTC it was written with."""

    nanos: int
    offset: int = dataclasses.field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not _FIRST <= self.nanos // NANOS <= _LAST:
            raise EvalError("timestamp overflow")

    def at(self, zone: datetime.tzinfo = datetime.UTC) -> datetime.datetime:
        """Without what is finer than a microsecond."""
        return (_EPOCH + datetime.timedelta(microseconds=self.nanos // 1000)).astimezone(zone)

    def __str__(self) -> str:
        rest = self.nanos % NANOS
        fraction = "." + f"{rest:09d}".rstrip("0") if rest else ""
        at = (_EPOCH + datetime.timedelta(seconds=self.nanos // NANOS)).replace(tzinfo=None)
        sign, minutes = "-" if self.offset < 0 else "+", abs(self.offset)
        zone = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}" if minutes else "Z"
        return (at + datetime.timedelta(minutes=self.offset)).isoformat() + fraction + zone


class Optional:
    """A value or none."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Optional):
            return NotImplemented
        if self is NONE or other is NONE:
            return self is other
        return equal(self.value, other.value)

    def __hash__(self) -> int:
        return hash((Optional, repr(self.value)))

    def __repr__(self) -> str:
        return "optional.none()" if self is NONE else f"optional.of({self.value!r})"


NONE = Optional(None)


class SetList(list[Any]):
    """A list whose order does not matter (`x-kubernetes-list-type: set`)."""


class KeyedList(list[Any]):
    """A list whose items are told apart by `keys` (`x-kubernetes-list-type: map`)."""

    def __init__(self, items: Any, keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def by_key(self) -> dict[Any, Any]:
        return {tuple(item.get(key) for key in self.keys): item for item in self}


class Instance(dict[str, Any]):
    """A message made in an expression (`Object.spec{…}`): `name` is its type."""

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.name = name


@dataclasses.dataclass(frozen=True, slots=True)
class TypeValue:
    """A type as a value: `type(x)`."""

    name: str


_PLAIN = frozenset((str, int, float, bool, bytes, type(None), Uint, Duration, Timestamp))
NUMBERS = frozenset((int, float, Uint))


def equal(one: Any, other: Any) -> bool:
    kind, of_other = one.__class__, other.__class__
    if kind is of_other:
        if kind in _PLAIN:
            return bool(one == other)
        if kind is list:
            return len(one) == len(other) and all(map(equal, one, other))
        if kind is dict:
            return len(one) == len(other) and all(
                key in other and equal(value, other[key]) for key, value in one.items()
            )
    if kind in NUMBERS and of_other in NUMBERS:
        return bool(one == other)
    if isinstance(one, list) and isinstance(other, list):
        return _equal_lists(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(key in other and equal(value, other[key]) for key, value in one.items())
    return kind is of_other and bool(one == other)


def _equal_lists(one: list[Any], other: list[Any]) -> bool:
    if len(one) != len(other):
        return False
    if isinstance(one, SetList):
        return all(contains(other, item) for item in one)
    if isinstance(one, KeyedList):
        mine, theirs = one.by_key(), KeyedList(other, one.keys).by_key()
        return len(mine) == len(theirs) and all(
            key in theirs and equal(item, theirs[key]) for key, item in mine.items()
        )
    return all(map(equal, one, other))


def contains(items: list[Any], wanted: Any) -> bool:
    """`wanted in items`. Python's own search where nothing else could be meant."""
    if wanted.__class__ is str:
        return wanted in items
    return any(equal(item, wanted) for item in items)


def concatenated(one: list[Any], other: list[Any]) -> list[Any]:
    """`one + other`: sets unite, keyed lists merge by key, in upstream's order."""
    if isinstance(one, SetList):
        return SetList([*one, *(item for item in other if not contains(one, item))])
    if isinstance(one, KeyedList):
        items = dict(one.by_key())
        items.update(KeyedList(other, one.keys).by_key())
        return KeyedList(items.values(), one.keys)
    return [*one, *other]


def compare(one: Any, other: Any) -> int:
    """-1, 0 or 1. Raises EvalError for what has no order."""
    kind, of_other = one.__class__, other.__class__
    if kind in NUMBERS and of_other in NUMBERS:
        if one != one or other != other:
            raise EvalError("NaN values cannot be ordered")
    elif kind is not of_other or kind not in _PLAIN or one is None:
        raise no_overload()
    return int(one > other) - int(one < other)


def size(value: Any) -> int:
    """How large a value counts as in costs: 1 for what has no length."""
    return len(value) if isinstance(value, str | bytes | list | dict) else 1


def walk(value: Any) -> Iterator[Any]:
    """The leaves of a value, for what costs a traversal."""
    if isinstance(value, list):
        for item in value:
            yield from walk(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from walk(key)
            yield from walk(item)
    else:
        yield value


_TYPE_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    type(None): "null_type",
    list: "list",
    SetList: "list",
    KeyedList: "list",
    dict: "map",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    Optional: "optional_type",
    TypeValue: "type",
}


def type_name(value: Any) -> str:
    found = _TYPE_NAMES.get(value.__class__)
    if found is None:
        found = value.name if isinstance(value, Instance) else getattr(value, "TYPE_NAME", "dyn")
    return str(found)
