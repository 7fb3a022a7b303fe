"""Pruning and defaults."""

from typing import Any

import pytest

from steersman.api.custom import structure

TEXT = {"type": "string"}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def check(schema: Any, given: Any, expect: Any, unknown: tuple[str, ...] = ()) -> None:
    found: list[str] = []
    result = structure.coerce(structure.Node(obj(spec=schema), is_root=True), {"kind": "A", "spec": given}, found)
    assert result == ({"kind": "A", "spec": expect} if expect is not ... else {"kind": "A"})
    assert found == [f'unknown field "{one}"' for one in unknown]


CASES: dict[str, Any] = {
    "known": (obj(a=TEXT), {"a": "x"}, {"a": "x"}),
    "unknown": (obj(a=TEXT), {"a": "x", "b": 1}, {"a": "x"}, ("spec.b",)),
    "unknown in a list": (
        obj(a={"type": "array", "items": obj(b=TEXT)}), {"a": [{"c": 1}]}, {"a": [{}]}, ("spec.a[0].c",),
    ),
    "map": ({"type": "object", "additionalProperties": obj(a=TEXT)}, {"k": {"a": "x", "b": 1}}, {"k": {"a": "x"}}, ("spec.k.b",)),
    "map of anything prunes inside": ({"type": "object", "additionalProperties": True}, {"k": {"a": 1}}, {"k": {}}, ("spec.k.a",)),
    "preserved": (
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 1}]}},
    ),
    "preserved around known": (
        {**obj(a=obj(b=TEXT)), "x-kubernetes-preserve-unknown-fields": True},
        {"a": {"x": 1}, "y": {"z": 1}}, {"a": {}, "y": {"z": 1}}, ("spec.a.x",),
    ),
    "embedded": (
        {**obj(spec=obj(a=TEXT)), "x-kubernetes-embedded-resource": True},
        {"apiVersion": "v1", "kind": "B", "metadata": {"name": "n", "foo": 1}, "other": 1},
        {"apiVersion": "v1", "kind": "B", "metadata": {"name": "n"}}, ("spec.metadata.foo", "spec.other"),
    ),
    "default": (obj(a={**TEXT, "default": "x"}), {}, {"a": "x"}),
    "default of a null": (obj(a={**TEXT, "default": "x"}), {"a": None}, {"a": "x"}),
    "nullable keeps its null": (obj(a={**TEXT, "default": "x", "nullable": True}), {"a": None}, {"a": None}),
    "null goes": (obj(a=TEXT), {"a": None}, {}),
    "default within a default": (obj(a={**obj(b={**TEXT, "default": "y"}), "default": {}}), {}, {"a": {"b": "y"}}),
    "no default without a parent": (obj(a=obj(b={**TEXT, "default": "y"})), {}, {}),
    "default in items": (
        obj(a={"type": "array", "items": obj(b={**TEXT, "default": "y"})}), {"a": [{}]}, {"a": [{"b": "y"}]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_coerce(case: Any):
    check(*case)


def test_defaults_are_not_shared():
    node = structure.Node(obj(a={"type": "array", "items": TEXT, "default": ["x"]}), is_root=True)
    first = structure.coerce(node, {}, [])
    first["a"].append("y")
    assert structure.coerce(node, {}, []) == {"a": ["x"]}
