"""What single calls may cost at worst, and how large what they yield may be.

Source: cel-go's checker/cost.go (functionCost); apiserver's cel/library/cost.go.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from steersman.api.cel import costs, types
from steersman.api.cel.functions import Overload
from steersman.api.cel.syntax import Literal, Node
from steersman.api.cel.types import Type

UNBOUNDED = 2**64 - 1


class Range(NamedTuple):
    """Of a size or a cost. Sums and products stop at UNBOUNDED."""

    low: int
    high: int

    def plus(self, other: "Range") -> "Range":
        return Range(min(self.low + other.low, UNBOUNDED), min(self.high + other.high, UNBOUNDED))

    def times(self, other: "Range") -> "Range":
        return Range(min(self.low * other.low, UNBOUNDED), min(self.high * other.high, UNBOUNDED))

    def by(self, factor: float) -> "Range":
        return Range(_scaled(self.low, factor), _scaled(self.high, factor))

    def union(self, other: "Range") -> "Range":
        return Range(min(self.low, other.low), max(self.high, other.high))


def _scaled(amount: int, factor: float) -> int:
    found = float(amount) * factor
    return UNBOUNDED if found >= 2.0**64 else math.ceil(found)


def fixed(amount: int) -> Range:
    return Range(amount, amount)


ANY_SIZE = Range(0, UNBOUNDED)
ONE = fixed(1)
_READ = costs.TRAVERSAL


class Operand(NamedTuple):
    """An argument as the estimate of a call sees it. `element` is the size of a list's items, if it is a list."""

    node: Node
    type: Type
    size: Range
    element: Range | None


class Estimated(NamedTuple):
    cost: Range
    size: Range | None = None


_Estimator = Callable[[Operand | None, list[Operand]], Estimated | None]


def estimated(function: str, overload: Overload, target: Operand | None, args: list[Operand]) -> Estimated:
    for table, name in ((_OF_FUNCTION, function), (_OF_OVERLOAD, overload.id)):
        estimator = table.get(name)
        found = estimator(target, args) if estimator else None
        if found is not None:
            return found
    return Estimated(ONE)


def _traversed(target: Operand | None, args: list[Operand]) -> Estimated | None:
    if target is None:
        return None
    if target.element is None:
        return Estimated(target.size.by(_READ))
    item = ONE
    if target.type.params[0].kind in ("string", "bytes"):
        item = item.plus(target.element.by(_READ))
    return Estimated(target.size.times(item))


def _reads_target(target: Operand | None, args: list[Operand]) -> Estimated | None:
    return Estimated(target.size.by(_READ), target.size) if target else None


def _reads_first(target: Operand | None, args: list[Operand]) -> Estimated | None:
    return Estimated(args[0].size.by(_READ)) if len(args) == 1 else None


def _replaced(target: Operand | None, args: list[Operand]) -> Estimated | None:
    if target is None or len(args) < 2:
        return None
    size, old, new = target.size, args[0].size, args[1].size
    if old.low == 0:
        most, kept_most = min(size.high + 1, UNBOUNDED), size.high
    elif new.high <= old.low:
        most, kept_most = 0, size.high
    else:
        most, kept_most = math.ceil(size.high / old.low), 0
    if old.high == 0:
        least, kept_least = min(size.low + 1, UNBOUNDED), size.low
    elif old.high <= new.low:
        least, kept_least = 0, size.low
    else:
        least, kept_least = math.ceil(size.low / old.high), 0
    result = Range(least, most).times(new).plus(Range(kept_least, kept_most))
    return Estimated(size.by(2 * _READ), result)


def _split(target: Operand | None, args: list[Operand]) -> Estimated | None:
    if target is None:
        return None
    most: Any = target.size.high
    if len(args) > 1 and isinstance(args[1].node, Literal):
        most = max(args[1].node.value, 0)
    return Estimated(target.size.by(2 * _READ), Range(0, most))


def _joined(target: Operand | None, args: list[Operand]) -> Estimated | None:
    if target is None:
        return None
    size = target.size.times(target.element or ANY_SIZE)
    if args:
        between = Range(max(target.size.low - 1, 0), max(target.size.high - 1, 0))
        size = size.plus(args[0].size.times(between))
    return Estimated(size.by(_READ), size)


