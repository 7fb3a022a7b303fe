"""Rights that grant rights: nobody gives away what they do not have."""

import pytest

from steersman.apiserver import escalation
from steersman.meta.objects import Object
from tests.apiserver import kit

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ROLES, BINDINGS = f"{RBAC}/namespaces/default/roles", f"{RBAC}/namespaces/default/rolebindings"
PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}
DEVS = [{"kind": "Group", "name": "devs", "apiGroup": "rbac.authorization.k8s.io"}]


def role(name: str, *rules: Object) -> Object:
    return {"metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, kind: str, of: str, **more: object) -> Object:
    return {"metadata": {"name": name}, "roleRef": {"kind": kind, "name": of}, "subjects": DEVS, **more}


@pytest.fixture
async def cluster(api: kit.Api) -> kit.Api:
    """Bob may write roles and bindings, and read pods."""
    writes = {"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"]}
    writes = {**writes, "verbs": ["create", "get", "update", "patch"]}
    await api.make(ROLES, role("writer", writes, PODS))
    await api.make(BINDINGS, binding("devs", "Role", "writer"))
    await api.make(ROLES, role("secrets", {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}))
    return api


async def test_what_one_has_one_may_grant(cluster: kit.Api):
    assert (await cluster.ask("POST", ROLES, role("mine", PODS), peer=kit.BOB)).status == 201
    bound = await cluster.ask("POST", BINDINGS, binding("mine", "Role", "mine"), peer=kit.BOB)
    assert bound.status == 201


async def test_what_one_has_not_one_may_not_grant(cluster: kit.Api):
    more = {"verbs": ["delete", "get", "watch"], "apiGroups": [""], "resources": ["pods", "secrets"]}
    refused = await cluster.ask("POST", ROLES, role("more", more), peer=kit.BOB)
    assert refused.refusal == (
        403,
        "Forbidden",
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "bob" (groups=["devs" "system:authenticated"]) is attempting '
        "to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["delete" "get" "watch"]}',
    )
    bound = await cluster.ask("POST", BINDINGS, binding("more", "Role", "secrets"), peer=kit.BOB)
    assert (bound.status, 'Resources:["secrets"]' in bound.body["message"]) == (403, True)
    nobody = await cluster.ask("POST", BINDINGS, binding("more", "ClusterRole", "gone"), peer=kit.BOB)
    assert nobody.refusal[::2] == (404, 'clusterroles.rbac.authorization.k8s.io "gone" not found')


async def test_escalate_and_bind_are_rights_of_their_own(cluster: kit.Api):
    power = {"verbs": ["escalate", "bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"]}
    await cluster.make(ROLES, role("power", power))
    await cluster.make(BINDINGS, binding("power", "Role", "power"))
    await cluster.server.authorizer.start()
    secrets = {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}
    assert (await cluster.ask("POST", ROLES, role("more", secrets), peer=kit.BOB)).status == 201
    assert (await cluster.ask("POST", BINDINGS, binding("more", "Role", "secrets"), peer=kit.BOB)).status == 201


async def test_other_changes_grant_nothing(cluster: kit.Api):
    labels = {"metadata": {"labels": {"a": "b"}}}
    assert (await cluster.ask("PATCH", f"{ROLES}/secrets", labels, "", kit.MERGE, kit.BOB)).status == 200


RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
COVERED = {
    "itself": ([RULE], [RULE], True),
    "all verbs": ([{**RULE, "verbs": ["*"]}], [RULE], True),
    "all groups": ([{**RULE, "apiGroups": ["*"]}], [{**RULE, "apiGroups": ["apps"]}], True),
    "every resource": ([{**RULE, "resources": ["*"]}], [{**RULE, "resources": ["pods/log"]}], True),
    "every scale": ([{**RULE, "resources": ["*/scale"]}], [{**RULE, "resources": ["pods/scale"]}], True),
    "not its subresource": ([RULE], [{**RULE, "resources": ["pods/log"]}], False),
    "one of all": ([RULE], [{**RULE, "resourceNames": ["a"]}], True),
    "all of one": ([{**RULE, "resourceNames": ["a"]}], [RULE], False),
    "two of two": (
        [{**RULE, "resourceNames": ["a"]}, {**RULE, "resourceNames": ["b"]}], [{**RULE, "resourceNames": ["a", "b"]}], True,
    ),
    "path": ([{"verbs": ["get"], "nonResourceURLs": ["/a/*"]}], [{"verbs": ["get"], "nonResourceURLs": ["/a/b"]}], True),
    "wider path": ([{"verbs": ["get"], "nonResourceURLs": ["/a/b"]}], [{"verbs": ["get"], "nonResourceURLs": ["/a/*"]}], False),
    "everything": (list(escalation.EVERYTHING), [RULE, *escalation.EVERYTHING], True),
}  # fmt: skip


@pytest.mark.parametrize(("owned", "wanted", "covered"), COVERED.values(), ids=list(COVERED))
def test_rules_that_cover_others(owned, wanted, covered):
    assert (not escalation.missing(owned, wanted)) is covered


async def test_one_default_priority_class(api: kit.Api):
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    await api.make(path, {"metadata": {"name": "a"}, "value": 1, "globalDefault": True})
    second = await api.ask("POST", path, {"metadata": {"name": "b"}, "value": 1, "globalDefault": True})
    assert second.refusal[2] == (
        'priorityclasses.scheduling.k8s.io "b" is forbidden: PriorityClass a is already marked as default. Only one default '
        "can exist"
    )
    again = await api.ask("PATCH", f"{path}/a", {"description": "x"}, headers=kit.MERGE)
    assert again.status == 200
    system = await api.ask("DELETE", f"{path}/system-node-critical")
    assert system.refusal[2].endswith("this is a system priority class and cannot be deleted")
