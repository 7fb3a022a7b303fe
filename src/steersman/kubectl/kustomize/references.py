"""Fields that name other resources follow those whose names changed. Pure.

Source of the table: kustomize's built-in name references.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from steersman.kubectl.kustomize import paths
from steersman.kubectl.kustomize.paths import FieldSpec
from steersman.kubectl.kustomize.resources import CLUSTER_SCOPED, Resource, Resources

_RBAC = "rbac.authorization.k8s.io"
_POD_SPECS = (
    ("Pod", "spec"),
    *((kind, "spec/template/spec") for kind in ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet")),
    ("ReplicationController", "spec/template/spec"),
    ("Job", "spec/template/spec"),
    ("CronJob", "spec/jobTemplate/spec/template/spec"),
)


def _in_pods(*fields: str) -> list[FieldSpec]:
    return [FieldSpec(f"{spec}/{field}", kind) for kind, spec in _POD_SPECS for field in fields]


def _in_containers(*fields: str) -> list[FieldSpec]:
    return _in_pods(*(f"{kind}/{field}" for kind in ("containers", "initContainers") for field in fields))


def _specs(*found: tuple[str, str]) -> list[FieldSpec]:
    return [FieldSpec(path, kind) for kind, path in found]


_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_ROLES = [FieldSpec("rules/resourceNames", kind, _RBAC) for kind in ("Role", "ClusterRole")]
_SCALE = _specs(("HorizontalPodAutoscaler", "spec/scaleTargetRef/name"))
_CLAIM = FieldSpec("spec/volumeClaimTemplates/spec/storageClassName", "StatefulSet")

# Kind that is named → where its name stands.
TABLE: dict[str, list[FieldSpec]] = {
    "Deployment": _SCALE,
    "ReplicationController": _SCALE,
    "ReplicaSet": _SCALE,
    "StatefulSet": _SCALE,
    "ConfigMap": [
        *_in_pods("volumes/configMap/name", "volumes/projected/sources/configMap/name"),
        *_in_containers("env/valueFrom/configMapKeyRef/name", "envFrom/configMapRef/name"),
        *_specs(("Node", "spec/configSource/configMap/name")),
        *_ROLES,
        *_specs(("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap")),
    ],
    "Secret": [
        *_in_pods("volumes/secret/secretName", "volumes/projected/sources/secret/name", "imagePullSecrets/name"),
        *_in_containers("env/valueFrom/secretKeyRef/name", "envFrom/secretRef/name"),
        *_specs(
            ("ServiceAccount", "imagePullSecrets/name"),
            ("Ingress", "spec/tls/secretName"),
            ("Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
            ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret"),
            ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret"),
            ("StorageClass", "parameters/secretName"),
            ("StorageClass", "parameters/adminSecretName"),
            ("StorageClass", "parameters/userSecretName"),
            ("StorageClass", "parameters/secretRef"),
            *(
                ("StorageClass", f"parameters/csi.storage.k8s.io\\/{step}-secret-name")
                for step in ("provisioner", "controller-publish", "node-stage", "node-publish", "controller-expand")
            ),
            ("PersistentVolume", "spec/azureFile/secretName"),
            *(
                ("PersistentVolume", f"spec/{source}/secretRef/name")
                for source in ("cephfs", "rbd", "iscsi", "flexVolume", "scaleIO", "storageos")
            ),
            *(
                ("PersistentVolume", f"spec/csi/{step}SecretRef/name")
                for step in ("controllerPublish", "nodeStage", "nodePublish", "controllerExpand")
            ),
        ),
        *_ROLES,
    ],
    "Service": [
        FieldSpec("spec/serviceName", "StatefulSet", "apps"),
        *_specs(
            ("Ingress", "spec/rules/http/paths/backend/serviceName"),
            ("Ingress", "spec/backend/serviceName"),
            ("Ingress", "spec/rules/http/paths/backend/service/name"),
            ("Ingress", "spec/defaultBackend/service/name"),
            ("APIService", "spec/service/name"),
            *((kind, "webhooks/clientConfig/service") for kind in _WEBHOOKS),
        ),
    ],
    "Role": [FieldSpec("roleRef/name", "RoleBinding", _RBAC)],
    "ClusterRole": [FieldSpec("roleRef/name", kind, _RBAC) for kind in ("RoleBinding", "ClusterRoleBinding")],
    "ServiceAccount": [
        *(FieldSpec("subjects", kind, _RBAC) for kind in ("RoleBinding", "ClusterRoleBinding")),
        *_in_pods("serviceAccountName"),
    ],
    "PersistentVolumeClaim": _in_pods("volumes/persistentVolumeClaim/claimName"),
    "PersistentVolume": [FieldSpec("spec/volumeName", "PersistentVolumeClaim"), _ROLES[1]],
    "StorageClass": [
        *_specs(("PersistentVolume", "spec/storageClassName"), ("PersistentVolumeClaim", "spec/storageClassName")),
        _CLAIM,
    ],
    "PriorityClass": _in_pods("priorityClassName"),
    "ValidatingAdmissionPolicy": _specs(("ValidatingAdmissionPolicyBinding", "spec/policyName")),
}


def fix(resources: Resources) -> None:
    """Point every reference at what its target is called now."""
    index = _Index(resources)
    for referrer in resources:
        for kind, fields in TABLE.items():
            if kind not in index.renamed:
                continue
            for field in fields:
                if field.selects(referrer.obj):
                    setter = _setter(index, kind, referrer, field)
                    paths.change(referrer.obj, paths.split(field.path), setter)


@dataclasses.dataclass(slots=True)
class _Index:
    """The renamed resources by kind."""

    renamed: dict[str, list[Resource]]

    def __init__(self, resources: Resources) -> None:
        self.renamed = {}
        for resource in resources:
            if resource.before:
                self.renamed.setdefault(resource.kind, []).append(resource)

    def find(self, kind: str, referrer: Resource, name: str, namespace: str | None = None) -> Resource | None:
        """What `name` meant when the reference was written: of several, the one with the referrer's own affixes."""
        found = [
            one
            for one in self.renamed.get(kind, ())
            if any(old.name == name and _may_see(old.namespace, kind, referrer, namespace) for old in one.ids())
        ]
        for closer in (_same_namespace(referrer), _same_affixes(referrer)):
            if len(found) > 1:
                found = [one for one in found if closer(one)] or found
        return found[0] if found else None


