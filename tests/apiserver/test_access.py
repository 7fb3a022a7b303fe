"""Who may do what: authentication, RBAC, impersonation, reviews, tokens."""

import base64

import pytest

from steersman.apiserver import authentication, rbac, users
from steersman.apiserver.attributes import Attributes
from tests.apiserver import kit
from tests.apiserver.kit import BOB, MAPS, NOBODY

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


REFUSED = {
    "anonymous": (
        NOBODY, {}, MAPS,
        (
            403,
            'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" '
            'in the namespace "default"',
        ),
    ),
    "a known user without rights": (
        BOB, {}, "/api/v1/nodes/n",
        (403, 'nodes "n" is forbidden: User "bob" cannot get resource "nodes" in API group "" at the cluster scope'),
    ),
    "of a group, a subresource": (
        BOB, {}, "/apis/apps/v1/namespaces/a/deployments/d/scale",
        (
            403,
            'deployments.apps "d" is forbidden: User "bob" cannot get resource "deployments/scale" in API group "apps" '
            'in the namespace "a"',
        ),
    ),
    "a path": (BOB, {}, "/metrics", (403, 'forbidden: User "bob" cannot get path "/metrics"')),
    "bad token": (NOBODY, bearer("nope"), MAPS, (401, "Unauthorized")),
    "basic auth": (NOBODY, {"authorization": "Basic abc"}, MAPS, (401, "Unauthorized")),
    "static token without rights": (
        NOBODY, bearer("letmein"), "/api/v1/nodes",
        (403, 'nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope'),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("peer", "headers", "path", "expect"), REFUSED.values(), ids=REFUSED.keys())
async def test_refused(api: kit.Api, peer, headers, path, expect):
    answer = await api.ask("GET", path, headers=headers, peer=peer)
    assert (answer.status, answer.body["message"]) == expect


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version"])
async def test_anybody_may_ask_how_it_is(api: kit.Api, path: str):
    assert (await api.ask("GET", path, peer=NOBODY)).status == 200


async def allow(api: kit.Api, verbs: list[str], resources: list[str], *, names: list[str] | None = None) -> None:
    rule = {"verbs": verbs, "apiGroups": [""], "resources": resources, **({"resourceNames": names} if names else {})}
    await api.make(f"{RBAC}/namespaces/default/roles", {"metadata": {"name": "r"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "r"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "bob"}],
    }
    await api.make(f"{RBAC}/namespaces/default/rolebindings", binding)
    await kit.rules_followed()


async def test_a_binding_gives_rights_and_its_end_takes_them(api: kit.Api):
    assert (await api.ask("GET", MAPS, peer=BOB)).status == 403
    await allow(api, ["get", "list"], ["configmaps"])
    assert (await api.ask("GET", MAPS, peer=BOB)).status == 200
    assert (await api.ask("POST", MAPS, kit.config_map("a"), peer=BOB)).status == 403
    assert (await api.ask("GET", "/api/v1/configmaps", peer=BOB)).status == 403
    await api.ask("DELETE", f"{RBAC}/namespaces/default/rolebindings/r")
    await kit.rules_followed()
    assert (await api.ask("GET", MAPS, peer=BOB)).status == 403


async def test_resource_names(api: kit.Api):
    await allow(api, ["get"], ["configmaps"], names=["a"])
    assert (await api.ask("GET", f"{MAPS}/a", peer=BOB)).status == 404
    assert (await api.ask("GET", f"{MAPS}/b", peer=BOB)).status == 403


RULES = {
    "exact": ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, ("get", "", "pods"), True),
    "other verb": ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, ("list", "", "pods"), False),
    "every verb": ({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}, ("list", "", "pods"), True),
    "subresource is another": ({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}, ("get", "", "pods/log"), False),
    "subresource of any": (
        {"verbs": ["get"], "apiGroups": ["*"], "resources": ["*/scale"]}, ("get", "apps", "deployments/scale"), True,
    ),
    "any resource has subresources": ({"verbs": ["get"], "apiGroups": [""], "resources": ["*"]}, ("get", "", "pods/log"), True),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "asked", "expect"), RULES.values(), ids=RULES.keys())
def test_rules(rule, asked, expect):
    rules = rbac.Rules()
    rules.add(("Group", "g"), "n", [rule])
    verb, group, resource = asked
    question = Attributes(verb, group, "v1", resource, "n")
    assert rules.allow(users.User("u", groups=("g",)), question) is expect
    assert not rules.allow(users.User("u", groups=("g",)), Attributes(verb, group, "v1", resource, "other"))


