"""HorizontalPodAutoscalers: autoscaling/v2 is stored. v1 knows one metric, the use of CPU; the others, the conditions and the
behaviour travel as JSON in annotations, in the fields v1's own types have.

Source: upstream's pkg/apis/autoscaling/v1/conversion.go.
"""

import json
from collections.abc import Callable
from typing import Any

from steersman.meta.objects import Object

METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_ANNOTATIONS = (METRICS, CURRENT, CONDITIONS, BEHAVIOR)

# Name of a source → its field; of `resource` and `containerResource` the name is a resource's, of the others a metric's.
_SOURCES = {
    "Object": "object", "Pods": "pods", "Resource": "resource", "ContainerResource": "containerResource",
    "External": "external",
}  # fmt: skip


def to_v2(autoscaler: Object) -> Object:
    meta, told = _taken(autoscaler.get("metadata", {}))
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    percent, used = (
        spec.pop("targetCPUUtilizationPercentage", None),
        status.pop("currentCPUUtilizationPercentage", None),
    )
    metrics = [_spec_to_v2(one) for one in told.get(METRICS) or ()]
    current = [_status_to_v2(one) for one in told.get(CURRENT) or ()]
    if percent is not None:
        metrics.append(_cpu({"target": {"type": "Utilization", "averageUtilization": percent}}))
    if used is not None:
        _fill_cpu(current, used)
    for where, field, value in (
        (spec, "metrics", metrics), (spec, "behavior", told.get(BEHAVIOR)), (status, "currentMetrics", current),
        (status, "conditions", told.get(CONDITIONS)),
    ):  # fmt: skip
        if value:
            where[field] = value
    return _whole(autoscaler, "autoscaling/v2", meta, spec, status)


def from_v2(autoscaler: Object) -> Object:
    spec, status = dict(autoscaler.get("spec") or {}), dict(autoscaler.get("status") or {})
    metrics, current = spec.pop("metrics", None) or [], status.pop("currentMetrics", None) or []
    told: dict[str, Any] = {BEHAVIOR: spec.pop("behavior", None), CONDITIONS: status.pop("conditions", None)}
    plain = next((one for one in metrics if _is_cpu_percent(one)), None)
    if plain is not None:
        spec["targetCPUUtilizationPercentage"] = plain["resource"]["target"]["averageUtilization"]
    told[METRICS] = [_spec_from_v2(one) for one in metrics if one is not plain]
    used = next((one for one in current if _cpu_used(one) is not None), None)
    if used is not None:
        status["currentCPUUtilizationPercentage"] = _cpu_used(used)
    told[CURRENT] = [_status_from_v2(one) for one in current]
    meta = dict(autoscaler.get("metadata") or {})
    kept = {name: text for name, text in (meta.get("annotations") or {}).items() if name not in _ANNOTATIONS}
    kept |= {name: json.dumps(value, separators=(",", ":")) for name, value in told.items() if value}
    meta.pop("annotations", None)
    if kept:
        meta["annotations"] = kept
    return _whole(autoscaler, "autoscaling/v1", meta, spec, status)


def _whole(autoscaler: Object, api_version: str, meta: Object, spec: Object, status: Object) -> Object:
    made = {**autoscaler, "apiVersion": api_version, "metadata": meta}
    for field, value in (("spec", spec), ("status", status)):
        if value or field in autoscaler:
            made[field] = value
    return made


def _taken(metadata: Object) -> tuple[Object, dict[str, Any]]:
    """The metadata without our annotations, and what they say; what cannot be read is lost, as upstream."""
    meta = dict(metadata)
    annotations = dict(meta.get("annotations") or {})
    told = {}
    for name in _ANNOTATIONS:
        text = annotations.pop(name, None)
        if text is not None:
            told[name] = _read(text)
    if "annotations" in meta:
        meta["annotations"] = annotations
        if not annotations:
            del meta["annotations"]
    return meta, told


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _cpu(more: Object) -> Object:
    return {"type": "Resource", "resource": {"name": "cpu", **more}}


def _is_cpu_percent(metric: Object) -> bool:
    resource = metric.get("resource") or {}
    target = resource.get("target") or {}
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and "averageUtilization" in target


def _cpu_used(status: Object) -> Any:
    resource = status.get("resource") or {}
    is_cpu = status.get("type") == "Resource" and resource.get("name") == "cpu"
    return (resource.get("current") or {}).get("averageUtilization") if is_cpu else None


def _fill_cpu(current: list[Object], used: int) -> None:
    for one in current:
        if _cpu_used(one) is not None:
            one["resource"]["current"]["averageUtilization"] = used
            return
    current.append(_cpu({"current": {"averageUtilization": used}}))


# One metric. v1 has flat fields: `metricName`, `selector`, `targetAverageValue`, …

_SPEC = (
    ("value", "targetValue"),
    ("averageValue", "targetAverageValue"),
    ("averageUtilization", "targetAverageUtilization"),
)
_STATUS = (
    ("value", "currentValue"), ("averageValue", "currentAverageValue"), ("averageUtilization", "currentAverageUtilization"),
)  # fmt: skip
_TYPES = {"value": "Value", "averageValue": "AverageValue", "averageUtilization": "Utilization"}


def _spec_to_v2(metric: Object) -> Object:
    def target(flat: Object) -> Object:
        values = {new: flat.pop(old) for new, old in _SPEC if old in flat}
        if "averageValue" in flat:  # of objects: v1 calls it so
            values = {"averageValue": flat.pop("averageValue")}
        kind = next((_TYPES[name] for name in ("averageUtilization", "averageValue", "value") if name in values), "")
        return {"target": {"type": kind, **values}}

    return _to_v2(metric, target)


def _status_to_v2(status: Object) -> Object:
    def current(flat: Object) -> Object:
        values = {new: flat.pop(old) for new, old in _STATUS if old in flat}
        if "averageValue" in flat:
            values["averageValue"] = flat.pop("averageValue")
        return {"current": values}

    return _to_v2(status, current)


def _to_v2(metric: Object, values: Callable[[Object], Object]) -> Object:
    field = _SOURCES.get(metric.get("type", ""), "")
    flat = dict(metric.get(field) or {})
    if not flat:
        return metric
    made = values(flat)
    if "target" in flat:
        made["describedObject"] = flat.pop("target")
    if "metricName" in flat:
        identity = {"name": flat.pop("metricName")}
        selector = flat.pop("metricSelector", None) or flat.pop("selector", None)
        if selector:
            identity["selector"] = selector
        made["metric"] = identity
    return {"type": metric["type"], field: {**flat, **made}}


def _spec_from_v2(metric: Object) -> Object:
    return _from_v2(metric, "target", _SPEC)


def _status_from_v2(status: Object) -> Object:
    return _from_v2(status, "current", _STATUS)


def _from_v2(metric: Object, which: str, names: tuple[tuple[str, str], ...]) -> Object:
    field = _SOURCES.get(metric.get("type", ""), "")
    source = dict(metric.get(field) or {})
    if not source:
        return metric
    values = dict(source.pop(which, None) or {})
    flat = {old: values[new] for new, old in names if new in values}
    if field == "object" and "averageValue" in values:
        flat = {name: value for name, value in flat.items() if "Average" not in name}
        flat["averageValue"] = values["averageValue"]
    if "describedObject" in source:
        flat["target"] = source.pop("describedObject")
    identity = source.pop("metric", None)
    if identity:
        flat["metricName"] = identity.get("name", "")
        if identity.get("selector"):
            flat["metricSelector" if field == "external" else "selector"] = identity["selector"]
    return {"type": metric["type"], field: {**source, **flat}}
