"""Operators: arithmetic that notices overflow, comparison across kinds of numbers, indexes, membership.

Source: the CEL specification, "List of Standard Definitions"; ids and texts of errors are cel-go's.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

from steersman.api.cel import types, values
from steersman.api.cel.functions import Functions, Overload, member, plain
from steersman.api.cel.types import BOOL, BYTES, DOUBLE, DURATION, INT, STRING, TIMESTAMP, UINT, Type
from steersman.api.cel.values import INT_MAX, INT_MIN, NONE, UINT_MAX, Duration, EvalError, Optional, Timestamp, Uint

INT_OVERFLOW, UINT_OVERFLOW = "integer overflow", "unsigned integer overflow"

_A, _B = types.parameter("A"), types.parameter("B")
_LIST, _MAP = types.list_of(_A), types.map_of(_A, _B)


def whole(result: int) -> int:
    """As int64. Raises EvalError."""
    if INT_MIN <= result <= INT_MAX:
        return result
    raise EvalError(INT_OVERFLOW)


def natural(result: int) -> Uint:
    """As uint64. Raises EvalError."""
    if 0 <= result <= UINT_MAX:
        return Uint(result)
    raise EvalError(UINT_OVERFLOW)


def _add(one: int, other: int) -> int:
    result = one + other
    if INT_MIN <= result <= INT_MAX:
        return result
    raise EvalError(INT_OVERFLOW)


def _quotient(one: int, other: int) -> int:
    if other == 0:
        raise EvalError("division by zero")
    result = abs(one) // abs(other)
    return whole(result if (one < 0) == (other < 0) else -result)


def _remainder(one: int, other: int) -> int:
    """Of the sign of the dividend, as Go's."""
    if other == 0:
        raise EvalError("modulus by zero")
    if one == INT_MIN and other == -1:
        raise EvalError(INT_OVERFLOW)
    return (
        int(math.fmod(one, other)) if abs(one) < 2**53 and abs(other) < 2**53 else one - other * _quotient(one, other)
    )


def _divide(one: float, other: float) -> float:
    if other != 0:
        return one / other
    if one == 0 or math.isnan(one):
        return math.nan
    return math.copysign(math.inf, one) * math.copysign(1, other)


def _multiply(one: float, other: float) -> float:
    return one * other


def _natural(compute: Callable[[int, int], int]) -> Callable[[int, int], Uint]:
    return lambda one, other: natural(compute(int(one), int(other)))


def _at(items: list[Any], index: Any) -> Any:
    if index.__class__ is not int:
        index = _position(index)
    if 0 <= index < len(items):
        return items[index]
    raise EvalError(f"index out of bounds: {index}")


def _position(index: Any) -> int:
    if index.__class__ is Uint or (index.__class__ is float and index.is_integer()):
        return int(index)
    if index.__class__ is float:
        raise EvalError(f"unsupported index value: {index}")
    raise values.no_overload()


def _of_key(entries: dict[Any, Any], key: Any) -> Any:
    try:
        return entries[key]
    except KeyError:
        raise EvalError(f"no such key: {shown_key(key)}") from None
    except TypeError:
        raise values.no_overload() from None


def shown_key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _optional_at(items: list[Any], index: Any) -> Optional:
    position = index if index.__class__ is int else _position(index)
    return Optional(items[position]) if 0 <= position < len(items) else NONE


def _optional_of_key(entries: dict[Any, Any], key: Any) -> Optional:
    return Optional(entries[key]) if key in entries else NONE


def _within(look: Callable[[Any, Any], Optional]) -> Callable[[Optional, Any], Optional]:
    return lambda optional, key: NONE if optional is NONE else look(optional.value, key)


def _in_map(key: Any, entries: dict[Any, Any]) -> bool:
    try:
        return key in entries
    except TypeError:
        return False


_ORDERED: tuple[tuple[str, Type], ...] = (
    ("bool", BOOL),
    ("int64", INT),
    ("uint64", UINT),
    ("double", DOUBLE),
    ("string", STRING),
    ("bytes", BYTES),
    ("timestamp", TIMESTAMP),
    ("duration", DURATION),
)
_NUMBERS = (("int64", INT), ("uint64", UINT), ("double", DOUBLE))


def _relation(name: str, compute: Callable[[Any, Any], bool]) -> tuple[Overload, ...]:
    found = [plain(f"{name}_{kind}", (one, one), BOOL, compute) for kind, one in _ORDERED]
    found += [
        plain(f"{name}_{left}_{right}", (one, other), BOOL, compute)
        for left, one in _NUMBERS
        for right, other in _NUMBERS
        if left != right
    ]
    return tuple(found)


def _arithmetic(name: str, of_ints: Any, of_doubles: Any) -> tuple[Overload, ...]:
    return (
        plain(f"{name}_int64", (INT, INT), INT, of_ints),
        plain(f"{name}_uint64", (UINT, UINT), UINT, _natural(of_ints)),
        plain(f"{name}_double", (DOUBLE, DOUBLE), DOUBLE, of_doubles),
    )


