"""fieldValidation: unknown fields and keys that stand twice, in each kind of request. Source: upstream's field_validation e2e."""

import orjson
import pytest

from steersman.apiserver import duplicates, strictness
from tests.apiserver import kit
from tests.apiserver.extensions import definitions

JSON = {"content-type": "application/json"}
YAML = {"content-type": "application/yaml"}
APPLY = {"content-type": "application/apply-patch+yaml"}

TWICE = b"""{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {"app": "x"}},
 "spec": {"unknownField": "foo", "replicas": 2, "replicas": 3, "selector": {"matchLabels": {"app": "x"}},
 "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [
 {"name": "main", "image": "a", "unknownNested": 1, "image": "b", "unknownNested": 2}]}}}}"""

STRICT = (
    'unknown field "spec.unknownField", duplicate field "spec.replicas", '
    'unknown field "spec.template.spec.containers[0].unknownNested", '
    'duplicate field "spec.template.spec.containers[0].image"'
)


async def test_a_typed_object(api: kit.Api):
    refused = await api.ask("POST", kit.DEPLOYMENTS, TWICE, "fieldValidation=Strict", JSON)
    why = f'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: {STRICT}'
    assert refused.refusal == (400, "BadRequest", why)
    ignored = await api.ask("POST", kit.DEPLOYMENTS, TWICE, "fieldValidation=Ignore&dryRun=All", JSON)
    assert (ignored.status, "warning" in ignored.headers) == (201, False)
    warned = await api.ask("POST", kit.DEPLOYMENTS, TWICE, "", JSON)
    assert warned.status == 201
    assert warned.body["spec"]["replicas"] == 3
    assert warned.headers["warning"].count("299 - ") == 4
    assert '299 - "duplicate field \\"spec.replicas\\""' in warned.headers["warning"]
    put = await api.ask("PUT", f"{kit.DEPLOYMENTS}/d", TWICE, "fieldValidation=Strict", JSON)
    assert put.refusal[2] == why


async def test_yaml(api: kit.Api):
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: '1'\n  y: '2'\n  x: '3'\n"
    refused = await api.ask("POST", kit.MAPS, body, "fieldValidation=Strict", YAML)
    assert refused.refusal[2].endswith(
        'strict decoding error: yaml: unmarshal errors:\n  line 8: key "x" already set in map'
    )
    warned = await api.ask("POST", kit.MAPS, body, "", YAML)
    assert warned.headers["warning"] == '299 - "yaml: unmarshal errors: line 8: key \\"x\\" already set in map"'


async def test_patches_are_refused_with_themselves(api: kit.Api):
    await api.make(kit.MAPS, kit.config_map("a"))
    place = f"{kit.MAPS}/a"
    merge = await api.ask("PATCH", place, b'{"data":{"b":"1","b":"2"},"foo":1}', "fieldValidation=Strict", kit.MERGE)
    assert merge.status == 422
    message = merge.body["message"]
    assert message.startswith(' "" is invalid: patch: Invalid value: "{')
    assert message.endswith('}": strict decoding error: duplicate field "data.b", unknown field "foo"')
    strategic = await api.ask("PATCH", place, {"foo": {"b": [1, True]}}, "fieldValidation=Strict", kit.STRATEGIC)
    assert strategic.refusal == (
        422,
        "Invalid",
        ' "" is invalid: patch: Invalid value: "map[foo:map[b:[1 true]]]": strict decoding error: unknown field "foo"',
    )
    added = [{"op": "add", "path": "/foo", "value": 1}]
    json_patch = await api.ask("PATCH", place, added, "fieldValidation=Strict", kit.JSON_PATCH)
    assert json_patch.body["message"].endswith('strict decoding error: unknown field "foo"')
    wrong = await api.ask("PATCH", place, {"data": {"a": 1}}, "", kit.MERGE)
    assert wrong.status == 422
    assert wrong.body["message"].endswith(
        "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
    )
    warned = await api.ask("PATCH", place, b'{"data":{"b":"1","b":"2"},"foo":1}', "", kit.MERGE)
    assert warned.headers["warning"] == '299 - "duplicate field \\"data.b\\"", 299 - "unknown field \\"foo\\""'


async def test_an_apply(api: kit.Api):
    body = b"\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: '1'\n  x: '3'\n"
    refused = await api.ask("PATCH", f"{kit.MAPS}/a", body, "fieldManager=m&fieldValidation=Strict", APPLY)
    assert (refused.status, 'line 8: key "x" already set in map' in refused.body["message"]) == (400, True)
    warned = await api.ask("PATCH", f"{kit.MAPS}/a", body, "fieldManager=m", APPLY)
    assert (warned.status, "already set in map" in warned.headers["warning"]) == (201, True)


async def test_a_custom_kind(api: kit.Api):
    await api.make(definitions.DEFINITIONS, definitions.definition())
    body = b'{"metadata":{"name":"a"},"spec":{"image":"x","image":"y","foo":1}}'
    refused = await api.ask("POST", definitions.CRONTABS, body, "fieldValidation=Strict", JSON)
    assert refused.refusal[2].endswith('strict decoding error: duplicate field "spec.image", unknown field "spec.foo"')


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"a":1,"b":{"a":1}}', []),
        (b'{"a":"x:y","b":":"}', []),
        (b'{ "a" : 1 , "a" : 2 }', ['duplicate field "a"']),
        (b'{"a":[{"b":1},{"b":1,"b":2}]}', ['duplicate field "a[1].b"']),
        (b'{"a":{"b":1},"a":{"b":1}}', ['duplicate field "a"']),
        (b'{"\\u0061":1,"a":2}', ['duplicate field "a"']),
    ],
)
def test_keys_that_stand_twice(body, found):
    assert duplicates.of_json(body, orjson.loads(body)) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [({"b": None, "a": [1, "x", 1.5]}, "map[a:[1 x 1.5] b:<nil>]"), (True, "true"), ({}, "map[]")],
)
def test_values_as_go_prints_them(value, text):
    assert strictness.go_text(value) == text
