"""What the node and its pods use: /stats/summary and /metrics/resource. Pure."""

import datetime
from collections.abc import Iterable, Sequence

from steersman.containers import runtime
from steersman.meta import objects, times
from steersman.meta.objects import Object


def stats(node_name: str, pods: Iterable[Object], usage: Sequence[runtime.Usage], now: datetime.datetime) -> Object:
    """Source: the kubelet's Summary API (stats/v1alpha1)."""
    by_pod: dict[str, list[runtime.Usage]] = {}
    for one in usage:
        by_pod.setdefault(one.pod_uid, []).append(one)
    shown = []
    for pod in pods:
        used = by_pod.get(objects.uid(pod), [])
        reference = {"name": objects.name(pod), "namespace": objects.namespace(pod), "uid": objects.uid(pod)}
        containers = [{"name": one.name, **_use([one], one.at)} for one in used]
        started = (pod.get("status") or {}).get("startTime")
        shown.append({"podRef": reference, "startTime": started, "containers": containers, **_use(used, now)})
    return {"node": {"nodeName": node_name, **_use(usage, now)}, "pods": shown}


def _use(usage: Sequence[runtime.Usage], at: datetime.datetime) -> Object:
    time = times.format_seconds(at)
    return {
        "cpu": {"time": time, "usageCoreNanoSeconds": sum(one.cpu_ns for one in usage)},
        "memory": {
            "time": time,
            "usageBytes": sum(one.memory_bytes for one in usage),
            "workingSetBytes": sum(one.memory_working_set_bytes for one in usage),
        },
    }


def resource_metrics(pods: Iterable[Object], usage: Sequence[runtime.Usage]) -> str:
    """Prometheus text of upstream's resource metrics endpoint."""
    names = {objects.uid(pod): (objects.namespace(pod), objects.name(pod)) for pod in pods}
    known = [(one, *names[one.pod_uid]) for one in usage if one.pod_uid in names]
    lines = [
        "# TYPE node_cpu_usage_seconds_total counter",
        f"node_cpu_usage_seconds_total {sum(one.cpu_ns for one in usage) / 1e9}",
        "# TYPE node_memory_working_set_bytes gauge",
        f"node_memory_working_set_bytes {sum(one.memory_working_set_bytes for one in usage)}",
        "# TYPE container_cpu_usage_seconds_total counter",
    ]
    for one, namespace, name in known:
        labels = f'container="{one.name}",namespace="{namespace}",pod="{name}"'
        lines.append(f"container_cpu_usage_seconds_total{{{labels}}} {one.cpu_ns / 1e9}")
    lines.append("# TYPE container_memory_working_set_bytes gauge")
    for one, namespace, name in known:
        labels = f'container="{one.name}",namespace="{namespace}",pod="{name}"'
        lines.append(f"container_memory_working_set_bytes{{{labels}}} {one.memory_working_set_bytes}")
    return "\n".join(lines) + "\n"
