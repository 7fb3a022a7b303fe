"""`kubectl explain`: its two ways to break lines, small documents, and beside the real one."""

import pytest

from steersman.kubectl.explaining import openapi_v2, plaintext, wrapping
from steersman.kubectl.problems import CommandError
from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

GVK = {"group": "x.io", "kind": "Thing", "version": "v1"}
PROPERTIES = {
    "items": {"type": "array", "items": {"$ref": "#/PLACE/x.Item"}, "description": "Its items."},
    "mode": {"type": "string", "enum": ["", "a", "b", "c", "d"], "description": "How."},
    "self": {"$ref": "#/PLACE/x.Thing"},
}


def document(place: str) -> dict[str, object]:
    def placed(value: object) -> object:
        if isinstance(value, dict):
            return {key: placed(inner) for key, inner in value.items()}
        return value.replace("PLACE", place) if isinstance(value, str) else value

    schemas = {
        "x.Thing": {
            "description": "A thing.",
            "properties": placed(PROPERTIES),
            "required": ["mode"],
            "x-kubernetes-group-version-kind": [GVK],
        },
        "x.Item": {"description": "One item.", "type": "object", "properties": {"name": {"type": "string"}}},
    }
    return {"definitions": schemas} if place == "definitions" else {"components": {"schemas": schemas}}


V3 = document("components/schemas")
V2 = document("definitions")


def test_a_kind_and_its_fields() -> None:
    assert plaintext.page(V3, "x.io", "v1", "Thing", [], recursive=False) == (
        "GROUP:      x.io\nKIND:       Thing\nVERSION:    v1\n\n"
        "DESCRIPTION:\n    A thing.\n    \n"
        "FIELDS:\n"
        "  items\t<[]Item>\n    Its items.\n\n"
        '  mode\t<string> -required-\n  enum: "", a, b, c, ....\n    How.\n\n'
        "  self\t<Thing>\n    <no description>\n\n\n"
    )


def test_a_field_with_few_values() -> None:
    assert plaintext.page(V3, "x.io", "v1", "Thing", ["mode"], recursive=False).partition("\n\n")[2] == (
        'FIELD: mode <string>\nENUM:\n    ""\n    a\n    b\n    c\n    d\n\nDESCRIPTION:\n    How.\n    \n\n'
    )


def test_all_fields_end_where_a_kind_is_in_itself() -> None:
    text = plaintext.page(V3, "x.io", "v1", "Thing", [], recursive=True)
    assert text.partition("FIELDS:\n")[2] == (
        "  items\t<[]Item>\n    name\t<string>\n"
        '  mode\t<string> -required-\n  enum: "", a, b, c, ....\n'
        "  self\t<Thing>\n    items\t<[]Item>\n      name\t<string>\n"
        '    mode\t<string> -required-\n    enum: "", a, b, c, ....\n    self\t<Thing>\n\n'
    )


def test_the_older_layout() -> None:
    assert openapi_v2.page(V2, "x.io", "v1", "Thing", ["items"], recursive=False) == (
        "KIND:     Thing\nVERSION:  x.io/v1\n\nRESOURCE: items <[]Object>\n\n"
        "DESCRIPTION:\n     Its items.\n\n     One item.\n\nFIELDS:\n   name\t<string>\n\n"
    )


@pytest.mark.parametrize("path", [["nope"], ["items", "nope"], ["mode", "nope"]])
def test_a_field_that_is_not_there(path: list[str]) -> None:
    for page, doc in ((plaintext.page, V3), (openapi_v2.page, V2)):
        with pytest.raises(CommandError, match='field "nope" does not exist'):
            page(doc, "x.io", "v1", "Thing", path, recursive=False)


def test_words_are_kept_whole() -> None:
    assert wrapping.wrapped("aa bb  cc\ndd", 5) == "aa bb\ncc\ndd"
    assert wrapping.wrapped("a-word-that-is-too-long b", 5) == "a-word-that-is-too-long\nb"
    text = "first one two\n\naa bb\ncc\n\n- dd\n    ee  ff\nsee:\ngg"
    assert wrapping.filled(text, 9) == ["first one", "two", "", "aa bb cc", "", "- dd", "    ee  ff", "see:", "gg"]


LINES = """
explain
explain pod
explain pods.spec.restartPolicy
explain deploy.spec.strategy --recursive
explain pod.spec.nope
explain nope.spec
explain deployments --api-version=apps/v2
explain hpa.spec --api-version=autoscaling/v1
explain cm.data
explain pods pods
explain crd --recursive
explain events.events.k8s.io.note
explain ingresses.networking.k8s.io.spec.tls
explain pods --output=foo
explain pod.spec --output=plaintext-openapiv2
explain pod --recursive --output=plaintext-openapiv2
explain cm.data --output=plaintext-openapiv2
explain crd.spec.versions.schema --output=plaintext-openapiv2
"""


@pytest.mark.slow
@pytest.mark.kubectl
def test_beside_the_real_one(cluster: Cluster, kubectl: Kubectl) -> None:
    for line in LINES.strip().splitlines():
        kubectl.check_same(line)
