"""Webhooks and what is not a plain object of one version: subresources, custom resources, events."""

from tests.apiserver import kit
from tests.apiserver.admission.hooks import MUTATING, VALIDATING, Hooks, add, allow, configure, deny, patch, rule
from tests.apiserver.extensions import definitions
from tests.apiserver.extensions.definitions import CRONTABS, DEFINITIONS, crontab


async def labelled(api: kit.Api, name: str, **labels: str) -> str:
    await api.make("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    return f"/api/v1/namespaces/{name}/configmaps"


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
