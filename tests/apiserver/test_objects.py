"""create, get, list, update, patch, delete as clients see them."""

from typing import Any

import pytest

from steersman.apiserver.protobuf import encoding, objects
from steersman.meta.objects import Object
from tests.apiserver import kit
from tests.apiserver.kit import DEPLOYMENTS, JSON_PATCH, MAPS, MERGE, PODS, STRATEGIC


async def test_create_then_get_are_the_same_bytes(api: kit.Api):
    created = await api.ask("POST", MAPS, kit.config_map("a", x="y"))
    assert created.status == 201
    meta = created.body["metadata"]
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert meta["namespace"] == "default"
    got = await api.ask("GET", f"{MAPS}/a")
    assert got.raw == created.raw
    assert got.body["metadata"]["resourceVersion"] == str(api.store.revision)


async def test_generated_names_differ(api: kit.Api):
    body = {"metadata": {"generateName": "a-"}}
    names = {(await api.make(MAPS, body))["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("a-") and len(name) == 7 for name in names)


async def test_yaml_in_and_out(api: kit.Api):
    made = await api.ask(
        "POST", MAPS, b"metadata: {name: a}\ndata: {day: '2026-01-01'}\n", headers={"content-type": "application/yaml"}
    )
    assert made.status == 201
    assert made.body["data"] == {"day": "2026-01-01"}
    got = await api.ask("GET", f"{MAPS}/a", headers=kit.YAML)
    assert got.headers["content-type"] == "application/yaml"
    assert got.raw.startswith(b"kind: ConfigMap\n")


REFUSALS: dict[str, Any] = {
    "absent": ("GET", f"{MAPS}/nope", None, {}, (404, "NotFound", 'configmaps "nope" not found')),
    "absent of a group": (
        "GET", f"{DEPLOYMENTS}/nope", None, {}, (404, "NotFound", 'deployments.apps "nope" not found'),
    ),
    "no such resource": (
        "GET", "/api/v1/nope", None, {}, (404, "NotFound", "the server could not find the requested resource"),
    ),
    "no such path": ("GET", "/nope", None, {}, (404, "NotFound", "the server could not find the requested resource")),
    "no such namespace": (
        "POST", "/api/v1/namespaces/nope/configmaps", kit.config_map("a"), {},
        (404, "NotFound", 'namespaces "nope" not found'),
    ),
    "method": (
        "POST", f"{MAPS}/a", {}, {},
        (405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    ),
    "create everywhere": (
        "POST", "/api/v1/configmaps", kit.config_map("a"), {},
        (405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    ),
    "cbor only": (
        "GET", MAPS, None, {"accept": "application/cbor"},
        (
            406, "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ),
    ),
    "body of another type": (
        "POST", MAPS, {}, {"content-type": "text/plain"},
        (
            415, "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, "
            "application/vnd.kubernetes.protobuf",
        ),
    ),
    "other namespace in the body": (
        "POST", MAPS, {"metadata": {"name": "a", "namespace": "b"}}, {},
        (400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request"),
    ),
    "other version": (
        "POST", MAPS, {"apiVersion": "v2", "metadata": {"name": "a"}}, {},
        (
            400, "BadRequest",
            'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2" '
            'in scheme "pkg/api/legacyscheme/scheme.go:30"',
        ),
    ),
    "no name": (
        "POST", MAPS, {"metadata": {}}, {},
        (422, "Invalid", 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
    ),
    "resourceVersion on create": (
        "POST", MAPS, {"metadata": {"name": "a", "resourceVersion": "1"}}, {},
        (400, "BadRequest", "resourceVersion should not be set on objects to be created"),
    ),
    "dryRun of another kind": (
        "POST", f"{MAPS}?dryRun=Some", kit.config_map("a"), {},
        (
            422, "Invalid",
            'CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "Some": supported values: "All"',
        ),
    ),
    "future revision": (
        "GET", f"{MAPS}?resourceVersion=99999", None, {},
        (504, "Timeout", "Too large resource version: 99999, current: 3"),
    ),
    "selector": (
        "GET", f"{MAPS}?labelSelector=a%20b", None, {},
        (400, "BadRequest", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ),
    "field": (
        "GET", f"{MAPS}?fieldSelector=data.x%3D1", None, {},
        (
            400, "BadRequest",
            '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ),
    "field of a kind with more of them": (
        "GET", "/api/v1/pods?fieldSelector=status.x%3D1", None, {},
        (400, "BadRequest", "field label not supported: status.x"),
    ),
    "immortal namespace": (
        "DELETE", "/api/v1/namespaces/default", None, {},
        (403, "Forbidden", 'namespaces "default" is forbidden: this namespace may not be deleted'),
    ),
    "pod without an account": (
        "POST", PODS, kit.pod("p", serviceAccountName="ghost"), {},
        (
            403, "Forbidden",
            'pods "p" is forbidden: error looking up service account default/ghost: serviceaccount "ghost" not found',
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers", "expect"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_refusals(api: kit.Api, method, path, body, headers, expect):
    answer = await api.ask(method, path, body, headers=headers)
    assert answer.refusal == expect
    assert answer.body["code"] == expect[0]
    assert answer.body["kind"] == "Status"


async def test_already_there(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    answer = await api.ask("POST", MAPS, kit.config_map("a"))
    assert answer.refusal == (409, "AlreadyExists", 'configmaps "a" already exists')
    assert answer.body["details"] == {"name": "a", "kind": "configmaps"}


@pytest.mark.parametrize("mode", ["Strict", "Warn", "Ignore"])
async def test_unknown_fields(api: kit.Api, mode: str):
    body = {**kit.config_map("a"), "dato": {}}
    answer = await api.ask("POST", f"{MAPS}?fieldValidation={mode}", body)
    if mode == "Strict":
        assert answer.refusal[:2] == (400, "BadRequest")
        assert 'strict decoding error: unknown field "dato"' in answer.refusal[2]
    else:
        assert "dato" not in answer.body
        assert answer.headers.get("warning") == ('299 - "unknown field \\"dato\\""' if mode == "Warn" else None)


async def test_update_needs_the_current_version_if_it_names_one(api: kit.Api):
    made = await api.make(MAPS, kit.config_map("a"))
    changed = {**made, "data": {"x": "1"}}
    first = await api.ask("PUT", f"{MAPS}/a", changed)
    assert first.status == 200
    assert first.body["metadata"]["uid"] == made["metadata"]["uid"]
    again = await api.ask("PUT", f"{MAPS}/a", {**changed, "data": {"x": "2"}})
    assert again.refusal == (
        409,
        "Conflict",
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )
    unconditional = await api.ask("PUT", f"{MAPS}/a", kit.config_map("a", x="3"))
    assert unconditional.body["data"] == {"x": "3"}
    assert unconditional.body["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


async def test_an_update_that_changes_nothing_writes_nothing(api: kit.Api):
    made = await api.make(MAPS, kit.config_map("a", x="1"))
    same = await api.ask("PUT", f"{MAPS}/a", made)
    assert same.body == made


async def test_update_refuses_another_uid(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    body = kit.config_map("a")
    body["metadata"]["uid"] = "other"
    assert (await api.ask("PUT", f"{MAPS}/a", body)).refusal[:2] == (409, "Conflict")


async def test_dry_run_stores_nothing(api: kit.Api):
    before = api.store.revision
    made = await api.ask("POST", f"{MAPS}?dryRun=All", kit.config_map("a"))
    assert made.status == 201
    assert "resourceVersion" not in made.body["metadata"]
    assert (await api.ask("GET", f"{MAPS}/a")).status == 404
    assert api.store.revision == before


PATCHES = {
    "merge": (MERGE, {"data": {"y": "2", "x": None}}, {"y": "2"}),
    "json": (JSON_PATCH, [{"op": "add", "path": "/data/y", "value": "2"}], {"x": "1", "y": "2"}),
    "strategic": (STRATEGIC, {"data": {"y": "2"}}, {"x": "1", "y": "2"}),
}


@pytest.mark.parametrize(("headers", "body", "expect"), PATCHES.values(), ids=PATCHES.keys())
async def test_patch(api: kit.Api, headers, body, expect):
    await api.make(MAPS, kit.config_map("a", x="1"))
    answer = await api.ask("PATCH", f"{MAPS}/a", body, headers=headers)
    assert (answer.status, answer.body["data"]) == (200, expect)


async def test_patch_with_an_old_version_is_a_conflict(api: kit.Api):
    await api.make(MAPS, kit.config_map("a", x="1"))
    body = {"metadata": {"resourceVersion": "1"}, "data": {}}
    assert (await api.ask("PATCH", f"{MAPS}/a", body, headers=MERGE)).refusal[:2] == (409, "Conflict")


async def test_generation_follows_the_spec_and_status_stays_apart(api: kit.Api):
    made = await api.make(DEPLOYMENTS, {**kit.deployment("d"), "status": {"replicas": 9}})
    assert made["metadata"]["generation"] == 1
    assert made.get("status", {}) == {}
    status = await api.ask(
        "PUT", f"{DEPLOYMENTS}/d/status", {**made, "spec": {**made["spec"], "replicas": 7}, "status": {"replicas": 2}}
    )
    assert status.body["metadata"]["generation"] == 1
    assert (status.body["spec"]["replicas"], status.body["status"]) == (2, {"replicas": 2})
    patched = await api.ask(
        "PATCH", f"{DEPLOYMENTS}/d", {"spec": {"replicas": 3}, "status": {"replicas": 0}}, headers=MERGE
    )
    assert patched.body["metadata"]["generation"] == 2
    assert patched.body["status"] == {"replicas": 2}


async def test_delete_answers_a_status_or_the_object(api: kit.Api):
    made = await api.make(MAPS, kit.config_map("a"))
    gone = await api.ask("DELETE", f"{MAPS}/a")
    assert gone.body["status"] == "Success"
    assert gone.body["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    await api.make(kit.SERVICES, service)
    assert (await api.ask("DELETE", f"{kit.SERVICES}/s")).body["kind"] == "Service"


async def test_delete_preconditions(api: kit.Api):
    await api.make(MAPS, kit.config_map("a"))
    body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "other"}}
    assert (await api.ask("DELETE", f"{MAPS}/a", body)).refusal[:2] == (409, "Conflict")
    assert (await api.ask("GET", f"{MAPS}/a")).status == 200


async def test_delete_collection_by_label(api: kit.Api):
    for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
        await api.make(MAPS, kit.config_map(name, {"color": color}))
    gone = await api.ask("DELETE", f"{MAPS}?labelSelector=color%3Dred")
    assert [item["metadata"]["name"] for item in gone.body["items"]] == ["a", "c"]
    left = await api.ask("GET", MAPS)
    assert [item["metadata"]["name"] for item in left.body["items"]] == ["b"]


async def test_finalizers_hold_an_object_until_they_are_gone(api: kit.Api):
    body = kit.config_map("a")
    body["metadata"]["finalizers"] = ["example.com/wait"]
    await api.make(MAPS, body)
    marked = await api.ask("DELETE", f"{MAPS}/a")
    assert marked.body["metadata"]["deletionTimestamp"]
    more = {"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}}
    assert (await api.ask("PATCH", f"{MAPS}/a", more, headers=MERGE)).refusal[:2] == (422, "Invalid")
    last = await api.ask("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, headers=MERGE)
    assert last.status == 200
    assert (await api.ask("GET", f"{MAPS}/a")).status == 404


async def test_namespace_lives_through_its_own_finalizer(api: kit.Api):
    await api.make("/api/v1/namespaces", {"metadata": {"name": "n"}})
    marked = await api.ask("DELETE", "/api/v1/namespaces/n")
    assert marked.body["status"]["phase"] == "Terminating"
    refused = await api.ask("POST", "/api/v1/namespaces/n/configmaps", kit.config_map("a"))
    assert refused.refusal == (
        403,
        "Forbidden",
        'configmaps "a" is forbidden: unable to create new content in namespace n because it is being terminated',
    )
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    final = await api.ask("PUT", "/api/v1/namespaces/n/finalize", {**marked.body, "spec": {"finalizers": []}})
    assert final.status == 200
    assert (await api.ask("GET", "/api/v1/namespaces/n")).status == 404


async def test_the_cause_of_a_write_is_kept(api: kit.Api):
    made = await api.ask("POST", MAPS, kit.config_map("a"), headers={"steersman-because": "2"})
    cause = await api.store.cause(int(made.body["metadata"]["resourceVersion"]))
    assert cause is not None
    assert (cause.who, cause.verb, cause.because) == ("admin", "create", 2)


FROM_OTHERS = {
    "pod": (kit.PODS, kit.pod("a", schedulingGates=[{"name": "a.io/b"}], hostNetwork=False, nodeName="")),
    "claim template": (
        "/apis/resource.k8s.io/v1/namespaces/default/resourceclaimtemplates",
        {
            "metadata": {"name": "a"},
            "spec": {
                "spec": {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "c", "count": 0}}]}}
            },
        },
    ),
}


@pytest.mark.parametrize(("path", "obj"), FROM_OTHERS.values(), ids=FROM_OTHERS.keys())
async def test_what_others_made_goes_through_a_client_in_go_unchanged(api: kit.Api, path: str, obj: Object):
    """What was made with zeros written out, or without empty structs, can be updated by who writes neither or both."""
    await kit.with_account(api)
    made = await api.make(path, obj)
    as_go_has_it = objects.decode(encoding.encode(made) or b"")
    if "spec" in as_go_has_it["spec"]:
        as_go_has_it["spec"].setdefault("metadata", {})
    updated = await api.ask("PUT", f"{path}/a", as_go_has_it)
    assert (updated.status, updated.body) == (200, made)


async def test_a_put_makes_what_is_not_there_of_some_kinds(api: kit.Api):
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    made = await api.ask("PUT", path, lease)
    assert (made.status, made.body["spec"]) == (201, {"holderIdentity": "me"})
    released = await api.ask("PUT", path, {"metadata": {"name": "l"}, "spec": {"holderIdentity": ""}})
    assert (released.status, released.body["spec"]) == (200, {"holderIdentity": ""})  # as client-go leaves it
    missing = await api.ask("PUT", f"{MAPS}/m", kit.config_map("m"))
    assert missing.status == 404
    gone = await api.ask("PUT", path.removesuffix("l") + "m", {"metadata": {"name": "m", "uid": "u"}, "spec": {}})
    assert gone.refusal[::2] == (
        409,
        'Operation cannot be fulfilled on leases.coordination.k8s.io "m": Precondition failed: UID in precondition: u, UID in '
        "object meta: ",
    )


async def test_only_custom_objects_say_in_a_list_what_they_are(api: kit.Api):
    """client-go compares what it listed with what it got: neither may say more than the other."""
    await api.make(MAPS, {"metadata": {"name": "a"}, "data": {"kind": "x"}, "kind": "ConfigMap", "apiVersion": "v1"})
    await api.make(MAPS, kit.config_map("b", kind="x"))
    for query in ("", "labelSelector=!c", "pretty=true"):
        listed = (await api.ask("GET", MAPS, query=query)).body
        assert [sorted(item) for item in listed["items"]] == [["data", "metadata"]] * 2
    assert (await api.ask("GET", f"{MAPS}/a")).raw.startswith(b'{"kind":"ConfigMap","apiVersion":"v1",')
    none = await api.ask("GET", MAPS.replace("default", "other"))
    assert none.body["items"] == []
