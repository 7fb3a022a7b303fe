"""A definition is written, and its kind is there: objects, subresources, tables, discovery, OpenAPI, the end."""

import asyncio
from typing import Any

import orjson
import pytest

from tests.apiserver import kit
from tests.apiserver.extensions import definitions
from tests.apiserver.extensions.definitions import CRONTABS, DEFINITIONS, NAME, crontab

AT = f"{DEFINITIONS}/{NAME}"


async def made(api: kit.Api, body: Any) -> None:
    answer = await api.ask("POST", DEFINITIONS, body)
    assert answer.status == 201, answer.raw


def by_type(obj: Any) -> dict[str, tuple[str, str]]:
    return {one["type"]: (one["status"], one["reason"]) for one in obj["status"]["conditions"]}


async def test_a_definition_is_served_when_its_creation_is_answered(api: kit.Api):
    answer = await api.ask("POST", DEFINITIONS, definitions.definition())
    assert answer.status == 201
    assert answer.body["status"]["storedVersions"] == ["v1"]
    assert answer.body["spec"]["names"]["listKind"] == "CronTabList"
    assert answer.body["spec"]["conversion"] == {"strategy": "None"}
    assert "warning" not in answer.headers
    created = await api.make(CRONTABS, crontab("a"))
    assert created["spec"]["replicas"] == 1
    assert created["metadata"]["generation"] == 1
    found = (await api.ask("GET", AT)).body
    assert by_type(found) == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    assert found["status"]["acceptedNames"]["shortNames"] == ["ct"]
    listed = (await api.ask("GET", CRONTABS)).body
    assert (listed["kind"], listed["apiVersion"]) == ("CronTabList", "stable.example.com/v1")
    assert [one["metadata"]["name"] for one in listed["items"]] == ["a"]


CRON = definitions.SPEC["properties"]["cronSpec"]["pattern"]
REFUSED: dict[str, tuple[Any, str, str]] = {
    "wrong type": (
        {"replicas": "x"}, "spec.replicas", 'Invalid value: "string": spec.replicas in body must be of type integer: "string"',
    ),
    "too small": (
        {"replicas": 0}, "spec.replicas", "Invalid value: 0: spec.replicas in body should be greater than or equal to 1",
    ),
    "pattern": ({"cronSpec": "x"}, "spec.cronSpec", f"Invalid value: \"x\": spec.cronSpec in body should match '{CRON}'"),
    "enum": (
        {"ports": [{"port": 1, "protocol": "X"}]}, "spec.ports[0].protocol",
        'Unsupported value: "X": supported values: "TCP", "UDP"',
    ),
    "twice": ({"ports": [{"port": 1}, {"port": 1}]}, "spec.ports[1]", 'Duplicate value: {"port":1}'),
    "required": ({"ports": [{}]}, "spec.ports[0].port", "Required value"),
    "int or string": (
        {"target": 1.5}, "spec.target",
        'Invalid value: "number": spec.target in body must be of type integer,string: "number"',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "field", "message"), REFUSED.values(), ids=REFUSED)
async def test_what_the_schema_refuses(api: kit.Api, spec: Any, field: str, message: str):
    await made(api, definitions.definition())
    answer = await api.ask("POST", CRONTABS, crontab("a", **spec))
    assert answer.status == 422
    assert answer.body["message"] == f'CronTab.stable.example.com "a" is invalid: {field}: {message}'


async def test_unknown_fields_are_pruned_warned_of_and_refused(api: kit.Api):
    await made(api, definitions.definition())
    body = crontab("a", foo=1, extra={"any": {"thing": 1}})
    strict = await api.ask("POST", CRONTABS, body, query="fieldValidation=Strict")
    assert strict.refusal[2] == (
        'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: unknown field "spec.foo"'
    )
    warned = await api.ask("POST", CRONTABS, body)
    assert warned.headers["warning"] == '299 - "unknown field \\"spec.foo\\""'
    assert warned.body["spec"] == {
        "cronSpec": "* * * * */5", "image": "my-image", "extra": {"any": {"thing": 1}}, "replicas": 1,
    }  # fmt: skip


