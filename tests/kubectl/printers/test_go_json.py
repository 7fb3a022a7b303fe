"""JSON in Go's way."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.kubectl.printers import go_json, typed_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(-1e15, 1e15) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=40)
@given(VALUES, st.sampled_from([None, 4]))
def test_reads_back_as_the_same(value: Any, indent: int | None) -> None:
    assert json.loads(go_json.dumps(value, indent)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
        ("<a> & 'b' \u2028", "\"\\u003ca\\u003e \\u0026 'b' \\u2028\""),
        ([1.0, 1.5, 1e20, 1e21, 1e-6, 1e-7, -0.25], "[1,1.5,100000000000000000000,1e+21,0.000001,1e-7,-0.25]"),
        ({"a": {}, "b": []}, '{"a":{},"b":[]}'),
    ],
)
def test_text(value: Any, text: str) -> None:
    assert go_json.dumps(value) == text


def test_indented() -> None:
    assert go_json.dumps({"a": [1, {}], "b": {"c": "d"}}, 2) == (
        '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": {\n    "c": "d"\n  }\n}'
    )


def test_structs_have_gos_order_and_maps_the_alphabets() -> None:
    event = {"reason": "r", "metadata": {"uid": "u", "name": "n", "labels": {"z": "1", "a": "2"}}, "kind": "Event"}
    event["involvedObject"] = {"apiVersion": "v1", "name": "x", "kind": "Pod"}
    found = typed_json.ordered(event, "io.k8s.api.core.v1.Event")
    assert list(found) == ["kind", "metadata", "involvedObject", "reason"]
    assert list(found["metadata"]) == ["name", "uid", "labels"]
    assert list(found["metadata"]["labels"]) == ["a", "z"]
    assert list(found["involvedObject"]) == ["kind", "name", "apiVersion"]
