"""What values own by their types, on real kinds and on a schema of every sort."""

from typing import Any

import pytest

from steersman.api import kinds, schema
from steersman.api.managed_fields import compiling, sets, types
from steersman.meta.objects import Object
from tests.api.managed_fields.widgets import WIDGET

POD = compiling.of_kind(kinds.POD)


def spec(**fields: Any) -> Object:
    return {"spec": fields}


def owned(**fields: Any) -> Object:
    return {"f:spec": fields}


FIELDS: dict[str, Any] = {
    "scalars": (spec(number=1, text="x"), {"f:spec": {"f:number": {}, "f:text": {}}}),
    "map entries": (spec(labels={"a": "b"}), {"f:spec": {"f:labels": {"f:a": {}}}}),
    "an empty map": (spec(labels={}), {"f:spec": {"f:labels": {}}}),
    "a null": (spec(text=None), {"f:spec": {"f:text": {}}}),
    "an atomic map": (spec(selector={"a": "b"}), {"f:spec": {"f:selector": {}}}),
    "an atomic list": (spec(list=["a"]), {"f:spec": {"f:list": {}}}),
    "a set": (spec(tags=["a", "b"]), {"f:spec": {"f:tags": {'v:"a"': {}, 'v:"b"': {}}}}),
    "a keyed list, key by default": (
        spec(rules=[{"name": "a", "value": 1}]),
        {"f:spec": {"f:rules": {'k:{"kind":"plain","name":"a"}': {".": {}, "f:name": {}, "f:value": {}}}}},
    ),
    "the same key twice": (
        spec(rules=[{"name": "a", "value": 1}, {"name": "a", "value": 2}]),
        {"f:spec": {"f:rules": {'k:{"kind":"plain","name":"a"}': {}}}},
    ),
    "an empty keyed list": (spec(rules=[]), None),
    "no schema": (
        spec(free={"a": {"b": [1]}, "c": {}}),
        {"f:spec": {"f:free": {"f:a": {".": {}, "f:b": {}}, "f:c": {}}}},
    ),
}


@pytest.mark.parametrize("case", FIELDS.values(), ids=FIELDS)
def test_fields(case: Any):
    assert WIDGET.root.fields(case[0]) == case[1]


COMPARED: dict[str, Any] = {
    "changed": (spec(number=1), spec(number=2), {"f:number": {}}, None),
    "added": (spec(number=1), spec(number=1, text="x"), {"f:text": {}}, None),
    "removed": (spec(number=1, text="x"), spec(number=1), None, {"f:text": {}}),
    "a container that came": (spec(), spec(labels={"a": "b"}), {"f:labels": {".": {}, "f:a": {}}}, None),
    "a container that went": (spec(labels={"a": "b"}), spec(), None, {"f:labels": {".": {}, "f:a": {}}}),
    "an entry": (spec(labels={"a": "b"}), spec(labels={"a": "c"}), {"f:labels": {"f:a": {}}}, None),
    "inside an atomic map": (spec(selector={"a": "b"}), spec(selector={"a": "c"}), {"f:selector": {}}, None),
    "the order of an atomic list": (spec(list=["a", "b"]), spec(list=["b", "a"]), {"f:list": {}}, None),
    "the order of a set": (spec(tags=["a", "b"]), spec(tags=["b", "a"]), None, None),
    "an item of a set": (spec(tags=["a"]), spec(tags=["b"]), {"f:tags": {'v:"b"': {}}}, {"f:tags": {'v:"a"': {}}}),
    "inside an item": (
        spec(rules=[{"name": "a", "value": 1}]),
        spec(rules=[{"name": "a", "value": 2}]),
        {"f:rules": {'k:{"kind":"plain","name":"a"}': {"f:value": {}}}},
        None,
    ),
    "an item doubled": (
        spec(rules=[{"name": "a"}]),
        spec(rules=[{"name": "a"}, {"name": "a"}]),
        {"f:rules": {'k:{"kind":"plain","name":"a"}': {}}},
        {"f:rules": {'k:{"kind":"plain","name":"a"}': {".": {}, "f:name": {}}}},
    ),
    "an item single again": (
        spec(rules=[{"name": "a"}, {"name": "a"}]),
        spec(rules=[{"name": "a"}]),
        {"f:rules": {'k:{"kind":"plain","name":"a"}': {".": {}, "f:name": {}}}},
        {"f:rules": {'k:{"kind":"plain","name":"a"}': {}}},
    ),
    "doubles changed": (
        spec(rules=[{"name": "a", "value": 1}, {"name": "a", "value": 2}]),
        spec(rules=[{"name": "a", "value": 1}, {"name": "a", "value": 3}]),
        {"f:rules": {'k:{"kind":"plain","name":"a"}': {}}},
        None,
    ),
    "a map without schema became a number": (
        spec(free={"a": {"b": 1}}),
        spec(free={"a": 1}),
        {"f:free": {"f:a": {}}},
        {"f:free": {"f:a": {"f:b": {}}}},
    ),
    "a number without schema became a map": (
        spec(free={"a": 1}),
        spec(free={"a": {"b": 1}}),
        {"f:free": {"f:a": {".": {}, "f:b": {}}}},
        None,
    ),
}


@pytest.mark.parametrize("case", COMPARED.values(), ids=COMPARED)
def test_compare(case: Any):
    old, new, changed, removed = case
    expected = tuple(None if one is None else {"f:spec": one} for one in (changed, removed))
    assert WIDGET.root.compare(old, new) == expected


