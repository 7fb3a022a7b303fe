"""PodTopologyLabels: a pod that gets a node carries that node's zone and region, so that containers can ask for them.

Reads: Nodes. Source: KEP-4742, upstream's plugin of this name.
"""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded, keys
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.store import contract

LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
_HINT = b'"topology.kubernetes.io/'


class TopologyLabels(Plugin):
    name = "PodTopologyLabels"

    def __init__(self, store: contract.Store, read: decoded.DecodedObjects) -> None:
        self._store = store
        self._objects = read

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and subresource in ("", "binding") and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        """Of a Binding, whose labels become the pod's, or of a pod that is made with its node. What either says itself stays."""
        node = _node_of(review)
        wanted = await self._labels(node) if node else {}
        meta = review.new.setdefault("metadata", {})
        mine = meta.get("labels") or {}
        if wanted.keys() <= mine.keys():
            return False
        meta["labels"] = {**wanted, **mine}
        return True

    async def _labels(self, node: str) -> dict[str, str]:
        """Most nodes have none, which is seen without reading them."""
        entry = await self._store.get(keys.key(kinds.NODE, "", node))
        if entry is None or _HINT not in entry.value:
            return {}
        found = objects.labels(self._objects.of(entry))
        return {label: found[label] for label in LABELS if label in found}


def _node_of(review: Review) -> str:
    obj: Object = review.new
    if review.call.target.subresource != "binding":
        return str((obj.get("spec") or {}).get("nodeName") or "")
    target = obj.get("target") or {}
    return str(target.get("name") or "") if target.get("kind") == "Node" else ""
