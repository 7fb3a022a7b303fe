import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.api.patches import strategic_merge
from steersman.meta import errors


def _pod(*containers, **spec):
    return {"spec": {"containers": list(containers), **spec}}


A, B, C = {"name": "a", "image": "1"}, {"name": "b", "image": "1"}, {"name": "c", "image": "1"}

CASES = {
    "items merge by key": (
        _pod(A, B), _pod({"name": "b", "image": "2"}), _pod(A, {"name": "b", "image": "2"}),
    ),
    "new items stand behind what the patch does not name": (_pod(A), _pod(C), _pod(C, A)),
    "items are deleted": (_pod(A, B), _pod({"name": "a", "$patch": "delete"}), _pod(B)),
    "a list is replaced": (_pod(A, B), _pod(C, {"$patch": "replace"}), _pod(C)),
    "a map is replaced": (
        {"spec": {"nodeSelector": {"a": "1"}}}, {"spec": {"nodeSelector": {"b": "2", "$patch": "replace"}}},
        {"spec": {"nodeSelector": {"b": "2"}}},
    ),
    "a map is emptied": (
        {"spec": {"nodeSelector": {"a": "1"}}}, {"spec": {"nodeSelector": {"$patch": "delete"}}}, {"spec": {"nodeSelector": {}}},
    ),
    "maps merge and null deletes": (
        {"metadata": {"labels": {"a": "1", "b": "2"}}}, {"metadata": {"labels": {"a": None, "c": "3"}}},
        {"metadata": {"labels": {"b": "2", "c": "3"}}},
    ),
    "order is set": (
        _pod(A, B), {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}, _pod(B, A),
    ),
    "order with an item the patch does not know": (
        _pod(A, B, C), {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}}, _pod(B, C, A),
    ),
    "atomic lists are replaced": (
        _pod({"name": "a", "command": ["x", "y"]}), _pod({"name": "a", "command": ["z"]}), _pod({"name": "a", "command": ["z"]}),
    ),
    "lists of texts are joined": (
        {"metadata": {"finalizers": ["a/x", "a/y"]}}, {"metadata": {"finalizers": ["a/z", "a/x"]}},
        {"metadata": {"finalizers": ["a/z", "a/x", "a/y"]}},
    ),
    "texts are deleted": (
        {"metadata": {"finalizers": ["a/x", "a/y"]}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"]}},
        {"metadata": {"finalizers": ["a/y"]}},
    ),
    "retained keys": (
        _pod(volumes=[{"name": "v", "emptyDir": {}}]),
        {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}, "$retainKeys": ["name", "hostPath"]}]}},
        _pod(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
    ),
    "ports by their number": (
        _pod({"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP"}]}),
        _pod({"name": "a", "ports": [{"containerPort": 80, "name": "http"}]}),
        _pod({"name": "a", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]}),
    ),
    "nulls for what is not there vanish": (_pod(A), {"spec": {"nodeName": None, "x": {"y": None}}}, _pod(A, x={})),
}  # fmt: skip


@pytest.mark.parametrize(("obj", "patch", "expect"), CASES.values(), ids=CASES.keys())
def test_applies(obj, patch, expect):
    before = copy.deepcopy((obj, patch))
    assert strategic_merge.apply(kinds.POD, obj, patch) == expect
    assert (obj, patch) == before


def test_what_kubectl_apply_sends_for_a_new_image():
    deployment = {"spec": {"template": {"spec": {"containers": [dict(A, env=[{"name": "X", "value": "1"}]), B]}}}}
    patch = {
        "spec": {
            "template": {
                "spec": {
                    "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                    "containers": [{"name": "a", "image": "2"}],
                }
            }
        }
    }
    new = strategic_merge.apply(kinds.DEPLOYMENT, deployment, patch)
    assert new["spec"]["template"]["spec"]["containers"] == [
        {"name": "a", "image": "2", "env": [{"name": "X", "value": "1"}]},
        B,
    ]


REFUSED = {
    "no object": ([], 400),
    "unknown directive": ({"spec": {"$patch": "frob"}}, 400),
    "no merge key": (_pod({"image": "x"}), 422),
    "a list of lists": (_pod([1]), 422),
    "order that does not name the items": (
        {"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "z"}]}}, 400,
    ),
    "order that is no list": ({"spec": {"$setElementOrder/containers": 1}}, 400),
    "retained keys that are no list": ({"spec": {"$retainKeys": 1}}, 400),
    "retained keys that miss one": ({"spec": {"$retainKeys": [], "x": 1}}, 400),
    "items that are no objects": (_pod(1), 422),
}  # fmt: skip


@pytest.mark.parametrize(("patch", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses(patch, code):
    with pytest.raises(errors.StatusError) as refused:
        strategic_merge.apply(kinds.POD, _pod(A), patch)
    assert refused.value.code == code


names = st.sampled_from("abc")
containers = st.lists(
    st.fixed_dictionaries(
        {"name": names}, optional={"image": st.sampled_from("12"), "args": st.lists(names, max_size=2)}
    ),
    max_size=3,
    unique_by=lambda one: one["name"],
)
specs = st.fixed_dictionaries(
    {"containers": containers},
    optional={"nodeSelector": st.dictionaries(names, st.none() | names, max_size=2), "nodeName": st.none() | names},
)


@given(specs, specs)
def test_applying_twice_is_applying_once(spec, patch):
    once = strategic_merge.apply(kinds.POD, {"spec": spec}, {"spec": patch})
    assert strategic_merge.apply(kinds.POD, once, {"spec": patch}) == once


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | names,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "image", "$patch", "$retainKeys", "$setElementOrder/env", "env"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(containers, json_values)
def test_any_patch_is_applied_or_refused(listed, patch):
    try:
        strategic_merge.apply(kinds.POD, {"spec": {"containers": listed}}, {"spec": {"containers": patch}})
    except errors.StatusError as refused:
        assert refused.code in (400, 422)  # noqa: PT017 — refusing is one of two right answers
