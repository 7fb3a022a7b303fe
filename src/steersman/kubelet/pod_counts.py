"""How many pods there are, by where they come from and how far they are, as upstream's pod workers tell. Pure.

Source: upstream's kubelet/metrics (WorkingPodCount, DesiredPodCount, ActivePodCount, MirrorPodCount, OrphanedRuntimePodTotal).
"""

from collections.abc import Iterator, Sequence

from steersman.kubelet import static_pods
from steersman.kubelet.metrics import Sample
from steersman.kubelet.pod_lifecycle import PodMachine
from steersman.meta import objects

WORKING = (
    "Number of pods the kubelet is actually running, broken down by lifecycle phase, whether the pod is desired, orphaned, "
    "or runtime only (also orphaned), and whether the pod is static. An orphaned pod has been removed from local "
    "configuration or force deleted in the API and consumes resources that are not otherwise visible."
)
DESIRED = (
    "The number of pods the kubelet is being instructed to run. static is true if the pod is not from the apiserver."
)
ACTIVE = (
    "The number of pods the kubelet considers active and which are being considered when admitting new pods. "
    "static is true if the pod is not from the apiserver."
)
MIRRORS = "The number of mirror pods the kubelet will try to create (one per admitted static pod)"
LIFECYCLES = ("sync", "terminating", "terminated")


def samples(machines: Sequence[PodMachine]) -> Iterator[Sample]:
    """Every combination is told, the empty ones too."""
    found = [(_config(one), _lifecycle(one), _static(one)) for one in machines]
    kinds = [(config, static) for config in ("desired", "orphan") for static in ("", "true")]
    for config, static in (*kinds, ("runtime_only", "unknown")):
        for lifecycle in LIFECYCLES:
            labels = {"config": config, "lifecycle": lifecycle, "static": static}
            yield Sample("kubelet_working_pods", found.count((config, lifecycle, static)), labels, "gauge", WORKING)
    for static in ("", "true"):
        desired = sum(one[0] == "desired" and one[2] == static for one in found)
        yield Sample("kubelet_desired_pods", desired, {"static": static}, "gauge", DESIRED)
    for static in ("", "true"):
        active = sum(one[0] == "desired" and one[1] == "sync" and one[2] == static for one in found)
        yield Sample("kubelet_active_pods", active, {"static": static}, "gauge", ACTIVE)
    mirrors = sum(one[1] != "terminated" and one[2] == "true" for one in found)
    yield Sample("kubelet_mirror_pods", mirrors, {}, "gauge", MIRRORS)


def _config(machine: PodMachine) -> str:
    """A static pod whose file went is nobody's wish any more, as is one that the API no longer has."""
    gone = machine.removed or (static_pods.is_static(machine.pod) and objects.is_terminating(machine.pod))
    return "orphan" if gone else "desired"


def _lifecycle(machine: PodMachine) -> str:
    if not machine.is_ending:
        return "sync"
    return "terminated" if machine.all_stopped else "terminating"


def _static(machine: PodMachine) -> str:
    return "true" if static_pods.is_static(machine.pod) else ""
