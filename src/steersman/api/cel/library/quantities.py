"""Quantities: `quantity("500m").add(quantity("1"))`. Source: apiserver's cel/library/quantity.go."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

from steersman.api.cel import types, values
from steersman.api.cel.functions import Functions, member, plain
from steersman.api.cel.types import BOOL, DOUBLE, INT, STRING
from steersman.api.cel.values import EvalError
from steersman.meta import quantities

_QUANTITY = types.opaque("kubernetes.Quantity")


@dataclasses.dataclass(frozen=True, slots=True)
class Quantity:
    TYPE_NAME: ClassVar[str] = "kubernetes.Quantity"

    amount: quantities.Quantity


def parse(text: str) -> Quantity:
    try:
        return Quantity(quantities.parse(text))
    except ValueError as wrong:
        raise EvalError(str(wrong)) from None


def _whole(nanos: int) -> int | None:
    count, rest = divmod(nanos, quantities.NANOS)
    return count if rest == 0 and values.INT_MIN <= count <= values.INT_MAX else None


def _as_integer(one: Quantity) -> int:
    found = _whole(one.amount.nanos)
    if found is None:
        raise EvalError("cannot convert value to integer")
    return found


def _nanos(other: Any) -> int:
    return int(other.amount.nanos) if isinstance(other, Quantity) else int(other) * quantities.NANOS


def _compare(one: Quantity, other: Quantity) -> int:
    return (one.amount > other.amount) - (one.amount < other.amount)


def _combined(sign: int) -> Callable[[Quantity, Any], Quantity]:
    return lambda one, other: Quantity(dataclasses.replace(one.amount, nanos=one.amount.nanos + sign * _nanos(other)))


def _sign(one: Quantity) -> int:
    return (one.amount.nanos > 0) - (one.amount.nanos < 0)


def _of_two(name: str, call: Callable[[Quantity, Any], Any], result: types.Type) -> Any:
    return member(name, (_QUANTITY, _QUANTITY), result, call)


def _arithmetic(name: str, call: Callable[[Quantity, Any], Quantity]) -> Any:
    return (
        _of_two(f"quantity_{name}", call, _QUANTITY),
        member(f"quantity_{name}_int", (_QUANTITY, INT), _QUANTITY, call),
    )


FUNCTIONS: Functions = {
    "quantity": (plain("string_to_quantity", (STRING,), _QUANTITY, parse),),
    "isQuantity": (plain("is_quantity_string", (STRING,), BOOL, quantities.is_quantity),),
    "sign": (member("quantity_sign", (_QUANTITY,), INT, _sign),),
    "isInteger": (member("quantity_is_integer", (_QUANTITY,), BOOL, lambda one: _whole(one.amount.nanos) is not None),),
    "asInteger": (member("quantity_as_integer", (_QUANTITY,), INT, _as_integer),),
    "asApproximateFloat": (
        member("quantity_get_float", (_QUANTITY,), DOUBLE, lambda one: one.amount.nanos / quantities.NANOS),
    ),
    "isGreaterThan": (_of_two("quantity_is_greater_than", lambda one, other: _compare(one, other) > 0, BOOL),),
    "isLessThan": (_of_two("quantity_is_less_than", lambda one, other: _compare(one, other) < 0, BOOL),),
    "compareTo": (_of_two("quantity_compare_to", _compare, INT),),
    "add": _arithmetic("add", _combined(1)),
    "sub": _arithmetic("sub", _combined(-1)),
}
