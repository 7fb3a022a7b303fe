"""What pods and PodGroups say about each other. Pure."""

from steersman.meta import objects
from steersman.meta.objects import Object

PROTECTION = "scheduling.k8s.io/podgroup-protection"  # the finalizer of a PodGroup while pods name it


def group_of(pod: Object) -> str:
    """namespace/name of the PodGroup that the pod names; "" for none."""
    name = (pod["spec"].get("schedulingGroup") or {}).get("podGroupName")
    return f"{objects.namespace(pod)}/{name}" if name else ""
