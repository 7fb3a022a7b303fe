"""Autoscalers, scales and pods with defaults."""

import datetime
from typing import Any

from steersman.controllers.horizontal_pod_autoscaler.replicas import Measured
from steersman.meta.objects import Object
from tests.controllers import shapes


def pod(
    name: str, cpu: str = "1", *, ready: bool = True, phase: str = "Running", age: float = 3600, **meta: Any
) -> Object:
    """Ready since it started, `age` seconds ago."""
    at = (shapes.NOW - datetime.timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": at}
    resources = {"requests": {"cpu": cpu}} if cpu else {}
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}, **meta},
        "spec": {"containers": [{"name": "main", "resources": resources}]},
        "status": {"phase": phase, "startTime": at, "conditions": [condition]},
    }


def pods(count: int, **more: Any) -> list[Object]:
    return [pod(f"p{number}", **more) for number in range(count)]


def measured(*values: int) -> dict[str, Measured]:
    return {f"p{number}": Measured(value, shapes.NOW) for number, value in enumerate(values)}


def cpu(percent: int = 50) -> Object:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def external(name: str = "queue", **target: Any) -> Object:
    return {"type": "External", "external": {"metric": {"name": name}, "target": target}}


def autoscaler(*metrics: Object, least: int = 1, most: int = 10, status: Object | None = None, **spec: Any) -> Object:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "default", "uid": "h", "resourceVersion": "1"},
        "spec": {
            "scaleTargetRef": reference, "minReplicas": least, "maxReplicas": most,
            "metrics": list(metrics or (cpu(),)), **spec,
        },
        "status": status or {},
    }  # fmt: skip


def scale(replicas: int, running: int | None = None) -> Object:
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "web", "namespace": "default", "uid": "web", "resourceVersion": "7"},
        "spec": {"replicas": replicas},
        "status": {"replicas": replicas if running is None else running, "selector": "app=web"},
    }
