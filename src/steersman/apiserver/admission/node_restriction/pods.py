"""Why a node may not do this to a pod. Pure: each answers a sentence of upstream's, "" when it may."""

from steersman.api import pod_references
from steersman.meta import objects
from steersman.meta.objects import Object

MIRROR = "kubernetes.io/config.mirror"


def mirror(node: str, pod: Object) -> str:
    """Of a new pod: it shows a static pod of this node, and belongs to its Node (whose uid is for `owner` to see)."""
    itself = "set to itself"
    if MIRROR not in objects.annotations(pod):
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if node_of(pod) != node:
        return f'node "{node}" can only create pods with spec.nodeName {itself}'
    owners = pod["metadata"].get("ownerReferences") or []
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference {itself}'
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f'node "{node}" can only create pods with an owner reference {itself}'
    if not owner.get("controller"):
        return f'node "{node}" can only create pods with a controller owner reference {itself}'
    if owner.get("blockOwnerDeletion"):
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    return ""


def owner(node: Object, pod: Object) -> str:
    """Of a pod that `mirror` let through: it belongs to the Node that there is now."""
    [reference] = pod["metadata"]["ownerReferences"]
    if reference.get("uid") == objects.uid(node):
        return ""
    return f"node {objects.name(node)} UID mismatch: expected {reference.get('uid', '')} got {objects.uid(node)}"


def references(node: str, pod: Object) -> str:
    """It leads to no other object: a node could make itself pods to read what it likes by."""
    what = pod_references.first(pod)
    return f'node "{node}" can not create pods that reference {what}' if what else ""


def status(node: str, pod: Object, old: Object) -> str:
    if node_of(old) != node:
        return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    if objects.labels(pod) != objects.labels(old):
        return f'node "{node}" cannot update labels through pod status'
    new, was = pod.get("status") or {}, old.get("status") or {}
    if (new.get("resourceClaimStatuses") or []) != (was.get("resourceClaimStatuses") or []):
        return f'node "{node}" cannot update resource claim statues'
    if new.get("extendedResourceClaimStatus") != was.get("extendedResourceClaimStatus"):
        return f'node "{node}" cannot update extended resource claim status'
    return ""


def deletion(node: str, old: Object) -> str:
    return "" if node_of(old) == node else f'node "{node}" can only delete pods with spec.nodeName set to itself'


def eviction(node: str, pod: Object) -> str:
    return "" if node_of(pod) == node else f"node {node} can only evict pods with spec.nodeName set to itself"


def node_of(pod: Object) -> str:
    """Where it runs; "" where it is bound to no node."""
    return str((pod.get("spec") or {}).get("nodeName") or "")