def test_aggregated_roles_collect_rules_by_label():
    rule = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
    whole = {"metadata": {"name": "all"}, "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"to": "all"}}]}}
    part = {"metadata": {"name": "part", "labels": {"to": "all"}}, "rules": [rule]}
    binding = {"metadata": {"name": "b"}, "roleRef": {"name": "all"}, "subjects": [{"kind": "User", "name": "u"}]}
    rules = rbac.compile_rules([], [], [whole, part], [binding])
    assert rules.allow(users.User("u"), Attributes("get", "", "v1", "pods", "n"))


async def test_impersonation(api: kit.Api):
    acting = {"impersonate-user": "bob", "impersonate-group": "devs, ops"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    seen = await api.ask("POST", path, {}, headers=acting)
    assert seen.body["status"]["userInfo"] == {"username": "bob", "groups": ["devs", "ops", "system:authenticated"]}
    refused = await api.ask("POST", path, {}, headers={"impersonate-user": "admin"}, peer=BOB)
    assert refused.refusal == (
        403,
        "Forbidden",
        'users "admin" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope',
    )
    nobody = await api.ask("POST", path, {}, headers={"impersonate-group": "x"})
    assert nobody.status == 400


async def test_access_reviews(api: kit.Api):
    path = "/apis/authorization.k8s.io/v1"
    await allow(api, ["get"], ["pods", "pods/log"])
    attributes = {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "default"}
    review = {"spec": {"resourceAttributes": attributes}}
    mine = await api.ask("POST", f"{path}/selfsubjectaccessreviews", review, peer=BOB)
    assert (mine.status, mine.body["status"]["allowed"]) == (201, True)
    of_bob = {"spec": {"user": "bob", "resourceAttributes": {**attributes, "verb": "delete"}}}
    other = await api.ask("POST", f"{path}/subjectaccessreviews", of_bob)
    assert other.body["status"] == {"allowed": False}
    rules = await api.ask("POST", f"{path}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}, peer=BOB)
    assert {"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"]} in rules.body["status"][
        "resourceRules"
    ]
    empty = await api.ask("POST", f"{path}/subjectaccessreviews", {"spec": {"user": "bob"}})
    assert empty.status == 422


async def test_service_account_tokens_live_and_die_with_what_they_are_bound_to(api: kit.Api):
    await kit.with_account(api)
    pod = await api.make(kit.PODS, kit.pod("p"))
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod["metadata"]["uid"]}
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    made = await api.make(path, {"spec": {"boundObjectRef": reference, "expirationSeconds": 3607}})
    token = made["status"]["token"]
    me = await api.ask(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=bearer(token), peer=NOBODY
    )
    info = me.body["status"]["userInfo"]
    assert info["username"] == "system:serviceaccount:default:default"
    assert info["groups"] == ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    assert info["extra"]["authentication.kubernetes.io/pod-name"] == ["p"]
    review = await api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert review.body["status"]["authenticated"] is True
    await api.ask("DELETE", f"{kit.PODS}/p")
    assert (await api.ask("GET", MAPS, headers=bearer(token), peer=NOBODY)).status == 401


async def test_a_token_that_is_bound_to_a_node_dies_with_it(api: kit.Api):
    await kit.with_account(api)
    await api.make("/api/v1/nodes", {"metadata": {"name": "n"}})
    reference = {"apiVersion": "v1", "kind": "Node", "name": "n"}
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    token = (await api.make(path, {"spec": {"boundObjectRef": reference}}))["status"]["token"]
    assert (await api.ask("GET", MAPS, headers=bearer(token), peer=NOBODY)).status == 403
    await api.ask("DELETE", "/api/v1/nodes/n")
    assert (await api.ask("GET", MAPS, headers=bearer(token), peer=NOBODY)).status == 401
    await api.make("/api/v1/nodes", {"metadata": {"name": "n"}})
    assert (await api.ask("GET", MAPS, headers=bearer(token), peer=NOBODY)).status == 401


async def test_a_token_outlives_what_waits_for_its_end_by_a_minute(api: kit.Api, monkeypatch):
    await kit.with_account(api)
    held = kit.pod("p")
    held["metadata"]["finalizers"] = ["example.com/held"]
    await api.make(kit.PODS, held)
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    token = (await api.make(path, {"spec": {"boundObjectRef": reference}}))["status"]["token"]
    await api.ask("DELETE", f"{kit.PODS}/p", query="gracePeriodSeconds=0")
    assert (await api.ask("GET", MAPS, headers=bearer(token), peer=NOBODY)).status == 403
    monkeypatch.setattr(authentication, "LEEWAY_SECONDS", -3600.0)
    assert (await api.ask("GET", MAPS, headers=bearer(token), peer=NOBODY)).status == 401


TOKEN_REFUSALS = {
    "too short": ({"expirationSeconds": 5}, 422),
    "no number": ({"expirationSeconds": "x"}, 400),
    "no such pod": ({"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "ghost"}}, 404),
    "no such kind": ({"boundObjectRef": {"apiVersion": "v1", "kind": "Service", "name": "s"}}, 400),
}


@pytest.mark.parametrize(("spec", "status"), TOKEN_REFUSALS.values(), ids=TOKEN_REFUSALS.keys())
async def test_token_refusals(api: kit.Api, spec, status):
    await kit.with_account(api)
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    assert (await api.ask("POST", path, {"spec": spec})).status == status


async def test_a_token_for_others_does_not_open_the_api(api: kit.Api):
    await kit.with_account(api)
    path = "/api/v1/namespaces/default/serviceaccounts/default/token"
    token = (await api.make(path, {"spec": {"audiences": ["vault"]}}))["status"]["token"]
    assert (await api.ask("GET", MAPS, headers=bearer(token), peer=NOBODY)).status == 401
    body = {"spec": {"token": token, "audiences": ["other", "vault"]}}
    review = await api.ask("POST", "/apis/authentication.k8s.io/v1/tokenreviews", body)
    assert review.body["status"]["audiences"] == ["vault"]


async def test_bootstrap_tokens(api: kit.Api):
    data = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:workers",
    }
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    secret = {"metadata": {"name": "bootstrap-token-abcdef"}, "type": "bootstrap.kubernetes.io/token", "data": encoded}
    await api.make("/api/v1/namespaces/kube-system/secrets", secret)
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    me = await api.ask("POST", path, {}, headers=bearer("abcdef.0123456789abcdef"), peer=NOBODY)
    assert me.body["status"]["userInfo"]["username"] == "system:bootstrap:abcdef"
    wrong = await api.ask("POST", path, {}, headers=bearer("abcdef.0123456789abcdee"), peer=NOBODY)
    assert wrong.status == 401


async def test_rules_are_asked_of_a_namespace(api: kit.Api):
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    assert (await api.ask("POST", path, {"spec": {}})).refusal == (400, "BadRequest", "no namespace on request")
