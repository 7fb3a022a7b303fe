"""Three versions of an object become a strategic merge patch; the server's own merge then gives what was wanted."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import schema
from steersman.api.kind import Kind
from steersman.api.patches import strategic_merge
from steersman.kubectl.merging import json_merge, patch_types, strategic
from steersman.kubectl.merging.patch_types import PatchTypes

TYPES = schema.of_release()
POD = PatchTypes(TYPES.definitions, TYPES.definition_of("", "v1", "Pod"))
POD_KIND = Kind("", "v1", "Pod", "pods", "pod")


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


def c(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, **fields}


@pytest.mark.parametrize(
    ("original", "modified", "current", "patch"),
    [
        pytest.param({"a": 1}, {"a": 1}, {"a": 1, "b": 2}, {}, id="nothing to do"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}, id="changed by the user"),
        pytest.param({"a": 1}, {"a": 1}, {"a": 3}, {"a": 1}, id="changed by somebody else"),
        pytest.param({"a": 1, "b": 1}, {"a": 1}, {"a": 1, "b": 1, "c": 1}, {"b": None}, id="taken out by the user"),
        pytest.param(
            pod(c("a", image="1"), c("b")),
            pod(c("a", image="2")),
            pod(c("a", image="1", tty=True), c("b"), c("side")),
            {
                "spec": {
                    "containers": [{"name": "a", "image": "2"}, {"name": "b", "$patch": "delete"}],
                    "$setElementOrder/containers": [{"name": "a"}],
                }
            },
            id="lists by their key",
        ),
        pytest.param(
            pod(c("a", command=["x"])),
            pod(c("a", command=["y", "z"])),
            pod(c("a", command=["x"])),
            {
                "spec": {
                    "containers": [{"name": "a", "command": ["y", "z"]}],
                    "$setElementOrder/containers": [{"name": "a"}],
                }
            },
            id="other lists whole",
        ),
        pytest.param(
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"finalizers": ["b"]}},
            {"metadata": {"finalizers": ["a", "b", "c"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"]}},
            id="lists of texts",
        ),
        pytest.param(
            pod(volumes=[{"name": "v", "emptyDir": {}}]),
            pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
            pod(volumes=[{"name": "v", "emptyDir": {}}]),
            {
                "spec": {
                    "volumes": [
                        {"name": "v", "hostPath": {"path": "/"}, "emptyDir": None, "$retainKeys": ["hostPath", "name"]}
                    ],
                    "$setElementOrder/volumes": [{"name": "v"}],
                }
            },
            id="one of several",
        ),
    ],
)
def test_three_way(original: Any, modified: Any, current: Any, patch: Any) -> None:
    assert strategic.three_way(POD, original, modified, current) == patch


def test_conflicts_are_refused_without_overwrite() -> None:
    with pytest.raises(strategic.Conflict) as refused:
        strategic.three_way(POD, {"a": 1}, {"a": 2}, {"a": 3}, overwrite=False)
    assert (refused.value.patch, refused.value.changed) == ({"a": 2}, {"a": 3})


def test_items_without_their_key_are_refused() -> None:
    with pytest.raises(strategic.NoMergeKey) as refused:
        strategic.three_way(POD, {}, pod({"image": "x"}), pod(c("a")))
    assert str(refused.value) == "map: map[image:x] does not contain declared merge key: name"


NAMES = st.lists(st.sampled_from("abcd"), unique=True, max_size=4)
CONTAINERS = NAMES.flatmap(
    lambda names: st.tuples(
        *(
            st.fixed_dictionaries(
                {"name": st.just(name)}, optional={"image": st.sampled_from("xyz"), "tty": st.booleans()}
            )
            for name in names
        )
    )
)
PODS = st.fixed_dictionaries(
    {"spec": st.fixed_dictionaries({"containers": CONTAINERS.map(list)})},
    optional={
        "metadata": st.fixed_dictionaries({"labels": st.dictionaries(st.sampled_from("pqr"), st.sampled_from("12"))})
    },
)


@given(original=PODS, modified=PODS)
def test_two_way_makes_the_one_of_the_other(original: Any, modified: Any) -> None:
    made = strategic_merge.apply(POD_KIND, original, strategic.two_way(POD, original, modified))
    assert without_empty(made) == without_empty(modified)


@given(original=PODS, modified=PODS, current=PODS)
def test_applying_again_changes_nothing(original: Any, modified: Any, current: Any) -> None:
    made = strategic_merge.apply(POD_KIND, current, strategic.three_way(POD, original, modified, current))
    again = strategic.three_way(POD, modified, modified, made)
    assert strategic_merge.apply(POD_KIND, made, again) == made


@given(original=PODS, modified=PODS)
def test_merge_patches_make_the_one_of_the_other(original: Any, modified: Any) -> None:
    from steersman.api.patches import merge_patch

    assert merge_patch.apply(original, json_merge.two_way(original, modified)) == modified


def test_merge_patches_keep_what_others_added() -> None:
    original, modified, current = {"a": 1, "b": {"x": 1}}, {"b": {"y": 2}}, {"a": 1, "b": {"x": 1, "z": 3}}
    assert json_merge.three_way(original, modified, current) == {"a": None, "b": {"x": None, "y": 2}}


def test_types_come_from_a_servers_document() -> None:
    document = {
        "components": {
            "schemas": {
                "Thing": {
                    "x-kubernetes-group-version-kind": [{"group": "g", "version": "v1", "kind": "Thing"}],
                    "properties": {
                        "items": {
                            "items": {"allOf": [{"$ref": "#/components/schemas/Item"}]},
                            "x-kubernetes-patch-strategy": "merge",
                            "x-kubernetes-patch-merge-key": "id",
                        }
                    },
                },
                "Item": {"properties": {"id": {"type": "string"}}},
            }
        }
    }
    types = patch_types.of_document(document, "g", "v1", "Thing")
    patch = strategic.two_way(types, {"items": [{"id": "1", "n": 1}]}, {"items": [{"id": "1", "n": 2}]})
    assert patch == {"items": [{"id": "1", "n": 2}], "$setElementOrder/items": [{"id": "1"}]}
    assert patch_types.of_document(document, "g", "v2", "Thing").root is None


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_empty(inner) for key, inner in value.items() if inner not in ({}, [])}
    return [without_empty(inner) for inner in value] if isinstance(value, list) else value
