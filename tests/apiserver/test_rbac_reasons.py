"""Why RBAC allows something, and what it finds missing; in upstream's words."""

import pytest

from steersman.apiserver import rbac, users
from steersman.apiserver.attributes import Attributes
from tests.apiserver import kit
from tests.apiserver.kit import BOB

GROUP = "rbac.authorization.k8s.io"
RULE = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
PATHS = {"verbs": ["get"], "nonResourceURLs": ["/x"]}
ROBOT = "system:serviceaccount:n:robot"


def binding(name: str, role: str, *subjects: tuple[str, str], namespace: str = "", kind: str = "ClusterRole"):
    listed = [{"kind": one, "name": subject} for one, subject in subjects]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"kind": kind, "name": role},
        "subjects": listed,
    }


RULES = rbac.compile_rules(
    [{"metadata": {"name": "r", "namespace": "n"}, "rules": [RULE]}],
    [
        binding("own", "r", ("User", "bob"), ("ServiceAccount", "robot"), namespace="n", kind="Role"),
        binding("lost", "gone", ("User", "eve"), namespace="n", kind="Role"),
        binding("lost-too", "away", ("User", "eve"), namespace="n"),
    ],
    [{"metadata": {"name": "c"}, "rules": [RULE, PATHS]}],
    [binding("all", "c", ("Group", "g")), binding("lost", "nowhere", ("User", "eve"))],
)
PODS, PATH = Attributes("get", "", "v1", "pods", "n", "p"), Attributes("get", path="/x")

CASES = {
    "by a group": (
        users.User("u", groups=("g",)), PODS,
        (True, 'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "c" to Group "g"'),
    ),
    "a path": (
        users.User("u", groups=("g",)), PATH,
        (True, 'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "c" to Group "g"'),
    ),
    "in a namespace": (users.User("bob"), PODS, (True, 'RBAC: allowed by RoleBinding "own/n" of Role "r" to User "bob"')),
    "an account": (
        users.User(ROBOT), PODS,
        (True, 'RBAC: allowed by RoleBinding "own/n" of Role "r" to ServiceAccount "robot/n"'),
    ),
    "nothing to say": (users.User("bob"), PATH, (False, "")),
    "a role that is not there": (
        users.User("eve"), PATH, (False, f'RBAC: clusterrole.{GROUP} "nowhere" not found'),
    ),
    "several": (
        users.User("eve"), PODS,
        (
            False,
            f'RBAC: [clusterrole.{GROUP} "nowhere" not found, role.{GROUP} "gone" not found, '
            f'clusterrole.{GROUP} "away" not found]',
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("user", "asked", "expect"), CASES.values(), ids=CASES.keys())
def test_reasons(user, asked, expect):
    assert RULES.explain(user, asked) == expect
    assert RULES.allow(user, asked) is expect[0]


async def test_a_refusal_and_a_review_carry_the_reason(api: kit.Api):
    lost = {
        "metadata": {"name": "lost"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "nowhere"},
        "subjects": [{"kind": "User", "apiGroup": GROUP, "name": "bob"}],
    }
    await api.make(f"/apis/{GROUP}/v1/clusterrolebindings", lost)
    await kit.rules_followed()
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "nodes"}}}
    answer = await api.ask("POST", path, review, peer=BOB)
    assert answer.body["status"] == {"allowed": False, "reason": f'RBAC: clusterrole.{GROUP} "nowhere" not found'}
    assert (await api.ask("GET", "/api/v1/nodes/n", peer=BOB)).body["message"] == (
        'nodes "n" is forbidden: User "bob" cannot get resource "nodes" in API group "" at the cluster scope: '
        f'RBAC: clusterrole.{GROUP} "nowhere" not found'
    )


async def test_what_a_review_does_not_understand_is_told(api: kit.Api):
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    resource = {"verb": "list", "resource": "pods", "fieldSelector": {"rawSelector": "x"}}
    answer = await api.ask("POST", path, {"spec": {"resourceAttributes": resource}})
    error = "spec.resourceAttributes.fieldSelector ignored due to parse error"
    assert answer.body["status"] == {"allowed": True, "evaluationError": error}


async def test_names_are_safe_to_show(api: kit.Api):
    answer = await api.ask("GET", "/<b>&", peer=BOB)
    assert answer.body["message"] == 'forbidden: User "bob" cannot get path "/&lt;b&gt;&amp;"'


async def test_a_rule_for_one_name_is_no_right_to_create_or_delete_many(api: kit.Api):
    """The selector of a create is nothing, and that of a deletecollection does not make it one object."""
    rule = {"verbs": ["create", "deletecollection", "list"], "apiGroups": [""], "resources": ["configmaps"]}
    role = {"metadata": {"name": "one"}, "rules": [{**rule, "resourceNames": ["x"]}]}
    await api.make(f"/apis/{GROUP}/v1/clusterroles", role)
    bound = {
        "metadata": {"name": "one"},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "one"},
        "subjects": [{"kind": "User", "apiGroup": GROUP, "name": "bob"}],
    }
    await api.make(f"/apis/{GROUP}/v1/clusterrolebindings", bound)
    await kit.rules_followed()
    named = "fieldSelector=metadata.name%3Dx"
    assert (await api.ask("GET", kit.MAPS, query=named, peer=BOB)).status == 200
    assert (await api.ask("POST", kit.MAPS, kit.config_map("y"), query=named, peer=BOB)).status == 403
    assert (await api.ask("DELETE", kit.MAPS, query=named, peer=BOB)).status == 403
