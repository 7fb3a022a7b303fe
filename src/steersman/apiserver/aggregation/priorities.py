"""How groups and versions are preferred: upstream's numbers for its own, those of APIServices for others.

A data file. What `kubectl get NAME` means when two groups have the same name follows from it.
Source: upstream's pkg/controlplane, APIServicePriority.
"""

from collections.abc import Mapping

FIRST = "apiregistration.k8s.io"  # listed before all others, and no APIService stands for it
CUSTOM = (1000, 100)  # of the groups and versions of custom kinds
_UNLISTED = (15700, 9)

# group → (priority of the group, priorities of its versions)
_BUILTIN: Mapping[str, tuple[int, Mapping[str, int]]] = {
    "": (18000, {"v1": 1}),
    "apps": (17800, {"v1": 15}),
    "events.k8s.io": (17750, {"v1": 15, "v1beta1": 5}),
    "authentication.k8s.io": (17700, {"v1": 15, "v1beta1": 9, "v1alpha1": 1}),
    "authorization.k8s.io": (17600, {"v1": 15}),
    "autoscaling": (17500, {"v1": 15, "v2": 30}),
    "batch": (17400, {"v1": 15}),
    "certificates.k8s.io": (17300, {"v1": 15, "v1beta1": 9, "v1alpha1": 1}),
    "networking.k8s.io": (17200, {"v1": 15, "v1beta1": 9}),
    "policy": (17100, {"v1": 15}),
    "rbac.authorization.k8s.io": (17000, {"v1": 15}),
    "storage.k8s.io": (16800, {"v1": 15, "v1beta1": 9, "v1alpha1": 1}),
    "apiextensions.k8s.io": (16700, {"v1": 15}),
    "admissionregistration.k8s.io": (16700, {"v1": 15, "v1beta1": 12, "v1alpha1": 9}),
    "scheduling.k8s.io": (16600, {"v1": 15}),
    "coordination.k8s.io": (16500, {"v1": 15, "v1beta1": 13, "v1alpha2": 12}),
    "node.k8s.io": (16300, {"v1": 15}),
    "discovery.k8s.io": (16200, {"v1": 15}),
    "resource.k8s.io": (16200, {"v1": 20, "v1beta2": 15, "v1beta1": 9, "v1alpha3": 1}),
    "flowcontrol.apiserver.k8s.io": (16100, {"v1": 21, "v1beta3": 18}),
    "internal.apiserver.k8s.io": (16000, {"v1alpha1": 9}),
    "storagemigration.k8s.io": (15800, {"v1beta1": 9}),
    "metrics.k8s.io": (100, {"v1beta1": 100}),  # those of metrics-server's APIService
}


def builtin(group: str, version: str) -> tuple[int, int]:
    """(priority of the group, of the version in it) of a group this server serves itself."""
    of_group, versions = _BUILTIN.get(group, (_UNLISTED[0], {}))
    return of_group, versions.get(version, _UNLISTED[1])
