"""`math.greatest`, rounding, signs and bits. Source: cel-go's ext/math.go."""

import functools
import math
from collections.abc import Callable
from typing import Any

from steersman.api.cel import operators, types, values
from steersman.api.cel.functions import Functions, Overload, plain
from steersman.api.cel.types import BOOL, DOUBLE, DYN, INT, UINT
from steersman.api.cel.values import EvalError, Uint

_NUMBERS = (("int", INT), ("uint", UINT), ("double", DOUBLE))
_ARGUMENTS_MAX = 8  # more are written as a list


def _extreme(wanted: int) -> Callable[..., Any]:
    def find(*numbers: Any) -> Any:
        items = numbers[0] if len(numbers) == 1 and isinstance(numbers[0], list) else numbers
        if not items:
            raise EvalError(
                "math.@min(list) argument must not be empty"
                if wanted < 0
                else "math.@max(list) argument must not be empty"
            )
        if any(item.__class__ not in values.NUMBERS for item in items):
            raise values.no_overload()
        return functools.reduce(lambda one, other: other if values.compare(other, one) == wanted else one, items)

    return find


def _extremes(name: str, wanted: int) -> tuple[Overload, ...]:
    call = _extreme(wanted)
    found = [plain(f"math_@{name}_{kind}", (one,), one, call) for kind, one in _NUMBERS]
    found += [plain(f"math_@{name}_{kind}_{kind}", (one, one), one, call) for kind, one in _NUMBERS]
    found += [
        plain(f"math_@{name}_{left}_{right}", (one, other), DYN, call)
        for left, one in _NUMBERS
        for right, other in _NUMBERS
        if left != right
    ]
    found += [plain(f"math_@{name}_list_{kind}", (types.list_of(one),), one, call) for kind, one in _NUMBERS]
    found += [plain(f"math_@{name}_{count}", (DYN,) * count, DYN, call) for count in range(3, _ARGUMENTS_MAX + 1)]
    return tuple(found)


def _of_double(name: str, call: Callable[[float], Any], result: types.Type = DOUBLE) -> tuple[Overload, ...]:
    return (plain(f"math_{name}_double", (DOUBLE,), result, call),)


def _finite(call: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: float(call(value)) if math.isfinite(value) else value


def _round(value: float) -> float:
    """Halves away from zero."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _sign(value: Any) -> Any:
    if value != value:
        return value
    return value.__class__((value > 0) - (value < 0))


def _shift(*, left: bool, bits: int = 64) -> Callable[[Any, int], Any]:
    def shift(value: Any, count: int) -> Any:
        if count < 0:
            raise EvalError(f"math.bitShift{'Left' if left else 'Right'}() negative offset: {count}")
        pattern = int(value) & (1 << bits) - 1
        moved = 0 if count >= bits else (pattern << count if left else pattern >> count) & (1 << bits) - 1
        return Uint(moved) if value.__class__ is Uint else _signed(moved)

    return shift


def _signed(pattern: int) -> int:
    return pattern - (1 << 64) if pattern >> 63 else pattern


def _bits(name: str, compute: Callable[[int, int], int]) -> tuple[Overload, ...]:
    return (
        plain(f"math_{name}_int_int", (INT, INT), INT, compute),
        plain(f"math_{name}_uint_uint", (UINT, UINT), UINT, lambda one, other: Uint(compute(int(one), int(other)))),
    )


def _abs(value: Any) -> Any:
    return operators.whole(abs(value)) if value.__class__ is int else value.__class__(abs(value))


def _square_root(value: Any) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


_LEFT, _RIGHT = _shift(left=True), _shift(left=False)

FUNCTIONS: Functions = {
    "math.greatest": _extremes("max", 1),
    "math.least": _extremes("min", -1),
    "math.ceil": _of_double("ceil", _finite(math.ceil)),
    "math.floor": _of_double("floor", _finite(math.floor)),
    "math.round": _of_double("round", _finite(_round)),
    "math.trunc": _of_double("trunc", _finite(math.trunc)),
    "math.isInf": _of_double("isInf", math.isinf, BOOL),
    "math.isNaN": _of_double("isNaN", math.isnan, BOOL),
    "math.isFinite": _of_double("isFinite", math.isfinite, BOOL),
    "math.abs": tuple(plain(f"math_abs_{kind}", (one,), one, _abs) for kind, one in _NUMBERS),
    "math.sign": tuple(plain(f"math_sign_{kind}", (one,), one, _sign) for kind, one in _NUMBERS),
    "math.sqrt": tuple(plain(f"math_sqrt_{kind}", (one,), DOUBLE, _square_root) for kind, one in _NUMBERS),
    "math.bitAnd": _bits("bitAnd", lambda one, other: one & other),
    "math.bitOr": _bits("bitOr", lambda one, other: one | other),
    "math.bitXor": _bits("bitXor", lambda one, other: one ^ other),
    "math.bitNot": (
        plain("math_bitNot_int_int", (INT,), INT, lambda one: ~one),
        plain("math_bitNot_uint_uint", (UINT,), UINT, lambda one: Uint(~int(one) & (1 << 64) - 1)),
    ),
    "math.bitShiftLeft": (
        plain("math_bitShiftLeft_int_int", (INT, INT), INT, _LEFT),
        plain("math_bitShiftLeft_uint_int", (UINT, INT), UINT, _LEFT),
    ),
    "math.bitShiftRight": (
        plain("math_bitShiftRight_int_int", (INT, INT), INT, _RIGHT),
        plain("math_bitShiftRight_uint_int", (UINT, INT), UINT, _RIGHT),
    ),
}
