"""Horizontal pod autoscalers, in the shape of autoscaling/v2 and of v1."""

from collections.abc import Callable

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import UNKNOWN, UNSET, Description, created, head, quantity, spec, status
from steersman.kubectl.printers import go_values
from steersman.meta.objects import Object


def autoscaler(d: Description, obj: Object) -> None:
    if obj.get("apiVersion") == "autoscaling/v1":
        _first_version(d, obj)
    else:
        _second_version(d, obj)


def _reference(d: Description, obj: Object) -> str:
    """Writes what both begin with; the kind that is scaled."""
    head(d, obj)
    created(d, obj)
    target = spec(obj).get("scaleTargetRef") or {}
    kind = str(target.get("kind", ""))
    d.row(0, "Reference:", f"{kind}/{target.get('name', '')}")
    return kind


def _bounds(d: Description, obj: Object) -> None:
    least = spec(obj).get("minReplicas")
    d.row(0, "Min replicas:", UNSET if least is None else least)
    d.row(0, "Max replicas:", spec(obj).get("maxReplicas", 0))


def _counts(d: Description, obj: Object, kind: str) -> None:
    seen = status(obj)
    d.row(0, f"{kind} pods:", f"{seen.get('currentReplicas', 0)} current / {seen.get('desiredReplicas', 0)} desired")


def _first_version(d: Description, obj: Object) -> None:
    kind = _reference(d, obj)
    target = spec(obj).get("targetCPUUtilizationPercentage")
    if target is not None:
        d.row(0, "Target CPU utilization:", f"{target}%")
        current = status(obj).get("currentCPUUtilizationPercentage")
        d.row(0, "Current CPU utilization:", f"{UNKNOWN if current is None else current}%")
    _bounds(d, obj)
    _counts(d, obj, kind)
    events.write(d)


def _second_version(d: Description, obj: Object) -> None:
    kind = _reference(d, obj)
    d.row(0, "Metrics:", "( current / target )")
    current = status(obj).get("currentMetrics") or []
    for at, metric in enumerate(spec(obj).get("metrics") or ()):
        _metric(d, metric, current[at] if at < len(current) else {})
    _bounds(d, obj)
    behavior = spec(obj).get("behavior")
    if behavior is not None:
        d.write(0, "Behavior:\n")
        _direction(d, "Scale Up", behavior.get("scaleUp"))
        _direction(d, "Scale Down", behavior.get("scaleDown"))
    _counts(d, obj, kind)
    found = status(obj).get("conditions") or ()
    if found:
        d.write(0, "Conditions:\n")
        d.row(1, "Type", "Status", "Reason", "Message")
        d.row(1, "----", "------", "------", "-------")
        for one in found:
            d.row(1, one.get("type", ""), one.get("status", ""), one.get("reason", ""), one.get("message", ""))
    events.write(d)


def _metric(d: Description, metric: Object, current: Object) -> None:
    kind = metric.get("type", "")
    write = _METRICS.get(kind)
    if write is None:
        d.write(1, f"<unknown metric type {go_values.quote(kind)}>\n")
        return
    field = kind[:1].lower() + kind[1:]
    seen = current.get(field)
    write(d, metric.get(field) or {}, None if seen is None else seen.get("current") or {})


def _value(current: Object | None, key: str) -> str:
    return UNKNOWN if current is None else quantity(current.get(key))


def _external(d: Description, metric: Object, current: Object | None) -> None:
    name = go_values.quote((metric.get("metric") or {}).get("name", ""))
    target = metric.get("target") or {}
    if target.get("averageValue") is not None:
        shown = UNKNOWN if current is None or current.get("averageValue") is None else quantity(current["averageValue"])
        d.row(1, f"{name} (target average value):", f"{shown} / {quantity(target['averageValue'])}")
    else:
        d.row(1, f"{name} (target value):", f"{_value(current, 'value')} / {quantity(target.get('value'))}")


def _pods(d: Description, metric: Object, current: Object | None) -> None:
    name = go_values.quote((metric.get("metric") or {}).get("name", ""))
    target = quantity((metric.get("target") or {}).get("averageValue"))
    d.row(1, f"{name} on pods:", f"{_value(current, 'averageValue')} / {target}")


def _object(d: Description, metric: Object, current: Object | None) -> None:
    described, target = metric.get("describedObject") or {}, metric.get("target") or {}
    title = (
        f'"{(metric.get("metric") or {}).get("name", "")}" on {described.get("kind", "")}/{described.get("name", "")}'
    )
    word, key = ("average value", "averageValue") if target.get("type") == "AverageValue" else ("value", "value")
    d.row(1, f"{title} (target {word}):", f"{_value(current, key)} / {quantity(target.get(key))}")


def _resource(d: Description, metric: Object, current: Object | None) -> None:
    _of_pods(d, f"resource {metric.get('name', '')} on pods", metric, current)


def _container_resource(d: Description, metric: Object, current: Object | None) -> None:
    title = f'resource {metric.get("name", "")} of container "{metric.get("container", "")}" on pods'
    _of_pods(d, title, metric, current)


def _of_pods(d: Description, title: str, metric: Object, current: Object | None) -> None:
    target = metric.get("target") or {}
    if target.get("averageValue") is not None:
        d.row(1, f"{title}:", f"{_value(current, 'averageValue')} / {quantity(target['averageValue'])}")
        return
    shown = UNKNOWN
    if current is not None and current.get("averageUtilization") is not None:
        shown = f"{current['averageUtilization']}% ({quantity(current.get('averageValue'))})"
    wanted = target.get("averageUtilization")
    share = "<auto>" if wanted is None else f"{wanted}%"
    d.row(1, f"{title}  (as a percentage of request):", f"{shown} / {share}")


_METRICS: dict[str, Callable[[Description, Object, Object | None], None]] = {
    "External": _external,
    "Pods": _pods,
    "Object": _object,
    "Resource": _resource,
    "ContainerResource": _container_resource,
}


def _direction(d: Description, title: str, rules: Object | None) -> None:
    if rules is None:
        return
    d.write(1, f"{title}:\n")
    if rules.get("stabilizationWindowSeconds") is not None:
        d.write(2, f"Stabilization Window: {rules['stabilizationWindowSeconds']} seconds\n")
    policies = rules.get("policies") or ()
    if policies:
        d.write(2, f"Select Policy: {rules.get('selectPolicy') or 'Max'}\n")
        d.write(2, "Policies:\n")
        for one in policies:
            cells = f"- Type: {one.get('type', '')}\tValue: {one.get('value', 0)}\tPeriod: {one.get('periodSeconds', 0)} seconds"
            d.write(3, f"{cells}\n")
