"""Priority and DefaultTolerationSeconds: what every new pod gets."""

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors
from steersman.meta.objects import Object

_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class OfNewPods(Plugin):
    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and not subresource and operation == "CREATE"


class Priorities(OfNewPods):
    """Reads: PriorityClasses."""

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    async def mutate(self, review: Review) -> bool:
        """`spec.priority` of the named class, of the cluster's default class, or 0. Raises StatusError 403."""
        pod = review.new
        spec = pod.setdefault("spec", {})
        name = spec.get("priorityClassName", "")
        chosen = await self._named(pod, name) if name else await self._default()
        if chosen is None:
            value, policy = 0, "PreemptLowerPriority"
        else:
            value, policy = chosen.get("value", 0), chosen.get("preemptionPolicy") or "PreemptLowerPriority"
            spec["priorityClassName"] = chosen["metadata"]["name"]
        given = spec.get("priority")
        if given is not None and given != value:
            why = (
                f"the integer value of priority ({given}) must not be provided in pod spec; "
                f"priority admission controller computed {value} from the given PriorityClass name"
            )
            raise errors.forbidden("pods", pod["metadata"].get("name", ""), why)
        spec["priority"] = value
        spec.setdefault("preemptionPolicy", policy)
        return True

    async def _named(self, pod: Object, name: str) -> Object:
        found = await self._objects.get(kinds.PRIORITY_CLASS, "", name)
        if found is None:
            raise errors.forbidden(
                "pods", pod["metadata"].get("name", ""), f"no PriorityClass with name {name} was found"
            )
        return found

    async def _default(self) -> Object | None:
        """Of several classes that call themselves the default, the one of the lowest value."""
        found = [one for one in await self._objects.list(kinds.PRIORITY_CLASS) if one.get("globalDefault")]
        return min(found, key=lambda one: int(one.get("value", 0)), default=None)


class DefaultTolerations(OfNewPods):
    """A pod stays on a node that is lost for `seconds`, unless it says otherwise itself."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

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
