"""The table of kinds: one row per kind and version.

A new kind is a row here and, where needed, two pure functions (defaults, validation): `docs/checklists/new-kind.md`.
"""

from steersman.api.kind import Kind, Kinds, Subresource

_STATUS = "status"


def _row(group: str, version: str, kind: str, plural: str, *short: str, namespaced: bool = True) -> Kind:
    status = Subresource(_STATUS, kind, group, version)
    return Kind(group, version, kind, plural, kind.lower(), namespaced, short, subresources=(status,))


NAMESPACE = _row("", "v1", "Namespace", "namespaces", "ns", namespaced=False)
NODE = _row("", "v1", "Node", "nodes", "no", namespaced=False)
POD = _row("", "v1", "Pod", "pods", "po")
SERVICE = _row("", "v1", "Service", "services", "svc")
ENDPOINTS = _row("", "v1", "Endpoints", "endpoints", "ep")
CONFIG_MAP = _row("", "v1", "ConfigMap", "configmaps", "cm")
SECRET = _row("", "v1", "Secret", "secrets")
SERVICE_ACCOUNT = _row("", "v1", "ServiceAccount", "serviceaccounts", "sa")
EVENT = _row("", "v1", "Event", "events", "ev")
ENDPOINT_SLICE = _row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
LEASE = _row("coordination.k8s.io", "v1", "Lease", "leases")
REPLICA_SET = _row("apps", "v1", "ReplicaSet", "replicasets", "rs")
DEPLOYMENT = _row("apps", "v1", "Deployment", "deployments", "deploy")
CONTROLLER_REVISION = _row("apps", "v1", "ControllerRevision", "controllerrevisions")
ROLE = _row("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = _row("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CLUSTER_ROLE = _row("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = _row(
    "rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
PRIORITY_CLASS = _row("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", "pc", namespaced=False)

BUILTIN = Kinds(row for row in list(globals().values()) if isinstance(row, Kind))
