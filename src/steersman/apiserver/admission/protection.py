"""What is in use is not deleted: it is made with a finalizer, which a controller takes away when nobody uses it any more.

StorageObjectInUseProtection, PodGroupProtection.
"""

from steersman.api import kinds, pod_groups, volumes
from steersman.api.kind import Kind
from steersman.apiserver.admission.plugin import Operation, Plugin, Review

_FINALIZERS = {
    kinds.PERSISTENT_VOLUME: volumes.VOLUME_PROTECTION,
    kinds.PERSISTENT_VOLUME_CLAIM: volumes.CLAIM_PROTECTION,
    kinds.VOLUME_ATTRIBUTES_CLASS: volumes.ATTRIBUTES_PROTECTION,
    kinds.POD_GROUP_V1BETA1: pod_groups.PROTECTION,
}


class InUse(Plugin):
    name = "StorageObjectInUseProtection"

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind.stored in _FINALIZERS and not subresource and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        meta, ours = review.new["metadata"], _FINALIZERS[review.call.kind.stored]
        present = meta.get("finalizers") or []
        if ours in present:
            return False
        meta["finalizers"] = [*present, ours]
        return True
