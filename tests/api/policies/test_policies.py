"""Verdicts and mutations as values; what can go wrong in expressions stays inside of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.api.cel.library import authorization
from steersman.api.managed_fields import compiling
from steersman.api.policies import environments, evaluation, mutating, validating
from steersman.api.policies.validating import Denial, Verdict
from steersman.meta.objects import Object


def inputs(obj: Any = None, **more: Any) -> dict[str, Any]:
    asking = authorization.Authorizer(lambda question: authorization.Decision(question.verb == "get"))
    found = {
        "object": obj,
        "oldObject": None,
        "request": {"operation": "CREATE", "userInfo": {"username": "bob"}},
        "params": None,
        "namespaceObject": None,
        "authorizer": asking,
        environments.REQUEST_RESOURCE: authorization.ResourceCheck(asking.decide),
    }
    return {**found, **more}


def judged(obj: Any, *expressions: str, budget: int = evaluation.BUDGET, **spec: Any) -> Verdict:
    validations = [{"expression": text} for text in expressions]
    return validating.Policy({"spec": {"validations": validations, **spec}}).judge(inputs(obj), budget)


def test_all_validations_are_heard_in_order():
    verdict = judged({"a": 1}, "object.a == 2", "object.a == 1", "object.b == 1")
    assert verdict.denials == (
        Denial("failed expression: object.a == 2", "", 0),
        Denial("expression 'object.b == 1' resulted in error: no such key: b", "", 2),
    )


def test_errors_that_are_ignored():
    assert judged({"a": 1}, "object.b == 1", "object.a == 2", failurePolicy="Ignore").denials == (
        Denial("failed expression: object.a == 2", "", 1),
    )


def test_annotations():
    listed = [
        {"key": "a", "valueExpression": "' ' + object.name"},
        {"key": "b", "valueExpression": "''"},
        {"key": "c", "valueExpression": "null"},
        {"key": "d", "valueExpression": "string(object.nope)"},
    ]
    verdict = judged({"name": "x"}, auditAnnotations=listed)
    assert verdict.annotations == (("a", "x"),)
    assert [one.message for one in verdict.failures] == [
        "expression 'string(object.nope)' resulted in error: no such key: nope"
    ]


def test_a_variable_that_fails_fails_whoever_asks_for_it():
    variables = [{"name": "wrong", "expression": "1 / 0"}, {"name": "twice", "expression": "variables.wrong + 1"}]
    verdict = judged({}, "true", "variables.twice == 1", variables=variables)
    inner = 'composited variable "wrong" fails to evaluate: division by zero'
    why = (
        f"expression 'variables.twice == 1' resulted in error: composited variable \"twice\" fails to evaluate: {inner}"
    )
    assert verdict.denials == (Denial(why, "", 1),)


def test_the_budget_is_that_of_all_expressions_and_variables_together():
    heavy = "object.l.all(a, object.l.all(b, a + b >= 0))"
    assert judged({"l": [0] * 20}, *[heavy] * 3, budget=10_000) == Verdict()
    verdict = judged({"l": [0] * 20}, *[heavy] * 4, budget=10_000)
    assert verdict.denials == (
        Denial("validation failed due to running out of cost budget, no further validation rules will be run"),
    )
    variables = [{"name": f"v{index}", "expression": heavy} for index in range(4)]
    both = " && ".join(f"variables.v{index}" for index in range(4))
    assert judged({"l": [0] * 20}, both, variables=variables, budget=10_000) == verdict


def test_a_value_is_evaluated_once():
    asked: list[str] = []

    def decide(question: authorization.Question) -> authorization.Decision:
        asked.append(question.verb)
        return authorization.Decision(allowed=True)

    asking = authorization.Authorizer(decide)
    variables = [{"name": "may", "expression": "authorizer.path('/x').check('get').allowed()"}]
    spec = {"variables": variables, "validations": [{"expression": "variables.may && variables.may"}]}
    assert validating.Policy({"spec": spec}).judge(inputs({}, authorizer=asking)) == Verdict()
    assert asked == ["get"]


def conditions(*texts: str) -> evaluation.Conditions:
    return evaluation.Conditions([{"name": str(index), "expression": text} for index, text in enumerate(texts)])


def test_conditions():
    assert conditions("true", "object.a == 1").match(inputs({"a": 1}))
    assert not conditions("object.nope", "false", "object.b == 1").match(inputs({"a": 1}))
    with pytest.raises(evaluation.Failed) as failed:
        conditions("object.x == 1", "object.y == 1").match(inputs({}))
    first, second = (f"expression 'object.{name} == 1' resulted in error: no such key: {name}" for name in "xy")
    assert str(failed.value) == f"[{first}, {second}]"


# Mutations.

DEPLOYMENT = compiling.of_kind(kinds.DEPLOYMENT)
TEMPLATE = "Object.spec.template"
VOLUMES = f"{TEMPLATE}.spec.volumes"

# Upstream's patch/smd_test.go.
APPLIED: dict[str, tuple[Object, str, Object]] = {
    "an item of a list with keys is added": (
        {"spec": {"template": {"spec": {"volumes": [{"name": "x"}]}}}},
        f"Object{{spec: Object.spec{{template: {TEMPLATE}{{spec: {TEMPLATE}.spec{{volumes: [{VOLUMES}{{name: 'y'}}]}}}}}}}}",
        {"spec": {"template": {"spec": {"volumes": [{"name": "x"}, {"name": "y"}]}}}},
    ),
    "an item of a list with keys is changed": (
        {"spec": {"template": {"spec": {"volumes": [{"name": "x"}, {"name": "y"}]}}}},
        f"Object{{spec: Object.spec{{template: {TEMPLATE}{{spec: {TEMPLATE}.spec{{volumes: [{VOLUMES}"
        f"{{name: 'y', hostPath: {VOLUMES}.hostPath{{path: 'a'}}}}]}}}}}}}}",
        {"spec": {"template": {"spec": {"volumes": [{"name": "x"}, {"name": "y", "hostPath": {"path": "a"}}]}}}},
    ),
    "conditionals": (
        {"spec": {"replicas": 2}},
        "Object{spec: Object.spec{replicas: object.spec.replicas % 2 == 0 ? object.spec.replicas + 1 : object.spec.replicas}}",
        {"spec": {"replicas": 3}},
    ),
    "optional entries": (
        {"spec": {"replicas": 2}},
        "Object{spec: Object.spec{?replicas: optional.none(), ?paused: optional.of(true)}}",
        {"spec": {"replicas": 2, "paused": True}},
    ),
}


def mutated(obj: Object, kind: str, expression: str) -> Object:
    field = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}[kind]
    policy = mutating.Policy({"spec": {"mutations": [{"patchType": kind, field: {"expression": expression}}]}})
    found = policy.mutate(0, inputs(obj), obj, DEPLOYMENT)
    return {name: value for name, value in found.items() if name not in ("apiVersion", "kind")}


@pytest.mark.parametrize(("obj", "expression", "expected"), APPLIED.values(), ids=APPLIED)
def test_apply_configurations(obj: Object, expression: str, expected: Object):
    assert mutated(obj, "ApplyConfiguration", expression) == expected
    assert mutated(expected, "JSONPatch", "[JSONPatch{op: 'test', path: '/spec', value: object.spec}]") == expected


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (
            "Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'l': 'v'}}}}",
            "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector",
        ),
        (
            "Object{spec: Object.specx{replicas: 1}}",
            'type mismatch: unexpected type name "Object.specx", expected "Object.spec", which matches field name path from root '
            "Object type",
        ),
        (
            "Object{spec: Object.spec{replicasx: 1}}",
            "error applying patch: failed to convert patch object to typed object: .spec.replicasx: field not declared in schema",
        ),
        ('"I\'m a teapot!"', "compilation error: must evaluate to Object but got string"),
        ("Object.spec.metadata{}", "compilation error: must evaluate to Object but got Object.spec.metadata"),
    ],
)
def test_apply_configurations_that_are_none(expression: str, why: str):
    with pytest.raises(evaluation.Failed) as failed:
        mutated({"spec": {"replicas": 1}}, "ApplyConfiguration", expression)
    assert str(failed.value) == why


def test_values_of_patches():
    found = mutated(
        {"spec": {"replicas": 1}},
        "JSONPatch",
        "[JSONPatch{op: 'add', path: '/spec/template', value: Object.spec.template{spec: Object.spec.template.spec{x: [1u, 2]}}},"
        " JSONPatch{op: 'copy', from: '/spec/replicas', path: '/spec/other'},"
        " JSONPatch{op: 'add', path: '/spec/t', value: timestamp('2026-01-01T00:00:00Z')}]".replace("1u", "1"),
    )
    assert found == {
        "spec": {"replicas": 1, "other": 1, "t": "2026-01-01T00:00:00Z", "template": {"spec": {"x": [1, 2]}}}
    }


# Laws.

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "spec"]), inner, max_size=2),
    max_leaves=6,
)
TEXTS = st.sampled_from(
    [
        "object.a == object.b",
        "object.all(x, x > 1)",
        "object.spec.map(x, x.a)[0] == 1",
        "variables.v.size() > 1",
        "variables.v in object",
        "params.a == null || oldObject == null",
        "object.?a.?b.orValue(1) == 1",
        "string(object.a).matches('a+') || object.b",
        "namespaceObject.metadata.name == 'x'",
        "has(object.a.b) ? object.a.b : variables.v",
    ]
)


@given(JSON, st.lists(TEXTS, max_size=3), TEXTS, st.sampled_from(["Fail", "Ignore"]))
def test_no_object_breaks_a_policy(obj: Any, texts: list[str], variable: str, failure: str):
    """A verdict always; with failures ignored only what is false denies."""
    spec: Object = {
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "variables": [{"name": "v", "expression": variable}] if "variables" not in variable else [],
        "validations": [{"expression": f"dyn({text}) == true"} for text in texts],
        "failurePolicy": failure,
    }
    verdict = validating.Policy({"spec": spec}).judge(inputs(obj))
    assert verdict.failures == ()
    if failure == "Ignore":
        assert all(denial.message.startswith("failed expression: ") for denial in verdict.denials)
