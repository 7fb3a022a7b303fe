"""fieldValidation=Strict: what it says of unknown and duplicate fields."""

import json

import pytest

from tests.conformance import custom
from tests.conformance.live import CONTENT_TYPES, Object, Space

DEPLOYMENT = """{"apiVersion": "apps/v1", "kind": "Deployment",
"metadata": {"name": "my-dep", %s "labels": {"app": "nginx"}},
"spec": {%s "selector": {"matchLabels": {"app": "nginx"}}, "template": {"metadata": {"labels": {"app": "nginx"}},
"spec": {"containers": [{"name":  "nginx", "image": "nginx:latest"}]}}}}"""
TYPED = {
    "fields": (
        ("", '"unknownField": "foo", "replicas": 2, "replicas": 3,'),
        'strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"',
    ),
    "metadata": (('"unknownMeta": "foo",', ""), 'strict decoding error: unknown field "metadata.unknownMeta"'),
}
STRICT: Object = {"fieldManager": "field_validation_mgr", "fieldValidation": "Strict"}


@pytest.mark.parametrize("case", TYPED)
def test_typed(space: Space, case: str) -> None:
    fields, expect = TYPED[case]
    answer = space.api.send("POST", space.path("apps/v1/deployments"), (DEPLOYMENT % fields).encode(), **STRICT)
    assert answer.status == 400
    assert expect in answer.object["message"]


PORTS = {
    "type": "array",
    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "x-kubernetes-list-type": "map",
    "items": {
        "type": "object",
        "required": ["containerPort", "protocol"],
        "properties": {
            "containerPort": {"type": "integer", "format": "int32"},
            "name": {"type": "string"},
            "protocol": {"type": "string"},
        },
    },
}
CRON = "^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$"
PROPERTIES = {"foo": {"type": "string"}, "cronSpec": {"type": "string", "pattern": CRON}, "ports": PORTS}
TEMPLATE = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "properties": {
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
        "spec": {"type": "object"},
    },
}


def schema(preserving: bool = False, **more: object) -> Object:
    spec: Object = {"type": "object", "properties": PROPERTIES | more}
    if preserving:
        spec["x-kubernetes-preserve-unknown-fields"] = True
    return {"type": "object", "properties": {"spec": spec}}


BODY = """
apiVersion: %s/v1
kind: %s
metadata:
  name: mytest
%s  finalizers:
  - test-finalizer
%sspec:
%s  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP"""
EMBEDDED = """  template:
    apiversion: foo/v1
    kind: Sub
    metadata:
        unknownSubMeta: unknown
        name: subobject
        namespace: default
"""
CASES: dict[str, tuple[Object, tuple[str, str, str], str]] = {
    "no schema": (custom.ANYTHING, ("", "", "  unknown: uk1\n"), ""),
    "valid": (schema(), ("", "", "  foo: foo1\n"), ""),
    "unknown": (
        schema(),
        ("", "unknownField: unknown\n", "  foo: foo1\n"),
        ".unknownField: field not declared in schema",
    ),
    "embedded": (
        schema(True, template=TEMPLATE),
        ("  unknownMeta: unknown\n", "", EMBEDDED + "  foo: foo1\n"),
        ".metadata.unknownMeta: field not declared in schema",
    ),
    "duplicate": (
        schema(True),
        ("", "", "  unknown: uk1\n  foo: foo1\n  foo: foo2\n"),
        'line 11: key \\"foo\\" already set in map',
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_applied(space: Space, case: str) -> None:
    wanted, fields, expect = CASES[case]
    foo = custom.made(space.api, custom.definition(wanted, ("v1beta1", "v1"), "Cluster"))
    body = (BODY % (foo.group, foo.kind, *fields)).encode()
    answer = space.api.send("PATCH", f"{foo.root()}/mytest", body, {"content-type": CONTENT_TYPES["apply"]}, **STRICT)
    if expect:
        assert answer.status >= 400
        assert expect in answer.body.decode()
    else:
        assert answer.status == 201, answer.body
        space.api.patch(f"{foo.root()}/mytest", {"metadata": {"finalizers": None}})
    foo.end()


def test_kept_but_warned_of(space: Space) -> None:
    """The default: written without what is unknown, and told."""
    body = json.dumps({"metadata": {"name": "m"}, "daten": {}}).encode()
    answer = space.api.send("POST", space.path("configmaps"), body)
    assert answer.status == 201
    assert answer.warnings == ['299 - "unknown field \\"daten\\""']
