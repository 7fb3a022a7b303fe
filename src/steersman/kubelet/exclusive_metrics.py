"""What the CPU, memory and topology managers count, under upstream's names."""

from collections.abc import Iterator, Mapping

from steersman.kubelet import admission
from steersman.kubelet.metrics import Sample
from steersman.kubelet.topology import cpu_policy, memory_policy
from steersman.kubelet.topology.hardware import Cpus, Hardware
from steersman.kubelet.topology.hints import Hint

# Counted from the kubelet's start, and told before the first one.
COUNTERS = {
    "kubelet_cpu_manager_pinning_requests_total": "The number of cpu core allocations which required pinning.",
    "kubelet_cpu_manager_pinning_errors_total": "The number of cpu core allocations which required pinning failed.",
    "kubelet_memory_manager_pinning_requests_total": "The number of memory pages allocations which required pinning.",
    "kubelet_memory_manager_pinning_errors_total": (
        "The number of memory pages allocations which required pinning that failed."
    ),
    "kubelet_topology_manager_admission_requests_total": (
        "The number of admission requests where resources have to be aligned."
    ),
    "kubelet_topology_manager_admission_errors_total": (
        "The number of admission request failures where resources could not be aligned."
    ),
}
ALIGNED = "kubelet_container_aligned_compute_resources_count"
NOT_ALIGNED = "kubelet_container_aligned_compute_resources_failure_count"
HELP = {
    ALIGNED: "Cumulative number of aligned compute resources allocated to containers by alignment type.",
    NOT_ALIGNED: "Cumulative number of failures to allocate aligned compute resources to containers by alignment type.",
}


class Tally:
    """`aligned`: the topology manager's policy promises one NUMA node."""

    def __init__(self, options: cpu_policy.Options, *, aligned: bool) -> None:
        self._options = options
        self._promises_node = aligned
        self._counts = dict.fromkeys(COUNTERS, 0)
        self._alignments: dict[tuple[str, str, str], int] = {}

    def see(
        self,
        found: Mapping[str, Hint] | admission.Refusal,
        scope: str,
        cpus: cpu_policy.Draft | None,
        memory: memory_policy.Draft | None,
        hardware: Hardware,
    ) -> None:
        """One pod was admitted, or not."""
        refused = isinstance(found, admission.Refusal)
        self._add("topology_manager_admission_requests_total", 1)
        self._add("topology_manager_admission_errors_total", int(refused))
        for kind, draft in (("cpu", cpus), ("memory", memory)):
            if draft is not None:
                self._add(f"{kind}_manager_pinning_requests_total", draft.asked)
                self._add(f"{kind}_manager_pinning_errors_total", draft.failed)
        if self._promises_node:
            if isinstance(found, admission.Refusal):
                self._align(NOT_ALIGNED, scope, "numa_node")
            else:
                for _ in found:
                    self._align(ALIGNED, scope, "numa_node")
        for own in cpus.given.values() if cpus is not None else ():
            if self._options.full_cores:
                self._align(ALIGNED, "container", "physical_cpu")
            if self._options.by_cache and len(hardware.grouped("cache", own)) == 1:
                self._align(ALIGNED, "container", "uncore_cache")

    def _add(self, name: str, count: int) -> None:
        self._counts[f"kubelet_{name}"] += count

    def _align(self, name: str, scope: str, boundary: str) -> None:
        key = name, scope, boundary
        self._alignments[key] = self._alignments.get(key, 0) + 1

    def samples(self, state: cpu_policy.State | None) -> Iterator[Sample]:
        for name, count in self._counts.items():
            yield Sample(name, count, {}, "counter", f"[ALPHA] {COUNTERS[name]}")
        for (name, scope, boundary), count in sorted(self._alignments.items()):
            labels = {"boundary": boundary, "scope": scope}
            yield Sample(name, count, labels, "counter", f"[ALPHA] {HELP[name]}")
        if state is not None:
            yield from _pools(state)


def _pools(state: cpu_policy.State) -> Iterator[Sample]:
    shared = len(state.shared) * cpu_policy.MILLIS
    text = "[ALPHA] The size of the shared CPU pool for non-guaranteed QoS pods, in millicores."
    yield Sample("kubelet_cpu_manager_shared_pool_size_millicores", shared, {}, "gauge", text)
    own: Cpus = frozenset[int]().union(*(cpus for one in state.taken.values() for cpus in one.values()))
    text = "[ALPHA] The total number of CPUs exclusively allocated to containers running on this node"
    yield Sample("kubelet_cpu_manager_exclusive_cpu_allocation_count", len(own), {}, "gauge", text)
    text = "[ALPHA] Number of CPUs allocated per NUMA node"
    for node, cpus in sorted(state.hardware.grouped("numa").items()):
        labels = {"numa_node": str(node)}
        yield Sample("kubelet_cpu_manager_allocation_per_numa", len(own & cpus), labels, "gauge", text)
