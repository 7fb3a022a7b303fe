"""Which rule of an audit policy is about a request, and what is wrong with one."""

import pytest

from steersman.apiserver import paths, users
from steersman.apiserver.audit import policy
from steersman.apiserver.audit.policy import Level

ALICE = users.authenticated("alice", ("ops",))


def made(*rules, **more):
    return policy.parse({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": list(rules), **more})


def level(rule, method, path, user=ALICE):
    """Of a request, where the only rule says Request."""
    return made({"level": "Request", **rule}).of(paths.parse(method, path), user).level is Level.Request


PODS = "/api/v1/namespaces/default/pods"
LOG = f"{PODS}/web/log"
SCALE = "/apis/apps/v1/namespaces/default/deployments/web/scale"

CASES = [
    pytest.param({}, "GET", PODS, True, id="all"),
    pytest.param({"users": ["alice"]}, "GET", PODS, True, id="this user"),
    pytest.param({"users": ["bob"]}, "GET", PODS, False, id="another user"),
    pytest.param({"userGroups": ["devs", "ops"]}, "GET", PODS, True, id="a group"),
    pytest.param({"userGroups": ["devs"]}, "GET", PODS, False, id="another group"),
    pytest.param({"verbs": ["list"]}, "GET", PODS, True, id="verb"),
    pytest.param({"verbs": ["get"]}, "GET", PODS, False, id="another verb"),
    pytest.param({"namespaces": ["default"]}, "GET", PODS, True, id="namespace"),
    pytest.param({"namespaces": [""]}, "GET", "/api/v1/nodes", True, id="outside of namespaces"),
    pytest.param({"namespaces": ["other"]}, "GET", PODS, False, id="another namespace"),
    pytest.param({"namespaces": ["default"]}, "GET", "/healthz", False, id="a namespace is of resources"),
    pytest.param({"resources": [{"group": "apps"}]}, "GET", SCALE, True, id="whole group"),
    pytest.param({"resources": [{"group": ""}]}, "GET", SCALE, False, id="another group of kinds"),
    pytest.param({"resources": [{"resources": ["pods"]}]}, "GET", PODS, True, id="resource"),
    pytest.param({"resources": [{"resources": ["pods"]}]}, "GET", LOG, False, id="not its subresources"),
    pytest.param({"resources": [{"resources": ["pods/log"]}]}, "GET", LOG, True, id="subresource"),
    pytest.param({"resources": [{"resources": ["pods/*"]}]}, "GET", LOG, True, id="all subresources"),
    pytest.param({"resources": [{"resources": ["pods/*"]}]}, "GET", PODS, True, id="and itself"),
    pytest.param({"resources": [{"resources": ["*/log"]}]}, "GET", LOG, True, id="subresource of anything"),
    pytest.param({"resources": [{"resources": ["*/scale"]}]}, "GET", PODS, False, id="which it has not"),
    pytest.param({"resources": [{"resources": ["*"]}]}, "GET", LOG, True, id="anything"),
    pytest.param({"resources": [{"resources": ["pods/log"], "resourceNames": ["web"]}]}, "GET", LOG, True, id="name"),
    pytest.param({"resources": [{"resources": ["pods/log"], "resourceNames": ["x"]}]}, "GET", LOG, False, id="no such"),
    pytest.param({"nonResourceURLs": ["/healthz*"]}, "GET", "/healthz/etcd", True, id="path"),
    pytest.param({"nonResourceURLs": ["/healthz"]}, "GET", "/healthz/etcd", False, id="the very path"),
    pytest.param({"nonResourceURLs": ["*"]}, "GET", "/version", True, id="any path"),
    pytest.param({"nonResourceURLs": ["*"]}, "GET", PODS, False, id="no resource"),
]


@pytest.mark.parametrize(("rule", "method", "path", "expected"), CASES)
def test_rules(rule, method, path, expected):
    assert level(rule, method, path) is expected


def test_of_nobody_known_only_rules_without_users_speak():
    assert level({}, "GET", PODS, user=None)
    assert not level({"users": ["alice"]}, "GET", PODS, user=None)
    assert not level({"userGroups": ["ops"]}, "GET", PODS, user=None)


def test_the_first_rule_decides_and_no_rule_means_nothing():
    found = made({"level": "None", "verbs": ["get"]}, {"level": "Metadata", "verbs": ["get", "list"]})
    of = [found.of(paths.parse(method, path), ALICE).level.text for method, path in (
        ("GET", f"{PODS}/web"), ("GET", PODS), ("POST", PODS))]  # fmt: skip
    assert of == ["None", "Metadata", "None"]


def test_stages_add_up_and_a_rule_has_the_last_word_on_managed_fields():
    first = {"level": "Metadata", "omitStages": ["Panic"], "omitManagedFields": False, "verbs": ["get"]}
    found = made(first, {"level": "Metadata"}, omitStages=["RequestReceived"], omitManagedFields=True)
    one, other = (found.of(paths.parse(method, f"{PODS}/web"), ALICE) for method in ("GET", "PUT"))
    assert one.omitted_stages == {"Panic", "RequestReceived"}
    assert other.omitted_stages == {"RequestReceived"}
    assert (one.omits_managed_fields, other.omits_managed_fields) == (False, True)


WRONG = [
    pytest.param([{}], "rules[0].level: Required value", id="no level"),
    pytest.param(
        [{"level": "All"}],
        'rules[0].level: Unsupported value: "All": supported values: "None", "Metadata", "Request", "RequestResponse"',
        id="level",
    ),
    pytest.param(
        [{"level": "None", "omitStages": ["Begun"]}],
        'rules[0].omitStages[0]: Invalid value: "Begun": allowed stages are '
        "RequestReceived,ResponseStarted,ResponseComplete,Panic",
        id="stage",
    ),
    pytest.param(
        [{"level": "None", "nonResourceURLs": ["/a", "/b"], "namespaces": ["x"]}],
        'rules[0].nonResourceURLs: Invalid value: ["/a","/b"]: '
        "rules cannot apply to both regular resources and non-resource URLs",
        id="both",
    ),
    pytest.param(
        [{"level": "None", "nonResourceURLs": ["a", "/b*/c"]}],
        "[rules[0].nonResourceURLs[0]: Invalid value: \"a\": non-resource URL rules must begin with a '/' character, "
        "rules[0].nonResourceURLs[1]: Invalid value: \"/b*/c\": non-resource URL wildcards '*' must be the final "
        "character of the rule]",
        id="paths",
    ),
    pytest.param(
        [{"level": "None", "resources": [{"resourceNames": ["a"]}]}],
        'rules[0].resources[0].resourceNames: Invalid value: ["a"]: using resourceNames requires at least one resource',
        id="names of nothing",
    ),
    pytest.param([], "loaded illegal policy with 0 rules", id="empty"),
]


@pytest.mark.parametrize(("rules", "message"), WRONG)
def test_wrong_policies(rules, message):
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - the text is compared whole
        made(*rules)
    assert str(wrong.value) == message


def test_another_file():
    with pytest.raises(ValueError, match=r"^not a Policy of audit\.k8s\.io/v1$"):
        policy.parse({"apiVersion": "audit.k8s.io/v1beta1", "kind": "Policy"})
