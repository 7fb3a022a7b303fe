"""Webhooks over TLS: what they are told, what they may do, and what becomes of a write when they fail."""

import asyncio
import datetime
import pathlib

import orjson
import pytest
from aiohttp import web

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import keys
from steersman.cluster import pki
from steersman.meta.objects import Object
from steersman.serving import tls
from steersman.store import contract
from tests.apiserver import kit
from tests.apiserver.admission.hooks import MUTATING, VALIDATING, Hooks, add, allow, configure, deny, patch, rule
from tests.apiserver.extensions import definitions
from tests.apiserver.extensions.definitions import CRONTABS, DEFINITIONS, crontab


async def labelled(api: kit.Api, name: str, **labels: str) -> str:
    await api.make("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    return f"/api/v1/namespaces/{name}/configmaps"


# --- denial ---


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"message": "bad data"}, (400, "", 'admission webhook "no.example.com" denied the request: bad data')),
        ({}, (400, "", 'admission webhook "no.example.com" denied the request without explanation')),
        (
            {"reason": "Forbidden", "code": 403},
            (403, "Forbidden", 'admission webhook "no.example.com" denied the request: Forbidden'),
        ),
        ({"message": "m", "code": 200}, (400, "", 'admission webhook "no.example.com" denied the request: m')),
    ],
)
async def test_a_denial_is_told_in_the_webhooks_words(api: kit.Api, hook: Hooks, status, expected):
    hook.answers["/no"] = deny(**status)
    await configure(api, VALIDATING, "one", hook.webhook("/no", rule()))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert (answer.status, answer.body.get("reason", ""), answer.body["message"]) == expected
    assert answer.body["status"] == "Failure"
    assert (await api.ask("GET", f"{kit.MAPS}/a")).status == 404


async def test_create_update_patch_and_delete_are_seen_and_denied(api: kit.Api, hook: Hooks):
    await api.make(kit.MAPS, kit.config_map("a", data="old"))
    hook.answers["/no"] = deny("no")
    await configure(api, VALIDATING, "one", hook.webhook("/no", rule(operations="CREATE,UPDATE,DELETE")))
    changed = kit.config_map("a", data="new")
    answers = [
        await api.ask("POST", kit.MAPS, kit.config_map("b")),
        await api.ask("PUT", f"{kit.MAPS}/a", changed),
        await api.ask("PATCH", f"{kit.MAPS}/a", {"data": {"data": "new"}}, headers=kit.MERGE),
        await api.ask("DELETE", f"{kit.MAPS}/a"),
        await api.ask("DELETE", kit.MAPS),
    ]
    assert [answer.status for answer in answers] == [400] * 5
    assert [one["operation"] for one in hook.requests] == ["CREATE", "UPDATE", "UPDATE", "DELETE", "DELETE"]
    update, delete = hook.requests[1], hook.requests[3]
    assert (update["oldObject"]["data"], update["object"]["data"]) == ({"data": "old"}, {"data": "new"})
    assert update["object"]["metadata"]["resourceVersion"] == update["oldObject"]["metadata"]["resourceVersion"]
    assert (delete["object"], delete["oldObject"]["data"], delete["name"]) == (None, {"data": "old"}, "a")
    assert "name" not in hook.requests[4]
    await api.ask("DELETE", f"{VALIDATING}/one")
    assert (await api.ask("DELETE", f"{kit.MAPS}/a")).status == 200