WRONG: dict[str, Any] = {
    "unknown field": (spec(nope=1), ".spec.nope: field not declared in schema"),
    "no map": ({"spec": 1}, ".spec: expected map, got &{1}"),
    "no list": (spec(tags={"a": 1}), ".spec.tags: expected list, got &{map[a:1]}"),
    "no number": (spec(number="x"), ".spec.number: expected numeric (int or float), got string"),
    "no string": (spec(text=1), ".spec.text: expected string, got &value.valueUnstructured{Value:1}"),
    "no boolean": (spec(flag="x"), ".spec.flag: expected boolean, got &{x}"),
    "no scalar": (spec(port=[1]), ".spec.port: expected any scalar, got &{[1]}"),
    "no key": (
        spec(rules=[{"value": 1}]),
        '.spec.rules: element 0: associative list with keys has an element that omits key field "name" '
        "(and doesn't have default value)",
    ),
    "item no map": (
        spec(rules=["x"]),
        ".spec.rules: element 0: associative list with keys may not have non-map elements",
    ),
    "key twice": (
        spec(rules=[{"name": "a"}, {"name": "a"}]),
        '.spec.rules: duplicate entries for key [kind="plain",name="a"]',
    ),
    "value twice": (spec(tags=["a", "a"]), '.spec.tags: duplicate entries for key [="a"]'),
    "null in a set": (
        spec(tags=[None]),
        ".spec.tags: element 0: associative list without keys has an element that's an explicit null",
    ),
    "in a keyed item": (
        spec(rules=[{"name": "a", "nope": 1}]),
        '.spec.rules[kind="plain",name="a"].nope: field not declared in schema',
    ),
    "in an atomic list": (spec(list=[1]), ".spec.list[0]: expected string, got &value.valueUnstructured{Value:1}"),
    "in an atomic map": (spec(selector={"b": "c"}), ".spec.selector.b: field not declared in schema"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_wrong_values(case: Any):
    assert list(WIDGET.root.check(case[0], ())) == [case[1]]


def test_nulls_and_anything_without_a_schema_are_right():
    value = spec(number=None, labels=None, tags=None, rules=None, list=None, free={"a": [{"b": None}]})
    assert list(WIDGET.root.check(value, ())) == []


MERGED: dict[str, Any] = {
    "other fields stay": (spec(number=1), spec(text="x"), spec(number=1, text="x")),
    "null and empty keep a map": (spec(labels={"a": "b"}), spec(labels=None), spec(labels={"a": "b"})),
    "atomic lists are replaced": (spec(list=["a", "b"]), spec(list=["c"]), spec(list=["c"])),
    "sets are joined": (spec(tags=["a", "b"]), spec(tags=["c", "a"]), spec(tags=["c", "a", "b"])),
    "items are merged": (
        spec(rules=[{"name": "a", "value": 1}, {"name": "b"}]),
        spec(rules=[{"name": "a", "kind": "plain"}]),
        spec(rules=[{"name": "a", "value": 1, "kind": "plain"}, {"name": "b"}]),
    ),
    "new items stand where the patch has them": (spec(tags=["a", "c"]), spec(tags=["a", "b", "c"]), spec(tags=["a", "b", "c"])),
    "the patch orders what both have": (spec(tags=["a", "x", "b"]), spec(tags=["b", "a"]), spec(tags=["x", "b", "a"])),
    "without a schema": (spec(free={"a": {"b": 1}}), spec(free={"a": {"c": 2}}), spec(free={"a": {"b": 1, "c": 2}})),
    "another type": (spec(free={"a": {"b": 1}}), spec(free={"a": 2}), spec(free={"a": 2})),
}  # fmt: skip


@pytest.mark.parametrize("case", MERGED.values(), ids=MERGED)
def test_merge(case: Any):
    assert WIDGET.root.merge(case[0], case[1]) == case[2]


def test_remove_drops_members_and_emptied_containers():
    value = spec(number=1, labels={"a": "b"}, rules=[{"name": "a", "value": 1}, {"name": "b"}])
    gone = sets.of(
        ("f:spec", "f:labels", "f:a"),
        ("f:spec", "f:rules", 'k:{"kind":"plain","name":"b"}'),
        ("f:spec", "f:rules", 'k:{"kind":"plain","name":"a"}', "f:value"),
    )
    assert WIDGET.root.remove(value, gone) == spec(number=1, rules=[{"name": "a"}])
    assert WIDGET.root.remove(spec(number=1), sets.of(("f:spec", "f:number"))) is types.MISSING


def test_containers_of_a_pod_by_name_ports_with_the_default_protocol():
    container = {"name": "main", "image": "i", "ports": [{"containerPort": 80}]}
    fields = POD.root.fields(
        {"spec": {"containers": [container], "nodeSelector": {"a": "b"}, "tolerations": [{"key": "x"}]}}
    )
    port = 'k:{"containerPort":80,"protocol":"TCP"}'
    main: sets.Set = {".": {}, "f:name": {}, "f:image": {}, "f:ports": {port: {".": {}, "f:containerPort": {}}}}
    assert fields == owned(
        **{"f:containers": {'k:{"name":"main"}': main}, "f:nodeSelector": {}, "f:tolerations": {}},
    )


def test_every_definition_compiles():
    for name, definition in schema.of_release().definitions.items():
        if "properties" in definition and definition.get("x-kubernetes-map-type") != "atomic":
            found = compiling.of_definition(name, "Any", "v1")
            assert set(found.zero) <= set(definition["properties"]), name


def test_a_kind_without_any_schema_has_metadata_all_the_same():
    free = compiling.of_schema("Thing", "example.com/v1", None)
    wanted = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"finalizers": ["a"]},
        "anything": {"goes": [1]},
    }
    assert list(free.root.check(wanted, ())) == []
    assert free.root.fields(wanted) == {
        "f:apiVersion": {},
        "f:kind": {},
        "f:metadata": {"f:finalizers": {'v:"a"': {}}},
        "f:anything": {".": {}, "f:goes": {}},
    }
