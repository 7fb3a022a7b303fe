"""What storage of resource.k8s.io does beside checking fields: the time of taints, and who may have admin access.

Reads: Namespaces. Source: upstream's pkg/registry/resource strategies.
"""

from collections.abc import Iterator

from steersman.aio import clock as clocks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.validation import fields
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors, times
from steersman.meta.objects import Object

ADMIN_NAMESPACE = "resource.kubernetes.io/admin-access"


class TaintTimes(Plugin):
    """A taint says since when it is there."""

    def __init__(self, clock: clocks.Clock) -> None:
        self._clock = clock

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        of_devices = kind.stored in (kinds.RESOURCE_SLICE, kinds.DEVICE_TAINT_RULE)
        return of_devices and not subresource and operation in ("CREATE", "UPDATE")

    async def mutate(self, review: Review) -> bool:
        now, changed = times.format_seconds(self._clock.now()), False
        for taint in _taints(review.new):
            if not taint.get("timeAdded"):
                taint["timeAdded"] = now
                changed = True
        if review.call.kind.stored is kinds.DEVICE_TAINT_RULE and review.old is not None:
            [new], [old] = _taints(review.new), _taints(review.old)
            if new.get("effect") != old.get("effect") and new.get("timeAdded") == old.get("timeAdded"):
                new["timeAdded"] = now
                changed = True
        return changed


class AdminAccess(Plugin):
    """Only in namespaces that are marked for it."""

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        of_claims = kind.stored in (kinds.RESOURCE_CLAIM, kinds.RESOURCE_CLAIM_TEMPLATE)
        return of_claims and not subresource and operation == "CREATE"

    async def validate(self, review: Review) -> None:
        """Raises StatusError 422."""
        spec = review.new.get("spec") or {}
        if review.call.kind.stored is kinds.RESOURCE_CLAIM_TEMPLATE:
            spec = spec.get("spec") or {}
        for index, request in enumerate((spec.get("devices") or {}).get("requests") or ()):
            if not (request.get("exactly") or request).get("adminAccess"):
                continue
            name = review.new["metadata"].get("namespace", "")
            space = await self._objects.get(kinds.NAMESPACE, "", name) or {"metadata": {}}
            if (space["metadata"].get("labels") or {}).get(ADMIN_NAMESPACE) != "true":
                text = (
                    f"admin access to devices requires the `{ADMIN_NAMESPACE}: true` label on the containing namespace"
                )
                found = fields.forbidden(f"spec.devices.requests[{index}].adminAccess", text)
                kind = review.call.kind
                raise errors.invalid(kind.kind, review.new["metadata"].get("name", ""), [found], kind.group)
            return


def _taints(obj: Object) -> Iterator[Object]:
    """Of a rule its one, of a slice those of all its devices, in whatever version."""
    spec = obj.get("spec") or {}
    if isinstance(spec.get("taint"), dict):
        yield spec["taint"]
    for device in spec.get("devices") or ():
        yield from (device.get("basic") or device).get("taints") or ()