async def test_the_request_is_complete(api: kit.Api, hook: Hooks):
    hook.answers["/yes"] = allow
    await configure(api, VALIDATING, "one", hook.webhook("/yes", rule(), timeoutSeconds=7))
    query = "fieldManager=me&fieldValidation=Strict"
    alice = {"authorization": "Bearer letmein", "impersonate-user": "bob", "impersonate-extra-scopes": "view"}
    admin = {name: value for name, value in alice.items() if name != "authorization"}
    made = await api.ask("POST", kit.MAPS, kit.config_map("a", x="1"), query=query, headers=admin)
    assert made.status == 403  # bob may not
    headers = {"impersonate-user": "bob", "impersonate-group": "system:masters", "impersonate-extra-scopes": "view"}
    made = await api.ask("POST", kit.MAPS, kit.config_map("a", x="1"), query=query, headers=headers)
    assert made.status == 201
    request = hook.requests[0]
    assert request.pop("object") == made.body | {
        "metadata": {k: v for k, v in made.body["metadata"].items() if k != "resourceVersion"}
    }
    user = request.pop("userInfo")
    assert (user["username"], user["extra"]) == ("bob", {"scopes": ["view"]})
    assert "system:masters" in user["groups"]
    assert len(request.pop("uid")) == 36
    kind, resource = {"group": "", "version": "v1", "kind": "ConfigMap"}, {"group": "", "version": "v1"}
    options = {
        "kind": "CreateOptions",
        "apiVersion": "meta.k8s.io/v1",
        "fieldManager": "me",
        "fieldValidation": "Strict",
    }
    assert request == {
        "kind": kind,
        "resource": resource | {"resource": "configmaps"},
        "requestKind": kind,
        "requestResource": resource | {"resource": "configmaps"},
        "name": "a",
        "namespace": "default",
        "operation": "CREATE",
        "oldObject": None,
        "dryRun": False,
        "options": options,
    }
    assert hook.reviews[0]["apiVersion"] == "admission.k8s.io/v1"
    assert hook.reviews[0]["query"] == "timeout=7s"


async def test_names_are_made_up_between_the_phases(api: kit.Api, hook: Hooks):
    hook.answers |= {"/m": allow, "/v": allow}
    await configure(api, MUTATING, "m", hook.webhook("/m", rule()))
    await configure(api, VALIDATING, "v", hook.webhook("/v", rule()))
    made = await api.make(kit.MAPS, {"metadata": {"generateName": "x-"}})
    first, second = hook.requests
    assert "name" not in first
    assert "uid" not in first["object"]["metadata"]
    assert second["name"] == made["metadata"]["name"]
    assert second["object"]["metadata"]["uid"] == made["metadata"]["uid"]


async def test_the_older_review_version(api: kit.Api, hook: Hooks):
    hook.answers["/yes"] = allow
    await configure(
        api, VALIDATING, "one", hook.webhook("/yes", rule(), admissionReviewVersions=["v9", "v1beta1", "v1"])
    )
    await api.make(kit.MAPS, kit.config_map("a"))
    assert hook.reviews[0]["apiVersion"] == "admission.k8s.io/v1beta1"


async def test_warnings_reach_the_client_also_of_a_denied_write(api: kit.Api, hook: Hooks):
    hook.answers["/w"] = lambda request: {
        "allowed": request["name"] == "a",
        "warnings": ["mind the gap", "mind the gap"],
    }
    await configure(api, VALIDATING, "one", hook.webhook("/w", rule()))
    for name in "ab":
        answer = await api.ask("POST", kit.MAPS, kit.config_map(name))
        assert answer.headers["warning"] == '299 - "mind the gap"'
    assert answer.status == 400


# --- mutation ---


async def test_mutations_follow_each_other_by_configuration_name_and_the_patched_object_is_read_as_a_clients(
    api: kit.Api, hook: Hooks
):
    def stage(number: int, after: str):
        def answer(request):
            data = request["object"].get("data") or {}
            return patch(add(f"/data/mutation-stage-{number}", "yes"))(request) if after in data else {"allowed": True}

        return answer

    hook.answers |= {"/one": stage(1, "mutation-start"), "/two": stage(2, "mutation-stage-1")}
    await configure(api, MUTATING, "b", hook.webhook("/two", rule()))
    await configure(api, MUTATING, "a", hook.webhook("/one", rule()))
    made = await api.make(kit.MAPS, kit.config_map("m") | {"data": {"mutation-start": "yes"}})
    assert made["data"] == {"mutation-start": "yes", "mutation-stage-1": "yes", "mutation-stage-2": "yes"}


