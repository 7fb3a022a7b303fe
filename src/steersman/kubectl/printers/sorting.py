"""`--sort-by`: objects in the order of what a JSONPath finds in them. Source: kubectl's cmd/get/sorter.go."""

from collections.abc import Sequence
from typing import Any, TypeVar

from steersman.kubectl import go_sort
from steersman.kubectl.printers import go_values, relaxed_path
from steersman.kubectl.printers.jsonpath import JsonPath, JsonPathError, ParseError
from steersman.meta import quantities

T = TypeVar("T")

_MISSING = object()


class SortError(Exception):
    """What follows `error: `."""


class Unsortable(SortError):
    """Values that have no order: booleans, lists, or different kinds of values."""


def sort(items: Sequence[T], objects: Sequence[Any], field: str, *, strict: bool = True) -> list[T]:
    """`items` (rows of a table, or the objects themselves) by what `field` finds in the object of each.

    What has no such field comes first. `strict`: text that is no relaxed path is an error (a table takes it as it is).
    Raises SortError.
    """
    values = _values(objects, field, strict)
    return [items[at] for at in go_sort.sort(range(len(items)), lambda a, b: _is_before(values[a], values[b]))]


def _values(objects: Sequence[Any], field: str, strict: bool) -> list[Any]:
    try:
        field = relaxed_path.relaxed(field)
    except relaxed_path.PathError as wrong:
        if strict:
            raise SortError(str(wrong)) from None
    try:
        path = JsonPath(field, allow_missing_keys=True)
    except ParseError as wrong:
        raise SortError(str(wrong) if strict else f"sorting error: {wrong}") from None
    try:
        found = [path.first(obj) for obj in objects]
    except JsonPathError as wrong:
        raise SortError(str(wrong)) from None
    if objects and not any(found):
        raise SortError(f"couldn't find any field with path {go_values.quote(field)} in the list of objects")
    return [values[0] if values else _MISSING for values in found]


def _is_before(left: Any, right: Any) -> bool:
    """What is missing is before everything, what is missing too included: upstream's own way."""
    if left is _MISSING or right is _MISSING:
        return left is _MISSING
    if left is None or right is None:
        return left is None and right is not None
    if isinstance(left, str) and isinstance(right, str):
        return _is_text_less(left, right)
    if isinstance(left, dict | list | bool):
        raise Unsortable(f"unsortable type: {go_values.type_name(left)}")
    if type(left) is not type(right):
        raise Unsortable("unsortable interface: interface")
    return bool(left < right)


def _is_text_less(left: str, right: str) -> bool:
    if quantities.is_quantity(left) and quantities.is_quantity(right):
        return quantities.compare(left, right) < 0
    return left.encode() < right.encode()
