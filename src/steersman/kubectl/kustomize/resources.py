"""One resource of a build, and what it was called before. Pure."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.meta.objects import Object

# Kinds without a namespace; others, also unknown ones, have one.
CLUSTER_SCOPED = frozenset(
    [
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "ComponentStatus",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PodSecurityPolicy",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "SelfSubjectAccessReview",
        "SelfSubjectReview",
        "SelfSubjectRulesReview",
        "ServiceCIDR",
        "StorageClass",
        "StorageVersion",
        "StorageVersionMigration",
        "SubjectAccessReview",
        "TokenReview",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    ]
)
_DEFAULT_NAMESPACE = "default"


@dataclasses.dataclass(frozen=True, slots=True)
class Id:
    group: str
    version: str
    kind: str
    name: str
    namespace: str

    def __str__(self) -> str:
        """`Deployment.v1.apps/web.prod`, as kustomize's messages name a resource."""
        group, version = self.group or "[noGrp]", self.version or "[noVer]"
        return f"{self.kind or '[noKind]'}.{version}.{group}/{self.name or '[noName]'}.{self.namespace or '[noNs]'}"

    def same_kind(self, other: "Id") -> bool:
        return (self.group, self.version, self.kind) == (other.group, other.version, other.kind)

    def is_same(self, other: "Id") -> bool:
        """An id without a namespace is in "default"."""
        return self.same_kind(other) and self.name == other.name and self.space == other.space

    @property
    def space(self) -> str:
        return "" if self.kind in CLUSTER_SCOPED else self.namespace or _DEFAULT_NAMESPACE


@dataclasses.dataclass(slots=True)
class Resource:
    """`obj` is the build's own and changed in place; `before`: every id it had, the first one first."""

    obj: Object
    before: list[Id] = dataclasses.field(default_factory=list)
    behavior: str = ""  # of a generated one: create, replace or merge
    needs_hash: bool = False
    prefixes: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()

    @property
    def id(self) -> Id:
        return id_of(self.obj)

    @property
    def original(self) -> Id:
        return self.before[0] if self.before else self.id

    def ids(self) -> list[Id]:
        return [*self.before, self.id]

    @property
    def kind(self) -> str:
        return str(self.obj.get("kind", ""))

    @property
    def metadata(self) -> Object:
        found: Object = self.obj.setdefault("metadata", {})
        return found

    def remember(self) -> None:
        """Before the name or namespace changes."""
        if not self.before or self.before[-1] != self.id:
            self.before.append(self.id)


def id_of(obj: Object) -> Id:
    group, _, version = str(obj.get("apiVersion") or "").rpartition("/")
    meta = obj.get("metadata") or {}
    return Id(group, version, str(obj.get("kind") or ""), str(meta.get("name") or ""), str(meta.get("namespace") or ""))


class Resources:
    """The resources of a build in their order; no two with one id."""

    def __init__(self, found: Iterable[Resource] = ()) -> None:
        self._all: list[Resource] = []
        for resource in found:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, resource: Resource) -> None:
        """Raises KustomizeError for one whose id is taken."""
        new = resource.id
        if any(new.is_same(other.id) for other in self._all):
            raise KustomizeError(f"may not add resource with an already registered id: {new}")
        self._all.append(resource)

    def remove(self, resource: Resource) -> None:
        self._all.remove(resource)

    def with_any_id(self, wanted: Id) -> list[Resource]:
        return [one for one in self._all if any(wanted.is_same(mine) for mine in one.ids())]

    def sort(self, key: Any) -> None:
        self._all.sort(key=key)
