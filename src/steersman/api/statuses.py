"""The status an object is born with: that of its kind before anybody wrote it.

A status is never missing, as in Kubernetes' own API, where it is a struct and not a pointer: a client that has just
created an object may read `status.replicas`, or add to `status.conditions`, without asking whether there is a status.
Counts that a kind always tells are 0. Kinds that give more (a phase, a class) do so in their strategy.
"""

from steersman.api.kind import Kind
from steersman.meta.objects import Object

_NO_BALANCER: Object = {"loadBalancer": {}}
_NO_REPLICAS: Object = {"replicas": 0}

# What is told although it is zero; kinds that are not named tell nothing.
_ZEROS: dict[tuple[str, str], Object] = {
    ("", "ReplicationController"): _NO_REPLICAS,
    ("", "Service"): _NO_BALANCER,
    ("apps", "DaemonSet"): {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    ("apps", "ReplicaSet"): _NO_REPLICAS,
    ("apps", "StatefulSet"): {"replicas": 0, "availableReplicas": 0},
    ("autoscaling", "HorizontalPodAutoscaler"): {"desiredReplicas": 0},
    ("networking.k8s.io", "Ingress"): _NO_BALANCER,
    ("policy", "PodDisruptionBudget"): {
        "disruptionsAllowed": 0,
        "currentHealthy": 0,
        "desiredHealthy": 0,
        "expectedPods": 0,
    },
}

# Kinds whose status is a pointer: it is missing until somebody writes it.
_WITHOUT = {("resource.k8s.io", "ResourcePoolStatusRequest")}


def fill_new(kind: Kind, new: Object) -> None:
    """Gives a new object its status where it has none. Custom kinds have what their schema says, and no more."""
    key = (kind.group, kind.kind)
    if kind.custom is not None or kind.subresource("status") is None or key in _WITHOUT:
        return
    new["status"] = {**_ZEROS.get(key, {}), **(new.get("status") or {})}
