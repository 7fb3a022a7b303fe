import pytest

from steersman.api import kinds
from steersman.api.conversions import autoscalers
from tests.api import builders
from tests.controllers.horizontal_pod_autoscaler.builders import autoscaler, cpu, external


def percent(value):
    return {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": value}},
    }


def rules(**given):
    return autoscaler(behavior={"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1}], **given}})


CASES = {
    "right": (autoscaler(cpu(), external(type="Value", value="1")), []),
    "no minimum": (autoscaler(least=0), ["spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"]),
    "no maximum": (
        autoscaler(most=0),
        [
            "spec.maxReplicas: Invalid value: 0: must be greater than 0",
            "spec.maxReplicas: Invalid value: 0: must be greater than or equal to `minReplicas`",
        ],
    ),
    "no target": (
        autoscaler(scaleTargetRef={}),
        ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value"],
    ),
    "another source": (
        autoscaler({**cpu(), "type": "Pods"}),
        ["spec.metrics[0].pods: Required value: must populate information for the given metric source"],
    ),
    "no percent": (
        autoscaler(percent(0)),
        ["spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0"],
    ),
    "no value": (
        autoscaler(external(type="Value")),
        [
            "spec.metrics[0].external.target.averageValue: Required value: "
            "must set either a target value for metric or a per-pod target"
        ],
    ),
    "window": (
        rules(stabilizationWindowSeconds=3601),
        ["spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600"],
    ),
    "policy": (
        rules(policies=[{"type": "Odd", "value": 0, "periodSeconds": 1801}]),
        [
            'spec.behavior.scaleUp.policies[0].type: Unsupported value: "Odd": supported values: "Percent", "Pods"',
            "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
            "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800",
        ],
    ),
}


@pytest.mark.parametrize(("new", "expect"), CASES.values(), ids=CASES.keys())
def test_autoscalers(new, expect):
    assert builders.refused(kinds.HORIZONTAL_POD_AUTOSCALER, new) == expect


def test_defaults():
    made = autoscaler(behavior={"scaleDown": {"stabilizationWindowSeconds": 60}})
    made["spec"]["metrics"] = []
    spec = builders.stored(kinds.HORIZONTAL_POD_AUTOSCALER, made)["spec"]
    assert spec["metrics"] == [percent(80)]
    assert spec["behavior"]["scaleUp"]["policies"][0] == {"type": "Pods", "value": 4, "periodSeconds": 15}
    assert spec["behavior"]["scaleDown"] == {
        "stabilizationWindowSeconds": 60, "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }  # fmt: skip


def test_the_first_version_knows_one_metric_and_loses_nothing():
    hits = {
        "type": "Object",
        "object": {
            "metric": {"name": "hits", "selector": {"matchLabels": {"a": "b"}}},
            "describedObject": {"kind": "Service", "name": "s"},
            "target": {"type": "Value", "value": "100"},
        },
    }
    whole = autoscaler(
        hits, external(type="AverageValue", averageValue="3"), cpu(70), behavior={"scaleUp": {"tolerance": "1"}}
    )
    whole["status"] = {
        "currentReplicas": 1, "desiredReplicas": 2, "conditions": [{"type": "AbleToScale", "status": "True"}],
        "currentMetrics": [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 5}}}],
    }  # fmt: skip
    first = autoscalers.from_v2(whole)
    assert first["spec"]["targetCPUUtilizationPercentage"] == 70
    assert first["status"]["currentCPUUtilizationPercentage"] == 5
    annotation = first["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]
    assert annotation.startswith(
        '[{"type":"Object","object":{"targetValue":"100","target":{"kind":"Service","name":"s"}'
    )
    assert "metrics" not in first["spec"]
    assert autoscalers.to_v2(first) == whole


def test_the_first_version_alone():
    plain = {"apiVersion": "autoscaling/v1", "metadata": {"name": "x"}, "spec": {"targetCPUUtilizationPercentage": 50}}
    assert autoscalers.to_v2(plain)["spec"]["metrics"] == [percent(50)]
    assert autoscalers.from_v2(autoscalers.to_v2(plain)) == plain