def _searched(text: Operand, pattern: Operand) -> Range:
    return text.size.plus(ONE).by(_READ).times(pattern.size.by(costs.REGEX))


def _found(target: Operand | None, args: list[Operand]) -> Estimated | None:
    if target is None or not args:
        return None
    return Estimated(_searched(target, args[0]), Range(0, target.size.high))


def _matched(target: Operand | None, args: list[Operand]) -> Estimated | None:
    text, pattern = (args[0], args[1]) if target is None else (target, args[0])
    return Estimated(_searched(text, pattern))


def _contained(target: Operand | None, args: list[Operand]) -> Estimated | None:
    return Estimated(target.size.by(_READ).times(args[0].size.by(_READ))) if target else None


def _compared(target: Operand | None, args: list[Operand]) -> Estimated:
    """Addresses, quantities and such have no size: their comparison is one step."""
    if all(arg.type.kind == "opaque" and not types.is_optional(arg.type) for arg in args):
        return Estimated(ONE)
    high = min(args[0].size.high, args[1].size.high)
    return Estimated(Range(min(high, 1), high).by(_READ))


def _added(target: Operand | None, args: list[Operand]) -> Estimated:
    size = args[0].size.plus(args[1].size)
    return Estimated(size.by(_READ), size)


def _added_list(target: Operand | None, args: list[Operand]) -> Estimated:
    return Estimated(ONE, args[0].size.plus(args[1].size))


def _formatted(target: Operand | None, args: list[Operand]) -> Estimated | None:
    return Estimated(target.size.by(_READ), None) if target else None


def _to_bytes(target: Operand | None, args: list[Operand]) -> Estimated:
    size = args[0].size
    return Estimated(size.by(_READ), Range(size.low, min(size.high * 4, UNBOUNDED)))


def _to_text(target: Operand | None, args: list[Operand]) -> Estimated:
    size = args[0].size
    return Estimated(size.by(_READ), Range(size.low // 4, size.high))


def _quoted(target: Operand | None, args: list[Operand]) -> Estimated:
    size = args[0].size
    return Estimated(size.by(_READ), Range(size.low + 2, min(size.high * 2 + 2, UNBOUNDED)))


def _product(target: Operand | None, args: list[Operand]) -> Estimated:
    return Estimated(args[0].size.times(args[1].size).plus(ONE))


def _always(amount: int) -> _Estimator:
    return lambda target, args: Estimated(fixed(amount))


_ADDRESS = Range(4, 16)


def _contains_ip(target: Operand | None, args: list[Operand]) -> Estimated | None:
    if target is None or not args:
        return None
    total = _ADDRESS.plus(_ADDRESS).by(_READ)
    if args[0].type.kind == "string":
        total = total.plus(args[0].size.by(_READ))
    return Estimated(total)


def _contains_cidr(target: Operand | None, args: list[Operand]) -> Estimated | None:
    found = _contains_ip(target, args)
    return found and Estimated(found.cost.plus(_ADDRESS.by(_READ)).plus(ONE))


_OF_FUNCTION: dict[str, _Estimator] = {
    "check": _always(costs.AUTHORIZATION_CHECK),
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _traversed),
    "url": _reads_first,
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), _reads_target),
    "replace": _replaced,
    "split": _split,
    "join": _joined,
    **dict.fromkeys(("find", "findAll"), _found),
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "matches": _matched,
    "format": _formatted,
    **dict.fromkeys(("sets.contains", "sets.intersects", "sets.equivalent"), _product),
}
_OF_OVERLOAD: dict[str, _Estimator] = {
    "string_to_bytes": _to_bytes,
    "bytes_to_string": _to_text,
    "strings_quote": _quoted,
    "starts_with_string": lambda target, args: Estimated(args[0].size.by(_READ)),
    "ends_with_string": lambda target, args: Estimated(args[0].size.by(_READ)),
    "in_list": lambda target, args: Estimated(args[1].size),
    "contains_string": _contained,
    **dict.fromkeys(("add_string", "add_bytes"), _added),
    "add_list": _added_list,
    **dict.fromkeys(("equals", "not_equals"), _compared),
    **{
        f"{name}_{kind}": _compared
        for name in ("less", "less_equals", "greater", "greater_equals")
        for kind in ("string", "bytes")
    },
}
