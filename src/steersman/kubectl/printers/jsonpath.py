"""Walk a JSONPath template over an object: groups of values, one group for each part of the template.

Source of the rules and of the errors' words: client-go's util/jsonpath.
"""

from collections.abc import Callable, Mapping
from typing import Any

from steersman.kubectl.printers import go_values, jsonpath_parser
from steersman.kubectl.printers.go_template import functions
from steersman.kubectl.printers.jsonpath_parser import (
    Array,
    Constant,
    Field,
    Filter,
    Identifier,
    Listing,
    Node,
    ParseError,
    Recursive,
    Text,
    Union,
    Wildcard,
)

__all__ = ["JsonPath", "JsonPathError", "ParseError"]

Groups = list[list[Any]]


class JsonPathError(Exception):
    """The path cannot be followed in this object."""


class JsonPath:
    def __init__(self, text: str, *, allow_missing_keys: bool = False) -> None:
        """Raises ParseError."""
        self._root = jsonpath_parser.parse(text)
        self._allow_missing_keys = allow_missing_keys

    def find(self, obj: Any) -> Groups:
        """Raises JsonPathError."""
        return _Run(self._root.nodes, self._allow_missing_keys).find(obj)

    def first(self, obj: Any) -> list[Any]:
        """The values of the first group."""
        groups = self.find(obj)
        return groups[0] if groups else []


class _Run:
    """One walk. A `range` walks what follows it once per value, and goes on behind the `end` that the walk came to."""

    def __init__(self, nodes: list[Node], allow_missing: bool) -> None:
        self._nodes = nodes
        self._allow_missing = allow_missing
        self._starts = 0
        self._inside = 0
        self._ends = 0
        self._last_end = -1

    def find(self, obj: Any, start: int = 0) -> Groups:
        groups: Groups = []
        at = start
        while at < len(self._nodes):
            found = self._walk([obj], self._nodes[at])
            if self._ends > 0 and self._ends <= self._inside:
                self._ends -= 1
                self._last_end = at
                break
            if self._starts > 0:
                self._starts -= 1
                self._inside += 1
                if found:
                    for value in found:
                        groups += self.find(value, at + 1)
                else:
                    self.find(None, at + 1)
                self._inside -= 1
                at = self._last_end if self._last_end > at else at
            else:
                groups.append(found)
            at += 1
        return groups

    def _walk(self, values: list[Any], node: Node) -> list[Any]:
        match node:
            case Listing():
                for one in node.nodes:
                    values = self._walk(values, one)
                return values
            case Text():
                return [node.text]
            case Constant():
                return [node.value for _ in values]
            case Identifier():
                return self._identifier(values, node)
            case Field():
                return self._field(values, node)
            case Array():
                return [item for value in values if value is not None for item in _slice(value, node)]
            case Wildcard():
                return [item for value in values for item in _children(value)]
            case Recursive():
                return _descend(values)
            case Union():
                return [item for part in node.parts for item in self._walk(values, part)]
            case Filter():
                return [item for value in values for item in self._filtered(value, node)]

    def _identifier(self, values: list[Any], node: Identifier) -> list[Any]:
        if node.name == "range":
            self._starts += 1
            return values
        if node.name != "end":
            raise JsonPathError(f"unrecognized identifier {node.name}")
        if not self._inside:
            raise JsonPathError("not in range, nothing to end")
        self._ends += 1
        return []

    def _field(self, values: list[Any], node: Field) -> list[Any]:
        if not values:
            return []
        found = [value[node.name] for value in values if isinstance(value, Mapping) and node.name in value]
        if not found and not self._allow_missing:
            raise JsonPathError(f"{node.name} is not found")
        return found

    def _filtered(self, value: Any, node: Filter) -> list[Any]:
        if not isinstance(value, list):
            raise JsonPathError(f"{go_values.show(value)} is not array or slice and cannot be filtered")
        return [item for item in value if self._passes(item, node)]

    def _passes(self, item: Any, node: Filter) -> bool:
        if node.operator == "exists":
            try:
                return bool(self._walk([item], node.left))
            except JsonPathError:
                return False
        sides = self._side(item, node.left), self._side(item, node.right)
        if not all(sides):
            return False
        (left,), (right,) = sides
        if node.operator not in _COMPARISONS:
            raise JsonPathError(f"unrecognized filter operator {node.operator}")
        if not (_comparable(left) and _comparable(right)):
            raise JsonPathError("invalid type for comparison")
        try:
            return bool(_COMPARISONS[node.operator](left, right))
        except functions.CallError as wrong:
            raise JsonPathError(str(wrong)) from None

    def _side(self, item: Any, side: Listing) -> list[Any]:
        """One value, or none: what is missing passes no comparison."""
        found = self._walk([item], side)
        if len(found) > 1:
            raise JsonPathError("can only compare one element at a time")
        return found


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": functions.less,
    "<=": functions.less_or_equal,
    ">": functions.greater,
    ">=": functions.greater_or_equal,
    "==": functions.equal,
    "!=": functions.not_equal,
}


def _comparable(value: Any) -> bool:
    return isinstance(value, str | bool | int | float)


def _slice(value: Any, node: Array) -> list[Any]:
    if not isinstance(value, list):
        raise JsonPathError(f"{go_values.type_name(value)} is not array or slice")
    length = len(value)
    start, end = node.start or 0, length if node.end is None else node.end
    if start < 0:
        start += length
    if end < 0 or (end == 0 and node.end_is_derived):
        end += length
    if start == end:
        return []
    if not 0 <= start < length:
        raise JsonPathError(f"array index out of bounds: index {start}, length {length}")
    if not 0 <= end <= length:
        raise JsonPathError(f"array index out of bounds: index {end - 1}, length {length}")
    if start > end:
        raise JsonPathError(f"starting index {start} is greater than ending index {end}")
    if node.step is not None and node.step <= 0:
        raise JsonPathError("step must be > 0")
    return value[start : end : node.step or 1]


def _children(value: Any) -> list[Any]:
    match value:
        case Mapping():
            return [value[key] for key in sorted(value)]
        case list():
            return value
        case str():
            return [go_values.Byte(one) for one in value.encode()]
    return []


def _descend(values: list[Any]) -> list[Any]:
    """Everything that has something inside, outermost first."""
    found: list[Any] = []
    for value in values:
        children = _children(value)
        if children:
            found.append(value)
            found += _descend(children)
    return found
