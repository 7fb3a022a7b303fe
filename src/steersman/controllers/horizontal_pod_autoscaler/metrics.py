"""What each metric of an autoscaler asks for, and what the status says of it. Pure.

`Values` is what was measured: by pod, one value for all (thousandths), or upstream's text about why there is nothing.
"""

import dataclasses
from collections.abc import Mapping

from steersman.controllers.horizontal_pod_autoscaler import replicas
from steersman.controllers.horizontal_pod_autoscaler.replicas import Asked, Measured, Target
from steersman.meta import quantities, selectors
from steersman.meta.objects import Object

Values = Mapping[str, Measured] | int | str


@dataclasses.dataclass(frozen=True, slots=True)
class Proposal:
    """`name` is how messages call the metric, `status` its entry in `currentMetrics`."""

    replicas: int
    name: str
    status: Object


class Failed(Exception):
    """A metric gives no number: `reason` of the condition and the event, and upstream's text."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def propose(metric: Object, values: Values, target: Target, running: int) -> Proposal:
    """`running` is how many replicas the target has now. Raises Failed."""
    kind = metric.get("type", "")
    match kind:
        case "Resource":
            return _resource(metric["resource"], kind, values, target)
        case "ContainerResource":
            return _resource(metric["containerResource"], kind, values, target)
        case "Pods":
            return _pods(metric["pods"], values, target)
        case "Object":
            return _object(metric["object"], values, target, running)
        case "External":
            return _external(metric["external"], values, target, running)
    raise Failed("InvalidMetricSourceType", f'unknown metric source type "{kind}"')


def _resource(source: Object, kind: str, values: Values, target: Target) -> Proposal:
    name, container, wanted = source["name"], source.get("container", ""), source["target"]
    reason = f"FailedGet{kind}Metric"
    average = wanted.get("averageValue")
    what = "usage" if average is not None else "utilization"
    try:
        found = _by_pod(values, f"unable to get metrics for resource {name}: ")
        if average is not None:
            asked = replicas.by_average(target, found, quantities.millis(average), name)
            called = f"{name} resource"
        else:
            asked = replicas.by_utilization(target, found, name, int(wanted["averageUtilization"]), container)
            called = f"{name} {'container ' if container else ''}resource utilization (percentage of request)"
    except replicas.Unknown as why:
        raise Failed(reason, f"failed to get {name} {what}: {why}") from why
    current: Object = {"averageValue": quantities.of_millis(asked.value)}
    if asked.percent is not None:
        current["averageUtilization"] = asked.percent
    of_container = {"container": container} if container else {}
    field = "containerResource" if container else "resource"
    return Proposal(asked.replicas, called, {"type": kind, field: {"name": name, **of_container, "current": current}})


def _pods(source: Object, values: Values, target: Target) -> Proposal:
    name = source["metric"]["name"]
    try:
        found = _by_pod(values, f"unable to get metric {name}: ")
        asked = replicas.by_average(target, found, quantities.millis(source["target"]["averageValue"]))
    except replicas.Unknown as why:
        raise Failed("FailedGetPodsMetric", f"failed to get pods metric value: {why}") from why
    current = {"averageValue": quantities.of_millis(asked.value)}
    status = {"type": "Pods", "pods": {"metric": source["metric"], "current": current}}
    return Proposal(asked.replicas, f"pods metric {name}", status)


def _object(source: Object, values: Values, target: Target, running: int) -> Proposal:
    name, described = source["metric"]["name"], source["describedObject"]
    try:
        place = f"{described.get('kind')} {target.namespace}/{described.get('name')}"
        value = _one(values, f"unable to get metric {name}: {{}} on {place}")
        asked, current = _asked(source["target"], value, target, running)
    except replicas.Unknown as why:
        raise Failed("FailedGetObjectMetric", f"failed to get object metric value: {why}") from why
    status = {
        "type": "Object",
        "object": {"metric": source["metric"], "describedObject": described, "current": current},
    }
    called = f"{described.get('kind')} metric {name}"
    if "averageValue" in current:
        called = f"external metric {name}({selectors.as_go(source['metric'].get('selector'))})"
    return Proposal(asked.replicas, called, status)


def _external(source: Object, values: Values, target: Target, running: int) -> Proposal:
    name, selector = source["metric"]["name"], selectors.as_go(source["metric"].get("selector"))
    try:
        value = _one(values, f"unable to get external metric {target.namespace}/{name}/{selector}: {{}}")
        asked, current = _asked(source["target"], value, target, running)
    except replicas.Unknown as why:
        what = f"{name} external metric" if source["target"].get("averageValue") else f"external metric {name}"
        raise Failed("FailedGetExternalMetric", f"failed to get {what}: {why}") from why
    status = {"type": "External", "external": {"metric": source["metric"], "current": current}}
    return Proposal(asked.replicas, f"external metric {name}({selector})", status)


def _asked(wanted: Object, value: int, target: Target, running: int) -> tuple[Asked, Object]:
    average = wanted.get("averageValue")
    if average is not None:
        asked = replicas.by_value_per_pod(target, running, value, quantities.millis(average))
        return asked, {"averageValue": quantities.of_millis(asked.value)}
    asked = replicas.by_value(target, value, quantities.millis(wanted["value"]))
    return asked, {"value": quantities.of_millis(asked.value)}


def _by_pod(values: Values, prefix: str) -> Mapping[str, Measured]:
    if isinstance(values, str):
        raise replicas.Unknown(prefix + values)
    assert not isinstance(values, int), "measured by pod"
    return values


def _one(values: Values, text: str) -> int:
    if isinstance(values, str):
        raise replicas.Unknown(text.format(values))
    assert isinstance(values, int), "one value for all"
    return values
