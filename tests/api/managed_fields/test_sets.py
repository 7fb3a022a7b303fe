"""Field sets against a model: plain sets of paths."""

from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st

from steersman.api.managed_fields import sets

ELEMENTS = ("f:a", "f:b", "f:c", 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:"x"', "v:1")
PATHS = st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=4).map(tuple)
MODELS = st.frozensets(PATHS, max_size=12)


def of(model: frozenset[sets.Path]) -> sets.Set:
    return sets.of(*sorted(model))


def model_of(fields: sets.Set) -> frozenset[sets.Path]:
    return frozenset(sets.paths(fields))


@hypothesis.given(MODELS)
def test_a_set_holds_its_paths_and_survives_the_wire(model: frozenset[sets.Path]):
    fields = of(model)
    assert model_of(fields) == model
    assert sets.read(orjson.loads(orjson.dumps(fields))) == fields
    assert all(sets.has(fields, path) for path in model)
    assert not any(sets.has(fields, (*path, "f:z")) for path in model)


@hypothesis.given(MODELS, MODELS)
def test_algebra(first: frozenset[sets.Path], second: frozenset[sets.Path]):
    one, other = of(first), of(second)
    before = orjson.dumps([one, other])
    assert sets.union(one, other) == of(first | second)
    assert sets.difference(one, other) == of(first - second)
    assert sets.intersection(one, other) == of(first & second)
    below = frozenset(path for path in first if not any(path[: len(root)] == root for root in second))
    assert sets.recursive_difference(one, other) == of(below)
    assert orjson.dumps([one, other]) == before, "nothing is changed in place"


@hypothesis.given(MODELS)
def test_leaves(model: frozenset[sets.Path]):
    without_below = {path for path in model if not any(other[: len(path)] == path and other != path for other in model)}
    assert model_of(sets.leaves(of(model))) == without_below


@hypothesis.given(MODELS, MODELS)
def test_what_changes_nothing_gives_the_same_set(first: frozenset[sets.Path], second: frozenset[sets.Path]):
    whole = of(first | second)
    assert sets.union(whole, of(second)) is whole
    assert sets.difference(of(first), {}) == of(first)


def test_the_order_of_paths_is_fields_keys_values_and_parents_first():
    fields = sets.of(
        ("f:b",),
        ("f:a", "f:c"),
        ("f:a",),
        ("f:l", 'k:{"port":80}'),
        ("f:l", 'k:{"port":9}'),
        ("f:s", "v:10"),
        ("f:s", "v:2"),
    )
    assert [sets.text(path) for path in sets.paths(fields)] == [
        ".a", ".b", ".a.c", ".l[port=9]", ".l[port=80]", ".s[=2]", ".s[=10]",
    ]  # fmt: skip


def test_paths_as_messages_name_them():
    path = ("f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', "f:name", 'v:"x"', "i:3")
    assert sets.text(path) == '.spec[containerPort=80,protocol="TCP"].name[="x"][3]'


MALFORMED: dict[str, Any] = {
    "no object": ([], "a set of fields must be an object"),
    "too short": ({"f": {}}, "key must be 2 characters long:"),
    "no colon": ({"fa": {}}, "missing colon: fa"),
    "key no JSON": ({"k:{": {}}, "parsing key as path element: k:{"),
    "key no object": ({"k:1": {}}, "parsing key as path element: k:1"),
    "value no JSON": ({"v:x": {}}, "parsing key as path element: v:x"),
    "index no number": ({"i:x": {}}, "parsing key as path element: i:x"),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED)
def test_malformed(case: Any):
    with pytest.raises(sets.Malformed) as raised:
        sets.read(case[0])
    assert str(raised.value).startswith(case[1])


def test_nesting_without_end_is_malformed():
    value: Any = {}
    for _ in range(1000):
        value = {"f:a": value}
    with pytest.raises(sets.Malformed):
        sets.read(value)


def test_elements_nobody_knows_are_left_out():
    assert sets.read({"x:new": {"f:a": {}}, "f:a": {}}) == {"f:a": {}}


def test_a_lone_dot_is_the_member_itself():
    assert sets.read({"f:a": {".": {}}}) == {"f:a": {}}
