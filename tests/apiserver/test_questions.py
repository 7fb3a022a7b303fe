"""Which question a request or a review is to authorization."""

import pytest

from steersman.apiserver import paths, questions
from steersman.apiserver.attributes import Attributes
from steersman.meta.selectors import FieldRequirement

PODS = "/api/v1/namespaces/a/pods"
NAMED = (FieldRequirement("metadata.name", True, "x"),)

REQUESTS = {
    "a get": ("GET", f"{PODS}/x", "", Attributes("get", "", "v1", "pods", "a", "x")),
    "a list": ("GET", PODS, "", Attributes("list", "", "v1", "pods", "a")),
    "of one name": ("GET", PODS, "metadata.name=x", Attributes("list", "", "v1", "pods", "a", "x", fields=NAMED)),
    "of all but one": (
        "GET", PODS, "metadata.name!=x",
        Attributes("list", "", "v1", "pods", "a", fields=(FieldRequirement("metadata.name", False, "x"),)),
    ),
    "of a name that is no path": (
        "GET", PODS, "metadata.name=a/b",
        Attributes("list", "", "v1", "pods", "a", fields=(FieldRequirement("metadata.name", True, "a/b"),)),
    ),
    "an unreadable selector selects nothing": ("GET", PODS, "x", Attributes("list", "", "v1", "pods", "a")),
    "many are never one": (
        "DELETE", PODS, "metadata.name=x", Attributes("deletecollection", "", "v1", "pods", "a", fields=NAMED),
    ),
    "who creates names nothing by a selector": (
        "POST", PODS, "metadata.name=x", Attributes("create", "", "v1", "pods", "a"),
    ),
    "a get has its name": ("GET", f"{PODS}/y", "metadata.name=x", Attributes("get", "", "v1", "pods", "a", "y")),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "selector", "expect"), REQUESTS.values(), ids=REQUESTS.keys())
def test_requests(method, path, selector, expect):
    assert questions.of(paths.parse(method, path), {"fieldSelector": [selector]} if selector else {}) == expect


def requirement(key: str, operator: str, *values: str) -> dict[str, object]:
    return {"key": key, "operator": operator, "values": list(values)}


PARTLY = "spec.resourceAttributes.fieldSelector partially ignored due to parse error"
FIELDS = {
    "text": ({"rawSelector": "a=1,b!=2"}, (FieldRequirement("a", True, "1"), FieldRequirement("b", False, "2")), ""),
    "in and not in": (
        {"requirements": [requirement("a", "In", "1"), requirement("b", "NotIn", "2")]},
        (FieldRequirement("a", True, "1"), FieldRequirement("b", False, "2")), "",
    ),
    "what is not understood is left out": (
        {"requirements": [requirement("a", "In", "1"), requirement("b", "Exists")]},
        (FieldRequirement("a", True, "1"),), PARTLY,
    ),
    "several values": ({"requirements": [requirement("a", "In", "1", "2")]}, (), PARTLY.replace("partially ", "")),
    "no selector": ({"rawSelector": "x"}, (), PARTLY.replace("partially ", "")),
}  # fmt: skip


@pytest.mark.parametrize(("selector", "fields", "error"), FIELDS.values(), ids=FIELDS.keys())
def test_field_selectors_of_reviews(selector, fields, error):
    asked, not_understood = questions.of_review({"resourceAttributes": {"verb": "list", "fieldSelector": selector}})
    assert (asked.fields, not_understood) == (fields, error)


LABELS = {
    "text": ({"rawSelector": "a=1"}, ""),
    "no selector": ({"rawSelector": "a=="}, ""),
    "bad text": ({"rawSelector": "(("}, "spec.resourceAttributes.labelSelector ignored due to parse error"),
    "an operator of the future": (
        {"requirements": [requirement("a", "In", "1"), requirement("b", "Like", "1")]},
        "spec.resourceAttributes.labelSelector partially ignored due to parse error",
    ),
}


@pytest.mark.parametrize(("selector", "error"), LABELS.values(), ids=LABELS.keys())
def test_label_selectors_of_reviews(selector, error):
    asked = {"resourceAttributes": {"verb": "list", "labelSelector": selector}}
    assert questions.of_review(asked)[1] == error
