"""DefaultIngressClass: a new Ingress that names no class gets the cluster's default one.

Reads: IngressClasses. Of several defaults the newest counts; of those made in one second, the first by name.
"""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.validation.ingresses import CLASS_ANNOTATION
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import objects

DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"


class DefaultIngressClass(Plugin):
    name = "DefaultIngressClass"

    def __init__(self, known: decoded.DecodedObjects) -> None:
        self._known = known

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.INGRESS and not subresource and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        spec = review.new.setdefault("spec", {})
        if spec.get("ingressClassName") is not None or CLASS_ANNOTATION in objects.annotations(review.new):
            return False
        found = [
            one
            for one in await self._known.list(kinds.INGRESS_CLASS)
            if objects.annotations(one).get(DEFAULT_ANNOTATION) == "true"
        ]
        if not found:
            return False
        found.sort(key=objects.name)
        newest = max(found, key=lambda one: str(one["metadata"].get("creationTimestamp") or ""))
        spec["ingressClassName"] = objects.name(newest)
        return True
