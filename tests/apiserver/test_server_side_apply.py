"""Server-side apply and managedFields as clients see them, the real kubectl among them."""

import datetime
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from steersman.aio import clock as clocks
from steersman.meta.objects import Object
from tests.apiserver import kit, served, test_access, test_kubectl
from tests.apiserver.kit import DEPLOYMENTS, MAPS, MERGE, PODS, STRATEGIC

APPLY = {"content-type": "application/apply-patch+yaml"}
WEB = f"{DEPLOYMENTS}/web"


def config(name: str = "a", **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def web(**spec: Any) -> Object:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "hello:1"}]}}
    whole = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": whole}


async def apply(api: kit.Api, path: str, body: Any, manager: str = "ci", query: str = "", **more: Any) -> kit.Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return await api.ask("PATCH", path, raw, f"fieldManager={manager}{query}", APPLY, **more)


def owners(obj: Object) -> dict[str, Object]:
    """`manager operation[/subresource]` → its fields."""
    return {
        " ".join(filter(None, (one.get("manager"), one["operation"], one.get("subresource")))): one["fieldsV1"]
        for one in obj["metadata"].get("managedFields", ())
    }


# Every write keeps account


async def test_create_names_the_creator_by_parameter_or_user_agent(api: kit.Api):
    body = orjson.dumps(config("a", x="1"))
    made = await api.ask("POST", MAPS, body, headers={"user-agent": "kubectl/v1.37 (linux/amd64)"})
    (entry,) = made.body["metadata"]["managedFields"]
    assert entry == {
        "manager": "kubectl",
        "operation": "Update",
        "apiVersion": "v1",
        "time": made.body["metadata"]["creationTimestamp"],
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {".": {}, "f:x": {}}},
    }
    made = await api.ask("POST", MAPS, config("b", x="1"), "fieldManager=kubectl-create")
    assert list(owners(made.body)) == ["kubectl-create Update"]


async def test_defaults_are_the_creators_but_not_what_admission_adds(api: kit.Api):
    await kit.with_account(api)
    made = await api.make(PODS, kit.pod("a"))
    (fields,) = owners(made).values()
    main = fields["f:spec"]["f:containers"]['k:{"name":"main"}']
    assert main["f:imagePullPolicy"] == {}
    assert "f:volumeMounts" not in main
    assert set(fields["f:spec"]) & {"f:restartPolicy", "f:tolerations", "f:serviceAccountName"} == {"f:restartPolicy"}
    assert "f:status" not in fields


async def test_an_update_takes_what_it_changes(api: kit.Api):
    made = (await api.ask("POST", MAPS, config("a", x="1", y="1"), "fieldManager=maker")).body
    changed = {**made, "data": {"x": "2", "y": "1"}}
    now = (await api.ask("PUT", f"{MAPS}/a", changed, "fieldManager=changer")).body
    assert owners(now) == {
        "maker Update": {"f:data": {".": {}, "f:y": {}}},
        "changer Update": {"f:data": {"f:x": {}}},
    }
    left = (await api.ask("PATCH", f"{MAPS}/a", {"data": {"x": None}}, "fieldManager=remover", MERGE)).body
    assert owners(left) == {"maker Update": {"f:data": {".": {}, "f:y": {}}}}


async def test_status_is_owned_apart(api: kit.Api):
    await kit.with_account(api)
    await api.make(PODS, kit.pod("a"))
    patch = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"priority": 9}}
    now = (await api.ask("PATCH", f"{PODS}/a/status", patch, "fieldManager=kubelet", STRATEGIC)).body
    ready: Object = {".": {}, "f:type": {}, "f:status": {}}
    assert owners(now)["kubelet Update status"] == {
        "f:status": {"f:conditions": {".": {}, 'k:{"type":"Ready"}': ready}}
    }


async def test_a_binding_has_no_owner(api: kit.Api):
    await kit.with_account(api)
    made = await api.make(PODS, kit.pod("a"))
    await api.ask("POST", f"{PODS}/a/binding", {"target": {"name": "n"}}, "fieldManager=scheduler")
    now = (await api.ask("GET", f"{PODS}/a")).body
    assert now["spec"]["nodeName"] == "n"
    assert now["metadata"]["managedFields"] == made["metadata"]["managedFields"]