async def test_status_and_scale_are_written_apart(api: kit.Api):
    await made(api, definitions.full())
    created = await api.make(CRONTABS, crontab("a") | {"status": {"replicas": 7}})
    assert "status" not in created
    status = await api.ask(
        "PATCH",
        f"{CRONTABS}/a/status",
        {"status": {"replicas": 3, "selector": "a=b"}, "spec": {"image": "no"}},
        headers=kit.MERGE,
    )
    assert status.status == 200, status.raw
    assert status.body["spec"]["image"] == "my-image"
    assert status.body["metadata"]["generation"] == 1
    scale = (await api.ask("GET", f"{CRONTABS}/a/scale")).body
    assert (scale["kind"], scale["spec"], scale["status"]) == (
        "Scale",
        {"replicas": 1},
        {"replicas": 3, "selector": "a=b"},
    )
    scaled = await api.ask("PATCH", f"{CRONTABS}/a/scale", {"spec": {"replicas": 5}}, headers=kit.MERGE)
    assert scaled.body["spec"] == {"replicas": 5}
    found = (await api.ask("GET", f"{CRONTABS}/a")).body
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (5, 2)
    refused = await api.ask("PATCH", f"{CRONTABS}/a/scale", {"spec": {"replicas": 50}}, headers=kit.MERGE)
    assert refused.status == 422


