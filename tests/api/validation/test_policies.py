"""Admission policies and bindings that are refused, in upstream's words."""
# ruff: noqa: E501 — messages are looked for as they are

from typing import Any

import pytest

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.meta.objects import Object

RULE = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
APPLY = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "Object{}"}}


def policy(**spec: Any) -> Object:
    match = {"resourceRules": [RULE]}
    body = {"matchConstraints": match, "validations": [{"expression": "true"}], **spec}
    return {"metadata": {"name": "p"}, "spec": {name: value for name, value in body.items() if value is not None}}


def mutating(**spec: Any) -> Object:
    body = {"matchConstraints": {"resourceRules": [RULE]}, "mutations": [APPLY], "reinvocationPolicy": "Never", **spec}
    return {"metadata": {"name": "p"}, "spec": {name: value for name, value in body.items() if value is not None}}


def binding(**spec: Any) -> Object:
    return {"metadata": {"name": "b"}, "spec": {"policyName": "p", "validationActions": ["Deny"], **spec}}


def errors(kind: Kind, obj: Object, old: Object | None = None) -> list[str]:
    assert kind.default is not None
    assert kind.validate is not None
    for one in (obj, old):
        if one is not None:
            kind.default(one)
    return [str(error) for error in kind.validate(obj, old)]


VALIDATING, BINDING = kinds.VALIDATING_ADMISSION_POLICY, kinds.VALIDATING_ADMISSION_POLICY_BINDING
MUTATING, MUTATING_BINDING = kinds.MUTATING_ADMISSION_POLICY, kinds.MUTATING_ADMISSION_POLICY_BINDING

FINE: dict[str, tuple[Kind, Object]] = {
    "policy": (VALIDATING, policy()),
    "all variables": (
        VALIDATING,
        policy(
            paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
            variables=[{"name": "n", "expression": "object.spec.replicas"}],
            validations=[
                {
                    "expression": "variables.n <= int(params.data.max) && authorizer.path('/x').check('get').allowed()",
                    "messageExpression": "'%d for %s'.format([dyn(variables.n), request.userInfo.username])",
                }
            ],
            auditAnnotations=[{"key": "k", "valueExpression": "namespaceObject.metadata.name"}, {"key": "l", "valueExpression": "null"}],
            matchConditions=[{"name": "c", "expression": "params != null && oldObject == null"}],
        ),
    ),
    "mutations": (
        MUTATING,
        mutating(
            mutations=[
                {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'add', path: '/a', value: Object.a{}}]"}},
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "has(object.spec) ? Object{} : Object{spec: Object.spec{x: 1}}"}},
            ]
        ),
    ),
    "binding": (BINDING, binding(matchResources={}, paramRef={"name": "a", "parameterNotFoundAction": "Allow"})),
    "mutating binding": (MUTATING_BINDING, {"metadata": {"name": "b"}, "spec": {"policyName": "p"}}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "obj"), FINE.values(), ids=FINE)
def test_fine(kind: Kind, obj: Object):
    assert errors(kind, obj) == []


