"""What claims and volumes get when they are made (a class) and what may be asked of them later.

DefaultStorageClass, PersistentVolumeClaimResize. Reads: StorageClasses.
"""

from steersman.aio import clock as clocks
from steersman.api import kinds, volumes
from steersman.api.kind import Kind
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors, times
from steersman.meta.objects import Object

_NOT_EXPANDABLE = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"
)


class DefaultStorageClass(Plugin):
    """A claim that says nothing about its class gets the default one, if there is one."""

    name = "DefaultStorageClass"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.PERSISTENT_VOLUME_CLAIM and not subresource and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        claim = review.new
        if volumes.has_class(claim):
            return False
        found = volumes.default_class(await self._objects.list(kinds.STORAGE_CLASS))
        if found is None:
            return False
        claim["spec"] = {**(claim.get("spec") or {}), "storageClassName": found["metadata"]["name"]}
        return True


class ClaimResize(Plugin):
    """A claim grows only when it is bound, and its class says that its volumes can."""

    name = "PersistentVolumeClaimResize"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.PERSISTENT_VOLUME_CLAIM and not subresource and operation == "UPDATE"

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403."""
        new, old = review.new, review.old
        assert old is not None
        if volumes.requested_bytes(new) <= volumes.requested_bytes(old):
            return
        if (old.get("status") or {}).get("phase") != "Bound":
            raise _refused(new, "Only bound persistent volume claims can be expanded")
        name = volumes.class_of(new)
        found = await self._objects.get(kinds.STORAGE_CLASS, "", name) if name else None
        if found is None or name != volumes.class_of(old) or not found.get("allowVolumeExpansion"):
            raise _refused(new, _NOT_EXPANDABLE)


class PhaseTransitions(Plugin):
    """`lastPhaseTransitionTime` of a volume moves with its phase, where the writer does not say it himself."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.PERSISTENT_VOLUME and subresource == "status" and operation == "UPDATE"

    async def mutate(self, review: Review) -> bool:
        new, old = review.new.get("status") or {}, (review.old or {}).get("status") or {}
        field = "lastPhaseTransitionTime"
        if new.get("phase") == old.get("phase") or new.get(field) not in (None, old.get(field)):
            return False
        review.new["status"] = {**new, field: times.format_seconds(self._clock.now())}
        return True


def _refused(claim: Object, why: str) -> errors.StatusError:
    return errors.forbidden("persistentvolumeclaims", claim["metadata"].get("name", ""), why)
