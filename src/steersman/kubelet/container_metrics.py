"""What containers use, as /metrics/cadvisor tells it: the metrics that upstream's kubelet has from cAdvisor. Pure.

Source: cAdvisor's metrics/prometheus.go with the sets of metrics that the kubelet switches on.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from steersman.containers import runtime
from steersman.kubelet import qos
from steersman.kubelet.container_figures import Figures, Pressure
from steersman.kubelet.metrics import Sample
from steersman.meta import objects
from steersman.meta.objects import Object


class Seen(NamedTuple):
    """A node at one moment. `images` are containers' images, `figures` the kernel's, `disk` bytes on disk, all by container id."""

    pods: Sequence[Object]
    usage: Sequence[runtime.Usage]
    sandboxes: Sequence[runtime.SandboxUsage]
    images: Mapping[str, str] = {}
    figures: Mapping[str, Figures] = {}
    disk: Mapping[str, int] = {}


class _Metric(NamedTuple):
    name: str
    help: str
    value: Callable[[runtime.Usage], float]
    kind: str = "gauge"
    labels: Mapping[str, str] = {}


class _Kernel(NamedTuple):
    name: str
    help: str
    value: Callable[[Figures], float]
    kind: str = "gauge"
    is_there: Callable[[Figures], bool] = lambda _: True


COUNTER, SECOND_NS = "counter", 1e9
USE = (
    _Metric(
        "container_cpu_usage_seconds_total",
        "Cumulative cpu time consumed in seconds.",
        lambda use: use.cpu_ns / SECOND_NS,
        COUNTER,
        {"cpu": "total"},
    ),
    _Metric(
        "container_memory_usage_bytes",
        "Current memory usage in bytes, including all memory",
        lambda use: use.memory_bytes,
    ),
    _Metric(
        "container_memory_working_set_bytes", "Current working set in bytes.", lambda use: use.memory_working_set_bytes
    ),
    _Metric("container_memory_rss", "Size of RSS in bytes.", lambda use: use.memory_rss_bytes),
    _Metric("container_memory_swap", "Container swap usage in bytes.", lambda use: use.swap_bytes),
    _Metric("container_last_seen", "Last time a container was seen by the exporter", lambda use: use.at.timestamp()),
    _Metric(
        "container_start_time_seconds",
        "Start time of the container since unix epoch in seconds.",
        lambda use: (use.started_at or use.at).timestamp(),
    ),
)


def _limited(found: Figures) -> bool:
    return found.quota_us > 0


KERNEL = (
    _Kernel(
        "container_cpu_user_seconds_total",
        "Cumulative user cpu time consumed in seconds.",
        lambda one: one.user_ns / SECOND_NS,
        COUNTER,
    ),
    _Kernel(
        "container_cpu_system_seconds_total",
        "Cumulative system cpu time consumed in seconds.",
        lambda one: one.system_ns / SECOND_NS,
        COUNTER,
    ),
    _Kernel(
        "container_cpu_cfs_periods_total",
        "Number of elapsed enforcement period intervals.",
        lambda one: one.periods,
        COUNTER,
        _limited,
    ),
    _Kernel(
        "container_cpu_cfs_throttled_periods_total",
        "Number of throttled period intervals.",
        lambda one: one.throttled_periods,
        COUNTER,
        _limited,
    ),
    _Kernel(
        "container_cpu_cfs_throttled_seconds_total",
        "Total time duration the container has been throttled.",
        lambda one: one.throttled_ns / SECOND_NS,
        COUNTER,
        _limited,
    ),
    _Kernel(
        "container_cpu_load_average_10s", "Value of container cpu load average over the last 10 seconds.", lambda _: 0
    ),
    _Kernel("container_memory_cache", "Number of bytes of page cache memory.", lambda one: one.cache),
    _Kernel("container_memory_mapped_file", "Size of memory mapped files in bytes.", lambda one: one.mapped_file),
    _Kernel("container_memory_kernel_usage", "Size of kernel memory allocated in bytes.", lambda one: one.kernel),
    _Kernel(
        "container_memory_total_active_file_bytes", "Current total active file in bytes.", lambda one: one.active_file
    ),
    _Kernel(
        "container_memory_total_inactive_file_bytes",
        "Current total inactive file in bytes.",
        lambda one: one.inactive_file,
    ),
    _Kernel("container_memory_max_usage_bytes", "Maximum memory usage recorded in bytes", lambda one: one.most),
    _Kernel("container_memory_failcnt", "Number of memory usage hits limits", lambda one: one.refused, COUNTER),
    _Kernel(
        "container_oom_events_total",
        "Count of out of memory events observed for the container",
        lambda one: one.oom_kills,
        COUNTER,
    ),
    _Kernel("container_processes", "Number of processes running inside the container.", lambda one: one.processes),
    _Kernel("container_threads", "Number of threads running inside the container", lambda one: one.threads),
    _Kernel(
        "container_threads_max",
        "Maximum number of threads allowed inside the container, infinity if value is zero",
        lambda one: one.threads_most,
    ),
    _Kernel(
        "container_file_descriptors", "Number of open file descriptors for the container.", lambda one: one.descriptors
    ),
    _Kernel("container_sockets", "Number of open sockets for the container.", lambda one: one.sockets),
    _Kernel("container_spec_cpu_period", "CPU period of the container.", lambda one: one.period_us),
    _Kernel("container_spec_cpu_quota", "CPU quota of the container.", lambda one: one.quota_us, "gauge", _limited),
    _Kernel("container_spec_cpu_shares", "CPU share of the container.", lambda one: one.shares),
    _Kernel("container_spec_memory_limit_bytes", "Memory limit for the container.", lambda one: one.limit),
    _Kernel(
        "container_spec_memory_reservation_limit_bytes",
        "Memory reservation limit for the container.",
        lambda one: one.reservation,
    ),
    _Kernel(
        "container_spec_memory_swap_limit_bytes", "Memory swap limit for the container.", lambda one: one.swap_limit
    ),
)
STATES = ("iowaiting", "running", "sleeping", "stopped", "uninterruptible")
STALLS = {
    "waiting": ("some", "{} stall information: time tasks in the container have waited due to {} congestion"),
    "stalled": ("full", "{} stall information: time all tasks in the container were stalled due to {} congestion"),
}
NETWORK: tuple[tuple[str, str, Callable[[runtime.InterfaceUsage], int]], ...] = tuple(
    (f"container_network_{way}_{what}_total", f"Cumulative count of {text} {verb}", value)
    for way, verb, values in (
        (
            "receive",
            "received",
            (
                lambda one: one.received_bytes,
                lambda one: one.received_errors,
                lambda one: one.received_dropped,
                lambda one: one.received_packets,
            ),
        ),
        (
            "transmit",
            "transmitted",
            (
                lambda one: one.sent_bytes,
                lambda one: one.sent_errors,
                lambda one: one.sent_dropped,
                lambda one: one.sent_packets,
            ),
        ),
    )
    for (what, text), value in zip(
        (("bytes", "bytes"), ("errors", "errors"), ("packets_dropped", "packets dropped"), ("packets", "packets")),
        values,
        strict=True,
    )
)


def samples(seen: Seen, machine: Iterable[Sample]) -> Iterator[Sample]:
    yield from machine
    pods = {objects.uid(pod): pod for pod in seen.pods}
    own = [(one, _labels(pods[one.pod_uid], one, seen)) for one in seen.usage if one.pod_uid in pods]
    for metric in USE:
        for use, labels in own:
            yield Sample(
                metric.name, metric.value(use), {**labels, **metric.labels}, metric.kind, metric.help, _ms(use.at)
            )
    with_figures = [
        (seen.figures[one.container_id], labels, _ms(one.at)) for one, labels in own if one.container_id in seen.figures
    ]
    for kernel in KERNEL:
        for found, labels, at in with_figures:
            if kernel.is_there(found):
                yield Sample(kernel.name, kernel.value(found), labels, kernel.kind, kernel.help, at)
    yield from _by_label(with_figures)
    yield from _io(with_figures)
    yield from _pressure(with_figures)
    for use, labels in own:
        if use.container_id in seen.disk:
            text = "Number of bytes that are consumed by the container on this filesystem."
            taken = seen.disk[use.container_id]
            yield Sample("container_fs_usage_bytes", taken, {**labels, "device": ""}, "gauge", text, _ms(use.at))
    for name, text, value in NETWORK:
        for sandbox in seen.sandboxes:
            if sandbox.pod_uid in pods:
                yield from _network(name, text, value, sandbox, pods[sandbox.pod_uid])
    yield Sample(
        "container_scrape_error", 0, {}, "gauge", "1 if there was an error while getting container metrics, 0 otherwise"
    )


_Known = Sequence[tuple[Figures, dict[str, str], int]]


def _by_label(known: _Known) -> Iterator[Sample]:
    for found, labels, at in known:
        for kind, count in (("pgfault", found.faults), ("pgmajfault", found.major_faults)):
            for scope in ("container", "hierarchy"):
                more = {**labels, "failure_type": kind, "scope": scope}
                text = "Cumulative count of memory allocation failures."
                yield Sample("container_memory_failures_total", count, more, COUNTER, text, at)
    for _, labels, at in known:
        for state in STATES:  # (cAdvisor has a reader of them, which the kubelet does not start: always 0)
            yield Sample(
                "container_tasks_state", 0, {**labels, "state": state}, "gauge", "Number of tasks in given state", at
            )
    for found, labels, at in known:
        text = "Soft ulimit values for the container root process. Unlimited if -1, except priority and nice"
        yield Sample(
            "container_ulimits_soft", found.descriptors_most, {**labels, "ulimit": "max_open_files"}, "gauge", text, at
        )


def _io(known: _Known) -> Iterator[Sample]:
    """A container that has not used the disk yet has used it for nothing."""
    for name, text, kind, what in (
        ("container_fs_reads_bytes_total", "Cumulative count of bytes read", "Read", "bytes"),
        ("container_fs_reads_total", "Cumulative count of reads completed", "Read", "operations"),
        ("container_fs_writes_bytes_total", "Cumulative count of bytes written", "Write", "bytes"),
        ("container_fs_writes_total", "Cumulative count of writes completed", "Write", "operations"),
    ):
        for found, labels, at in known:
            counts = {one.device: getattr(one, what).get(kind, 0) for one in found.io} or {"": 0}
            for device, count in counts.items():
                yield Sample(name, count, {**labels, "device": device}, COUNTER, text, at)
    for found, labels, at in known:
        for device, kinds in {one.device: one.bytes for one in found.io}.items() or [("", {"Read": 0, "Write": 0})]:
            major, _, minor = device.partition(":")
            for kind, count in kinds.items():
                more = {**labels, "device": device, "major": major, "minor": minor, "operation": kind}
                yield Sample("container_blkio_device_usage_total", count, more, COUNTER, "Blkio Device bytes usage", at)


def _pressure(known: _Known) -> Iterator[Sample]:
    for resource in ("cpu", "memory", "io"):
        for word, (field, text) in STALLS.items():
            for found, labels, at in known:
                stall: Pressure | None = found.pressure.get(resource)
                if stall is not None:
                    name = f"container_pressure_{resource}_{word}_seconds_total"
                    seconds = getattr(stall, field).total_us / 1e6
                    yield Sample(name, seconds, labels, COUNTER, text.format(resource.upper(), resource), at)


def _labels(pod: Object, one: runtime.Usage, seen: Seen) -> dict[str, str]:
    return {
        "container": one.name,
        "id": f"/{qos.cgroup_parent(pod)}/{one.container_id}",
        "image": seen.images.get(one.container_id, ""),
        "name": one.container_id,
        "namespace": objects.namespace(pod),
        "pod": objects.name(pod),
    }


def _network(
    name: str, text: str, value: Callable[[runtime.InterfaceUsage], int], sandbox: runtime.SandboxUsage, pod: Object
) -> Iterator[Sample]:
    for one in sandbox.interfaces:
        labels = {
            "id": f"/{qos.cgroup_parent(pod)}",
            "interface": one.name,
            "namespace": objects.namespace(pod),
            "pod": objects.name(pod),
        }
        yield Sample(name, value(one), labels, COUNTER, text, _ms(sandbox.at))


def _ms(at: datetime.datetime) -> int:
    return int(at.timestamp() * 1000)