async def test_scaling_owns_the_replicas(api: kit.Api):
    await api.ask("POST", DEPLOYMENTS, web(replicas=2), "fieldManager=maker")
    patch = {"spec": {"replicas": 5}}
    assert (await api.ask("PATCH", f"{WEB}/scale", patch, "fieldManager=hpa", MERGE)).status == 200
    now = (await api.ask("GET", WEB)).body
    assert owners(now)["hpa Update scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(now)["maker Update"]["f:spec"]


async def test_applying_to_the_scale(api: kit.Api):
    await apply(api, WEB, web(replicas=2))
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    refused = await apply(api, f"{WEB}/scale", scale, "hpa")
    assert refused.refusal == (409, "Conflict", 'Apply failed with 1 conflict: conflict with "ci": .spec.replicas')
    answer = await apply(api, f"{WEB}/scale", scale, "hpa", "&force=true")
    assert (answer.body["kind"], answer.body["spec"]) == ("Scale", {"replicas": 3})
    now = (await api.ask("GET", WEB)).body
    assert now["spec"]["replicas"] == 3
    assert owners(now)["hpa Apply scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(now)["ci Apply"]["f:spec"]


async def test_a_client_may_write_the_entries_itself(api: kit.Api):
    made = await api.make(MAPS, config("a", x="1"))
    entry = {**made["metadata"]["managedFields"][0], "manager": "renamed"}
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [entry]}]
    now = (await api.ask("PATCH", f"{MAPS}/a", patch, headers=kit.JSON_PATCH)).body
    assert list(owners(now)) == ["renamed Update"]


@pytest.mark.parametrize("given", [[], [{}]], ids=["empty", "one empty"])
async def test_a_client_may_reset_the_entries(api: kit.Api, given: Any):
    await api.make(MAPS, config("a", x="1"))
    patch = {"metadata": {"managedFields": given}}
    now = (await api.ask("PATCH", f"{MAPS}/a", patch, headers=MERGE)).body
    assert "managedFields" not in now["metadata"]
    again = (await api.ask("PATCH", f"{MAPS}/a", {"data": {"y": "1"}}, headers=MERGE)).body
    assert "managedFields" not in again["metadata"], "nobody keeps account before the next apply"
    applied = (await apply(api, f"{MAPS}/a", config("a", z="1"))).body
    assert set(owners(applied)) == {"ci Apply", "before-first-apply Update"}


USELESS: dict[str, Any] = {
    "left out": None,
    "broken": [{"manager": "x", "operation": "Nope", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}],
    "broken fields": [
        {"manager": "x", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"a": {}}}
    ],
}


@pytest.mark.parametrize("given", USELESS.values(), ids=USELESS)
async def test_entries_that_are_of_no_use_change_nothing(api: kit.Api, given: Any):
    made = await api.make(MAPS, config("a", x="1"))
    sent = {**made, "metadata": {**made["metadata"], "managedFields": given}}
    now = await api.ask("PUT", f"{MAPS}/a", sent)
    assert (now.status, now.body) == (200, made)


async def test_entries_of_wrong_types_are_refused(api: kit.Api):
    made = await api.make(MAPS, config("a", x="1"))
    sent = {**made, "metadata": {**made["metadata"], "managedFields": [{"manager": 1}]}}
    answer = await api.ask("PUT", f"{MAPS}/a", sent)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert "cannot unmarshal number" in answer.body["message"]


async def test_the_status_subresource_does_not_write_entries(api: kit.Api):
    await kit.with_account(api)
    made = await api.make(PODS, kit.pod("a"))
    now = (await api.ask("PATCH", f"{PODS}/a/status", {"metadata": {"managedFields": []}}, headers=MERGE)).body
    assert now == made


# Apply


async def test_apply_creates_then_changes_then_does_nothing(api: kit.Api):
    made = await apply(api, WEB, web(replicas=2))
    assert made.status == 201
    assert made.body["spec"]["progressDeadlineSeconds"] == 600
    again = await apply(api, WEB, web(replicas=2))
    assert (again.status, again.raw) == (200, made.raw)
    more = await apply(api, WEB, web(replicas=3))
    assert (more.body["spec"]["replicas"], more.body["metadata"]["generation"]) == (3, 2)
    assert owners(more.body) == owners(made.body)
    less = await apply(api, WEB, web())
    assert less.body["spec"]["replicas"] == 1, "the default again"


class Clock(clocks.SystemClock):
    """The system's, some seconds later."""

    later = datetime.timedelta()

    def now(self) -> datetime.datetime:
        return super().now() + self.later


async def test_times_change_with_the_object_and_not_without():
    clock = Clock()
    async with kit.Api(clock=clock) as api:
        made = (await apply(api, f"{MAPS}/a", config("a", x="1"))).body
        clock.later = datetime.timedelta(seconds=5)
        same = (await apply(api, f"{MAPS}/a", config("a", x="1"))).body
        assert same == made
        other = (await apply(api, f"{MAPS}/a", config("a", x="1"), "other")).body
        times = {one["manager"]: one["time"] for one in other["metadata"]["managedFields"]}
        assert times["ci"] == made["metadata"]["creationTimestamp"] < times["other"]


async def test_yaml(api: kit.Api):
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  day: '2026-01-01'\n"
    made = await apply(api, f"{MAPS}/a", text)
    assert (made.status, made.body["data"]) == (201, {"day": "2026-01-01"})


