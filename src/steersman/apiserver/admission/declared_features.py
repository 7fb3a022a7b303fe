"""NodeDeclaredFeatureValidator: a pod that has a node changes to nothing that its node does not say it can.

Reads: Nodes (status.declaredFeatures). Source: KEP-5328; features by upstream's names.
"""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors, quantities
from steersman.meta.objects import Object

CPU_OF_GUARANTEED = "GuaranteedQoSPodCPUResize"
OF_WHOLE_PODS = "InPlacePodLevelResourcesVerticalScaling"


class DeclaredFeatures(Plugin):
    name = "NodeDeclaredFeatureValidator"

    def __init__(self, read: decoded.DecodedObjects) -> None:
        self._objects = read

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and subresource in ("", "resize") and operation == "UPDATE"

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403."""
        assert review.old is not None
        node, wanted = (review.new.get("spec") or {}).get("nodeName"), required(review.old, review.new)
        if not node or not wanted:
            return
        found = await self._objects.get(kinds.NODE, "", node)
        if found is None:
            raise errors.forbidden("pods", review.name, f'node "{node}" not found')
        missing = [one for one in wanted if one not in ((found.get("status") or {}).get("declaredFeatures") or ())]
        if missing:
            why = f'pod update requires features {", ".join(missing)} which are not available on node "{node}"'
            raise errors.forbidden("pods", review.name, why)


def required(old: Object, new: Object) -> list[str]:
    """What a node has to be able to for this change. Pure."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    found = []
    if (old.get("status") or {}).get("qosClass") == "Guaranteed" and _cpus(before) != _cpus(after):
        found.append(CPU_OF_GUARANTEED)
    if before.get("resources") != after.get("resources"):
        found.append(OF_WHOLE_PODS)
    return found


def _cpus(spec: Object) -> dict[str, int]:
    """Requested by each container, in billionths."""
    return {
        one["name"]: quantities.parse(str(asked.get("cpu", "0"))).nanos
        for field in ("initContainers", "containers")
        for one in spec.get(field) or ()
        for asked in [(one.get("resources") or {}).get("requests") or {}]
    }
