"""What calls cost when they run, in upstream's units: a look-up is 1, a string is read at ten characters for 1.

Only costs that depend on values stand here; every other call costs 1. Sources: cel-go's interpreter/runtimecost.go and
common/cost.go, apiserver's cel/library/cost.go.
"""

from collections.abc import Callable
from typing import Any

from steersman.api.cel import values
from steersman.api.cel.values import size

TRAVERSAL, REGEX = 0.1, 0.25  # per character of a text, of a pattern
LIST_BASE, MAP_BASE, MESSAGE_BASE = 10, 30, 40

Cost = Callable[..., int]  # of the arguments, target first


def read(length: int) -> int:
    """Of reading so many characters."""
    return (length + 9) // 10


def pattern(length: int) -> int:
    return (length + 3) // 4


def _first(*args: Any) -> int:
    return read(size(args[0]))


def _first_twice(*args: Any) -> int:
    return read(2 * size(args[0]))


def _both(one: Any, other: Any) -> int:
    return read(size(one) + size(other))


def _smaller(one: Any, other: Any) -> int:
    return read(min(size(one), size(other)))


def _searched(text: Any, expression: Any, *rest: Any) -> int:
    return read(size(text) + 1) * pattern(size(expression))


def _contained(text: Any, part: Any) -> int:
    return read(size(text)) * read(size(part))


def _traversed(*args: Any) -> int:
    return sum(leaf_cost(leaf) for leaf in values.walk(args[0]))


def leaf_cost(leaf: Any) -> int:
    return len(leaf) // 10 if isinstance(leaf, str | bytes) else 1


def _product(one: Any, other: Any) -> int:
    """Sets are compared item by item."""
    return 1 + size(one) * size(other)


def _items(*args: Any) -> int:
    return size(args[0])


def _joined(items: Any, separator: str = "") -> int:
    return read(2 * (sum(map(size, items)) + max(len(items) - 1, 0) * len(separator)))


def _contains_ip(cidr: Any, other: Any) -> int:
    return read(2 * 16) + (read(size(other)) if isinstance(other, str) else 0)


def _contains_cidr(cidr: Any, other: Any) -> int:
    return _contains_ip(cidr, other) + read(16) + 1


AUTHORIZATION_CHECK = 350_000
"""Of one question to the authorizer: allows for two in an expression."""

# By overload, and by function where all overloads cost the same.
_OF_OVERLOAD: dict[str, Cost] = {
    "starts_with_string": _first,
    "ends_with_string": _first,
    "string_to_bytes": _first,
    "bytes_to_string": _first,
    "in_list": lambda wanted, items: size(items),
    "equals": _smaller,
    "not_equals": _smaller,
    "add_string": _both,
    "add_bytes": _both,
    "contains_string": _contained,
    "string_to_ip": _first,
}
_OF_OVERLOAD.update(
    {
        f"{name}_{kind}": _smaller
        for name in ("less", "less_equals", "greater", "greater_equals")
        for kind in ("string", "bytes")
    }
)
_OF_FUNCTION: dict[str, Cost] = {
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _traversed),
    **dict.fromkeys(("url", "isURL", "lowerAscii", "upperAscii", "substring", "trim", "format"), _first),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _first),
    **dict.fromkeys(("reverse", "strings.quote", "validate", "charAt"), _first),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _first_twice),
    **dict.fromkeys(("matches", "find", "findAll"), _searched),
    **dict.fromkeys(("sets.contains", "sets.intersects", "sets.equivalent"), _product),
    **dict.fromkeys(("flatten", "distinct", "sort", "sortByAssociatedKeys", "slice"), _items),
    "join": _joined,
    "containsIP": _contains_ip,
    "containsCIDR": _contains_cidr,
    "lists.range": lambda count: max(int(count), 0),
    "check": lambda *args: AUTHORIZATION_CHECK,
}


def of(function: str, overload: str) -> Cost | None:
    """None for a call that always costs 1."""
    return _OF_OVERLOAD.get(overload) or _OF_FUNCTION.get(function)
