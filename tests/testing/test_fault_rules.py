"""Which request a rule means."""

import pytest

from steersman.serving.messages import Request
from steersman.testing import fault_rules
from steersman.testing.fault_rules import Call
from steersman.testing.faults import Fault

POD = Call("update", "pods/status", "", "default", "web-1", "system:node:node-1")


@pytest.mark.parametrize(
    ("request_", "expect"),
    [
        pytest.param(Request("GET", "/api/v1/pods"), Call("list", "pods", user="u"), id="list"),
        pytest.param(
            Request("GET", "/api/v1/pods", "watch=1&resourceVersion=7"),
            Call("watch", "pods", user="u", revision=7),
            id="watch",
        ),
        pytest.param(
            Request("GET", "/apis/apps/v1/deployments", "limit=5&continue=x"),
            Call("list", "deployments", "apps", user="u", continues=True),
            id="page",
        ),
        pytest.param(
            Request("PATCH", "/api/v1/namespaces/a/pods/b/status"),
            Call("patch", "pods/status", "", "a", "b", "u"),
            id="subresource",
        ),
        pytest.param(Request("GET", "/version"), Call("get", user="u"), id="no resource"),
    ],
)
def test_call_of(request_, expect):
    assert fault_rules.call_of(request_, "u") == expect


@pytest.mark.parametrize(
    ("which", "fits"),
    [
        pytest.param({}, True, id="anything"),
        pytest.param({"verb": "update"}, True, id="verb"),
        pytest.param({"verb": ("get", "list")}, False, id="other verbs"),
        pytest.param({"resource": "pods"}, False, id="not its subresource"),
        pytest.param({"resource": "po/status"}, True, id="short name"),
        pytest.param({"resource": "pods*"}, True, id="with subresources"),
        pytest.param({"resource": "widgets"}, False, id="a custom resource"),
        pytest.param({"namespace": "default", "name": "web-*"}, True, id="name"),
        pytest.param({"namespace": "other"}, False, id="other namespace"),
        pytest.param({"user": "system:node:*"}, True, id="users"),
        pytest.param({"user": ["system:kube-scheduler", "me"]}, False, id="other users"),
    ],
)
def test_match(which, fits):
    assert fault_rules.match(**which).fits(POD) is fits


@pytest.mark.parametrize(
    ("rule", "strikes"),
    [
        pytest.param({}, [True] * 4, id="always"),
        pytest.param({"count": 2}, [True, True, False, False], id="count"),
        pytest.param({"until": 2.0}, [True, True, False, False], id="until"),
        pytest.param({"probability": 0.5}, [True, False, True, False], id="probability"),
        pytest.param({"probability": 0.5, "count": 1}, [True, False, False, False], id="both"),
        pytest.param({"concerns": lambda call: call.verb == "get"}, [False] * 4, id="concerns"),
    ],
)
def test_strikes(rule, strikes):
    one = fault_rules.Rule(fault_rules.match(), lambda _: Fault(), **rule)
    chances = [0.1, 0.9, 0.2, 0.8]
    assert [one.strikes(POD, float(now), lambda: chances[now]) for now in range(4)] == strikes  # noqa: B023
    assert one.struck == sum(strikes)
