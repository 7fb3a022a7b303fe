import copy

import pytest

from steersman.api.patches import json_patch
from steersman.meta import errors

DOCUMENT = {"a": {"b": [1, 2, 3]}, "c/d": "x", "e~f": None, "t": True}

APPLIED = {
    "add to a map": ({"op": "add", "path": "/n", "value": 1}, {"n": 1}),
    "add over": ({"op": "add", "path": "/t", "value": 1}, {"t": 1}),
    "add into a list": ({"op": "add", "path": "/a/b/1", "value": 9}, {"a": {"b": [1, 9, 2, 3]}}),
    "add at the end": ({"op": "add", "path": "/a/b/-", "value": 9}, {"a": {"b": [1, 2, 3, 9]}}),
    "add at the length": ({"op": "add", "path": "/a/b/3", "value": 9}, {"a": {"b": [1, 2, 3, 9]}}),
    "replace": ({"op": "replace", "path": "/a/b/0", "value": 9}, {"a": {"b": [9, 2, 3]}}),
    "replace an escaped key": ({"op": "replace", "path": "/c~1d", "value": "y"}, {"c/d": "y"}),
    "replace a missing key": ({"op": "replace", "path": "/gone", "value": 1}, {"gone": 1}),
    "no value": ({"op": "add", "path": "/x"}, {"x": None}),
    "copy a missing key": ({"op": "copy", "from": "/gone", "path": "/z"}, {"z": None}),
    "move": ({"op": "move", "from": "/a/b/0", "path": "/a/b/2"}, {"a": {"b": [2, 3, 1]}}),
    "copy": ({"op": "copy", "from": "/a/b", "path": "/z"}, {"z": [1, 2, 3]}),
    "test": ({"op": "test", "path": "/a/b", "value": [1, 2.0, 3]}, {}),
    "test a null": ({"op": "test", "path": "/e~0f", "value": None}, {}),
    "test a missing field for null": ({"op": "test", "path": "/gone", "value": None}, {}),
}


@pytest.mark.parametrize(("operation", "change"), APPLIED.values(), ids=APPLIED.keys())
def test_applies(operation, change):
    before = copy.deepcopy(DOCUMENT)
    assert json_patch.apply(DOCUMENT, [operation]) == {**DOCUMENT, **change}
    assert before == DOCUMENT


def test_removes():
    assert json_patch.apply(
        {"a": [1, 2], "b": 1}, [{"op": "remove", "path": "/b"}, {"op": "remove", "path": "/a/0"}]
    ) == {"a": [2]}


UNFIT = {
    "remove a missing key": {"op": "remove", "path": "/gone"},
    "replace a missing index": {"op": "replace", "path": "/a/b/3", "value": 1},
    "test a missing field": {"op": "test", "path": "/gone", "value": 1},
    "move a missing key": {"op": "move", "from": "/gone", "path": "/z"},
    "below a missing key": {"op": "add", "path": "/gone/x", "value": 1},
    "below a scalar": {"op": "add", "path": "/t/x", "value": 1},
    "index too far": {"op": "add", "path": "/a/b/9", "value": 1},
    "index no number": {"op": "remove", "path": "/a/b/x"},
    "test fails": {"op": "test", "path": "/t", "value": 1},
    "no slash": {"op": "add", "path": "x", "value": 1},
    "into itself": {"op": "move", "from": "/a", "path": "/a/b"},
    "unknown operation": {"op": "frob", "path": "/a"},
    "no path": {"op": "add", "value": 1},
    "copy from below a missing key": {"op": "copy", "from": "/gone/x", "path": "/z"},
    "no from": {"op": "move", "path": "/x"},
    "the whole document": {"op": "remove", "path": ""},
}


@pytest.mark.parametrize("operation", UNFIT.values(), ids=UNFIT.keys())
def test_what_does_not_fit_is_422(operation):
    with pytest.raises(errors.StatusError) as refused:
        json_patch.apply(DOCUMENT, [operation])
    assert (refused.value.code, refused.value.reason) == (422, "Invalid")


@pytest.mark.parametrize("patch", [{}, "x", [1], None], ids=["map", "text", "numbers", "null"])
def test_what_is_no_patch_is_400(patch):
    with pytest.raises(errors.StatusError) as refused:
        json_patch.apply(DOCUMENT, patch)
    assert refused.value.code == 400


def test_too_many_operations():
    with pytest.raises(errors.StatusError, match="allowed maximum operations in a JSON patch is 10000, got 10001"):
        json_patch.apply({}, [{"op": "test", "path": "/x"}] * 10001)
