"""Prefix, suffix and namespace. Pure: what refers to renamed resources follows in `references`."""

from steersman.kubectl.kustomize import paths
from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.kubectl.kustomize.paths import FieldSpec
from steersman.kubectl.kustomize.resources import CLUSTER_SCOPED, Resources

_KEEP_NAME = frozenset(("CustomResourceDefinition", "APIService", "Namespace"))
_NAMESPACES = (
    FieldSpec("metadata/name", "Namespace", create=True),
    FieldSpec("spec/service/namespace", "APIService", "apiregistration.k8s.io", create=True),
    FieldSpec(
        "spec/conversion/webhook/clientConfig/service/namespace", "CustomResourceDefinition", "apiextensions.k8s.io"
    ),
)
_DEFAULT = "default"


def affix(resources: Resources, prefix: str, suffix: str) -> None:
    for resource in resources:
        resource.prefixes += (prefix,) if prefix else ()
        resource.suffixes += (suffix,) if suffix else ()
        if resource.kind in _KEEP_NAME:
            continue
        resource.remember()
        resource.metadata["name"] = f"{prefix}{resource.metadata.get('name', '')}{suffix}"


def move(resources: Resources, namespace: str) -> None:
    """Everything that has a namespace goes into this one. Raises KustomizeError where two become one."""
    for resource in resources:
        resource.remember()
        if resource.kind not in CLUSTER_SCOPED:
            resource.metadata["namespace"] = namespace
        for field in _NAMESPACES:
            if field.selects(resource.obj):
                create = "" if field.create else None
                paths.change(resource.obj, paths.split(field.path), lambda _: namespace, create=create)
        if resource.kind in ("RoleBinding", "ClusterRoleBinding"):
            for subject in resource.obj.get("subjects") or ():
                if subject.get("kind") == "ServiceAccount" and subject.get("name") == _DEFAULT:
                    subject["namespace"] = namespace
        same = [other for other in resources if other.id.is_same(resource.id)]
        if len(same) > 1:
            raise KustomizeError(f"namespace transformation produces ID conflict: {[str(one.id) for one in same]}")
