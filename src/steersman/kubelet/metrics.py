"""What the kubelet counts about itself, under upstream's names, in Prometheus' text form.

Source: upstream's kubelet/metrics/metrics.go and kubelet/prober.
"""

import contextlib
from collections.abc import Iterator

from steersman.aio.clock import Clock
from steersman.meta.exposition import Family, Figures, Sample, text

__all__ = ["Metrics", "Sample", "text"]

# Upstream's legacy buckets, and those of pod starts.
SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
STARTS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0, 180.0, 240.0, 300.0)
PULLS = (1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 180.0, 300.0, 600.0, 900.0)


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


class Metrics(Figures):
    def __init__(self, clock: Clock) -> None:
        super().__init__(COUNTERS, HISTOGRAMS)
        self._clock = clock

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
