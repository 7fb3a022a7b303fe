"""May this node do that: a table of resources, each with the rule for it; everything else by the static rules of `system:node`.

Pure. What admission (NodeRestriction) has to look at, because only the object tells, is allowed here: creating nodes, pods, leases.
Source of rules, orders and texts: upstream's plugin/pkg/auth/authorizer/node/node_authorizer.go, with AuthorizeNodeWithSelectors.
"""

from collections.abc import Callable

from steersman.apiserver.attributes import ALLOWED, NO_OPINION, Attributes, Decision
from steersman.apiserver.node_authorizer.graph import Thing
from steersman.apiserver.rbac import Grants

LEASE_NAMESPACE = "kube-node-lease"

Relates = Callable[[str, Thing], bool]
_Rule = Callable[[Relates, str, Attributes, str], Decision]  # the last: the subresource

_OWN_VERBS = frozenset(("get", "create", "update", "patch", "delete"))
_READS = frozenset(("get", "list", "watch"))


def decide(relates: Relates, static: Grants, node: str, asked: Attributes) -> Decision:
    """`relates(node, thing)` knows what belongs to whom."""
    if not node:
        return _no('unknown node for user "system:node:"')
    resource, _, sub = asked.resource.partition("/")
    rule = _RULES.get((asked.group, resource))
    if rule is not None:
        return rule(relates, node, asked, sub)
    return ALLOWED if static.answer(asked) else NO_OPINION


def _no(reason: str) -> Decision:
    return Decision(allowed=False, reason=reason)


def _related(relates: Relates, node: str, asked: Attributes) -> Decision:
    if not asked.name:
        return _no("No Object name found")
    if relates(node, Thing(asked.resource.partition("/")[0], asked.namespace, asked.name)):
        return ALLOWED
    return _no(f"no relationship found between node '{node}' and this object")


def _get(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    if asked.verb != "get":
        return _no("can only get individual resources of this type")
    if sub:
        return _no("cannot get subresource")
    return _related(relates, node, asked)


def _read(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    """Get, list and watch of one named object in a namespace."""
    if asked.verb not in _READS:
        return _no("can only read resources of this type")
    if sub:
        return _no("cannot read subresource")
    if not asked.namespace:
        return _no("can only read namespaced object of this type")
    return _related(relates, node, asked)


def _claim(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    if sub != "status":
        return _get(relates, node, asked, sub)
    if asked.verb not in ("update", "patch"):
        return _no("can only get/update/patch this type")
    return _related(relates, node, asked)


def _service_account(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    if asked.verb == "get" and not sub:
        return _read(relates, node, asked, sub)
    if asked.verb != "create" or not asked.name:
        return _no("can only create tokens for individual service accounts")
    if sub != "token":
        return _no("can only create token subresource of serviceaccount")
    return _related(relates, node, asked)


def _lease(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    if asked.verb not in _OWN_VERBS:
        return _no("can only get, create, update, patch, or delete a node lease")
    if asked.namespace != LEASE_NAMESPACE:
        return _no(f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
    if asked.verb != "create" and asked.name != node:
        return _no("can only access node lease with the same name as the requesting node")
    return ALLOWED


def _csi_node(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    if asked.verb not in _OWN_VERBS:
        return _no("can only get, create, update, patch, or delete a CSINode")
    if sub:
        return _no("cannot authorize CSINode subresources")
    if asked.verb != "create" and asked.name != node:
        return _no("can only access CSINode with the same name as the requesting node")
    return ALLOWED


def _resource_slice(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    if sub:
        return _no("cannot authorize ResourceSlice subresources")
    match asked.verb:
        case "create":
            return ALLOWED
        case "get" | "update" | "patch" | "delete":
            return _related(relates, node, asked)
        case "watch" | "list" | "deletecollection":
            if _selects(asked, node):
                return ALLOWED
            return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")
    return _no(
        "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, "
        "deletecollection"
    )


def _pod_certificate_request(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    if sub:
        return _no("nodes may not access the status subresource of PodCertificateRequests")
    match asked.verb:
        case "create":
            return ALLOWED
        case "get":
            return _related(relates, node, asked)
        case "list" | "watch":
            if _selects(asked, node):
                return ALLOWED
            return _no("can only list/watch podcertificaterequests with nodeName field selector")
    return _no(f"nodes may not {asked.verb} podcertificaterequests")


def _node(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    """By name, not by the graph: a node looks for itself before it is there."""
    match sub, asked.verb:
        case "", "create" | "update" | "patch":
            return ALLOWED
        case "", "get" | "list" | "watch":
            if asked.name == node:
                return ALLOWED
            if not asked.name:
                return _no(f"node '{node}' cannot read all nodes, only its own Node object")
            return _no(f"node '{node}' cannot read '{asked.name}', only its own Node object")
        case "status", "update" | "patch":
            return ALLOWED
    return NO_OPINION


def _pod(relates: Relates, node: str, asked: Attributes, sub: str) -> Decision:
    match sub, asked.verb:
        case "", "get":
            return _related(relates, node, asked)
        case "", "list" | "watch":
            if _selects(asked, node):
                return ALLOWED
            if asked.name:
                return _related(relates, node, asked)
            return _no("can only list/watch pods with spec.nodeName field selector")
        case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
            return ALLOWED
    return NO_OPINION


def _selects(asked: Attributes, node: str) -> bool:
    """Only what is on the node."""
    return any(one.equal and one.field == "spec.nodeName" and one.value == node for one in asked.fields)


_RULES: dict[tuple[str, str], _Rule] = {
    ("", "secrets"): _read,
    ("", "configmaps"): _read,
    ("", "persistentvolumeclaims"): _claim,
    ("", "persistentvolumes"): _get,
    ("resource.k8s.io", "resourceclaims"): _get,
    ("storage.k8s.io", "volumeattachments"): _get,
    ("", "serviceaccounts"): _service_account,
    ("coordination.k8s.io", "leases"): _lease,
    ("storage.k8s.io", "csinodes"): _csi_node,
    ("resource.k8s.io", "resourceslices"): _resource_slice,
    ("", "nodes"): _node,
    ("", "pods"): _pod,
    ("certificates.k8s.io", "podcertificaterequests"): _pod_certificate_request,
}
