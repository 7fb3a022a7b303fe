"""What a CustomResourceDefinition may not say."""

import copy
from typing import Any

import pytest

from steersman.api.custom import definitions
from tests.apiserver.extensions.definitions import definition, version

AT = "spec.versions[0].schema.openAPIV3Schema"


def errors(obj: Any, old: Any = None) -> list[str]:
    obj = copy.deepcopy(obj)
    definitions.prepare(obj, old)
    definitions.default(obj)
    return [str(one) for one in definitions.validate(obj, old)]


def of_schema(**spec: Any) -> Any:
    return definition(
        version(schema={"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}})
    )


def test_a_good_one():
    assert errors(definition()) == []


SPECS: dict[str, tuple[Any, list[str]]] = {
    "no dot": (
        {"group": "example"},
        ['metadata.name: Invalid value: "crontabs.stable.example.com": must be spec.names.plural+"."+spec.group',
         'spec.group: Invalid value: "example": should be a domain with at least one dot'],
    ),
    "scope": ({"scope": "Galaxy"}, ['spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"']),
    "two storages": (
        {"versions": [version(), version("v2")]},
        ['spec.versions: Invalid value: ["v1","v2"]: must have exactly one version marked as storage version'],
    ),
    "list kind": (
        {"names": {"plural": "crontabs", "kind": "CronTab", "listKind": "CronTab"}},
        ['spec.names.listKind: Invalid value: "CronTab": kind and listKind may not be the same'],
    ),
    "webhook": (
        {"conversion": {"strategy": "Webhook"}},
        ["spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook, "
         "but not allowed if not set to Webhook",
         "spec.conversion.conversionReviewVersions: Required value"],
    ),
    "no schema": (
        {"versions": [{"name": "v1", "served": True, "storage": True}]},
        ["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"],
    ),
    "column": (
        {"versions": [version(additionalPrinterColumns=[{"name": "a", "type": "text", "jsonPath": ".a"}])]},
        ['spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": '
         "must be one of integer,number,string,boolean,date"],
    ),
    "selectable": (
        {"versions": [version(selectableFields=[{"jsonPath": ".spec.ports"}])]},
        ['spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".spec.ports": '
         "must point to a field of type boolean, integer, string"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "expect"), SPECS.values(), ids=SPECS)
def test_specs(spec: Any, expect: list[str]):
    assert errors(definition(**spec)) == expect


P = f"{AT}.properties[spec].properties[a]"
SCHEMAS: dict[str, tuple[Any, list[str]]] = {
    "no type": ({}, [f"{P}.type: Required value: must not be empty for specified object fields"]),
    "no items": ({"type": "array"}, [f"{P}.items: Required value: must be specified"]),
    "items without a type": (
        {"type": "array", "items": {}}, [f"{P}.items.type: Required value: must not be empty for specified array items"],
    ),
    "closed": (
        {"type": "object", "additionalProperties": False},
        [f"{P}.additionalProperties: Forbidden: additionalProperties cannot be set to false"],
    ),
    "unique": (
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        [f"{P}.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"],
    ),
    "reference": ({"type": "object", "$ref": "#/x"}, [f"{P}.$ref: Forbidden: $ref is not supported"]),
    "type in a juncture": (
        {"type": "object", "properties": {"b": {"type": "string"}}, "anyOf": [{"properties": {"b": {"type": "string"}}}]},
        [f"{P}.anyOf[0].properties[b].type: Forbidden: must be empty to be structural"],
    ),
    "unknown in a juncture": (
        {"type": "object", "anyOf": [{"properties": {"b": {"minLength": 1}}}]},
        [f"{P}.properties[b]: Required value: because it is defined in {P}.anyOf[0].properties[b]"],
    ),
    "wrong default": (
        {"type": "integer", "default": "x"},
        [f'{P}.default: Invalid value: "string": {P}.default in body must be of type integer: "string"'],
    ),
    "keys without items": (
        {"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
        [f"{P}.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"],
    ),
    "int or string by anyOf": ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, []),
    "preserved without a type": ({"x-kubernetes-preserve-unknown-fields": True}, []),
    "default in a default": (
        {"type": "object", "default": {}, "required": ["b"], "properties": {"b": {"type": "string", "default": "x"}}}, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "expect"), SCHEMAS.values(), ids=SCHEMAS)
def test_schemas(schema: Any, expect: list[str]):
    assert errors(of_schema(a=schema)) == expect


def test_protected_groups_need_approval():
    obj = definition(group="x.k8s.io")
    obj["metadata"]["name"] = "crontabs.x.k8s.io"
    assert "protected groups must have approval annotation" in errors(obj)[0]
    obj["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, experimental"}
    assert errors(obj) == []


def test_what_an_established_definition_keeps():
    old = definition()
    definitions.prepare(old, None)
    old["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    new = definition(scope="Cluster")
    assert errors(new, old) == ['spec.scope: Invalid value: "Cluster": field is immutable']
