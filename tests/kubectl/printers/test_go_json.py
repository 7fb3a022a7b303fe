"""JSON in Go's way."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import go_fields
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
    assert list(found["metadata"]) == ["name", "uid", "creationTimestamp", "labels"]
    assert list(found["metadata"]["labels"]) == ["a", "z"]
    assert list(found["involvedObject"]) == ["kind", "name", "apiVersion"]


def test_fields_that_were_put_beside_older_ones() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"type": "t", "clusterIPs": [], "clusterIP": "", "ports": []},
    }
    found = typed_json.ordered(service, typed_json.type_of(service))
    assert list(found) == ["kind", "apiVersion", "metadata", "spec"]
    assert list(found["spec"]) == ["ports", "clusterIP", "clusterIPs", "type"]


def test_every_moved_field_is_one() -> None:
    for kind, moved in typed_json.MOVED.items():
        fields = [name for name, _ in go_fields.table()[f"io.k8s.api.{kind}"].values()]
        for name, before in moved.items():
            assert name in fields, (kind, name)
            assert not before or before in fields, (kind, before)


def test_the_type_of_an_object() -> None:
    assert (
        typed_json.type_of({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}) == "io.k8s.api.rbac.v1.Role"
    )
    assert typed_json.type_of({"apiVersion": "v1", "kind": "Pod"}) == "io.k8s.api.core.v1.Pod"