async def test_strategic_merge_is_not_for_custom_kinds(api: kit.Api):
    await made(api, definitions.definition())
    await api.make(CRONTABS, crontab("a"))
    answer = await api.ask("PATCH", f"{CRONTABS}/a", {}, headers=kit.STRATEGIC)
    assert answer.status == 415
    assert answer.body["message"].endswith(
        "accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


async def test_tables_and_field_selectors(api: kit.Api):
    await made(api, definitions.full())
    await api.make(CRONTABS, crontab("a"))
    await api.make(CRONTABS, crontab("b", image="other"))
    table = (await api.ask("GET", CRONTABS, headers=kit.TABLE)).body
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Spec", "Replicas", "Age"]
    assert table["rows"][0]["cells"] == ["a", "* * * * */5", 1, "0s"]
    found = (await api.ask("GET", CRONTABS, query="fieldSelector=spec.image%3Dother")).body
    assert [one["metadata"]["name"] for one in found["items"]] == ["b"]
    assert (await api.ask("GET", CRONTABS, query="fieldSelector=spec.cronSpec%3Dx")).status == 400


async def test_discovery_and_openapi(api: kit.Api):
    assert (await api.ask("GET", "/apis/stable.example.com/v1")).status == 404
    await made(api, definitions.full())
    listed = (await api.ask("GET", "/apis/stable.example.com/v1")).body["resources"]
    assert [one["name"] for one in listed] == ["crontabs", "crontabs/scale", "crontabs/status"]
    assert (listed[0]["shortNames"], listed[0]["categories"]) == (["ct"], ["all"])
    groups = (await api.ask("GET", "/apis")).body["groups"]
    assert "stable.example.com" in [one["name"] for one in groups]
    index = (await api.ask("GET", "/openapi/v3")).body["paths"]
    before = index["apis/stable.example.com/v1"]["serverRelativeURL"]
    document = (await api.ask("GET", "/openapi/v3/apis/stable.example.com/v1")).body
    schema = document["components"]["schemas"]["com.example.stable.v1.CronTab"]
    assert schema["x-kubernetes-group-version-kind"] == [
        {"group": "stable.example.com", "kind": "CronTab", "version": "v1"}
    ]
    assert schema["properties"]["spec"]["properties"]["replicas"]["default"] == 1
    assert schema["properties"]["metadata"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    ]
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in document["components"]["schemas"]
    assert schema["x-kubernetes-selectable-fields"] == [{"fieldPath": "spec.image"}]
    v2 = (await api.ask("GET", "/openapi/v2")).body["definitions"]
    assert "com.example.stable.v1.CronTabList" in v2
    wider = definitions.full(deprecated=True)
    spec = orjson.loads(orjson.dumps(definitions.SCHEMA))
    spec["properties"]["spec"]["properties"]["more"] = {"type": "string"}
    wider["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = spec
    assert (await api.ask("PATCH", AT, {"spec": wider["spec"]}, headers=kit.MERGE)).status == 200
    after = (await api.ask("GET", "/openapi/v3")).body["paths"]["apis/stable.example.com/v1"]["serverRelativeURL"]
    assert after != before
    got = await api.ask("GET", CRONTABS)
    assert got.headers["warning"] == '299 - "stable.example.com/v1 CronTab is deprecated"'


async def test_a_reader_of_swagger_is_told_nothing_of_a_kind_that_takes_anything(api: kit.Api):
    """As test/e2e/apimachinery/crd_publish_openapi.go; kubectl would refuse what is not among the properties."""
    root: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = definitions.definition()
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = root
    await made(api, definition)
    told = (await api.ask("GET", "/openapi/v2")).body["definitions"]["com.example.stable.v1.CronTab"]
    assert sorted(told) == ["type", "x-kubernetes-group-version-kind"]
    inside = {
        "type": "object",
        "properties": {"spec": {**root, "description": "free", "properties": {"a": {"type": "string"}}}},
    }
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = inside
    assert (await api.ask("PATCH", AT, {"spec": definition["spec"]}, headers=kit.MERGE)).status == 200
    told = (await api.ask("GET", "/openapi/v2")).body["definitions"]["com.example.stable.v1.CronTab"]
    assert told["properties"]["spec"] == {"description": "free", "x-kubernetes-preserve-unknown-fields": True}


async def test_rules_in_cel_are_enforced(api: kit.Api):
    """As test/e2e/apimachinery/crd_validation_rules.go."""
    schema = orjson.loads(orjson.dumps(definitions.SCHEMA))
    rule = {"rule": "self.replicas < 10", "messageExpression": "'%d are too many'.format([self.replicas])"}
    schema["properties"]["spec"]["x-kubernetes-validations"] = [rule]
    answer = await api.ask("POST", DEFINITIONS, definitions.definition(definitions.version(schema=schema)))
    assert answer.status == 201
    assert "warning" not in answer.headers
    assert (await api.ask("POST", CRONTABS, crontab("a", replicas=9))).status == 201
    refused = await api.ask("POST", CRONTABS, crontab("b", replicas=10))
    assert refused.status == 422
    assert refused.body["message"] == (
        'CronTab.stable.example.com "b" is invalid: spec: Invalid value: "object": 10 are too many'
    )
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": 'Invalid value: "object": 10 are too many', "field": "spec"}
    ]


async def test_an_object_older_than_a_rule_may_be_changed_elsewhere(api: kit.Api):
    await made(api, definitions.definition())
    await api.make(CRONTABS, crontab("a", replicas=9))
    schema = orjson.loads(orjson.dumps(definitions.SCHEMA))
    schema["properties"]["spec"]["x-kubernetes-validations"] = [{"rule": "self.replicas < 5", "message": "too many"}]
    changed = definitions.definition(definitions.version(schema=schema))
    assert (await api.ask("PATCH", AT, {"spec": changed["spec"]}, headers=kit.MERGE)).status == 200
    labelled = await api.ask("PATCH", f"{CRONTABS}/a", {"metadata": {"labels": {"a": "b"}}}, headers=kit.MERGE)
    assert (labelled.status, labelled.headers["warning"]) == (
        200,
        '299 - "spec: Invalid value: \\"object\\": too many"',
    )
    scaled = await api.ask("PATCH", f"{CRONTABS}/a", {"spec": {"replicas": 8}}, headers=kit.MERGE)
    assert scaled.status == 422


async def test_a_rule_about_a_field_that_is_not_there(api: kit.Api):
    rules = [{"rule": "self.z == 100"}]
    schema = {"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-validations": rules}}}
    refused = await api.ask("POST", DEFINITIONS, definitions.definition(definitions.version(schema=schema)))
    assert refused.status == 422
    assert "compilation failed: ERROR: <input>:1:5: undefined field 'z'" in refused.body["message"]


