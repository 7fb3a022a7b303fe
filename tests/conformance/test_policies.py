"""ValidatingAdmissionPolicies: judged, with variables, and checked by type."""

import pytest

from tests.conformance import custom
from tests.conformance.live import Object, Space, refusal, unique, wait, workload

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
RULE = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["deployments"],
}


def policy(space: Space, validations: list[Object], **spec: object) -> str:
    """Its name."""
    selector = {"matchLabels": {"kubernetes.io/metadata.name": space.name}}
    name = f"{unique('policy')}.example.com"
    constraints = {"resourceRules": [RULE], "namespaceSelector": selector}
    body = {"matchConstraints": constraints, "validations": validations, **spec}
    space.api.create(POLICIES, {"metadata": {"name": name}, "spec": body})
    return name


def bound(space: Space, name: str) -> None:
    spec = {"policyName": name, "validationActions": ["Deny"]}
    space.api.create(BINDINGS, {"metadata": {"name": name}, "spec": spec})


def said_to(space: Space, replicas: int) -> str:
    """What is said to a Deployment of that size; empty when it is let through."""
    refused = refusal(lambda: space.create("apps/v1/deployments", workload("judged", replicas), dryRun="All"))
    if refused is None:
        return ""
    assert (refused.code, refused.reason) == (422, "Invalid")
    return str(refused.message)


MESSAGE = "'wants replicas > 1, got ' + string(object.spec.replicas)"
CASES: dict[str, tuple[list[Object], Object, str]] = {
    "message": (
        [{"expression": "object.spec.replicas > 1", "messageExpression": MESSAGE}],
        {},
        "denied request: wants replicas > 1, got 1",
    ),
    "variables": (
        [{"expression": "variables.oddReplicas"}, {"expression": "variables.replicas > 1"}],
        {
            "variables": [
                {"name": "replicas", "expression": "object.spec.replicas"},
                {"name": "oddReplicas", "expression": "variables.replicas % 2 == 1"},
            ]
        },
        "denied request: failed expression: variables.replicas > 1",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_deployment_is_judged(space: Space, case: str) -> None:
    validations, spec, expect = CASES[case]
    name = policy(space, validations, **spec)
    bound(space, name)
    said = wait("it is in force", lambda: said_to(space, 1))
    assert f"ValidatingAdmissionPolicy '{name}' with binding '{name}' {expect}" in said
    assert said_to(space, 3) == ""
    assert bool(said_to(space, 2)) == (case == "variables")
    space.create("apps/v1/replicasets", workload("other", 1), dryRun="All")
    for root in (BINDINGS, POLICIES):
        space.api.delete(f"{root}/{name}")
    wait("it is out of force", lambda: not said_to(space, 1))


def test_types_are_checked(space: Space) -> None:
    def warnings(validation: Object) -> list[Object]:
        name = policy(space, [validation])

        def look() -> Object:
            status: Object = space.api.get(f"{POLICIES}/{name}").get("status", {})
            return status if "typeChecking" in status else {}

        status = wait("types are checked", look)
        space.api.delete(f"{POLICIES}/{name}")
        found: list[Object] = status["typeChecking"].get("expressionWarnings", [])
        return found

    assert warnings({"expression": "object.spec.replicas > 1"}) == []
    confused = {
        "expression": "object.spec.replicas > '1'",
        "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas",
    }
    first, second = warnings(confused)
    assert first["fieldRef"] == "spec.validations[0].expression"
    assert "found no matching overload for '_>_' applied to '(int, string)'" in first["warning"]
    assert second["fieldRef"] == "spec.validations[0].messageExpression"
    assert "found no matching overload for '_+_' applied to '(string, int)'" in second["warning"]


def test_types_of_a_kind_of_ones_own(space: Space) -> None:
    """Upstream: expressions over a custom kind are checked by its schema."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}},
    }
    foo = custom.made(space.api, custom.definition(schema))
    name = f"{unique('policy')}.example.com"
    rule = RULE | {"apiGroups": [foo.group], "resources": [foo.plural]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "object.spec.replicas > '1'"}, {"expression": "object.foo == 1"}],
    }
    space.api.create(POLICIES, {"metadata": {"name": name}, "spec": spec})

    def look() -> Object:
        status: Object = space.api.get(f"{POLICIES}/{name}").get("status", {})
        return status if "typeChecking" in status else {}

    status = wait("types are checked", look)
    first, second = status["typeChecking"]["expressionWarnings"]
    assert "found no matching overload for '_>_' applied to '(int, string)'" in first["warning"]
    assert "undefined field 'foo'" in second["warning"]
    space.api.delete(f"{POLICIES}/{name}")
    foo.end()
