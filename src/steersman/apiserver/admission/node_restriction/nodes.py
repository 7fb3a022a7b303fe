"""Why a node may not do this to its Node object: labels and taints that lead pods to it are not its own to choose.

Pure: each answers a sentence of upstream's, "" when it may. Source: NodeRestriction, and the kubelet's well-known labels (KEP-279).
"""

from collections.abc import Iterable, Mapping

from steersman.meta import objects
from steersman.meta.objects import Object

_RESTRICTED = "node-restriction.kubernetes.io"
_KUBERNETES = ("kubernetes.io", "k8s.io")
_OF_KUBELETS = frozenset((
    "beta.kubernetes.io/arch",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "kubernetes.io/arch",
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
))  # fmt: skip
_NAMESPACES_OF_KUBELETS = ("kubelet.kubernetes.io", "node.kubernetes.io")


def creation(node: str, new: Object) -> str:
    if (new.get("spec") or {}).get("configSource") is not None:
        return f'node "{node}" is not allowed to create pods with a non-nil configSource'
    kept_from_it = _not_its_own(objects.labels(new))
    if kept_from_it:
        return f'node "{node}" is not allowed to set the following labels: {", ".join(kept_from_it)}'
    return ""


def update(node: str, new: Object, old: Object) -> str:
    spec, was = new.get("spec") or {}, old.get("spec") or {}
    source = spec.get("configSource")
    if source is not None and source != was.get("configSource"):
        return f'node "{node}" is not allowed to update configSource to a new non-nil configSource'
    if (spec.get("taints") or []) != (was.get("taints") or []):
        return f'node "{node}" is not allowed to modify taints'
    if (new["metadata"].get("ownerReferences") or []) != (old["metadata"].get("ownerReferences") or []):
        return f'node "{node}" is not allowed to modify ownerReferences'
    kept_from_it = _not_its_own(_changed(objects.labels(new), objects.labels(old)))
    if kept_from_it:
        return f"is not allowed to modify labels: {', '.join(kept_from_it)}"
    return ""


def _changed(new: Mapping[str, str], old: Mapping[str, str]) -> set[str]:
    return {name for name in new.keys() | old.keys() if new.get(name) != old.get(name)}


def _not_its_own(labels: Iterable[str]) -> list[str]:
    return sorted(name for name in labels if is_kept_from_it(name))


def is_kept_from_it(label: str) -> bool:
    """Whether a kubelet may not give its node this label."""
    prefix = label.partition("/")[0] if "/" in label else ""
    if _is_in(prefix, _RESTRICTED):
        return True
    of_kubernetes = any(_is_in(prefix, domain) for domain in _KUBERNETES)
    its_own = label in _OF_KUBELETS or any(_is_in(prefix, domain) for domain in _NAMESPACES_OF_KUBELETS)
    return of_kubernetes and not its_own


def _is_in(prefix: str, domain: str) -> bool:
    return prefix == domain or prefix.endswith(f".{domain}")
