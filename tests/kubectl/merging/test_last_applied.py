"""The annotation that apply goes on from."""

from steersman.kubectl.merging import last_applied


def test_the_object_is_kept_in_its_own_annotation() -> None:
    obj = {"kind": "ConfigMap", "metadata": {"name": "a", "annotations": {"b": "<&>"}}}
    text = '{"kind":"ConfigMap","metadata":{"annotations":{"b":"\\u003c\\u0026\\u003e"},"name":"a"}}\n'
    annotated = last_applied.annotated(obj)
    assert last_applied.of(annotated) == text
    assert last_applied.of(last_applied.annotated(annotated)) == text, "not in itself"
    assert obj["metadata"] == {"name": "a", "annotations": {"b": "<&>"}}, "the object is not changed"


def test_without_annotations_an_empty_map_is_kept() -> None:
    assert last_applied.of(last_applied.annotated({"metadata": {"name": "a"}})) == (
        '{"metadata":{"annotations":{},"name":"a"}}\n'
    )
    assert last_applied.of({"metadata": {}}) is None
