"""What a node says while it is short of something, and which pods it does not take then. Pure.

Source: upstream's kubelet/nodestatus/setters.go and the admission of kubelet/eviction/eviction_manager.go.
"""

from collections.abc import Iterable

from steersman.kubelet import qos, static_pods
from steersman.kubelet.eviction import thresholds
from steersman.meta.objects import Object

MEMORY, DISK, PROCESSES = "MemoryPressure", "DiskPressure", "PIDPressure"
OF_RESOURCE = {"memory": MEMORY, "ephemeral-storage": DISK, "inodes": DISK, "pids": PROCESSES}
MEMORY_TAINT = "node.kubernetes.io/memory-pressure"  # with NoSchedule and no value

# Condition → (reason, message) when it stands, and when it does not.
WORDS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    MEMORY: (
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ),
    DISK: (
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ),
    PROCESSES: (
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ),
}


def of_signal(signal: str) -> str:
    return OF_RESOURCE[thresholds.RESOURCES[signal]]


def words(condition: str, standing: Iterable[str]) -> tuple[str, str, str]:
    """(status, reason, message) of a node's condition."""
    yes, no = WORDS[condition]
    return ("True", *yes) if condition in standing else ("False", *no)


def refuses(pod: Object, standing: Iterable[str]) -> str:
    """Why a node that is short does not take this pod; empty when it does. Short of memory alone: no best effort, unless it
    tolerates that; of anything else: nobody but critical pods."""
    found = sorted(standing)
    if not found or is_critical(pod):
        return ""
    if found == [MEMORY]:
        tolerated = any(_tolerates(one) for one in pod["spec"].get("tolerations") or [])
        if tolerated or qos.pod_class(pod) != "BestEffort":
            return ""
    return f"The node had condition: [{' '.join(found)}]. "


def _tolerates(toleration: Object) -> bool:
    if toleration.get("effect") not in (None, "", "NoSchedule"):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", MEMORY_TAINT)
    return toleration.get("key") == MEMORY_TAINT and not toleration.get("value")


def is_critical(pod: Object) -> bool:
    """It is neither refused nor evicted."""
    return static_pods.is_static(pod) or int(pod["spec"].get("priority") or 0) >= qos.CRITICAL_PRIORITY
