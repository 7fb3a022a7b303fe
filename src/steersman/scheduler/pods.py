"""Which pods are the scheduler's business, and what it writes about them."""

import enum

from steersman.meta import objects
from steersman.meta.objects import Object

DEFAULT_SCHEDULER = "default-scheduler"


class Place(enum.Enum):
    """Where a pod stands on its way to a node."""

    ASSIGNED = "assigned"  # on a node, and using what it asked for
    PENDING = "pending"  # ours to place
    OTHER = "other"  # finished, gated, going away before it ever ran, or another scheduler's


def classify(pod: Object, scheduler_name: str) -> Place:
    spec = pod["spec"]
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return Place.OTHER
    if spec.get("nodeName"):
        return Place.ASSIGNED
    if objects.is_terminating(pod) or spec.get("schedulingGates"):
        return Place.OTHER
    ours = (spec.get("schedulerName") or DEFAULT_SCHEDULER) == scheduler_name
    return Place.PENDING if ours else Place.OTHER


def is_gated(pod: Object, scheduler_name: str) -> bool:
    """Ours, and not to be tried yet."""
    spec = pod["spec"]
    if not spec.get("schedulingGates") or spec.get("nodeName"):
        return False
    return (spec.get("schedulerName") or DEFAULT_SCHEDULER) == scheduler_name


def nominated_node(pod: Object) -> str:
    return str((pod.get("status") or {}).get("nominatedNodeName") or "")


def binding(pod: Object, node: str) -> Object:
    """The body for pods/binding; the uid keeps it from binding another pod of the same name."""
    meta = pod["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    }
