"""NamespaceLifecycle: nothing new where there is no namespace or one that is going; the system's own are not deleted."""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object

ACCESS_REVIEWS = "authorization.k8s.io"  # a question about a namespace must not tell whether it is there
IMMORTAL = frozenset(("default", "kube-system", "kube-public"))


class NamespaceLifecycle(Plugin):
    name = "NamespaceLifecycle"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        if operation == "CREATE":
            return kind.namespaced and kind.group != ACCESS_REVIEWS
        return kind is kinds.NAMESPACE and operation == "DELETE"

    async def mutate(self, review: Review) -> bool:
        if review.operation == "DELETE":
            self._check_deletable(review.name)
        else:
            await self._check_open(review.call, review.new)
        return False

    async def _check_open(self, call: Call, obj: Object) -> None:
        """Raises StatusError 404 or 403."""
        name = call.target.namespace
        namespace = await self._objects.get(kinds.NAMESPACE, "", name)
        if namespace is None:
            raise errors.not_found("namespaces", name)
        if namespace["metadata"].get("deletionTimestamp"):
            raise _terminating(call, obj["metadata"].get("name", ""))

    def _check_deletable(self, name: str) -> None:
        if name in IMMORTAL:
            raise errors.forbidden("namespaces", name, "this namespace may not be deleted")


def _terminating(call: Call, name: str) -> errors.StatusError:
    namespace = call.target.namespace
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    refusal = errors.forbidden(call.kind.plural, name, why, call.kind.group)
    refusal.status.setdefault("details", {})["causes"] = [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    return refusal