async def test_objects_of_an_older_schema_are_read_by_the_newer_one(api: kit.Api):
    await made(api, definitions.definition())
    await api.make(CRONTABS, crontab("a", note="kept"))
    schema = orjson.loads(orjson.dumps(definitions.SCHEMA))
    del schema["properties"]["spec"]["properties"]["note"]
    schema["properties"]["spec"]["properties"]["colour"] = {"type": "string", "default": "red"}
    changed = definitions.definition(definitions.version(schema=schema))
    assert (await api.ask("PATCH", AT, {"spec": changed["spec"]}, headers=kit.MERGE)).status == 200
    for found in ((await api.ask("GET", f"{CRONTABS}/a")).body, (await api.ask("GET", CRONTABS)).body["items"][0]):
        assert found["spec"]["colour"] == "red"
        assert "note" not in found["spec"]


V2 = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


async def test_several_versions_without_conversion(api: kit.Api):
    v1, v2 = definitions.version(), definitions.version("v2", V2, storage=False)
    await made(api, definitions.definition(v1, v2))
    await api.make(CRONTABS, crontab("a"))
    in_v2 = CRONTABS.replace("/v1/", "/v2/")
    found = (await api.ask("GET", f"{in_v2}/a")).body
    assert found["apiVersion"] == "stable.example.com/v2"
    assert found["spec"]["image"] == "my-image"
    await api.make(in_v2, crontab("b") | {"apiVersion": "stable.example.com/v2"})
    stored = await api.store.get("/stable.example.com/crontabs/default/b")
    assert stored is not None
    assert orjson.loads(stored.value)["apiVersion"] == "stable.example.com/v1"
    # The other version becomes the one to store in: a write that changes nothing moves the object there.
    turned = definitions.definition({**v1, "storage": False}, {**v2, "storage": True})
    answer = await api.ask("PATCH", AT, {"spec": turned["spec"]}, headers=kit.MERGE)
    assert answer.body["status"]["storedVersions"] == ["v1", "v2"]
    whole = (await api.ask("GET", f"{CRONTABS}/a")).body
    assert (await api.ask("PUT", f"{CRONTABS}/a", whole)).status == 200
    moved = await api.store.get("/stable.example.com/crontabs/default/a")
    assert moved is not None
    assert orjson.loads(moved.value)["apiVersion"] == "stable.example.com/v2"
    gone = definitions.definition({**v2, "storage": True})
    refused = await api.ask("PATCH", AT, {"spec": gone["spec"]}, headers=kit.MERGE)
    assert refused.status == 422
    assert "status.storedVersions[0]" in refused.body["message"]
    kept = await api.ask("PATCH", f"{AT}/status", {"status": {"storedVersions": ["v2"]}}, headers=kit.MERGE)
    assert kept.status == 200, kept.raw
    assert (await api.ask("PATCH", AT, {"spec": gone["spec"]}, headers=kit.MERGE)).status == 200
    assert (await api.ask("GET", CRONTABS)).status == 404


async def test_a_watch_sees_every_version_as_its_own_and_ends_with_the_schema(api: kit.Api):
    v1, v2 = definitions.version(), definitions.version("v2", V2, storage=False)
    await made(api, definitions.definition(v1, v2))
    in_v2 = CRONTABS.replace("/v1/", "/v2/")
    watching = asyncio.ensure_future(_all_lines((await api.ask("GET", in_v2, query="watch=1")).response))
    await asyncio.sleep(0)
    await api.make(CRONTABS, crontab("a"))
    await api.make(CRONTABS, crontab("b"))
    changed = definitions.definition(v1, {**v2, "deprecated": True})
    await api.ask("PATCH", AT, {"spec": changed["spec"]}, headers=kit.MERGE)
    events = [orjson.loads(line) for line in await watching]
    assert [
        (event["type"], event["object"]["apiVersion"], event["object"]["metadata"]["name"]) for event in events
    ] == [
        ("ADDED", "stable.example.com/v2", "a"),
        ("ADDED", "stable.example.com/v2", "b"),
    ]


