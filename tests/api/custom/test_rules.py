"""What values a schema allows."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.custom import rules


def errors(schema: Any, value: Any, old: Any = rules.MISSING) -> list[str]:
    found: list[Any] = []
    rules.Rule({"type": "object", "properties": {"a": schema}}).check(
        {"a": value}, old if old is rules.MISSING else {"a": old}, None, found
    )
    return [str(one) for one in found]


FINE: dict[str, tuple[Any, Any]] = {
    "integer without a fraction": ({"type": "integer"}, 1.0),
    "integer as a number": ({"type": "number"}, 1),
    "nullable": ({"type": "string", "nullable": True}, None),
    "one of two": ({"oneOf": [{"required": ["x"]}, {"required": ["y"]}]}, {"x": 1}),
    "date": ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"),
    "unknown format": ({"type": "string", "format": "whatever"}, "x"),
    "number of an enum": ({"type": "number", "enum": [1, 2.5]}, 1.0),
}


@pytest.mark.parametrize(("schema", "value"), FINE.values(), ids=FINE)
def test_fine(schema: Any, value: Any):
    assert errors(schema, value) == []


WRONG: dict[str, tuple[Any, Any, list[str]]] = {
    "null": ({"type": "string"}, None, ['a: Invalid value: "null": a in body must be of type string: "null"']),
    "boolean is no integer": (
        {"type": "integer"}, True,
        ['a: Invalid value: "boolean": a in body must be of type integer: "boolean"'],
    ),
    "true is not 1": ({"enum": [1]}, True, ['a: Unsupported value: true: supported values: "1"']),
    "short": (
        {"type": "string", "minLength": 2}, "x",
        ['a: Invalid value: "x": a in body should be at least 2 chars long'],
    ),
    "long": ({"type": "string", "maxLength": 2}, "xxx", ["a: Too long: may not be more than 2 bytes"]),
    "exclusive": (
        {"type": "number", "minimum": 1, "exclusiveMinimum": True}, 1,
        ["a: Invalid value: 1: a in body should be greater than 1"],
    ),
    "multiple": ({"type": "integer", "multipleOf": 5}, 7, ["a: Invalid value: 7: a in body should be a multiple of 5"]),
    "many": ({"type": "array", "maxItems": 1, "items": {}}, [1, 2], ["a: Too many: 2: must have at most 1 items"]),
    "few properties": (
        {"type": "object", "minProperties": 1}, {},
        ["a: Invalid value: {}: a in body should have at least 1 properties"],
    ),
    "set": (
        {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}, ["x", "x"],
        ['a[1]: Duplicate value: "x"'],
    ),
    "format": (
        {"type": "string", "format": "ipv4"}, "x",
        ['a: Invalid value: "x": a in body must be of type ipv4: "x"'],
    ),
    "none of two": (
        {"oneOf": [{"required": ["x"]}, {"required": ["y"]}]}, {},
        ['<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found none valid', "a.x: Required value"],
    ),
    "both of two": (
        {"oneOf": [{"required": ["x"]}, {"required": ["y"]}]}, {"x": 1, "y": 1},
        ['<nil>: Invalid value: "": "a" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ),
    "not": (
        {"not": {"required": ["x"]}}, {"x": 1},
        ['<nil>: Invalid value: "": "a" must not validate the schema (not)'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "value", "expect"), WRONG.values(), ids=WRONG)
def test_wrong(schema: Any, value: Any, expect: list[str]):
    assert errors(schema, value) == expect


def test_what_has_not_changed_is_not_checked_again():
    schema = {
        "type": "object",
        "properties": {"x": {"type": "string", "maxLength": 1}, "y": {"type": "string", "maxLength": 1}},
    }
    assert errors(schema, {"x": "long", "y": "a"}, {"x": "long", "y": "b"}) == []
    assert errors(schema, {"x": "long", "y": "longer"}, {"x": "long", "y": "b"}) == [
        "a.y: Too long: may not be more than 1 bytes"
    ]


def test_items_of_a_list_with_keys_are_compared_by_them():
    items = {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer", "maximum": 1}}}
    schema = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": items}
    old = [{"k": "a", "v": 5}]
    assert errors(schema, [{"k": "b", "v": 1}, {"k": "a", "v": 5}], old) == []
    assert errors(schema, [{"k": "b", "v": 5}, {"k": "a", "v": 5}], old) != []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_any_value_is_judged_and_only_its_own_type_is_right(value: Any):
    kind = rules.json_type(value)
    for declared in ("object", "array", "string", "boolean", "integer", "number"):
        is_right = not errors({"type": declared}, value)
        if kind == declared:
            assert is_right
        elif "null" in (kind,) or {kind, declared} != {"integer", "number"}:
            assert not is_right