async def test_a_patched_pod_gets_its_defaults_and_loses_what_no_pod_has(api: kit.Api, hook: Hooks):
    await kit.with_account(api)
    container = {"name": "added", "image": "localhost/hello:1", "nonsense": 1}
    hook.answers["/pods"] = patch(add("/spec/initContainers", [container]))
    await configure(api, MUTATING, "a", hook.webhook("/pods", rule("pods")))
    made = await api.make(kit.PODS, kit.pod("p"))
    (added,) = made["spec"]["initContainers"]
    assert added["terminationMessagePolicy"] == "File"
    assert "nonsense" not in added


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (patch({"op": "remove", "path": "/data/x"}), "Internal error occurred: "),
        (patch(add("/data", 5)), "Internal error occurred: "),
        (
            lambda request: {"allowed": True, "patch": "W10="},
            'Internal error occurred: failed calling webhook "m.example.com": received invalid webhook response: '
            "webhook returned response.patch but not response.patchType",
        ),
        (
            lambda request: {"allowed": True, "uid": "other"},
            'Internal error occurred: failed calling webhook "m.example.com": received invalid webhook response: '
            "expected response.uid=",
        ),
    ],
)
async def test_a_mutation_that_makes_no_sense(api: kit.Api, hook: Hooks, answer, expected):
    hook.answers["/m"] = answer
    await configure(api, MUTATING, "a", hook.webhook("/m", rule()))
    refused = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert refused.status == 500
    assert refused.body["message"].startswith(expected)


async def test_nothing_is_to_be_mutated_where_there_is_no_object(api: kit.Api, hook: Hooks):
    await api.make(kit.MAPS, kit.config_map("a"))
    hook.answers["/m"] = patch(add("/data", {}))
    await configure(api, MUTATING, "a", hook.webhook("/m", rule(operations="DELETE")))
    refused = await api.ask("DELETE", f"{kit.MAPS}/a")
    assert refused.body["message"] == (
        'Internal error occurred: admission webhook "m.example.com" attempted to modify the object, '
        "which is not supported for this operation"
    )


@pytest.mark.parametrize(("policy", "calls"), [("IfNeeded", 2), ("Never", 1)])
async def test_reinvocation(api: kit.Api, hook: Hooks, policy, calls):
    hook.answers |= {"/first": allow, "/second": patch(add("/data/y", "2"))}
    await configure(
        api,
        MUTATING,
        "a",
        hook.webhook("/first", rule(), reinvocationPolicy=policy),
        hook.webhook("/second", rule()),
    )
    await api.make(kit.MAPS, kit.config_map("a", x="1"))
    assert [path for path, _ in hook.asked].count("/first") == calls
    assert hook.requests[-1]["object"]["data"] == ({"x": "1", "y": "2"} if calls == 2 else {"x": "1"})


async def test_a_service_keeps_its_address_through_two_rounds(api: kit.Api, hook: Hooks):
    hook.answers |= {"/first": allow, "/second": patch(add("/metadata/labels", {"a": "b"}))}
    again = hook.webhook("/first", rule("services"), reinvocationPolicy="IfNeeded")
    await configure(api, MUTATING, "a", again, hook.webhook("/second", rule("services")))
    body = {"metadata": {"name": "s"}, "spec": {"clusterIP": "10.96.0.77", "ports": [{"port": 80}]}}
    assert (await api.make(kit.SERVICES, body))["spec"]["clusterIP"] == "10.96.0.77"


# --- who is asked ---


async def test_selectors(api: kit.Api, hook: Hooks):
    hook.answers["/no"] = deny("no")
    webhook = hook.webhook(
        "/no",
        rule(operations="CREATE,UPDATE"),
        namespaceSelector={"matchExpressions": [{"key": "skip", "operator": "NotIn", "values": ["yes"]}]},
        objectSelector={"matchLabels": {"watch": "me"}},
    )
    await configure(api, VALIDATING, "one", webhook)
    skipped, seen = await labelled(api, "skipped", skip="yes"), await labelled(api, "seen")
    wanted, other = kit.config_map("a", {"watch": "me"}), kit.config_map("b")
    assert (await api.ask("POST", skipped, wanted)).status == 201
    assert (await api.ask("POST", seen, other)).status == 201
    assert (await api.ask("POST", seen, wanted)).status == 400
    # The old object counts too: nothing gets out of sight by dropping a label.
    assert (await api.ask("PUT", f"{seen}/b", kit.config_map("b", {"watch": "me"}))).status == 400
    await api.ask("DELETE", f"{VALIDATING}/one")
    await api.ask("PUT", f"{seen}/b", kit.config_map("b", {"watch": "me"}))
    await configure(api, VALIDATING, "one", webhook)
    assert (await api.ask("PUT", f"{seen}/b", kit.config_map("b"))).status == 400


