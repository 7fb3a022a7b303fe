"""Webhooks over TLS: what they are told, what they may do, and who is asked."""

import orjson
import pytest

from steersman.api import kinds
from tests.apiserver import kit
from tests.apiserver.admission.hooks import (
    MUTATING,
    VALIDATING,
    Hooks,
    add,
    allow,
    configure,
    deny,
    patch,
    put_of,
    rule,
)


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
