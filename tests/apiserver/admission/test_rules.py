"""What rules of webhooks and policies are about."""

import pytest

from steersman.api import kinds
from steersman.apiserver.admission import matching, rules


def rule(resources="pods", operations="CREATE", groups="", versions="v1", **more):
    texts = {"resources": resources, "operations": operations, "apiGroups": groups, "apiVersions": versions}
    return {name: text.split(",") for name, text in texts.items()} | more


def asked(resource="pods", operation="CREATE", group="", version="v1", *, namespaced=True):
    name, _, sub = resource.partition("/")
    return rules.Asked(group, version, name, sub, operation, namespaced)


@pytest.mark.parametrize(
    ("of_rule", "of_request", "expected"),
    [
        (rule(), asked(), True),
        (rule(), asked("pods/status"), False),
        (rule("pods/status"), asked("pods/status"), True),
        (rule("pods/*"), asked("pods/exec", "CREATE"), True),
        (rule("pods/*"), asked("pods"), True),
        (rule("*"), asked("configmaps"), True),
        (rule("*"), asked("pods/log"), False),
        (rule("*/*"), asked("pods"), True),
        (rule("*/*"), asked("pods/exec"), True),
        (rule("*/scale"), asked("deployments/scale"), True),
        (rule("*/scale"), asked("deployments"), False),
        (rule("services,pods"), asked(), True),
        (rule(operations="UPDATE,DELETE"), asked(), False),
        (rule(operations="*"), asked(operation="CONNECT"), True),
        (rule(groups="apps"), asked(), False),
        (rule(groups="*", versions="*"), asked(group="apps", version="v7"), True),
        (rule(versions="v1beta1"), asked(), False),
        (rule(scope="Cluster"), asked(), False),
        (rule(scope="Namespaced"), asked(), True),
        (rule("namespaces", scope="Namespaced"), asked("namespaces", namespaced=False), False),
        (rule("namespaces", scope="Cluster"), asked("namespaces", namespaced=False), True),
        (rule("nodes", scope="*"), asked("nodes", namespaced=False), True),
        ({}, asked(), False),
    ],
)
def test_a_rule_is_about(of_rule, of_request, expected):
    assert rules.matches(of_rule, of_request) is expected


@pytest.mark.parametrize(("listed", "expected"), [(None, True), ([], True), (["a"], True), (["b", "c"], False)])
def test_names_of_a_policy(listed, expected):
    assert rules.has_name({"resourceNames": listed}, "a") is expected


def test_the_version_of_the_request_is_preferred_and_an_equivalent_one_found_by_the_earliest_rule():
    v1, v2 = kinds.DEPLOYMENT, kinds.STATEFUL_SET  # any two rows do
    request = rules.asked_of(v1, "", "CREATE")
    of_other = rule(v2.plural, groups="apps")
    of_same = rule(v1.plural, groups="apps")

    def found(wanted, *, exact=False):
        return matching.of_rules(wanted, exact, [v2], v1, request)

    assert found([of_other, of_same]) == matching.Match(v1, of_same)
    assert found([of_other]) == matching.Match(v2, of_other)
    assert found([of_other], exact=True) is None
    assert found([rule("pods")]) is None


def test_configurations_of_admission_are_exempt():
    assert not rules.is_exempt(kinds.POD)