async def test_a_namespace_is_selected_by_its_own_labels_as_it_would_be(api: kit.Api, hook: Hooks):
    hook.answers["/no"] = deny("no")
    selector = {"matchLabels": {"guarded": "yes"}}
    operations = rule("namespaces", "CREATE,UPDATE,DELETE", scope="Cluster")
    await configure(api, VALIDATING, "one", hook.webhook("/no", operations, namespaceSelector=selector))
    await labelled(api, "free")
    guarded = {"metadata": {"name": "guarded", "labels": {"guarded": "yes"}}}
    assert (await api.ask("POST", "/api/v1/namespaces", guarded)).status == 400
    assert hook.requests[0]["namespace"] == hook.requests[0]["name"] == "guarded"
    label = {"metadata": {"labels": {"guarded": "yes"}}}
    assert (await api.ask("PATCH", "/api/v1/namespaces/free", label, headers=kit.MERGE)).status == 400
    assert (await api.ask("DELETE", "/api/v1/namespaces/free")).status == 200


async def test_a_cluster_scoped_object_is_not_exempt_by_a_namespace_selector(api: kit.Api, hook: Hooks):
    hook.answers["/no"] = deny("no")
    selector = {"matchLabels": {"guarded": "yes"}}
    await configure(api, VALIDATING, "one", hook.webhook("/no", rule("nodes"), namespaceSelector=selector))
    assert (await api.ask("POST", "/api/v1/nodes", {"metadata": {"name": "n"}})).status == 400
    assert "namespace" not in hook.requests[0]


async def test_webhook_configurations_are_never_seen(api: kit.Api, hook: Hooks):
    hook.answers |= {"/m": patch(add("/metadata/labels", {"added": "yes"})), "/no": deny("no")}
    everything = rule("*/*", "*", "*", "*")
    await configure(api, MUTATING, "m", hook.webhook("/m", everything))
    await configure(api, VALIDATING, "v", hook.webhook("/no", everything))
    other = await configure(api, VALIDATING, "other", hook.webhook("/no", rule()))
    assert "labels" not in other["metadata"]
    for name in ("other", "v"):
        assert (await api.ask("DELETE", f"{VALIDATING}/{name}")).status == 200
    assert (await api.ask("DELETE", MUTATING)).status == 200
    assert hook.asked == []


async def test_a_changed_configuration_counts_at_once(api: kit.Api, hook: Hooks):
    hook.answers["/no"] = deny("no")
    await configure(api, VALIDATING, "one", hook.webhook("/no", rule()))
    assert (await api.ask("POST", kit.MAPS, kit.config_map("a"))).status == 400
    operations = "/webhooks/0/rules/0/operations"
    for wanted, status in ((["UPDATE"], 201), (["CREATE"], 400)):
        change = [{"op": "replace", "path": operations, "value": wanted}]
        changed = await api.ask("PATCH", f"{VALIDATING}/one", change, headers=kit.JSON_PATCH)
        assert changed.status == 200, changed.raw
        assert (await api.ask("POST", kit.MAPS, kit.config_map(f"b{status}"))).status == status
    assert changed.body["metadata"]["generation"] == 3
    assert (await api.ask("DELETE", VALIDATING)).status == 200
    assert (await api.ask("POST", kit.MAPS, kit.config_map("c"))).status == 201


# --- failure ---


@pytest.mark.parametrize(("policy", "status"), [("Fail", 500), ("Ignore", 201)])
async def test_a_webhook_that_is_not_there(api: kit.Api, hook: Hooks, policy, status):
    webhook = hook.webhook("/x", rule(), name="gone.example.com", failurePolicy=policy)
    webhook["clientConfig"] = {"url": "https://127.0.0.1:1/x"}
    for where in (MUTATING, VALIDATING):
        await configure(api, where, "one", webhook)
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.status == status
    if status == 500:
        start = 'Internal error occurred: failed calling webhook "gone.example.com": failed to call webhook: Post '
        assert answer.body["message"].startswith(f'{start}"https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1')
        assert answer.body["reason"] == "InternalError"


