"""Functions of lists: Kubernetes' own, and cel-go's lists extension.

Source: apiserver's cel/library/lists.go; cel-go's ext/lists.go.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

from steersman.api.cel import operators, types, values
from steersman.api.cel.functions import Functions, Overload, member, plain
from steersman.api.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT
from steersman.api.cel.values import Duration, EvalError, Uint

_T = types.parameter("T")
_LIST = types.list_of(_T)
_ORDERED = (
    ("int", INT),
    ("uint", UINT),
    ("double", DOUBLE),
    ("bool", BOOL),
    ("duration", DURATION),
    ("timestamp", TIMESTAMP),
    ("string", STRING),
    ("bytes", BYTES),
)
_RANGE_MAX = 1_000_000  # items; no budget pays for more


def _is_sorted(items: list[Any]) -> bool:
    return all(values.compare(one, other) <= 0 for one, other in itertools.pairwise(items))


def _extreme(name: str, wanted: int) -> Callable[[list[Any]], Any]:
    def find(items: list[Any]) -> Any:
        if not items:
            raise EvalError(f"{name} called on empty list")
        return functools.reduce(lambda one, other: other if values.compare(other, one) == wanted else one, items)

    return find


def _sum(zero: Any) -> Callable[[list[Any]], Any]:
    """By what the items are: a list of any type says nothing of them."""
    return lambda items: functools.reduce(_plus, items) if items else zero


def _plus(one: Any, other: Any) -> Any:
    kind = one.__class__
    if kind is not other.__class__ or kind not in _ADD:
        raise values.no_overload()
    return _ADD[kind](one, other)


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if values.equal(item, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((index for index in range(len(items) - 1, -1, -1) if values.equal(items[index], wanted)), -1)


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvalError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvalError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(items):
        raise EvalError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvalError("level must be non-negative")
    found: list[Any] = []
    for item in items:
        if isinstance(item, list) and depth > 0:
            found += _flatten(item, depth - 1)
        else:
            found.append(item)
    return found


def _distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if not values.contains(found, item):
            found.append(item)
    return found


def _sort(items: list[Any]) -> list[Any]:
    if any(item.__class__ is not items[0].__class__ for item in items):
        raise EvalError("list elements must have the same type")
    return sorted(items, key=functools.cmp_to_key(values.compare))


def _sort_by(items: list[Any], keys: list[Any]) -> list[Any]:
    if any(key.__class__ is not keys[0].__class__ for key in keys):
        raise EvalError("list elements must have the same type")
    ordered = functools.cmp_to_key(values.compare)
    return [items[index] for index in sorted(range(len(items)), key=lambda index: ordered(keys[index]))]


def _range(count: int) -> list[int]:
    if count > _RANGE_MAX:
        raise EvalError(f"lists.range size {count} exceeds the maximum of {_RANGE_MAX}")
    return list(range(count))


def _of_each(name: str, result: types.Type | None, call: Callable[..., Any]) -> tuple[Overload, ...]:
    return tuple(member(f"list_{kind}_{name}", (types.list_of(one),), result or one, call) for kind, one in _ORDERED)


def _insert(entries: dict[Any, Any], *pieces: Any) -> dict[Any, Any]:
    """Stands in the trees of macros, which are compiled as loops; it never runs."""
    raise AssertionError("a macro is compiled as a loop")


_ADD: dict[type, Callable[[Any, Any], Any]] = {
    int: lambda one, other: operators.whole(one + other),
    Uint: lambda one, other: operators.natural(int(one) + int(other)),
    float: lambda one, other: one + other,
    Duration: lambda one, other: Duration(one.nanos + other.nanos),
}
_NUMBERS: tuple[tuple[str, types.Type, Any], ...] = (
    ("int", INT, 0),
    ("uint", UINT, Uint(0)),
    ("double", DOUBLE, 0.0),
    ("duration", DURATION, Duration(0)),
)
_MAP = types.map_of(types.parameter("K"), types.parameter("V"))

FUNCTIONS: Functions = {
    "isSorted": _of_each("is_sorted_bool", BOOL, _is_sorted),
    "min": _of_each("min", None, _extreme("min", -1)),
    "max": _of_each("max", None, _extreme("max", 1)),
    "sum": tuple(member(f"list_{kind}_sum", (types.list_of(one),), one, _sum(zero)) for kind, one, zero in _NUMBERS),
    "indexOf": (member("list_a_index_of_int", (_LIST, _T), INT, _index_of),),
    "lastIndexOf": (member("list_a_last_index_of_int", (_LIST, _T), INT, _last_index_of),),
    "slice": (member("list_slice", (_LIST, INT, INT), _LIST, _slice),),
    "flatten": (
        member("list_flatten", (types.list_of(_LIST),), _LIST, _flatten),
        member("list_flatten_int", (types.list_of(DYN), INT), types.list_of(DYN), _flatten),
    ),
    "distinct": (member("list_distinct", (_LIST,), _LIST, _distinct),),
    "sort": tuple(
        member(f"list_{kind}_sort", (types.list_of(one),), types.list_of(one), _sort) for kind, one in _ORDERED
    ),
    "@sortByAssociatedKeys": tuple(
        member(f"list_{kind}_sortByAssociatedKeys", (_LIST, types.list_of(one)), _LIST, _sort_by)
        for kind, one in _ORDERED
    ),
    "reverse": (member("list_reverse", (_LIST,), _LIST, lambda items: items[::-1]),),
    "first": (member("list_first", (_LIST,), types.optional_of(_T), lambda items: _end(items, 0)),),
    "last": (member("list_last", (_LIST,), types.optional_of(_T), lambda items: _end(items, -1)),),
    "lists.range": (plain("lists_range", (INT,), types.list_of(INT), _range),),
    "cel.@mapInsert": (
        plain("@mapInsert_map_map", (_MAP, _MAP), _MAP, _insert),
        plain("@mapInsert_map_key_value", (_MAP, types.parameter("K"), types.parameter("V")), _MAP, _insert),
    ),
}


def _end(items: list[Any], index: int) -> values.Optional:
    return values.Optional(items[index]) if items else values.NONE