async def test_conflicts_name_the_managers(api: kit.Api):
    await api.ask("POST", DEPLOYMENTS, web(replicas=2), "fieldManager=kubectl")
    refused = await apply(api, WEB, web(replicas=3))
    assert refused.refusal == (
        409, "Conflict", 'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas',
    )  # fmt: skip
    assert refused.body["details"] == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl" using apps/v1',
                "field": ".spec.replicas",
            }
        ]
    }
    forced = await apply(api, WEB, web(replicas=3), query="&force=true")
    assert forced.body["spec"]["replicas"] == 3
    assert "f:replicas" not in owners(forced.body)["kubectl Update"]["f:spec"]


async def test_controllers_of_different_fields_live_together(api: kit.Api):
    await apply(api, WEB, web())
    hpa = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 7}}
    now = (await apply(api, WEB, hpa, "hpa", "&force=true")).body
    again = (await apply(api, WEB, web(), "ci")).body
    assert again["spec"]["replicas"] == now["spec"]["replicas"] == 7
    gone = (await apply(api, WEB, {**hpa, "spec": {}}, "hpa")).body
    assert gone["spec"]["replicas"] == 1


async def test_apply_to_the_status(api: kit.Api):
    await kit.with_account(api)
    await api.make(PODS, kit.pod("a"))
    condition = {"type": "example.com/Gate", "status": "True"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": {"conditions": [condition]}}
    now = (await apply(api, f"{PODS}/a/status", body, "gate")).body
    assert condition in now["status"]["conditions"]
    without = (await apply(api, f"{PODS}/a/status", {**body, "status": {}}, "gate")).body
    assert condition not in without["status"].get("conditions", [])
    absent = await apply(api, f"{PODS}/b/status", {**body, "metadata": {"name": "b"}}, "gate")
    assert absent.refusal == (404, "NotFound", 'pods "b" not found')


async def test_dry_run_stores_nothing(api: kit.Api):
    tried = await apply(api, WEB, web(), query="&dryRun=All")
    assert (tried.status, tried.body["metadata"]["name"]) == (201, "web")
    assert (await api.ask("GET", WEB)).status == 404
    made = await apply(api, WEB, web())
    changed = await apply(api, WEB, web(replicas=9), query="&dryRun=All")
    assert changed.body["spec"]["replicas"] == 9
    assert (await api.ask("GET", WEB)).raw == made.raw


async def test_a_resource_version_is_a_precondition(api: kit.Api):
    made = (await apply(api, f"{MAPS}/a", config("a", x="1"))).body
    old = {**config("a", x="2"), "metadata": {"name": "a", "resourceVersion": "1"}}
    assert (await apply(api, f"{MAPS}/a", old)).refusal[:2] == (409, "Conflict")
    now = {**config("a", x="2"), "metadata": {"name": "a", "resourceVersion": made["metadata"]["resourceVersion"]}}
    assert (await apply(api, f"{MAPS}/a", now)).status == 200


REFUSALS: dict[str, Any] = {
    "no manager": (
        "force=true", config(),
        (422, "Invalid", 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'),
    ),
    "no manager, no parameters": (
        "", config(),
        (422, "Invalid", 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'),
    ),
    "a long manager": (
        f"fieldManager={'x' * 129}", config(),
        (422, "Invalid", 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes'),
    ),
    "other kind": (
        "fieldManager=ci", {**config(), "kind": "Secret"}, (400, "BadRequest", "invalid object type: /v1, Kind=Secret"),
    ),
    "no kind": (
        "fieldManager=ci", {"metadata": {"name": "a"}}, (400, "BadRequest", "invalid object type: /, Kind="),
    ),
    "managed fields": (
        "fieldManager=ci", {**config(), "metadata": {"name": "a", "managedFields": []}},
        (400, "BadRequest", "metadata.managedFields must be nil"),
    ),
    "unknown field": (
        "fieldManager=ci", {**config(), "nope": 1},
        (
            400, "BadRequest",
            "failed to create typed patch object (/a; /v1, Kind=ConfigMap): .nope: field not declared in schema",
        ),
    ),
    "no object": (
        "fieldManager=ci", ["x"],
        (
            400, "BadRequest",
            "error decoding YAML: error unmarshaling JSON: while decoding JSON: "
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
    ),
    "other name": (
        "fieldManager=ci", config("b"),
        (400, "BadRequest", "the name of the object (b) does not match the name on the URL (a)"),
    ),
    "a uid of something that is not there": (
        "fieldManager=ci", {**config(), "metadata": {"name": "a", "uid": "u"}},
        (
            409, "Conflict",
            'Operation cannot be fulfilled on configmaps "a": uid mismatch: '
            "the provided object specified uid u, and no existing object was found",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
async def test_refusals(api: kit.Api, case: Any):
    query, body, expect = case
    answer = await api.ask("PATCH", f"{MAPS}/a", body, query, APPLY)
    assert answer.refusal == expect


async def test_force_is_for_applies(api: kit.Api):
    await api.make(MAPS, config("a", x="1"))
    answer = await api.ask("PATCH", f"{MAPS}/a", {}, "force=true", MERGE)
    assert answer.refusal == (
        422, "Invalid", 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    )  # fmt: skip


@pytest.mark.parametrize("body", [b"{", b"a: [", b"\xff", b"- x", b"", b"1"], ids=repr)
async def test_bodies_that_are_nothing(api: kit.Api, body: bytes):
    answer = await apply(api, f"{MAPS}/a", body)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")


async def test_applying_what_is_not_there_needs_the_right_to_create(api: kit.Api):
    await test_access.allow(api, ["patch"], ["configmaps"])
    refused = await apply(api, f"{MAPS}/a", config("a", x="1"), peer=kit.BOB)
    assert refused.refusal == (
        403, "Forbidden",
        'configmaps "a" is forbidden: User "bob" cannot create resource "configmaps" in API group "" '
        'in the namespace "default"',
    )  # fmt: skip
    await api.make(MAPS, config("a", x="1"))
    assert (await apply(api, f"{MAPS}/a", config("a", y="1"), peer=kit.BOB)).status == 200


# The real kubectl


@pytest.fixture(params=test_kubectl.kubectls(), ids=lambda path: path.name)
async def kubectl(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> AsyncIterator[test_kubectl.Kubectl]:
    async with served.api(tmp_path) as (_, kubeconfig, _):
        yield test_kubectl.Kubectl(request.param, kubeconfig, tmp_path)


WEB_YAML = test_kubectl.DEPLOYMENT
WITHOUT_REPLICAS = WEB_YAML.replace("  replicas: 3\n", "")
MANAGERS = "jsonpath={range .metadata.managedFields[*]}{.manager}/{.operation}/{.subresource} {end}"


@pytest.mark.kubectl
@pytest.mark.slow
async def test_kubectl_apply_and_diff(kubectl: test_kubectl.Kubectl):
    applied = "deployment.apps/web serverside-applied\n"
    assert await kubectl("apply", "--server-side", "-f", "-", stdin=WEB_YAML) == applied
    version = await kubectl("get", "deploy", "web", "-o", "jsonpath={.metadata.resourceVersion}")
    assert await kubectl("apply", "--server-side", "-f", "-", stdin=WEB_YAML) == applied
    assert await kubectl("get", "deploy", "web", "-o", "jsonpath={.metadata.resourceVersion}") == version
    assert await kubectl("diff", "--server-side", "-f", "-", stdin=WEB_YAML) == ""
    await kubectl("scale", "deploy", "web", "--replicas=5")
    refused = await kubectl("apply", "--server-side", "-f", "-", stdin=WEB_YAML, fails=True)
    assert 'Apply failed with 1 conflict: conflict with "kubectl' in refused
    assert '" with subresource "scale" using apps/v1: .spec.replicas' in refused
    assert await kubectl("apply", "--server-side", "-f", "-", stdin=WITHOUT_REPLICAS) == applied
    assert await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "5"
    assert await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=WEB_YAML) == applied
    assert await kubectl("get", "deploy", "web", "-o", MANAGERS, "--show-managed-fields") == "kubectl/Apply/ "
    unknown = WEB_YAML.replace("replicas", "replicaz")
    assert ".spec.replicaz: field not declared in schema" in await kubectl(
        "apply", "--server-side", "-f", "-", stdin=unknown, fails=True
    )


@pytest.mark.kubectl
@pytest.mark.slow
async def test_kubectl_moves_from_client_side_to_server_side_apply(kubectl: test_kubectl.Kubectl):
    await kubectl("apply", "-f", "-", stdin=WEB_YAML)
    assert await kubectl("get", "deploy", "web", "-o", MANAGERS) == "kubectl-client-side-apply/Update/ "
    second = WEB_YAML.replace("hello:1", "hello:2")
    assert (
        await kubectl("apply", "--server-side", "-f", "-", stdin=second) == "deployment.apps/web serverside-applied\n"
    )
    managers = await kubectl("get", "deploy", "web", "-o", MANAGERS)
    assert managers.split() == ["kubectl/Apply/", "kubectl-last-applied/Apply/"]
    third = WEB_YAML.replace("hello:1", "hello:3").replace("  replicas: 3\n", "")
    await kubectl("apply", "--server-side", "-f", "-", stdin=third)
    seen = "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}"
    assert await kubectl("get", "deploy", "web", "-o", seen) == "1 localhost/hello:3"
    assert await kubectl("apply", "-f", "-", stdin=second) == "deployment.apps/web configured\n"