async def test_a_webhook_whose_certificate_nobody_vouches_for(api: kit.Api, hook: Hooks):
    hook.answers["/x"] = allow
    webhook = hook.webhook("/x", rule())
    del webhook["clientConfig"]["caBundle"]
    await configure(api, VALIDATING, "one", webhook)
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.status == 500
    assert "failed calling webhook" in answer.body["message"]
    assert hook.asked == []


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "status"), [("Fail", 500), ("Ignore", 201)])
async def test_a_slow_webhook(api: kit.Api, hook: Hooks, policy, status):
    hook.answers["/slow"] = allow
    hook.delay_seconds = 1.5
    await configure(api, VALIDATING, "one", hook.webhook("/slow", rule(), timeoutSeconds=1, failurePolicy=policy))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.status == status
    if status == 500:
        assert "context deadline exceeded" in answer.body["message"]
        assert "slow.example.com" in answer.body["message"]
        assert (await api.ask("GET", f"{kit.MAPS}/a")).status == 404


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (web.Response(status=404), "failed to call webhook: the server could not find the requested resource"),
        (
            web.Response(status=500, text="oh no"),
            'failed to call webhook: an error on the server ("oh no") has prevented the request from succeeding',
        ),
        (web.Response(text="{}"), "received invalid webhook response: webhook response was absent"),
        (web.Response(text="no json"), "received invalid webhook response: couldn't get version/kind"),
    ],
    ids=["404", "500", "empty", "no json"],
)
async def test_answers_that_are_none(api: kit.Api, hook: Hooks, raw, expected):
    hook.raw = raw
    await configure(api, VALIDATING, "one", hook.webhook("/x", rule()))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].startswith(
        f'Internal error occurred: failed calling webhook "x.example.com": {expected}'
    )


async def test_validating_webhooks_are_asked_at_the_same_time_and_the_first_by_name_is_told(api: kit.Api, hook: Hooks):
    hook.answers |= {"/a": deny("a"), "/b": deny("b"), "/c": allow}
    hook.delay_seconds = 0.02
    for name in "cba":
        await configure(api, VALIDATING, name, hook.webhook(f"/{name}", rule()))
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].endswith('"a.example.com" denied the request: a')
    assert (len(hook.asked), hook.concurrent_max) == (3, 3)


# --- dry run ---


async def test_dry_run(api: kit.Api, hook: Hooks):
    await api.make(kit.MAPS, kit.config_map("old"))
    hook.answers["/yes"] = allow
    await configure(api, VALIDATING, "one", hook.webhook("/yes", rule(operations="*"), sideEffects="NoneOnDryRun"))
    assert (await api.ask("POST", kit.MAPS, kit.config_map("a"), query="dryRun=All")).status == 201
    assert (await api.ask("DELETE", f"{kit.MAPS}/old", {"dryRun": ["All"]})).status == 200
    assert [one["dryRun"] for one in hook.requests] == [True, True]
    assert hook.requests[1]["options"] == {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "dryRun": ["All"]}


async def test_a_webhook_with_side_effects_takes_no_part_in_a_dry_run(api: kit.Api, hook: Hooks):
    """Only an older release let such a one in."""
    hook.answers["/yes"] = allow
    await configure(api, VALIDATING, "one", hook.webhook("/yes", rule()))
    entry = await api.store.get("/admissionregistration.k8s.io/validatingwebhookconfigurations/one")
    assert entry is not None
    stored = orjson.loads(entry.value)
    stored["webhooks"][0]["sideEffects"] = "Some"
    await api.store.txn([put_of(kinds.VALIDATING_WEBHOOK_CONFIGURATION, stored, entry.revision)])
    for one in api.server._configured.followed:
        await one.refresh()
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"), query="dryRun=All")
    assert answer.refusal == (400, "BadRequest", 'admission webhook "yes.example.com" does not support dry run')
    assert (await api.ask("POST", kit.MAPS, kit.config_map("a"))).status == 201


def put_of(kind: Kind, obj: Object, revision: int = 0) -> contract.Put:
    meta = obj["metadata"]
    return contract.Put(
        keys.key(kind, meta.get("namespace", ""), meta["name"]), keys.head(kind), keys.tail(obj), revision
    )


# --- subresources ---