async def test_a_deletion_takes_the_objects_with_it(api: kit.Api):
    await made(api, definitions.definition())
    for name in "abc":
        await api.make(CRONTABS, crontab(name))
    held = crontab("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await api.make(CRONTABS, held)
    watching = asyncio.ensure_future(_all_lines((await api.ask("GET", CRONTABS, query="watch=1")).response))
    await asyncio.sleep(0)
    answer = await api.ask("DELETE", AT)
    assert answer.status == 200
    assert answer.body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert by_type(answer.body)["Terminating"] == ("True", "InstanceDeletionPending")
    refused = await api.ask("POST", CRONTABS, crontab("late"))
    assert refused.refusal[::2] == (405, "create not allowed while custom resource definition is terminating")
    await _until(api, "held is alone", lambda: api.ask("GET", CRONTABS), lambda one: len(one.body["items"]) == 1)
    await api.ask("PATCH", f"{CRONTABS}/held", {"metadata": {"finalizers": None}}, headers=kit.MERGE)
    await _until(api, "the definition is gone", lambda: api.ask("GET", AT), lambda one: one.status == 404)
    assert (await api.ask("GET", CRONTABS)).status == 404
    lines = await watching
    assert sum(orjson.loads(line)["type"] == "DELETED" for line in lines) == 4
    await made(api, definitions.definition())
    assert (await api.ask("GET", CRONTABS)).body["items"] == []


async def _all_lines(response: Any) -> list[bytes]:
    return b"".join([piece async for piece in response.stream]).splitlines()


async def _until(api: kit.Api, what: str, ask: Any, fits: Any) -> None:
    for _ in range(1000):
        if fits(await ask()):
            return
        await asyncio.sleep(0)
    raise AssertionError(what)


async def test_names_in_use_are_not_accepted_until_they_are_free(api: kit.Api):
    await made(api, definitions.definition())
    other = definitions.definition(names={"plural": "others", "kind": "CronTab", "shortNames": ["ct"]})
    other["metadata"]["name"] = "others.stable.example.com"
    await made(api, other)
    found = (await api.ask("GET", f"{DEFINITIONS}/others.stable.example.com")).body
    assert by_type(found) == {
        "NamesAccepted": ("False", "ListKindConflict"),
        "Established": ("False", "NotAccepted"),
    }
    assert (await api.ask("GET", "/apis/stable.example.com/v1/others")).status == 404
    await api.ask("DELETE", AT)
    others = "/apis/stable.example.com/v1/others"
    await _until(api, "the other is served", lambda: api.ask("GET", others), lambda one: one.status == 200)


async def test_kinds_are_there_again_after_a_restart():
    async with kit.Api() as first:
        await made(first, definitions.definition())
        await first.make(CRONTABS, crontab("a"))
        store = first.store.fork()
    async with kit.Api(store=store) as second:
        assert (await second.ask("GET", f"{CRONTABS}/a")).status == 200


async def test_apply_patches_know_the_lists_of_the_schema(api: kit.Api):
    await made(api, definitions.definition())
    headers = {"content-type": "application/apply-patch+yaml"}
    one = crontab("a", ports=[{"port": 80}])
    made_by = await api.ask("PATCH", f"{CRONTABS}/a", one, query="fieldManager=one", headers=headers)
    assert made_by.status == 201, made_by.raw
    two = crontab("a", ports=[{"port": 81}])
    merged = await api.ask("PATCH", f"{CRONTABS}/a", two, query="fieldManager=two", headers=headers)
    assert merged.status == 200, merged.raw
    assert [port["port"] for port in merged.body["spec"]["ports"]] == [80, 81]


async def test_a_definition_that_waits_for_its_objects_can_still_be_changed(api: kit.Api):
    await api.make(DEFINITIONS, definitions.definition(definitions.version()))
    held = definitions.crontab("a")
    held["metadata"]["finalizers"] = ["stays.example.com"]
    await api.make(CRONTABS, held)
    path = f"{DEFINITIONS}/{definitions.NAME}"
    await api.ask("DELETE", path)
    label = {"metadata": {"labels": {"a": "b"}}}
    changed = await api.ask("PATCH", path, label, headers=kit.MERGE)
    assert changed.status == 200, changed.raw
    assert changed.body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
