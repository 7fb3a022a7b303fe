"""Whole decisions: what is scaled, and what is told."""

from typing import Any

import pytest

from steersman.api import kinds
from steersman.controllers.decision import Emit, Update, UpdateStatus
from steersman.controllers.horizontal_pod_autoscaler import decide
from steersman.controllers.horizontal_pod_autoscaler.behavior import History
from steersman.controllers.horizontal_pod_autoscaler.decide import Seen
from steersman.meta import conditions
from tests.controllers import shapes
from tests.controllers.horizontal_pod_autoscaler.builders import autoscaler, cpu, external, measured, pods, scale


def seen(found=None, scaled=None, values=None, count=3, refusal=None):
    found = found if found is not None else autoscaler()
    scaled = scaled if scaled is not None else scale(count)
    values = values if values is not None else [measured(*[500] * count)]
    return Seen(found, kinds.DEPLOYMENT, scaled, pods(count), values, History(), shapes.NOW, refusal)


def decided(given) -> Any:
    """(replicas or None, status or None, events) when all goes well."""
    actions: Any = decide.evaluate(given).decision.actions
    scales = [one.obj["spec"]["replicas"] for one in actions if isinstance(one, Update)]
    events = [(one.reason, one.message) for one in actions if isinstance(one, Emit)]
    done: list[Any] = [one.done for one in actions if isinstance(one, Update)]
    events += [(one.reason, one.message) for one in done]
    statuses = [one.obj["status"] for one in actions if isinstance(one, UpdateStatus) and one.when != "refused"]
    assert len(statuses) <= 1
    return scales[0] if scales else None, statuses[0] if statuses else None, events


def told(status, kind):
    found = conditions.get({"status": status}, kind)
    return None if found is None else (found["status"], found["reason"])


def test_on_target():
    size, status, events = decided(seen())
    assert (size, events) == (None, [])
    assert (status["currentReplicas"], status["desiredReplicas"]) == (3, 3)
    assert status["currentMetrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "current": {"averageValue": "500m", "averageUtilization": 50}}}
    ]
    assert told(status, "AbleToScale") == ("True", "ReadyForNewScale")
    assert told(status, "ScalingActive") == ("True", "ValidMetricFound")
    assert told(status, "ScalingLimited") == ("False", "DesiredWithinRange")
    assert "lastScaleTime" not in status
    assert decided(seen(autoscaler(status=status))) == (None, None, [])


def test_more_is_needed():
    size, status, events = decided(seen(values=[measured(1000, 1000, 1000)]))
    assert size == 6
    assert events == [
        ("SuccessfulRescale", "New size: 6; reason: cpu resource utilization (percentage of request) above target")
    ]
    assert (status["currentReplicas"], status["desiredReplicas"], status["lastScaleTime"]) == (3, 6, shapes.STAMP)
    assert told(status, "AbleToScale") == ("True", "SucceededRescale")


def test_the_scale_is_written_as_it_was_read():
    actions: Any = decide.evaluate(seen(values=[measured(1000, 1000, 1000)])).decision.actions
    write = actions[0]
    assert (write.kind, write.subresource, write.obj["metadata"]["resourceVersion"]) == (kinds.DEPLOYMENT, "scale", "7")
    refused = next(one for one in actions if isinstance(one, UpdateStatus) and one.when == "refused")
    assert told(refused.obj["status"], "AbleToScale") == ("False", "FailedUpdateScale")


BOUNDS = {
    "above": (autoscaler(most=2), scale(3), 2, "Current number of replicas above Spec.MaxReplicas"),
    "below": (autoscaler(least=5), scale(3), 5, "Current number of replicas below Spec.MinReplicas"),
}


@pytest.mark.parametrize(("found", "scaled", "size", "why"), BOUNDS.values(), ids=BOUNDS.keys())
def test_bounds_go_before_metrics(found, scaled, size, why):
    given_size, _, events = decided(seen(found, scaled, ["nothing"]))
    assert (given_size, events) == (size, [("SuccessfulRescale", f"New size: {size}; reason: {why}")])