async def test_connections_and_the_like_are_admitted(api: kit.Api, hook: Hooks):
    await kit.with_account(api)
    await api.make(kit.PODS, kit.pod("p"))
    await api.make("/api/v1/nodes", {"metadata": {"name": "n"}})
    await api.make(kit.SERVICES, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    hook.answers["/no"] = deny("no")
    await configure(api, VALIDATING, "one", hook.webhook("/no", rule("*/*", "*", "*", "*")))
    pod = f"{kit.PODS}/p"
    requests = [
        ("POST", f"{pod}/exec?command=ls&command=-l&stdout=true", None),
        ("POST", f"{pod}/attach?stdin=1&container=main", None),
        ("POST", f"{pod}/portforward?ports=80,81", None),
        ("GET", f"{pod}/proxy/a/b", None),
        ("GET", f"{kit.SERVICES}/s/proxy/", None),
        ("GET", "/api/v1/nodes/n/proxy/pods", None),
        ("POST", f"{pod}/binding", {"target": {"name": "n"}}),
        ("POST", f"{pod}/eviction", {"metadata": {"name": "p"}}),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {"audiences": ["x"]}}),
        ("PUT", f"{pod}/status", kit.pod("p")),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {"spec": {"nonResourceAttributes": {"path": "/"}}},
        ),
    ]
    for method, path, body in requests:
        answer = await api.ask(method, path, body)
        assert answer.status == 400, (path, answer.raw)
        assert answer.body["message"] == 'admission webhook "no.example.com" denied the request: no', path
    told = [
        (
            one["operation"],
            one["resource"]["resource"],
            one.get("subResource", ""),
            one["kind"]["kind"],
            one.get("name", ""),
        )
        for one in hook.requests
    ]
    assert told == [
        ("CONNECT", "pods", "exec", "PodExecOptions", "p"),
        ("CONNECT", "pods", "attach", "PodAttachOptions", "p"),
        ("CONNECT", "pods", "portforward", "PodPortForwardOptions", "p"),
        ("CONNECT", "pods", "proxy", "PodProxyOptions", "p"),
        ("CONNECT", "services", "proxy", "ServiceProxyOptions", "s"),
        ("CONNECT", "nodes", "proxy", "NodeProxyOptions", "n"),
        ("CREATE", "pods", "binding", "Binding", "p"),
        ("CREATE", "pods", "eviction", "Eviction", "p"),
        ("CREATE", "serviceaccounts", "token", "TokenRequest", "default"),
        ("UPDATE", "pods", "status", "Pod", "p"),
        ("CREATE", "selfsubjectaccessreviews", "", "SelfSubjectAccessReview", ""),
    ]
    objects = [one["object"] for one in hook.requests]
    assert objects[0] == {"kind": "PodExecOptions", "apiVersion": "v1", "stdout": True, "command": ["ls", "-l"]}
    assert objects[1] == {"kind": "PodAttachOptions", "apiVersion": "v1", "stdin": True, "container": "main"}
    assert objects[2] == {"kind": "PodPortForwardOptions", "apiVersion": "v1", "ports": [80, 81]}
    assert objects[3] == {"kind": "PodProxyOptions", "apiVersion": "v1", "path": "/a/b"}
    assert hook.requests[0]["options"] is None
    assert hook.requests[7]["kind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
    assert (await api.ask("GET", pod)).status == 200


async def test_a_scale_is_seen_and_changed_as_a_scale(api: kit.Api, hook: Hooks):
    await api.make(kit.DEPLOYMENTS, kit.deployment("d", 2))
    hook.answers |= {"/m": patch({"op": "replace", "path": "/spec/replicas", "value": 7}), "/v": allow}
    of_scale = rule("*/scale", "UPDATE", "*", "*")
    await configure(api, MUTATING, "m", hook.webhook("/m", of_scale))
    await configure(api, VALIDATING, "v", hook.webhook("/v", of_scale))
    answer = await api.ask("PATCH", f"{kit.DEPLOYMENTS}/d/scale", {"spec": {"replicas": 3}}, headers=kit.MERGE)
    assert answer.body["spec"] == {"replicas": 7}
    first, second = hook.requests
    assert first["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert first["resource"] == {"group": "apps", "version": "v1", "resource": "deployments"}
    replicas = [first["oldObject"]["spec"], first["object"]["spec"], second["object"]["spec"]]
    assert replicas == [{"replicas": 2}, {"replicas": 3}, {"replicas": 7}]
    assert (await api.ask("GET", f"{kit.DEPLOYMENTS}/d")).body["spec"]["replicas"] == 7


async def test_an_evicted_pod_is_not_deleted_under_that_name_too(api: kit.Api, hook: Hooks):
    await kit.with_account(api)
    await api.make(kit.PODS, kit.pod("p"))
    hook.answers["/yes"] = allow
    await configure(api, VALIDATING, "one", hook.webhook("/yes", rule("*/*", "*")))
    assert (await api.ask("POST", f"{kit.PODS}/p/eviction", {"metadata": {"name": "p"}})).status == 201
    assert [(one["operation"], one["subResource"]) for one in hook.requests] == [("CREATE", "eviction")]


# --- custom resources and versions ---

OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
IN_V2 = CRONTABS.replace("/v1/", "/v2/")


async def two_versions(api: kit.Api, schema=None) -> None:
    body = definitions.definition(
        definitions.version("v1", schema or OPEN), definitions.version("v2", schema or OPEN, storage=False)
    )
    await api.make(DEFINITIONS, body)


async def test_custom_resources_are_denied_mutated_and_pruned(api: kit.Api, hook: Hooks):
    data = {"type": "object", "properties": {"kept": {"type": "string"}}}
    await two_versions(api, {"type": "object", "properties": {"data": data}})
    hook.answers["/m"] = patch(add("/data", {"kept": "yes", "pruned": "yes"}))
    of_custom = rule("crontabs", "CREATE,UPDATE,DELETE", "stable.example.com", "v1")
    await configure(api, MUTATING, "m", hook.webhook("/m", rule("crontabs", "CREATE", "stable.example.com", "v1")))
    made = await api.make(CRONTABS, {"metadata": {"name": "a"}})
    assert made["data"] == {"kept": "yes"}
    hook.answers["/no"] = deny("no")
    await configure(api, VALIDATING, "v", hook.webhook("/no", of_custom))
    assert (await api.ask("POST", CRONTABS, {"metadata": {"name": "b"}})).status == 400
    assert (await api.ask("PATCH", f"{CRONTABS}/a", {"data": {"kept": "no"}}, headers=kit.MERGE)).status == 400
    assert (await api.ask("DELETE", f"{CRONTABS}/a")).status == 400


async def test_matching_an_equivalent_version_shows_it_in_that_version(api: kit.Api, hook: Hooks):
    await two_versions(api)
    hook.answers |= {"/m": patch(add("/spec/seen", "v1")), "/exact": deny("no")}
    in_v1 = rule("crontabs", "CREATE", "stable.example.com", "v1")
    await configure(api, MUTATING, "m", hook.webhook("/m", in_v1))
    await configure(api, VALIDATING, "v", hook.webhook("/exact", in_v1, matchPolicy="Exact"))
    made = await api.make(IN_V2, crontab("a") | {"apiVersion": "stable.example.com/v2"})
    assert (made["apiVersion"], made["spec"]["seen"]) == ("stable.example.com/v2", "v1")
    (request,) = hook.requests
    assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v1", "v2")
    assert request["object"]["apiVersion"] == "stable.example.com/v1"


async def test_a_custom_resource_whose_storage_version_changed_is_still_patched_through_its_webhook(
    api: kit.Api, hook: Hooks
):
    await two_versions(api)
    hook.answers["/m"] = patch(add("/spec/stage", "1"))
    await configure(api, MUTATING, "m", hook.webhook("/m", rule("crontabs", "*", "stable.example.com", "v1")))
    await api.make(CRONTABS, crontab("a"))
    versions = [definitions.version("v1", OPEN, storage=False), definitions.version("v2", OPEN)]
    path = f"{DEFINITIONS}/{definitions.NAME}"
    assert (await api.ask("PATCH", path, {"spec": {"versions": versions}}, headers=kit.MERGE)).status == 200
    patched = await api.ask("PATCH", f"{CRONTABS}/a", {"spec": {"dummy": "test"}}, headers=kit.MERGE)
    assert patched.status == 200, patched.raw
    assert (patched.body["spec"]["dummy"], patched.body["spec"]["stage"]) == ("test", "1")


async def test_events_are_seen_in_either_group(api: kit.Api, hook: Hooks):
    hook.answers["/yes"] = allow
    await configure(api, VALIDATING, "one", hook.webhook("/yes", rule("events", "CREATE", "events.k8s.io", "v1")))
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "reason": "Why",
        "message": "what",
        "type": "Normal",
        "count": 1,
    }
    await api.make("/api/v1/namespaces/default/events", event)
    (request,) = hook.requests
    assert request["object"]["note"] == "what"
    assert request["requestKind"]["group"] == ""


# --- services ---


async def test_a_service_is_reached_at_its_endpoint_under_its_own_name(api: kit.Api, hook: Hooks):
    hook.answers["/no"] = deny("through the service")
    port = int(hook.url.rpartition(":")[2])
    await api.make(kit.SERVICES, {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 8443}]}})
    meta = {"name": "hook-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "hook"}}
    endpoints = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
    body = {"metadata": meta, "addressType": "IPv4", "ports": [{"name": "", "port": port}], "endpoints": endpoints}
    webhook = hook.webhook("/no", rule())
    webhook["clientConfig"] = {
        "service": {"name": "hook", "namespace": "default", "path": "/no", "port": 8443},
        "caBundle": hook.authority,
    }
    await configure(api, VALIDATING, "one", webhook)
    await api.store.txn([put_of(kinds.ENDPOINT_SLICE, body)])  # past validation, which refuses loopback addresses
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].endswith("through the service")


