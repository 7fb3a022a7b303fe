"""The order of what is built: Namespaces and what others need first, webhooks last. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from steersman.kubectl.kustomize.resources import Id, Resource

FIRST = (
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
)
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


def legacy(first: Sequence[str] = FIRST, last: Sequence[str] = LAST) -> Callable[[Resource], Any]:
    places = {kind: place - len(first) for place, kind in enumerate(first)}
    places |= {kind: place + 1 for place, kind in enumerate(last)}

    def key(resource: Resource) -> Any:
        found = resource.id
        return places.get(found.kind, 0), _kind_text(found), found.namespace or "~X", found.name

    return key


def _kind_text(found: Id) -> str:
    return "_".join((found.group or "~G", found.version or "~V", found.kind or "~K"))