def _sizes() -> tuple[Overload, ...]:
    kinds = (("string", STRING), ("bytes", BYTES), ("list", _LIST), ("map", _MAP))
    return tuple(plain(f"size_{name}", (one,), INT, len) for name, one in kinds) + tuple(
        member(f"{name}_size", (one,), INT, len) for name, one in kinds
    )


def _type(value: Any) -> values.TypeValue:
    return values.TypeValue(values.type_name(value))


_OPTIONAL_LIST, _OPTIONAL_MAP = types.optional_of(_LIST), types.optional_of(_MAP)
_OPTIONAL_A, _OPTIONAL_B = types.optional_of(_A), types.optional_of(_B)


def _later(at: Timestamp, nanos: int) -> Timestamp:
    return Timestamp(at.nanos + nanos, at.offset)


FUNCTIONS: Functions = {
    "_?_:_": (plain("conditional", (BOOL, _A, _A), _A, lambda asked, one, other: one if asked else other),),
    "_&&_": (plain("logical_and", (BOOL, BOOL), BOOL, operator.and_),),
    "_||_": (plain("logical_or", (BOOL, BOOL), BOOL, operator.or_),),
    "!_": (plain("logical_not", (BOOL,), BOOL, operator.not_),),
    "@not_strictly_false": (plain("not_strictly_false", (BOOL,), BOOL, bool),),
    "_==_": (plain("equals", (_A, _A), BOOL, values.equal),),
    "_!=_": (plain("not_equals", (_A, _A), BOOL, lambda one, other: not values.equal(one, other)),),
    "_<_": _relation("less", operator.lt),
    "_<=_": _relation("less_equals", operator.le),
    "_>_": _relation("greater", operator.gt),
    "_>=_": _relation("greater_equals", operator.ge),
    "_+_": (
        *_arithmetic("add", _add, operator.add),
        plain("add_string", (STRING, STRING), STRING, operator.add),
        plain("add_bytes", (BYTES, BYTES), BYTES, operator.add),
        plain("add_list", (_LIST, _LIST), _LIST, values.concatenated),
        plain("add_duration_duration", (DURATION, DURATION), DURATION, lambda a, b: Duration(a.nanos + b.nanos)),
        plain("add_duration_timestamp", (DURATION, TIMESTAMP), TIMESTAMP, lambda a, b: _later(b, a.nanos)),
        plain("add_timestamp_duration", (TIMESTAMP, DURATION), TIMESTAMP, lambda a, b: _later(a, b.nanos)),
    ),
    "_-_": (
        *_arithmetic("subtract", lambda one, other: whole(one - other), operator.sub),
        plain("subtract_duration_duration", (DURATION, DURATION), DURATION, lambda a, b: Duration(a.nanos - b.nanos)),
        plain("subtract_timestamp_duration", (TIMESTAMP, DURATION), TIMESTAMP, lambda a, b: _later(a, -b.nanos)),
        plain(
            "subtract_timestamp_timestamp", (TIMESTAMP, TIMESTAMP), DURATION, lambda a, b: Duration(a.nanos - b.nanos)
        ),
    ),
    "_*_": _arithmetic("multiply", lambda one, other: whole(one * other), _multiply),
    "_/_": _arithmetic("divide", _quotient, _divide),
    "_%_": (
        plain("modulo_int64", (INT, INT), INT, _remainder),
        plain("modulo_uint64", (UINT, UINT), UINT, _natural(_remainder)),
    ),
    "-_": (
        plain("negate_int64", (INT,), INT, lambda one: whole(-one)),
        plain("negate_double", (DOUBLE,), DOUBLE, operator.neg),
    ),
    "_[_]": (
        plain("index_list", (_LIST, INT), _A, _at),
        plain("index_map", (_MAP, _A), _B, _of_key),
        plain("optional_list_index_value", (_OPTIONAL_LIST, INT), _OPTIONAL_A, _within(_optional_at)),
        plain("optional_map_index_value", (_OPTIONAL_MAP, _A), _OPTIONAL_B, _within(_optional_of_key)),
    ),
    "_[?_]": (
        plain("list_optindex_optional_int", (_LIST, INT), _OPTIONAL_A, _optional_at),
        plain("optional_list_optindex_optional_int", (_OPTIONAL_LIST, INT), _OPTIONAL_A, _within(_optional_at)),
        plain("map_optindex_optional_value", (_MAP, _A), _OPTIONAL_B, _optional_of_key),
        plain("optional_map_optindex_optional_value", (_OPTIONAL_MAP, _A), _OPTIONAL_B, _within(_optional_of_key)),
    ),
    "@in": (
        plain("in_list", (_A, _LIST), BOOL, lambda wanted, items: values.contains(items, wanted)),
        plain("in_map", (_A, _MAP), BOOL, _in_map),
    ),
    "size": _sizes(),
    "type": (plain("type", (_A,), types.type_of(_A), _type),),
}
