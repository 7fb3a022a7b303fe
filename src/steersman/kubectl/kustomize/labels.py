"""Labels and annotations of a kustomization: into metadata, selectors and templates. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from steersman.kubectl.kustomize import paths
from steersman.kubectl.kustomize.errors import KustomizeError
from steersman.kubectl.kustomize.paths import FieldSpec
from steersman.kubectl.kustomize.resources import Resources

METADATA = FieldSpec("metadata/labels", create=True)

_TEMPLATED = (
    ("ReplicationController", "", "v1"),
    ("Deployment", "", ""),
    ("ReplicaSet", "", ""),
    ("DaemonSet", "", ""),
)
_TEMPLATE = "spec/template/metadata"
_JOB = "spec/jobTemplate"


def _templates(field: str) -> tuple[FieldSpec, ...]:
    kinds = (*_TEMPLATED, ("StatefulSet", "apps" if field == "labels" else "", ""))
    return (
        *(FieldSpec(f"{_TEMPLATE}/{field}", kind, group, version, create=True) for kind, group, version in kinds),
        FieldSpec(f"{_TEMPLATE}/{field}", "Job", "batch", create=True),
        FieldSpec(f"{_JOB}/metadata/{field}", "CronJob", "batch", create=True),
        FieldSpec(f"{_JOB}/spec/template/metadata/{field}", "CronJob", "batch", create=True),
    )


TEMPLATES = (
    *_templates("labels"),
    FieldSpec("spec/volumeClaimTemplates[]/metadata/labels", "StatefulSet", "apps", create=True),
)

_AFFINITIES = tuple(
    f"spec/template/spec/affinity/{kind}/{when}/labelSelector/matchLabels"
    for kind in ("podAffinity", "podAntiAffinity")
    for when in (
        "preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm",
        "requiredDuringSchedulingIgnoredDuringExecution",
    )
)
_SPREAD = "spec/template/spec/topologySpreadConstraints/labelSelector/matchLabels"

SELECTORS = (
    FieldSpec("spec/selector", "Service", "", "v1", create=True),
    FieldSpec("spec/selector", "ReplicationController", "", "v1", create=True),
    *(FieldSpec("spec/selector/matchLabels", kind, create=True) for kind in ("Deployment", "ReplicaSet", "DaemonSet")),
    FieldSpec("spec/selector/matchLabels", "StatefulSet", "apps", create=True),
    *(FieldSpec(path, kind, "apps") for kind in ("Deployment", "StatefulSet") for path in (*_AFFINITIES, _SPREAD)),
    FieldSpec("spec/selector/matchLabels", "Job", "batch"),
    FieldSpec(f"{_JOB}/spec/selector/matchLabels", "CronJob", "batch"),
    FieldSpec("spec/selector/matchLabels", "PodDisruptionBudget", "policy"),
    FieldSpec("spec/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io"),
    FieldSpec("spec/ingress/from/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io"),
    FieldSpec("spec/egress/to/podSelector/matchLabels", "NetworkPolicy", "networking.k8s.io"),
)

ANNOTATIONS = (FieldSpec("metadata/annotations", create=True), *_templates("annotations"))


def label(resources: Resources, pairs: Mapping[str, str], fields: Iterable[FieldSpec]) -> None:
    """Set the pairs in every field, of the kinds that each is for."""
    setter = paths.merge_texts(pairs)
    for resource in resources:
        for field in fields:
            if field.selects(resource.obj):
                paths.change(resource.obj, paths.split(field.path), setter, create={} if field.create else None)


def fields_of(entry: Mapping[str, Any]) -> tuple[FieldSpec, ...]:
    """Where an entry of `labels` goes. Raises KustomizeError."""
    own = tuple(
        FieldSpec(
            spec.get("path", ""),
            spec.get("kind", ""),
            spec.get("group", ""),
            spec.get("version", ""),
            create=bool(spec.get("create")),
        )
        for spec in entry.get("fields") or ()
    )
    if entry.get("includeSelectors"):
        if entry.get("includeTemplates") is False:
            raise KustomizeError("includeSelectors and includeTemplates cannot be used at the same time")
        return (METADATA, *SELECTORS, *TEMPLATES, *own)
    if entry.get("includeTemplates"):
        return (METADATA, *TEMPLATES, *own)
    return (METADATA, *own)
