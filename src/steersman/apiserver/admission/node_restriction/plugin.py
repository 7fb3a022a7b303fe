"""Which rule a write of a node falls under.

Keeps true: whoever holds a node's certificate changes nothing but that node, what runs on it, and what they need there.
Leaves to others: what a node may read, and which kinds it may write at all (authorization).
Source: upstream's plugin/pkg/admission/noderestriction.
"""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import authorization, decoded
from steersman.apiserver.admission.node_restriction import certificates, claims, nodes, pods, tokens
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors
from steersman.meta.objects import Object

LEASES = "kube-node-lease"

_RESTRICTED = frozenset((
    ("", "nodes"), ("", "persistentvolumeclaims"), ("", "pods"), ("", "serviceaccounts"),
    ("certificates.k8s.io", "certificatesigningrequests"), ("certificates.k8s.io", "podcertificaterequests"),
    ("coordination.k8s.io", "leases"), ("resource.k8s.io", "resourceslices"), ("storage.k8s.io", "csinodes"),
))  # fmt: skip


class NodeRestriction(Plugin):
    """Asked in the phase where others complete objects, as upstream's."""

    name = "NodeRestriction"

    def __init__(self, objects: decoded.DecodedObjects, authorizer: authorization.Authorizer) -> None:
        self._objects = objects
        self._authorizer = authorizer

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return (kind.group, kind.plural) in _RESTRICTED and operation != "CONNECT"

    async def mutate(self, review: Review) -> bool:
        """Changes nothing. Raises StatusError 403, or 404 where what is asked about is not there."""
        node = review.call.user.node
        if node is None:
            return False
        why = await self._refusal(node, review) if node else _no_name(review)
        if why:
            kind = review.call.kind
            raise errors.forbidden(kind.plural, _name(review), why, kind.group)
        return False

    async def _refusal(self, node: str, review: Review) -> str:
        """ "" when the node may do it."""
        match review.call.kind.plural:
            case "pods":
                return await self._of_pod(node, review)
            case "nodes":
                return _of_node(node, review)
            case "persistentvolumeclaims":
                return _of_claim(node, review)
            case "serviceaccounts":
                return await self._of_account(node, review)
            case "leases":
                return _of_lease(node, review)
            case "csinodes":
                its_own = review.name == node
                return "" if its_own else "can only access CSINode with the same name as the requesting node"
            case "resourceslices":
                return _of_slice(node, review)
            case "certificatesigningrequests":
                return certificates.of_node(node, review.new) if review.operation == "CREATE" else ""
        return await self._of_pod_certificate(node, review)

    async def _of_pod(self, node: str, review: Review) -> str:
        operation = review.operation
        match review.call.target.subresource:
            case "status" if operation == "UPDATE":
                assert review.old is not None
                return pods.status(node, review.new, review.old)
            case "":
                return await self._of_whole_pod(node, review)
            case "eviction" if operation == "CREATE":
                return pods.eviction(node, await self._get(kinds.POD, review.namespace, review.call.target.name))
            case "status":
                return f'unexpected operation "{operation}"'
            case "eviction":
                return f"unexpected operation {operation}"
            case other:
                return f"unexpected pod subresource \"{other}\", only 'status' and 'eviction' are allowed"

    async def _of_whole_pod(self, node: str, review: Review) -> str:
        if review.operation == "DELETE":
            assert review.old is not None
            return pods.deletion(node, review.old)
        if review.operation != "CREATE":
            return f'unexpected operation "{review.operation}", node "{node}" can only create and delete mirror pods'
        pod = review.new
        why = pods.mirror(node, pod)
        return why or pods.owner(await self._get(kinds.NODE, "", node), pod) or pods.references(node, pod)

    async def _of_account(self, node: str, review: Review) -> str:
        if (review.operation, review.call.target.subresource) != ("CREATE", "token"):
            return ""
        return await tokens.refusal(node, review, self._objects, self._authorizer)

    async def _of_pod_certificate(self, node: str, review: Review) -> str:
        if review.operation != "CREATE":
            return f"unexpected operation {review.operation}"
        return await certificates.of_pod(node, review, self._objects, self._authorizer)

    async def _get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Raises StatusError 404."""
        found = await self._objects.get(kind, namespace, name)
        if found is None:
            raise errors.not_found(kind.singular, name)
        return found


def _of_node(node: str, review: Review) -> str:
    if review.name != node:
        return f'node "{node}" is not allowed to modify node "{review.name}"'
    if review.operation == "CREATE":
        return nodes.creation(node, review.new)
    if review.operation == "UPDATE":
        assert review.old is not None
        return nodes.update(node, _sent(review), review.old)
    return ""


def _of_claim(node: str, review: Review) -> str:
    if review.call.target.subresource != "status":
        return "may only update PVC status"
    assert review.old is not None
    return claims.status(node, _sent(review), review.old)


def _of_lease(node: str, review: Review) -> str:
    if review.namespace != LEASES:
        return f'can only access leases in the "{LEASES}" system namespace'
    return "" if review.name == node else "can only access node lease with the same name as the requesting node"


def _of_slice(node: str, review: Review) -> str:
    """Others than these are for authorization, which does not see what is created, nor each object of a collection."""
    if review.operation == "UPDATE":
        return ""
    new, word = (review.new, "create") if review.operation == "CREATE" else (review.old, "delete")
    its_own = ((new or {}).get("spec") or {}).get("nodeName") == node
    return "" if its_own else f"can only {word} ResourceSlice with the same NodeName as the requesting node"


def _no_name(review: Review) -> str:
    return f'could not determine node from user "{review.call.user.name}"'


def _sent(review: Review) -> Object:
    return review.sent if review.sent is not None else review.new


def _name(review: Review) -> str:
    """The name in a refusal of what has none yet."""
    return review.name or str(review.new["metadata"].get("generateName") or "Unknown")