def test_zero_replicas_switch_it_off():
    size, status, events = decided(seen(scaled=scale(0), count=0, values=["nothing"]))
    assert (size, events) == (None, [])
    assert told(status, "ScalingActive") == ("False", "ScalingDisabled")


def test_no_scale():
    size, status, events = decided(seen(scaled='deployments.apps "web" not found'))
    assert size is None
    assert events == [("FailedGetScale", 'deployments.apps "web" not found')]
    assert told(status, "AbleToScale") == ("False", "FailedGetScale")


def test_no_metrics():
    size, status, events = decided(seen(values=["no metrics returned from resource metrics API"]))
    why = "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    assert size is None
    assert events == [
        ("FailedGetResourceMetric", why),
        ("FailedComputeMetricsReplicas", f"invalid metrics (1 invalid out of 1), first error is: {why}"),
    ]
    assert told(status, "ScalingActive") == ("False", "FailedGetResourceMetric")
    condition = conditions.get({"status": status}, "ScalingActive")
    assert condition is not None
    assert condition["message"] == f"the HPA was unable to compute the replica count: {why}"


TWO = autoscaler(cpu(), external(type="AverageValue", averageValue="10"))


def test_the_metric_that_asks_for_most_decides():
    size, status, events = decided(seen(TWO, values=[measured(500, 500, 500), 45000]))
    assert size == 5
    assert events[0][1] == "New size: 5; reason: external metric queue(nil) above target"
    assert status["currentMetrics"][1] == {
        "type": "External", "external": {"metric": {"name": "queue"}, "current": {"averageValue": "15"}},
    }  # fmt: skip


def test_with_a_metric_that_fails_it_only_goes_up():
    assert decided(seen(TWO, values=["gone", 45000]))[0] == 5
    size, status, events = decided(seen(TWO, values=["gone", 5000]))
    assert size is None
    assert [reason for reason, _ in events] == ["FailedGetResourceMetric", "FailedComputeMetricsReplicas"]
    assert told(status, "ScalingActive") == ("False", "FailedGetResourceMetric")


def test_whose_pods_they_are_must_be_clear():
    for reason, condition in (("SelectorRequired", "InvalidSelector"), ("AmbiguousSelector", "AmbiguousSelector")):
        size, status, events = decided(seen(values=[], refusal=(reason, "why")))
        assert size is None
        assert [one for one, _ in events] == [reason, "FailedComputeMetricsReplicas"]
        assert told(status, "ScalingActive") == ("False", condition)


METRICS: dict[str, tuple[Any, ...]] = {
    "pods": (
        {"type": "Pods", "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "100"}}},
        measured(200000, 200000, 200000), 6, "pods metric hits",
    ),
    "object": (
        {
            "type": "Object",
            "object": {
                "metric": {"name": "hits"}, "describedObject": {"kind": "Service", "name": "s"},
                "target": {"type": "Value", "value": "100"},
            },
        },
        200000, 6, "Service metric hits",
    ),
    "external": (external(type="Value", value="30"), 60000, 6, "external metric queue(nil)"),
    "container": (
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu", "container": "main", "target": {"type": "Utilization", "averageUtilization": 50},
            },
        },
        measured(1000, 1000, 1000), 6, "cpu container resource utilization (percentage of request)",
    ),
    "memory": (
        {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Mi"}}},
        measured(*[2 * 1024 * 1024 * 1000] * 3), 6, "memory resource",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("metric", "values", "size", "name"), METRICS.values(), ids=METRICS.keys())
def test_every_kind_of_metric(metric, values, size, name):
    given_size, status, events = decided(seen(autoscaler(metric), values=[values]))
    assert given_size == size
    assert events[0][1] == f"New size: {size}; reason: {name} above target"
    assert status["currentMetrics"][0]["type"] == metric["type"]