WRONG: dict[str, tuple[Kind, Object, list[str]]] = {
    "does not compile": (
        VALIDATING, policy(validations=[{"expression": "object.x > 1 + 'a'"}]),
        [
            "spec.validations[0].expression: Invalid value: \"object.x > 1 + 'a'\": compilation failed: ERROR: <input>:1:14: found no "
            "matching overload for '_+_' applied to '(int, string)'\n | object.x > 1 + 'a'\n | .............^"
        ],
    ),
    "no condition": (
        VALIDATING, policy(validations=[{"expression": "object.x"}]),
        ['spec.validations[0].expression: Invalid value: "object.x": must evaluate to bool but got dyn'],
    ),
    "params without a kind": (
        VALIDATING, policy(validations=[{"expression": "params.x"}]),
        [
            "spec.validations[0].expression: Invalid value: \"params.x\": compilation failed: ERROR: <input>:1:1: undeclared reference to "
            "'params' (in container '')\n | params.x\n | ^"
        ],
    ),
    "authorizer in a message": (
        VALIDATING, policy(validations=[{"expression": "true", "messageExpression": "authorizer.x"}]),
        [
            "spec.validations[0].messageExpression: Invalid value: \"authorizer.x\": compilation failed: ERROR: <input>:1:1: undeclared "
            "reference to 'authorizer' (in container '')\n | authorizer.x\n | ^"
        ],
    ),
    "a variable before it is there": (
        VALIDATING, policy(variables=[{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}]),
        [
            "spec.variables[0].expression: Invalid value: \"variables.b\": compilation failed: ERROR: <input>:1:10: undefined field 'b'\n"
            " | variables.b\n | .........^"
        ],
    ),
    "names of variables": (
        VALIDATING, policy(variables=[{"name": "a-b", "expression": "1"}, {"name": "in", "expression": ""}]),
        [
            'spec.variables[0].name: Invalid value: "a-b": name is not a valid CEL identifier',
            'spec.variables[1].name: Invalid value: "in": name is not a valid CEL identifier',
            "spec.variables[1].expression: Required value: expression is not specified",
        ],
    ),
    "nothing to do": (
        VALIDATING, policy(validations=[]),
        [
            "spec.validations: Required value: validations or auditAnnotations must contain at least one item",
            "spec.auditAnnotations: Required value: validations or auditAnnotations must contain at least one item",
        ],
    ),
    "no rules": (
        VALIDATING, policy(matchConstraints={}), ["spec.matchConstraints.resourceRules: Required value"],
    ),
    "no constraints": (VALIDATING, policy(matchConstraints=None), ["spec.matchConstraints: Required value"]),
    "message and reason": (
        VALIDATING, policy(validations=[{"expression": "true", "message": "a\nb", "reason": "Why"}]),
        [
            'spec.validations[0].message: Invalid value: "a\\nb": message must not contain line breaks',
            'spec.validations[0].reason: Unsupported value: "Why": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"',
        ],
    ),
    "kind of parameters": (
        VALIDATING, policy(paramKind={"apiVersion": "a/b/c", "kind": "No_"}),
        [
            'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c',
            "spec.paramKind.kind: Invalid value: \"No_\": may have mixed case, but should otherwise match: a DNS-1035 label must consist of "
            "lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. "
            "'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ],
    ),
    "annotations": (
        VALIDATING,
        policy(auditAnnotations=[{"key": "k", "valueExpression": "1"}, {"key": "k", "valueExpression": " "}]),
        [
            'spec.auditAnnotations[0].valueExpression: Invalid value: "1": must evaluate to one of [string null_type] but got int',
            "spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not specified",
            'spec.auditAnnotations[1].key: Duplicate value: "k"',
        ],
    ),
    "resource names": (
        VALIDATING, policy(matchConstraints={"resourceRules": [RULE | {"resourceNames": ["a", "a", "b/c"]}]}),
        [
            'spec.matchConstraints.resourceRules[0].resourceNames[1]: Duplicate value: "a"',
            "spec.matchConstraints.resourceRules[0].resourceNames[2]: Invalid value: \"b/c\": may not contain '/'",
        ],
    ),
    "actions": (
        BINDING, binding(validationActions=["Deny", "Warn", "Warn", "Shout"]),
        [
            'spec.validationActions[2]: Duplicate value: "Warn"',
            'spec.validationActions[3]: Unsupported value: "Shout": supported values: "Audit", "Deny", "Warn"',
            'spec.validationActions: Invalid value: ["Deny","Warn","Warn","Shout"]: must not contain both Deny and Warn (repeating the '
            "same validation failure information in the API response and headers serves no purpose)",
        ],
    ),
    "no action": (
        BINDING, binding(validationActions=[]), ["spec.validationActions: Required value: at least one validation action is required"],
    ),
    "reference to parameters": (
        BINDING, binding(paramRef={"name": "a", "selector": {}}),
        [
            "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
            "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
            "spec.paramRef.parameterNotFoundAction: Required value",
        ],
    ),
    "reference to nothing": (
        BINDING, binding(paramRef={"parameterNotFoundAction": "Deny"}),
        ["spec.paramRef: Required value: one of name or selector must be specified"],
    ),
    "no policy": (MUTATING_BINDING, {"metadata": {"name": "b"}, "spec": {}}, ["spec.policyName: Required value"]),
    "mutations of another type": (
        MUTATING,
        mutating(mutations=[{"patchType": "JSONPatch", "applyConfiguration": {"expression": "Object{}"}}, APPLY | {"applyConfiguration": {"expression": "1"}}]),
        [
            'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch',
            "spec.mutations[0].jsonPatch: Required value: must be specified when patchType is JSONPatch",
            'spec.mutations[1].applyConfiguration.expression: Invalid value: "1": must evaluate to Object but got int',
        ],
    ),
    "deletions": (
        MUTATING, mutating(matchConstraints={"resourceRules": [RULE | {"operations": ["DELETE"]}]}, reinvocationPolicy=None, mutations=[]),
        [
            'spec.matchConstraints.resourceRules.operations: Unsupported value: "DELETE": supported values: "*", "CONNECT", "CREATE", "UPDATE"',
            "spec.mutations: Required value: mutations must contain at least one item",
            "spec.reinvocationPolicy: Required value",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "obj", "expected"), WRONG.values(), ids=WRONG)
def test_wrong(kind: Kind, obj: Object, expected: list[str]):
    assert errors(kind, obj) == expected


def test_what_was_let_in_may_stay():
    wrong = policy(validations=[{"expression": "object.x"}])
    assert (
        errors(
            VALIDATING,
            {**wrong, "metadata": {"name": "p", "labels": {"a": "b"}}},
            policy(validations=[{"expression": "object.x"}]),
        )
        == []
    )