def _may_see(space: str, kind: str, referrer: Resource, namespace: str | None) -> bool:
    if kind in CLUSTER_SCOPED:
        return True
    if namespace is not None:
        return (space or "default") == (namespace or "default")
    if referrer.kind in CLUSTER_SCOPED:
        return True
    return any((old.namespace or "default") == (space or "default") for old in referrer.ids())


def _same_namespace(referrer: Resource) -> Callable[[Resource], bool]:
    return lambda one: one.id.namespace == referrer.id.namespace


def _same_affixes(referrer: Resource) -> Callable[[Resource], bool]:
    return lambda one: (one.prefixes, one.suffixes) == (referrer.prefixes, referrer.suffixes)


def _setter(index: _Index, kind: str, referrer: Resource, field: FieldSpec) -> Callable[[Any], Any]:
    def of_name(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = index.find(kind, referrer, value)
        return found.id.name if found is not None else value

    def of_pair(value: Any) -> Any:
        """A name and a namespace: a subject (of whatever kind, as kustomize), or a webhook's service."""
        if not isinstance(value, dict):
            return value
        found = index.find(kind, referrer, str(value.get("name", "")), value.get("namespace") or None)
        if found is None:
            return value
        changed = {**value, "name": found.id.name}
        if found.id.namespace:
            changed["namespace"] = found.id.namespace
        return changed

    if field.path.endswith(("subjects", "clientConfig/service")):
        return of_pair
    if field.path == "roleRef/name":
        ref = referrer.obj.get("roleRef") or {}
        return of_name if ref.get("kind") == kind else lambda value: value
    return of_name
