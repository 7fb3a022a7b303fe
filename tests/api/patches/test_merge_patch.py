import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api.patches import merge_patch
from steersman.meta import errors

# The cases of RFC 7386, appendix A, whose target is an object.
CASES = {
    "replace": ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    "add": ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    "remove": ({"a": "b"}, {"a": None}, {}),
    "remove one": ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    "list by scalar": ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    "scalar by list": ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    "nested": ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    "list replaced": ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    "null kept": ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    "new maps lose nulls": ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
}


@pytest.mark.parametrize(("target", "patch", "expect"), CASES.values(), ids=CASES.keys())
def test_rfc_7386(target, patch, expect):
    assert merge_patch.apply(target, patch) == expect


@pytest.mark.parametrize("patch", [[], "x", None, 1])
def test_only_objects_are_patches(patch):
    with pytest.raises(errors.StatusError) as refused:
        merge_patch.apply({}, patch)
    assert refused.value.code == 400


keys = st.sampled_from("abc")
documents = st.dictionaries(
    keys,
    st.recursive(
        st.none() | st.integers(0, 3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
    ),
    max_size=3,
)


@given(documents, documents)
def test_applying_twice_is_applying_once_and_inputs_stay(target, patch):
    before = copy.deepcopy((target, patch))
    once = merge_patch.apply(target, patch)
    assert merge_patch.apply(once, patch) == once
    assert (target, patch) == before


@given(documents)
def test_an_empty_patch_changes_nothing(target):
    assert merge_patch.apply(target, {}) == target
