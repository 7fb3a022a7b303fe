"""Which function describes which kind, and what it wants to see beside the object. Modules are imported when needed."""

import importlib
from collections.abc import Callable
from typing import NamedTuple

from steersman.kubectl.describe.writing import Description, Seen
from steersman.meta.objects import Object


class Describer(NamedTuple):
    """`module.function` of this folder; `asks` names a function of `asking`; `events`: whether they are shown."""

    function: str
    asks: str = ""
    events: bool = True


_BY_KIND: dict[tuple[str, str], Describer] = {
    ("", "ConfigMap"): Describer("config.config_map"),
    ("", "Endpoints"): Describer("services.endpoints"),
    ("", "LimitRange"): Describer("namespaces.limit_range", events=False),
    ("", "Namespace"): Describer("namespaces.namespace", "quotas_and_limits", events=False),
    ("", "Node"): Describer("nodes.node", "node"),
    ("", "PersistentVolume"): Describer("claims.persistent_volume"),
    ("", "PersistentVolumeClaim"): Describer("claims.persistent_volume_claim", "users_of_claim"),
    ("", "Pod"): Describer("pods.pod"),
    ("", "PriorityClass"): Describer("policy.priority_class"),
    ("", "ReplicationController"): Describer("workloads.replication_controller", "pods_of_pairs"),
    ("", "ResourceQuota"): Describer("namespaces.resource_quota", events=False),
    ("", "Secret"): Describer("config.secret", events=False),
    ("", "Service"): Describer("services.service", "slices"),
    ("", "ServiceAccount"): Describer("config.service_account", "secrets"),
    ("apps", "DaemonSet"): Describer("workloads.daemon_set", "pods_of_selector"),
    ("apps", "Deployment"): Describer("workloads.deployment", "replica_sets"),
    ("apps", "ReplicaSet"): Describer("workloads.replica_set", "pods_or_error"),
    ("apps", "StatefulSet"): Describer("workloads.stateful_set", "pods_of_selector"),
    ("autoscaling", "HorizontalPodAutoscaler"): Describer("autoscalers.autoscaler"),
    ("batch", "CronJob"): Describer("jobs.cron_job"),
    ("batch", "Job"): Describer("jobs.job"),
    ("certificates.k8s.io", "CertificateSigningRequest"): Describer("certificates.signing_request"),
    ("discovery.k8s.io", "EndpointSlice"): Describer("services.endpoint_slice"),
    ("networking.k8s.io", "IPAddress"): Describer("networking.ip_address"),
    ("networking.k8s.io", "Ingress"): Describer("ingresses.ingress", "backends"),
    ("networking.k8s.io", "IngressClass"): Describer("ingresses.ingress_class"),
    ("networking.k8s.io", "NetworkPolicy"): Describer("network_policies.network_policy", events=False),
    ("networking.k8s.io", "ServiceCIDR"): Describer("networking.service_cidr"),
    ("policy", "PodDisruptionBudget"): Describer("policy.disruption_budget"),
    ("rbac.authorization.k8s.io", "ClusterRole"): Describer("rbac.role", events=False),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): Describer("rbac.binding", events=False),
    ("rbac.authorization.k8s.io", "Role"): Describer("rbac.role", events=False),
    ("rbac.authorization.k8s.io", "RoleBinding"): Describer("rbac.binding", events=False),
    ("scheduling.k8s.io", "PriorityClass"): Describer("policy.priority_class"),
    ("storage.k8s.io", "CSINode"): Describer("storage.csi_node"),
    ("storage.k8s.io", "StorageClass"): Describer("storage.storage_class"),
    ("storage.k8s.io", "VolumeAttributesClass"): Describer("storage.volume_attributes_class"),
}
_ANYTHING = Describer("generic.anything")


def describer(group: str, kind: str) -> Describer:
    return _BY_KIND.get((group, kind), _ANYTHING)


def describe(chosen: Describer, obj: Object, seen: Seen) -> str:
    module, _, function = chosen.function.partition(".")
    found = importlib.import_module(f"steersman.kubectl.describe.{module}")
    write: Callable[[Description, Object], None] = getattr(found, function)
    description = Description(seen)
    write(description, obj)
    return description.text()
