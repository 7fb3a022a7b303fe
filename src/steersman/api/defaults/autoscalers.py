"""Defaults of HorizontalPodAutoscalers."""

from typing import Any

from steersman.meta.objects import Object

CPU_PERCENT = 80  # of what is requested

# As fast up as a doubling, or four pods, every 15 seconds; down at once, after it has been stable.
_UP: Object = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: Object = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}


def default_autoscaler(autoscaler: Object) -> None:
    spec = autoscaler.setdefault("spec", {})
    spec["minReplicas"] = 1 if spec.get("minReplicas") is None else spec["minReplicas"]
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": CPU_PERCENT}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        spec["behavior"] = {
            "scaleUp": _rules(behavior, "scaleUp", _UP),
            "scaleDown": _rules(behavior, "scaleDown", _DOWN),
        }


def default_autoscaler_v1(autoscaler: Object) -> None:
    spec = autoscaler.setdefault("spec", {})
    spec["minReplicas"] = 1 if spec.get("minReplicas") is None else spec["minReplicas"]


def _rules(behavior: Object, which: str, defaults: Object) -> Object:
    given: dict[str, Any] = behavior.get(which) or {}
    return {**defaults, **{field: value for field, value in given.items() if value is not None}}
