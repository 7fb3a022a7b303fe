"""How HorizontalPodAutoscalers print."""

import datetime
from typing import Any

from steersman.api.conversions import autoscalers
from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

COLUMNS = (
    cells.NAME,
    Column("Reference", field="spec.scaleTargetRef"),
    Column("Targets", field="spec.metrics"),
    Column("MinPods", field="spec.minReplicas"),
    Column("MaxPods", "integer", field="spec.maxReplicas"),
    Column("Replicas", "integer", field="status.currentReplicas"),
    cells.AGE,
)
_UNKNOWN = "<unknown>"
_LISTED_MAX = 2
_FIELDS = {"External": "external", "Pods": "pods", "Object": "object"}


def autoscaler(obj: Object, now: datetime.datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    reference = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        cells.name(obj),
        f"{reference.get('kind', '')}/{reference.get('name', '')}",
        _targets(spec.get("metrics") or [], status.get("currentMetrics") or []),
        cells.UNSET if least is None else str(least),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        cells.age(obj, now),
    ]


def autoscaler_v1(obj: Object, now: datetime.datetime) -> list[Any]:
    return autoscaler(autoscalers.to_v2(obj), now)


def _targets(metrics: list[Object], current: list[Object]) -> str:
    if not metrics:
        return cells.NONE
    texts = [_target(one, current[index] if index < len(current) else {}) for index, one in enumerate(metrics)]
    shown = ", ".join(texts[:_LISTED_MAX])
    return f"{shown} + {len(texts) - _LISTED_MAX} more..." if len(texts) > _LISTED_MAX else shown


def _target(metric: Object, status: Object) -> str:
    kind = metric.get("type", "")
    if kind in ("Resource", "ContainerResource"):
        return _resource(metric, status, "resource" if kind == "Resource" else "containerResource")
    field = _FIELDS.get(kind)
    if field is None:
        return "<unknown type>"
    target = (metric.get(field) or {}).get("target") or {}
    found = (status.get(field) or {}).get("current") or {}
    average = kind == "Pods" or target.get("averageValue") is not None
    which = "averageValue" if average else "value"
    suffix = " (avg)" if average and kind != "Pods" else ""
    return f"{found.get(which, _UNKNOWN)}/{target.get(which, '')}{suffix}"


def _resource(metric: Object, status: Object, field: str) -> str:
    source, found = metric.get(field) or {}, (status.get(field) or {}).get("current") or {}
    target, name = source.get("target") or {}, source.get("name", "")
    if target.get("averageValue") is not None:
        return f"{name}: {found.get('averageValue', _UNKNOWN)}/{target['averageValue']}"
    wanted, used = target.get("averageUtilization"), found.get("averageUtilization")
    left = _UNKNOWN if used is None else f"{used}%"
    return f"{name}: {left}/{'<auto>' if wanted is None else f'{wanted}%'}"
