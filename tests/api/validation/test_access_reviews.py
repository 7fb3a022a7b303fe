"""What an access review may ask; the cases and texts are upstream's."""

import pytest

from steersman.api.validation import access_reviews

RESOURCE = "spec.resourceAttributes"


def selecting(**selectors: object) -> dict[str, object]:
    return {"user": "me", "resourceAttributes": selectors}


CASES = {
    "neither": (
        {"user": "me"},
        [
            f'{RESOURCE}: Invalid value: "null": '
            "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        ],
    ),
    "both": (
        {"user": "me", "resourceAttributes": {}, "nonResourceAttributes": {}},
        ["spec.nonResourceAttributes: Invalid value: {}: cannot be specified in combination with resourceAttributes"],
    ),
    "nobody": (
        {"resourceAttributes": {}},
        ['spec.user: Invalid value: "": at least one of user or group must be specified'],
    ),
    "a group": ({"groups": ["g"], "resourceAttributes": {}}, []),
    "text and requirements": (
        selecting(fieldSelector={"rawSelector": "foo", "requirements": [{"key": "k"}]}),
        [
            f'{RESOURCE}.fieldSelector.rawSelector: Invalid value: "foo": '
            "may not specified at the same time as requirements"
        ],
    ),
    "neither text nor requirements": (
        selecting(fieldSelector={}),
        [
            f"{RESOURCE}.fieldSelector.requirements: Required value: when {RESOURCE}.fieldSelector is specified, "
            "requirements or rawSelector is required"
        ],
    ),
    "no key": (
        selecting(fieldSelector={"requirements": [{}]}),
        [f"{RESOURCE}.fieldSelector.requirements[0].key: Required value: must be specified"],
    ),
    "no values": (
        selecting(fieldSelector={"requirements": [{"key": "k", "operator": "In"}]}),
        [
            f"{RESOURCE}.fieldSelector.requirements[0].values: Required value: "
            "must be specified when `operator` is 'In' or 'NotIn'"
        ],
    ),
    "values without need": (
        selecting(fieldSelector={"requirements": [{"key": "k", "operator": "Exists", "values": ["v"]}]}),
        [
            f"{RESOURCE}.fieldSelector.requirements[0].values: Forbidden: "
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        ],
    ),
    "an operator of the future": (selecting(fieldSelector={"requirements": [{"key": "k", "operator": "Like"}]}), []),
    "labels without a key": (
        selecting(labelSelector={"requirements": [{"operator": "Exists"}]}),
        [
            f'{RESOURCE}.labelSelector.requirements[0].key: Invalid value: "": name part must be non-empty',
            f'{RESOURCE}.labelSelector.requirements[0].key: Invalid value: "": name part must consist of alphanumeric '
            "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
            "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ],
    ),
}


@pytest.mark.parametrize(("spec", "expect"), CASES.values(), ids=CASES.keys())
def test_specs(spec, expect):
    assert [str(error) for error in access_reviews.validate({"spec": spec})] == expect


def test_asking_for_oneself_names_nobody():
    assert access_reviews.validate_self({"spec": {"resourceAttributes": {}}}) == []


def test_metadata_must_be_empty():
    named = {"metadata": {"name": "x"}, "spec": {"user": "me", "resourceAttributes": {}}}
    assert [str(one) for one in access_reviews.validate(named)] == [
        'metadata: Invalid value: {"name":"x"}: must be empty'
    ]


LOCAL = {
    "its namespace": ({"resourceAttributes": {"namespace": "a"}}, []),
    "another": (
        {"resourceAttributes": {"namespace": "b"}},
        ['spec.resourceAttributes.namespace: Invalid value: "b": must match metadata.namespace'],
    ),
    "a path": (
        {"nonResourceAttributes": {"path": "/"}},
        ['spec.nonResourceAttributes: Invalid value: {"path":"/"}: disallowed on this kind of request'],
    ),
}


@pytest.mark.parametrize(("spec", "expect"), LOCAL.values(), ids=LOCAL.keys())
def test_local(spec, expect):
    review = {"metadata": {"namespace": "a"}, "spec": {"user": "me", **spec}}
    assert [str(error) for error in access_reviews.validate_local(review)] == expect