async def test_a_service_that_is_not_there(api: kit.Api, hook: Hooks):
    webhook = hook.webhook("/no", rule())
    webhook["clientConfig"] = {"service": {"name": "hook", "namespace": "default"}}
    made = await configure(api, VALIDATING, "one", webhook)
    assert made["webhooks"][0]["clientConfig"]["service"]["port"] == 443
    answer = await api.ask("POST", kit.MAPS, kit.config_map("a"))
    assert answer.body["message"].endswith('failed to call webhook: service "hook" not found')


# --- connections and figures ---


@pytest.mark.slow
async def test_more_writes_than_connections_of_a_client_are_asked_about_at_one_time(api: kit.Api, hook: Hooks):
    hook.answers["/yes"] = allow
    hook.delay_seconds = 0.2
    await configure(api, VALIDATING, "one", hook.webhook("/yes", rule()))
    async with asyncio.TaskGroup() as group:
        for number in range(40):
            group.create_task(api.make(kit.MAPS, kit.config_map(f"m{number}")))
    assert hook.concurrent_max == 40


async def test_a_connection_that_the_webhook_closes_between_two_reviews_is_no_failure(
    api: kit.Api, tmp_path: pathlib.Path
):
    authority = pki.Authority(tmp_path, clocks.SystemClock().now().astimezone(datetime.UTC))
    serving = authority.server("webhook", "webhook", ["127.0.0.1"])
    connections = 0

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers, keeps the connection, and closes it when the next request has come: as one that was just timing out."""
        nonlocal connections
        connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        review = orjson.loads(await reader.readexactly(length))
        response = {"uid": review["request"]["uid"], "allowed": True}
        body = orjson.dumps({"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response})
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        await reader.read(1)
        writer.close()

    context = tls.server_context(serving.certificate, serving.key)
    async with await asyncio.start_server(answer_once, "127.0.0.1", 0, ssl=context) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        hooks = Hooks(url, authority.pair.certificate.read_bytes())
        await configure(api, VALIDATING, "one", hooks.webhook("/x", rule()))
        for name in "abc":
            await api.make(kit.MAPS, kit.config_map(name))
        await api.server._webhook_client.close()
    assert connections == 3


async def test_figures(api: kit.Api, hook: Hooks):
    hook.answers |= {"/no": deny("no", code=403), "/m": allow}
    gone = hook.webhook("/x", rule("secrets"), name="gone.example.com", failurePolicy="Ignore")
    gone["clientConfig"] = {"url": "https://127.0.0.1:1/x"}
    await configure(api, MUTATING, "m", hook.webhook("/m", rule()), gone)
    await configure(api, VALIDATING, "v", hook.webhook("/no", rule()))
    await api.ask("POST", kit.MAPS, kit.config_map("a"))
    await api.make("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    text = (await api.ask("GET", "/metrics")).raw.decode()
    start = "apiserver_admission_webhook_"
    for line in (
        'request_total{code="200",name="m.example.com",operation="CREATE",type="admit",rejected="false"} 1',
        'request_total{code="403",name="no.example.com",operation="CREATE",type="validating",rejected="true"} 1',
        'rejection_count{error_type="no_error",name="no.example.com",operation="CREATE",type="validating",rejection_code="403"} 1',
        'fail_open_count{name="gone.example.com",type="admit"} 1',
    ):
        assert f"{start}{line}\n" in text
