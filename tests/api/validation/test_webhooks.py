"""Webhook configurations: what is refused, in upstream's words, and what an older release let in and may stay."""

import copy

import pytest

from steersman.api import kinds
from tests.api import builders

KIND = kinds.MUTATING_WEBHOOK_CONFIGURATION
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
WEBHOOK = {
    "name": "a.example.com",
    "rules": [RULE],
    "clientConfig": {"url": "https://example.com/x"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}


def configuration(**changes):
    return builders.of_kind(KIND, webhooks=[copy.deepcopy(WEBHOOK) | changes])


def with_rule(**changes):
    return configuration(rules=[RULE | changes])


def at_service(**service):
    return configuration(clientConfig={"service": {"name": "s", "namespace": "n"} | service})


AT = "webhooks[0]"
REFUSED = {
    "no name": (configuration(name=""), f"{AT}.name: Required value"),
    "short name": (
        configuration(name="example.com"),
        f'{AT}.name: Invalid value: "example.com": should be a domain with at least three segments separated by dots',
    ),
    "no operation": (with_rule(operations=[]), f"{AT}.rules[0].operations: Required value"),
    "operation": (
        with_rule(operations=["LOOK"]),
        f'{AT}.rules[0].operations[0]: Unsupported value: "LOOK": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
    ),
    "star and more": (
        with_rule(operations=["*", "CREATE"]),
        f'{AT}.rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
    ),
    "groups": (
        with_rule(apiGroups=["*", "a"]),
        f'{AT}.rules[0].apiGroups: Invalid value: ["*","a"]: if \'*\' is present, must not specify other API groups',
    ),
    "empty version": (with_rule(apiVersions=[""]), f"{AT}.rules[0].apiVersions[0]: Required value"),
    "no resource": (with_rule(resources=[]), f"{AT}.rules[0].resources: Required value"),
    "resource twice": (
        with_rule(resources=["pods/*", "pods/status"]),
        f"{AT}.rules[0].resources[1]: Invalid value: \"pods/status\": if 'pods/*' is present, must not specify pods/status",
    ),
    "subresource twice": (
        with_rule(resources=["*/scale", "a/scale"]),
        f"{AT}.rules[0].resources[1]: Invalid value: \"a/scale\": if '*/scale' is present, must not specify a/scale",
    ),
    "everything and more": (
        with_rule(resources=["*/*", "pods"]),
        f'{AT}.rules[0].resources: Invalid value: ["*/*","pods"]: if \'*/*\' is present, must not specify other resources',
    ),
    "all and one": (
        with_rule(resources=["*", "pods"]),
        f'{AT}.rules[0].resources: Invalid value: ["*","pods"]: '
        "if '*' is present, must not specify other resources without subresources",
    ),
    "scope": (
        with_rule(scope="Here"),
        f'{AT}.rules[0].scope: Unsupported value: "Here": supported values: "*", "Cluster", "Namespaced"',
    ),
    "failure policy": (
        configuration(failurePolicy="Maybe"),
        f'{AT}.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"',
    ),
    "match policy": (
        configuration(matchPolicy="Maybe"),
        f'{AT}.matchPolicy: Unsupported value: "Maybe": supported values: "Equivalent", "Exact"',
    ),
    "no side effects": (
        configuration(sideEffects=None),
        f"{AT}.sideEffects: Required value: must specify one of None, NoneOnDryRun",
    ),
    "side effects": (
        configuration(sideEffects="Some"),
        f'{AT}.sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ),
    "seconds": (
        configuration(timeoutSeconds=31),
        f"{AT}.timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
    ),
    "reinvocation": (
        configuration(reinvocationPolicy="Always"),
        f'{AT}.reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"',
    ),
    "selector": (
        configuration(objectSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}),
        f"{AT}.objectSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ),
    "nowhere": (
        configuration(clientConfig={}),
        f"{AT}.clientConfig: Required value: exactly one of url or service is required",
    ),
    "http": (
        configuration(clientConfig={"url": "http://example.com"}),
        f"{AT}.clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; "
        "desired format: https://host[/path]",
    ),
    "user": (
        configuration(clientConfig={"url": "https://me@example.com"}),
        f'{AT}.clientConfig.url: Invalid value: "me": user information is not permitted in the URL',
    ),
    "query": (
        configuration(clientConfig={"url": "https://example.com/?a=b"}),
        f'{AT}.clientConfig.url: Invalid value: "a=b": query parameters are not permitted in the URL',
    ),
    "service name": (at_service(name=""), f"{AT}.clientConfig.service.name: Required value: service name is required"),
    "service port": (
        at_service(port=70000),
        f"{AT}.clientConfig.service.port: Invalid value: 70000: port is not valid: must be between 1 and 65535, inclusive",
    ),
    "service path": (
        at_service(path="x"),
        f"{AT}.clientConfig.service.path: Invalid value: \"x\": must start with a '/'",
    ),
    "empty segment": (
        at_service(path="/a//b"),
        f'{AT}.clientConfig.service.path: Invalid value: "/a//b": segment[1] may not be empty',
    ),
    "no review version": (
        configuration(admissionReviewVersions=[]),
        f"{AT}.admissionReviewVersions: Required value: must specify one of v1, v1beta1",
    ),
    "unknown review version": (
        configuration(admissionReviewVersions=["v9"]),
        f'{AT}.admissionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
    ),
    "condition without expression": (
        configuration(matchConditions=[{"name": "a", "expression": " "}]),
        f"{AT}.matchConditions[0].expression: Required value",
    ),
    "condition twice": (
        configuration(matchConditions=[{"name": "a", "expression": "true"}] * 2),
        f'{AT}.matchConditions[1].name: Duplicate value: "a"',
    ),
    "name twice": (
        builders.of_kind(KIND, webhooks=[WEBHOOK, WEBHOOK]),
        'webhooks[1].name: Duplicate value: "a.example.com"',
    ),
}


@pytest.mark.parametrize(("obj", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(obj, expected):
    found = builders.refused(KIND, obj)
    assert expected in found or any(one.startswith(expected) for one in found), found


@pytest.mark.parametrize(
    "obj", [configuration(), at_service(path="/a/b"), at_service(path="/"), builders.of_kind(KIND)]
)
def test_accepted(obj):
    assert builders.refused(KIND, obj) == []


@pytest.mark.parametrize("field", [{"sideEffects": "Some"}, {"admissionReviewVersions": ["v9"]}])
def test_what_an_older_release_let_in_may_stay(field):
    old = builders.stored(KIND, configuration(**field))
    assert builders.refused(KIND, configuration(**field), old) == []
    assert builders.refused(KIND, configuration(**field), builders.stored(KIND, configuration())) != []


def test_defaults():
    (webhook,) = builders.stored(KIND, at_service())["webhooks"]
    assert (webhook["failurePolicy"], webhook["matchPolicy"], webhook["timeoutSeconds"]) == ("Fail", "Equivalent", 10)
    assert (webhook["namespaceSelector"], webhook["objectSelector"], webhook["reinvocationPolicy"]) == ({}, {}, "Never")
    assert (webhook["rules"][0]["scope"], webhook["clientConfig"]["service"]["port"]) == ("*", 443)
