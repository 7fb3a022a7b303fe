"""NamespaceLifecycle: nothing new where there is no namespace or one that is going; the system's own are not deleted."""

from steersman.api import kinds
from steersman.apiserver import decoded
from steersman.apiserver.call import Call
from steersman.meta import errors
from steersman.meta.objects import Object

IMMORTAL = frozenset(("default", "kube-system", "kube-public"))


class NamespaceLifecycle:
    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    async def check_open(self, call: Call, obj: Object) -> None:
        """Raises StatusError 404 or 403."""
        name = call.target.namespace
        namespace = await self._objects.get(kinds.NAMESPACE, "", name)
        if namespace is None:
            raise errors.not_found("namespaces", name)
        if namespace["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {name} because it is being terminated"
            refusal = errors.forbidden(call.kind.plural, obj["metadata"].get("name", ""), why, call.kind.group)
            refusal.status.setdefault("details", {})["causes"] = [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {name} is being terminated",
                    "field": "metadata.namespace",
                }
            ]
            raise refusal

    def check_deletable(self, call: Call, obj: Object) -> None:
        name = obj["metadata"]["name"]
        if name in IMMORTAL:
            raise errors.forbidden("namespaces", name, "this namespace may not be deleted")
