"""Which expressions of a policy do not fit the kinds it is about, as test/e2e/apimachinery/validatingadmissionpolicy.go asks."""

from typing import Any

import pytest

from steersman.api import kinds
from steersman.api.custom import kinds as custom_kinds
from steersman.api.kind import Kind
from steersman.api.policies import type_checking
from steersman.controllers.decision import UpdateStatus
from steersman.controllers.policy_status import controller, decide
from steersman.controllers.policy_status.decide import Seen
from steersman.meta.objects import Object
from tests.apiserver.extensions import definitions


def rule(group: str = "apps", resources: str = "deployments", version: str = "v1") -> Object:
    return {
        "apiGroups": group.split(","),
        "apiVersions": [version],
        "operations": ["*"],
        "resources": resources.split(","),
    }


def policy(expression: str, message: str = "", *rules: Object, **spec: Any) -> Object:
    validation = {"expression": expression, **({"messageExpression": message} if message else {})}
    match = {"resourceRules": list(rules) or [rule()]}
    return {
        "metadata": {"name": "p", "generation": 3, "resourceVersion": "1"},
        "spec": {"matchConstraints": match, "validations": [validation], **spec},
    }


def status(one: Object, *more: Kind, params: Kind | None = None) -> Object:
    rows = [*kinds.BUILTIN, *more]
    (action,) = decide.decide(Seen(one, type_checking.matched(one, rows), params)).actions
    assert isinstance(action, UpdateStatus)
    again = decide.decide(Seen(action.obj, type_checking.matched(one, rows), params))
    assert again.actions == ()
    found: Object = action.obj["status"]
    return found


def test_all_expressions_fit():
    assert status(policy("object.spec.replicas > 1")) == {"observedGeneration": 3, "typeChecking": {}}


def test_confusions():
    found = status(policy("object.spec.replicas > '1'", "'wants replicas > 1, got ' + object.spec.replicas"))
    assert found["typeChecking"] == {
        "expressionWarnings": [
            {
                "fieldRef": "spec.validations[0].expression",
                "warning": "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to "
                "'(int, string)'\n | object.spec.replicas > '1'\n | .....................^\n",
            },
            {
                "fieldRef": "spec.validations[0].messageExpression",
                "warning": "apps/v1, Kind=Deployment: ERROR: <input>:1:28: found no matching overload for '_+_' applied to "
                "'(string, int)'\n | 'wants replicas > 1, got ' + object.spec.replicas\n | ...........................^\n",
            },
        ]
    }


FITS = {
    "metadata": "object.metadata.labels['a'] == object.metadata.annotations.b && object.metadata.generation > 1",
    "time": "object.metadata.creationTimestamp < timestamp('2030-01-01T00:00:00Z')",
    "deep": "object.spec.template.spec.containers.all(c, c.resources.limits['cpu'] == '1' && c.ports[0].containerPort > 1)",
    "either": "object.spec.strategy.rollingUpdate.maxSurge == 1 || object.spec.strategy.rollingUpdate.maxSurge == '10%'",
    "kind": "object.kind == 'Deployment' && object.apiVersion == 'apps/v1'",
    "request": "request.userInfo.username == 'a' && authorizer.group('').resource('pods').check('get').allowed()",
}
WRONG = {
    "field": ("object.spec.nope == 1", "undefined field 'nope'"),
    "deep": ("object.spec.template.spec.containers.all(c, c.image > 1)", "'_>_' applied to '(string, int)'"),
    "request": ("request.nope == 1", "undefined field 'nope'"),
    "namespace": ("namespaceObject.metadata.name == 1", "'_==_' applied to '(string, int)'"),
    "old": ("oldObject.spec.replicas == 'a'", "'_==_' applied to '(int, string)'"),
    "variables": ("variables.n == 'a'", "'_==_' applied to '(int, string)'"),
}


@pytest.mark.parametrize("expression", FITS.values(), ids=FITS)
def test_what_fits(expression: str):
    assert status(policy(expression))["typeChecking"] == {}


@pytest.mark.parametrize(("expression", "expected"), WRONG.values(), ids=WRONG)
def test_what_does_not(expression: str, expected: str):
    found = status(policy(expression, variables=[{"name": "n", "expression": "object.spec.replicas"}]))
    (warning,) = found["typeChecking"]["expressionWarnings"]
    assert expected in warning["warning"]


def test_every_kind_is_asked_and_wildcards_name_none():
    found = status(
        policy("object.spec.replicas > 1", "", rule("apps", "daemonsets,deployments,replicasets,*,pods/log"))
    )
    (warning,) = found["typeChecking"]["expressionWarnings"]
    assert warning["warning"].startswith("apps/v1, Kind=DaemonSet: ERROR: <input>:1:12: undefined field 'replicas'")
    assert status(policy("object.nope > 1", "", rule("*", "deployments")))["typeChecking"] == {}


def test_custom_kinds():
    definition = definitions.definition()
    served = {
        "status": {
            "conditions": [{"type": "Established", "status": "True"}],
            "acceptedNames": definition["spec"]["names"],
        }
    }
    rows = custom_kinds.of({**definition, **served})
    about = rule("stable.example.com", "crontabs")
    assert (
        status(policy("object.spec.replicas > 1 && object.metadata.labels == {'a': 'b'}", "", about), *rows)[
            "typeChecking"
        ]
        == {}
    )
    found = status(policy("object.spec.nope > 1", "", about), *rows)
    assert "stable.example.com/v1, Kind=CronTab: ERROR" in found["typeChecking"]["expressionWarnings"][0]["warning"]


def test_parameters():
    kind: dict[str, Any] = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
    good, bad = policy("params.data['max'] == 'a'", **kind), policy("params.data['max'] == 1", **kind)
    assert status(good, params=kinds.CONFIG_MAP)["typeChecking"] == {}
    assert "(string, int)" in status(bad, params=kinds.CONFIG_MAP)["typeChecking"]["expressionWarnings"][0]["warning"]


def test_the_controller_is_woken_by_definitions_it_may_care_for():
    names = [watch.kind.kind for watch in controller.controller().watches]
    assert names == ["ValidatingAdmissionPolicy", "CustomResourceDefinition"]
