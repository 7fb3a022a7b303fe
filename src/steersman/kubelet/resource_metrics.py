"""What pods and their containers use, as Prometheus reads it: /metrics/resource and /metrics/cadvisor. Pure.

Source: upstream's kubelet/metrics/collectors/resource_metrics.go, and the metrics of cAdvisor that dashboards build on.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from steersman.containers import runtime
from steersman.kubelet import qos
from steersman.kubelet.metrics import Sample
from steersman.meta import objects
from steersman.meta.objects import Object


class Seen(NamedTuple):
    """A node at one moment. `images` are containers' images by id."""

    pods: Sequence[Object]
    usage: Sequence[runtime.Usage]
    sandboxes: Sequence[runtime.SandboxUsage]
    now: datetime.datetime
    images: Mapping[str, str] = {}


class _Gauge(NamedTuple):
    name: str
    help: str
    field: str
    kind: str = "gauge"
    scale: float = 1.0


_CPU, _MEMORY, _SWAP = ("cpu_ns", "counter", 1e-9), ("memory_working_set_bytes",), ("swap_bytes",)
NODE = (
    _Gauge("node_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the node in core-seconds", *_CPU),
    _Gauge("node_memory_working_set_bytes", "[STABLE] Current working set of the node in bytes", *_MEMORY),
    _Gauge(
        "node_swap_usage_bytes",
        "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems",
        *_SWAP,
    ),
)
CONTAINER = (
    _Gauge(
        "container_cpu_usage_seconds_total",
        "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
        *_CPU,
    ),
    _Gauge("container_memory_working_set_bytes", "[STABLE] Current working set of the container in bytes", *_MEMORY),
    _Gauge(
        "container_swap_usage_bytes",
        "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems",
        *_SWAP,
    ),
)
POD = (
    _Gauge("pod_cpu_usage_seconds_total", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds", *_CPU),
    _Gauge("pod_memory_working_set_bytes", "[STABLE] Current working set of the pod in bytes", *_MEMORY),
    _Gauge(
        "pod_swap_usage_bytes",
        "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems",
        *_SWAP,
    ),
)


def resource(seen: Seen) -> Iterator[Sample]:
    """/metrics/resource"""
    names = {objects.uid(pod): {"namespace": objects.namespace(pod), "pod": objects.name(pod)} for pod in seen.pods}
    own = [(one, {"container": one.name, **names[one.pod_uid]}) for one in seen.usage if one.pod_uid in names]
    for gauge in CONTAINER:
        for one, labels in own:
            yield _sample(gauge, [one], labels, one.at)
    for one, labels in own:
        if one.started_at is not None:
            text = "[STABLE] Start time of the container since unix epoch in seconds"
            yield Sample("container_start_time_seconds", one.started_at.timestamp(), labels, "gauge", text, _ms(one.at))
    for gauge in NODE:
        yield _sample(gauge, seen.usage, {}, seen.now)
    by_pod = _by_pod(seen.usage)
    for gauge in POD:
        for uid, labels in names.items():
            if uid in by_pod:
                yield _sample(gauge, by_pod[uid], labels, seen.now)
    yield Sample(
        "resource_scrape_error",
        0,
        {},
        "gauge",
        "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise",
    )


def _sample(gauge: _Gauge, use: Iterable[runtime.Usage], labels: Mapping[str, str], at: datetime.datetime) -> Sample:
    total = sum(getattr(one, gauge.field) for one in use) * gauge.scale
    return Sample(gauge.name, total, labels, gauge.kind, gauge.help, _ms(at))


CADVISOR = (
    _Gauge("container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds.", *_CPU),
    _Gauge("container_memory_usage_bytes", "Current memory usage in bytes.", "memory_bytes"),
    _Gauge("container_memory_working_set_bytes", "Current working set in bytes.", *_MEMORY),
    _Gauge("container_memory_rss", "Size of RSS in bytes.", "memory_rss_bytes"),
    _Gauge("container_memory_swap", "Container swap usage in bytes.", *_SWAP),
    _Gauge("container_processes", "Number of processes running inside the container.", "processes"),
)
NETWORK = (
    _Gauge("container_network_receive_bytes_total", "Cumulative count of bytes received", "received_bytes", "counter"),
    _Gauge(
        "container_network_receive_errors_total",
        "Cumulative count of errors encountered while receiving",
        "received_errors",
        "counter",
    ),
    _Gauge("container_network_transmit_bytes_total", "Cumulative count of bytes transmitted", "sent_bytes", "counter"),
    _Gauge(
        "container_network_transmit_errors_total",
        "Cumulative count of errors encountered while transmitting",
        "sent_errors",
        "counter",
    ),
)


def cadvisor(seen: Seen, machine: Iterable[Sample]) -> Iterator[Sample]:
    """/metrics/cadvisor"""
    yield from machine
    pods = {objects.uid(pod): pod for pod in seen.pods}
    own = [(one, _cadvisor_labels(pods[one.pod_uid], one, seen)) for one in seen.usage if one.pod_uid in pods]
    for gauge in CADVISOR:
        for one, labels in own:
            yield _sample(gauge, [one], labels, one.at)
    for one, labels in own:
        yield Sample(
            "container_last_seen", one.at.timestamp(), labels, "gauge", "Last time a container was seen", _ms(one.at)
        )
    for one, labels in own:
        if one.started_at is not None:
            text = "Start time of the container since unix epoch in seconds."
            yield Sample("container_start_time_seconds", one.started_at.timestamp(), labels, "gauge", text, _ms(one.at))
    for gauge in NETWORK:
        for sandbox in seen.sandboxes:
            if sandbox.pod_uid in pods:
                yield from _network(gauge, sandbox, pods[sandbox.pod_uid])


def _cadvisor_labels(pod: Object, one: runtime.Usage, seen: Seen) -> dict[str, str]:
    return {
        "container": one.name,
        "id": f"/{qos.cgroup_parent(pod)}/{one.container_id}",
        "image": seen.images.get(one.container_id, ""),
        "name": one.container_id,
        "namespace": objects.namespace(pod),
        "pod": objects.name(pod),
    }


def _network(gauge: _Gauge, sandbox: runtime.SandboxUsage, pod: Object) -> Iterator[Sample]:
    for one in sandbox.interfaces:
        labels = {
            "id": f"/{qos.cgroup_parent(pod)}",
            "interface": one.name,
            "namespace": objects.namespace(pod),
            "pod": objects.name(pod),
        }
        yield Sample(gauge.name, getattr(one, gauge.field), labels, gauge.kind, gauge.help, _ms(sandbox.at))


def _by_pod(usage: Iterable[runtime.Usage]) -> dict[str, list[runtime.Usage]]:
    found: dict[str, list[runtime.Usage]] = {}
    for one in usage:
        found.setdefault(one.pod_uid, []).append(one)
    return found


def _ms(at: datetime.datetime) -> int:
    return int(at.timestamp() * 1000)
