"""CustomResourceDefinitions: their own life, defaults, status, watches, and what OpenAPI and kubectl make of them."""

import functools
import itertools
import json

import pytest

from tests.conformance import custom
from tests.conformance.live import Object, Refused, Space, condition, names, unique, wait

FOO: Object = {
    "description": "Foo CRD for Testing",
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "description": "Specification of Foo",
            "properties": {
                "bars": {
                    "description": "List of Bars and their specs.",
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"description": "Name of Bar.", "type": "string"},
                            "age": {"description": "Age of Bar.", "type": "string"},
                            "feeling": {
                                "description": "Whether Bar is feeling great.",
                                "type": "string",
                                "enum": ["Great", "Down"],
                            },
                            "bazs": {"description": "List of Bazs.", "type": "array", "items": {"type": "string"}},
                        },
                    },
                }
            },
        },
        "status": {
            "description": "Status of Foo",
            "type": "object",
            "properties": {"bars": {"type": "array", "items": {"type": "string"}}},
        },
    },
}


def test_listed_by_label_and_deleted_together(space: Space) -> None:
    word = unique("crd")
    wanted = [custom.definition() for _ in range(10)]
    for one in wanted:
        one["metadata"]["labels"] = {"e2e-list-test-uuid": word}
        space.api.create(custom.DEFINITIONS, one)
    mine: Object = {"labelSelector": f"e2e-list-test-uuid={word}"}
    assert names(space.api.items(custom.DEFINITIONS, **mine)) == names(wanted)
    space.api.delete(custom.DEFINITIONS, **mine)
    wait("all are gone", lambda: not space.api.items(custom.DEFINITIONS, **mine))


def test_status_of_a_definition(space: Space) -> None:
    foo = custom.made(space.api, custom.definition())
    assert space.api.get(f"{foo.definition}/status")["status"]["acceptedNames"]["kind"] == foo.kind
    updated = condition_added(space, foo.definition)
    assert condition(updated, "StatusUpdate") == "True"
    patch = [{"op": "add", "path": "/status/conditions", "value": [{"type": "StatusPatched", "status": "True"}]}]
    patched = space.api.patch(f"{foo.definition}/status", patch, "json")
    assert condition(patched, "StatusPatched") == "True"
    foo.end()


def condition_added(space: Space, address: str) -> Object:
    one = {"type": "StatusUpdate", "status": "True", "reason": "E2E", "message": "Set from an e2e test"}
    return space.api.change(address, lambda found: found["status"]["conditions"].append(one), "/status")


def test_watched(space: Space) -> None:
    foo = custom.made(space.api, custom.definition())
    root = foo.root(namespace=space.name)
    with space.api.watch(root) as events:
        for name in ("a", "b"):
            space.api.create(root, foo.body(name))
            space.api.patch(f"{root}/{name}", {"spec": {"x": name}})
            space.api.delete(f"{root}/{name}")
        seen = [(event["type"], event["object"]["metadata"]["name"]) for event in itertools.islice(events, 6)]
    assert seen == [(kind, name) for name in ("a", "b") for kind in ("ADDED", "MODIFIED", "DELETED")]
    foo.end()


def test_defaults_for_requests_and_from_storage(space: Space) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    foo = custom.made(space.api, custom.definition(schema))
    root = foo.root(namespace=space.name)
    space.api.create(root, foo.body("one"))
    place = "/spec/versions/0/schema/openAPIV3Schema/properties"

    def patched(*changes: Object) -> None:
        space.api.patch(foo.definition, list(changes), "json")

    patched({"op": "add", "path": f"{place}/a/default", "value": "A"})
    wait("a is defaulted", lambda: space.api.get(f"{root}/one").get("a") == "A")
    wait("and asked for", lambda: space.api.create(root, foo.body(unique("two"))).get("a") == "A")
    two = space.api.create(root, foo.body("two"))
    assert two["a"] == "A"
    patched({"op": "remove", "path": f"{place}/a/default"}, {"op": "add", "path": f"{place}/b/default", "value": "B"})
    wait("b is defaulted", lambda: space.api.get(f"{root}/one").get("b") == "B")
    assert "a" not in space.api.get(f"{root}/one")
    assert space.api.get(f"{root}/two").items() >= {"a": "A", "b": "B"}.items()
    foo.end()


def published(space: Space, foo: custom.Custom, version: str = "v1") -> Object:
    definitions = space.api.get("/openapi/v2")["definitions"]
    found: Object = definitions.get(f"com.example.{foo.group.split('.')[0]}.{version}.{foo.kind}", {})
    return found


