"""What pods and their containers use, as Prometheus reads it at /metrics/resource. Pure.

Source: upstream's kubelet/metrics/collectors/resource_metrics.go.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from steersman.containers import runtime
from steersman.kubelet.machine_figures import Use
from steersman.kubelet.metrics import Sample
from steersman.meta import objects
from steersman.meta.objects import Object


class Seen(NamedTuple):
    """A node at one moment. `machine` None: it is on paper, and its containers are all there is."""

    pods: Sequence[Object]
    usage: Sequence[runtime.Usage]
    now: datetime.datetime
    machine: Use | None = None


class _Gauge(NamedTuple):
    name: str
    help: str
    field: str
    kind: str = "gauge"
    scale: float = 1.0


MACHINE = {"memory_working_set_bytes": "working_set_bytes"}
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
        if seen.machine is None:
            yield _sample(gauge, seen.usage, {}, seen.now)
        else:
            used = getattr(seen.machine, MACHINE.get(gauge.field, gauge.field)) * gauge.scale
            yield Sample(gauge.name, used, {}, gauge.kind, gauge.help, _ms(seen.now))
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


def _by_pod(usage: Iterable[runtime.Usage]) -> dict[str, list[runtime.Usage]]:
    found: dict[str, list[runtime.Usage]] = {}
    for one in usage:
        found.setdefault(one.pod_uid, []).append(one)
    return found


def _ms(at: datetime.datetime) -> int:
    return int(at.timestamp() * 1000)
