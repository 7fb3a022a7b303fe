"""What the kubelet counts about itself, under upstream's names, in Prometheus' text form.

Source: upstream's kubelet/metrics/metrics.go and kubelet/prober.
"""

import bisect
import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from steersman.aio.clock import Clock

# Upstream's legacy buckets, and those of pod starts.
SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STARTS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 180.0, 240.0, 300.0)
PULLS = (1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 180.0, 300.0, 600.0, 900.0)


class Family(NamedTuple):
    help: str
    buckets: tuple[float, ...] = ()  # of a histogram


COUNTERS = {
    "kubelet_started_pods_total": Family("Cumulative number of pods started"),
    "kubelet_started_pods_errors_total": Family("Cumulative number of errors when starting pods"),
    "kubelet_started_containers_total": Family("Cumulative number of containers started"),
    "kubelet_started_containers_errors_total": Family("Cumulative number of errors when starting containers"),
    "kubelet_runtime_operations_total": Family("Cumulative number of runtime operations by operation type."),
    "kubelet_runtime_operations_errors_total": Family(
        "Cumulative number of runtime operation errors by operation type."
    ),
    "kubelet_preemptions": Family("Cumulative number of pod preemptions by preemption resource"),
    "kubelet_evictions": Family("Cumulative number of pod evictions by eviction signal"),
    "kubelet_image_garbage_collected_total": Family(
        "Total number of images garbage collected by the kubelet, whether through disk usage or image age."
    ),
    "kubelet_pod_resources_endpoint_requests_total": Family(
        "[ALPHA] Cumulative number of requests to the PodResource endpoint. Broken down by server api version."
    ),
    **{
        f"kubelet_pod_resources_endpoint_{what}_{method}": Family(
            f"[ALPHA] Number of {what} of the PodResource {name} endpoint. Broken down by server api version."
        )
        for what in ("requests", "errors")
        for method, name in (("list", "List"), ("get_allocatable", "GetAllocatableResources"), ("get", "Get"))
    },
    "kubelet_credential_provider_plugin_errors": Family("[ALPHA] Number of errors from credential provider plugin"),
    "kubelet_pod_infeasible_resizes_total": Family(
        "[ALPHA] Number of infeasible resizes for pods. This counts new infeasible decisions only."
    ),
    "kubelet_pod_deferred_accepted_resizes_total": Family(
        "[ALPHA] Cumulative number of resizes that were accepted after being deferred."
    ),
    "kubelet_http_requests_total": Family("Number of the http requests received since the server started"),
    "kubelet_device_plugin_registration_total": Family(
        "Cumulative number of device plugin registrations. Broken down by resource name."
    ),
    "prober_probe_total": Family(
        "Cumulative number of a liveness, readiness or startup probe for a container by result."
    ),
}
HISTOGRAMS = {
    "kubelet_pod_start_duration_seconds": Family(
        "Duration in seconds from kubelet seeing a pod for the first time to the pod starting to run", STARTS
    ),
    "kubelet_pod_start_sli_duration_seconds": Family(
        "Duration in seconds to start a pod, excluding time to pull images and run init containers, "
        "measured from pod creation timestamp to when all its containers are reported as started and observed via watch",
        STARTS,
    ),
    "kubelet_runtime_operations_duration_seconds": Family(
        "Duration in seconds of runtime operations. Broken down by operation type.", SHORT
    ),
    "kubelet_image_pull_duration_seconds": Family("Duration in seconds to pull an image.", PULLS),
    "kubelet_credential_provider_plugin_duration": Family(
        "[ALPHA] Duration of execution in seconds for credential provider plugin", SHORT
    ),
    "kubelet_http_requests_duration_seconds": Family("Duration in seconds to serve http requests", SHORT),
    "kubelet_device_plugin_alloc_duration_seconds": Family(
        "Duration in seconds to serve a device plugin Allocation request. Broken down by resource name.", SHORT
    ),
    "prober_probe_duration_seconds": Family("Duration in seconds for a probe response.", SHORT),
}

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One line of an exposition; `at_ms` where it is older than the scrape."""

    name: str
    value: float
    labels: Mapping[str, str] = {}
    kind: str = "gauge"
    help: str = ""
    at_ms: int | None = None


@dataclasses.dataclass(slots=True)
class _Histogram:
    counts: list[int]
    total: float = 0.0


class Metrics:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counters: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {}

    def count(self, name: str, **labels: str) -> None:
        found = self._counters.setdefault(name, {})
        key = tuple(sorted(labels.items()))
        found[key] = found.get(key, 0) + 1

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        family = HISTOGRAMS[name]
        key = tuple(sorted(labels.items()))
        found = self._histograms.setdefault(name, {}).get(key)
        if found is None:
            found = self._histograms[name][key] = _Histogram([0] * (len(family.buckets) + 1))
        found.counts[bisect.bisect_left(family.buckets, seconds)] += 1
        found.total += seconds

    def forget(self, name: str, label: str, value: str) -> None:
        """What belonged to something that is gone."""
        for kept in (self._counters.get(name, {}), self._histograms.get(name, {})):
            for key in [key for key in kept if (label, value) in key]:
                del kept[key]

    @contextlib.contextmanager
    def operation(self, kind: str) -> Iterator[None]:
        """One call of the container runtime."""
        began = self._clock.monotonic()
        self.count("kubelet_runtime_operations_total", operation_type=kind)
        try:
            yield
        except Exception:
            self.count("kubelet_runtime_operations_errors_total", operation_type=kind)
            raise
        finally:
            took = self._clock.monotonic() - began
            self.observe("kubelet_runtime_operations_duration_seconds", took, operation_type=kind)

    def samples(self, prefix: str) -> Iterator[Sample]:
        """Of the families whose names begin so."""
        for name, family in COUNTERS.items():
            if name.startswith(prefix):
                for key, value in self._counters.get(name, {}).items():
                    yield Sample(name, value, dict(key), "counter", family.help)
        for name, family in HISTOGRAMS.items():
            if name.startswith(prefix):
                for key, found in self._histograms.get(name, {}).items():
                    yield from _histogram(name, family, dict(key), found)


def _histogram(name: str, family: Family, labels: Mapping[str, str], found: _Histogram) -> Iterator[Sample]:
    running = 0
    for bound, count in zip((*family.buckets, "+Inf"), found.counts, strict=True):
        running += count
        yield Sample(f"{name}_bucket", running, {**labels, "le": str(bound)}, "histogram", family.help)
    yield Sample(f"{name}_sum", found.total, labels, "histogram", family.help)
    yield Sample(f"{name}_count", running, labels, "histogram", family.help)


def text(samples: Iterable[Sample]) -> str:
    """Prometheus' text form; samples of one family have to come together."""
    lines, told = [], ""
    for one in samples:
        family = one.name
        if one.kind == "histogram":
            family = family.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        if family != told:
            told = family
            lines += [f"# HELP {family} {one.help or family}", f"# TYPE {family} {one.kind}"]
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in one.labels.items())
        shown = f"{{{labels}}}" if labels else ""
        lines.append(f"{one.name}{shown} {one.value:.17g}" + (f" {one.at_ms}" if one.at_ms is not None else ""))
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
