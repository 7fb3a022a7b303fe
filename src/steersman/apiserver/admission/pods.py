"""DefaultTolerationSeconds: what every pod gets, also one whose tolerations were written anew."""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta.objects import Object

_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class OfNewPods(Plugin):
    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and not subresource and operation == "CREATE"


class DefaultTolerations(OfNewPods):
    """A pod stays on a node that is lost for `seconds`, unless it says otherwise itself."""

    name = "DefaultTolerationSeconds"

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and not subresource and operation in ("CREATE", "UPDATE")

    async def mutate(self, review: Review) -> bool:
        spec = review.new.setdefault("spec", {})
        present = spec.get("tolerations") or []
        missing = [
            {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": self._seconds}
            for taint in _TAINTS
            if not any(_covers(toleration, taint) for toleration in present)
        ]
        if missing:
            spec["tolerations"] = [*present, *missing]
        return bool(missing)


def _covers(toleration: Object, taint: str) -> bool:
    return toleration.get("key", "") in (taint, "") and toleration.get("effect", "") in ("NoExecute", "")