def test_versions_are_published(space: Space) -> None:
    """Several of one group, renamed, no longer served, gone; in OpenAPI v2 and v3."""
    wanted = custom.definition(FOO, ("v2", "v3"))
    foo = custom.made(space.api, wanted)
    for version in ("v2", "v3"):
        found = wait("it is published", functools.partial(published, space, foo, version))
        assert found["properties"]["spec"]["description"] == "Specification of Foo"
        assert found["x-kubernetes-group-version-kind"] == [{"group": foo.group, "version": version, "kind": foo.kind}]
    space.api.patch(foo.definition, [{"op": "replace", "path": "/spec/versions/1/name", "value": "v4"}], "json")
    wait("the new name is published", lambda: published(space, foo, "v4"))
    wait("the old name is not", lambda: not published(space, foo, "v3"))
    assert published(space, foo, "v2")
    space.api.patch(foo.definition, [{"op": "replace", "path": "/spec/versions/1/served", "value": False}], "json")
    wait("it is no longer published", lambda: not published(space, foo, "v4"))
    assert f"apis/{foo.group}/v2" in space.api.get("/openapi/v3")["paths"]
    wait("nor in v3", lambda: f"apis/{foo.group}/v4" not in space.api.get("/openapi/v3")["paths"])
    foo.end()
    wait("nothing is left", lambda: not published(space, foo, "v2"))


def test_kinds_of_one_group_are_published(space: Space) -> None:
    one, two = custom.definition(FOO), custom.definition(FOO)
    two["spec"]["group"] = one["spec"]["group"]
    two["metadata"]["name"] = f"{two['spec']['names']['plural']}.{one['spec']['group']}"
    for foo in [custom.made(space.api, wanted) for wanted in (one, two)]:
        wait("it is published", functools.partial(published, space, foo))
        foo.end()


def test_kubectl_validates_by_the_schema(space: Space) -> None:
    foo = custom.made(space.api, custom.definition(FOO))
    wait("it is published", lambda: published(space, foo))
    valid = json.dumps(foo.body("test-foo", spec={"bars": [{"name": "test-bar"}]}))
    for verb in ("create", "apply"):
        space.kubectl(verb, "-f", "-", stdin=valid)
        space.kubectl("delete", foo.plural, "test-foo")
    unknown = json.dumps(foo.body("test-foo", spec={"bars": [{"name": "x", "feeling": "Great", "unknown": 1}]}))
    missing = json.dumps(foo.body("test-foo", spec={"bars": [{"age": "10"}]}))
    enum = json.dumps(foo.body("test-foo", spec={"bars": [{"name": "x", "feeling": "NonExistentValue"}]}))
    for verb in ("create", "apply"):
        assert 'unknown field "spec.bars[0].unknown"' in space.kubectl(verb, "-f", "-", stdin=unknown, code=1)
        assert "spec.bars[0].name: Required value" in space.kubectl(verb, "-f", "-", stdin=missing, code=1)
        assert 'Unsupported value: "NonExistentValue"' in space.kubectl(verb, "-f", "-", stdin=enum, code=1)
    for words, expect in (
        ([], ["DESCRIPTION:", "Foo CRD for Testing", "FIELDS:", "apiVersion", "metadata", "Specification of Foo"]),
        (["metadata"], ["DESCRIPTION:", "creationTimestamp"]),
        (["spec"], ["Specification of Foo", "List of Bars and their specs"]),
        (["spec.bars"], ["List of Bars and their specs", "age", "Age of Bar", "List of Bazs", "name", "Name of Bar"]),
    ):
        said = space.kubectl("explain", ".".join([foo.plural, *words]))
        assert not [word for word in expect if word not in said], said
    assert "does not exist" in space.kubectl("explain", f"{foo.plural}.spec.bars2", code=1)
    foo.end()


PRESERVING: dict[str, Object] = {
    "root": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "nested": {
        "type": "object",
        "description": "preserve-unknown-properties in nested field for Testing",
        "properties": {
            "spec": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "properties": {"dummy": {"type": "string", "description": "Dummy property"}},
            }
        },
    },
}


@pytest.mark.parametrize("where", PRESERVING)
def test_kubectl_takes_what_is_preserved(space: Space, where: str) -> None:
    foo = custom.made(space.api, custom.definition(PRESERVING[where]))
    wait("it is published", lambda: published(space, foo))
    body = json.dumps(foo.body("test-cr", spec={"a": None, "b": [{"c": "d"}]}))
    for verb in ("create", "apply"):
        space.kubectl(verb, "-f", "-", stdin=body)
        space.kubectl("delete", foo.plural, "test-cr")
    said = space.kubectl("explain", foo.plural)
    assert f"KIND:       {foo.kind}" in said
    assert "DESCRIPTION:" in said
    if where == "nested":
        assert "preserve-unknown-properties in nested field for Testing" in said
    foo.end()


def test_a_definition_is_gone_when_deleted(space: Space) -> None:
    foo = custom.made(space.api, custom.definition())
    foo.end()
    wait("it is gone", lambda: names(space.api.items(custom.DEFINITIONS)).isdisjoint({f"{foo.plural}.{foo.group}"}))
    with pytest.raises(Refused, match="404"):
        space.api.get(foo.root())
