"""TaintNodesByCondition: a new Node takes no pods before the node lifecycle controller has seen what it says of itself.

Without it a pod may be bound to a node that is there and not ready, in the moment before the controller taints it.
"""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver.admission.plugin import Operation, Plugin, Review

_TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodes(Plugin):
    name = "TaintNodesByCondition"

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.NODE and not subresource and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        spec = review.new.setdefault("spec", {})
        there = spec.get("taints") or []
        if any(all(one.get(part) == value for part, value in _TAINT.items()) for one in there):
            return False
        spec["taints"] = [*there, dict(_TAINT)]
        return True
