"""Lists as sets. Source: cel-go's ext/sets.go."""

from typing import Any

from steersman.api.cel import types, values
from steersman.api.cel.functions import Functions, plain
from steersman.api.cel.types import BOOL

_LIST = types.list_of(types.parameter("T"))


def _contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(values.contains(items, item) for item in wanted)


def _equivalent(one: list[Any], other: list[Any]) -> bool:
    return _contains(one, other) and _contains(other, one)


def _intersects(one: list[Any], other: list[Any]) -> bool:
    return any(values.contains(other, item) for item in one)


FUNCTIONS: Functions = {
    "sets.contains": (plain("list_sets_contains_list", (_LIST, _LIST), BOOL, _contains),),
    "sets.equivalent": (plain("list_sets_equivalent_list", (_LIST, _LIST), BOOL, _equivalent),),
    "sets.intersects": (plain("list_sets_intersects_list", (_LIST, _LIST), BOOL, _intersects),),
}
