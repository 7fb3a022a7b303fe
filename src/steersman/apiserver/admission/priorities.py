"""What a PriorityClass gives to pods and to groups of pods: upstream's Priority admission plugin.

Reads: PriorityClasses.
"""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors
from steersman.meta.objects import Object

PREEMPTS = "PreemptLowerPriority"
_GROUPS = (kinds.POD_GROUP_V1BETA1, kinds.COMPOSITE_POD_GROUP_V1ALPHA3, kinds.WORKLOAD_V1BETA1)


class Classes:
    def __init__(self, objects: decoded.DecodedObjects, resource: str, what: str, group: str = "") -> None:
        self._objects = objects
        self._resource = resource
        self._group = group
        self._what = what

    async def fill(self, spec: Object, name: str) -> None:
        """`priority` of the named class, of the cluster's default class, or 0. Raises StatusError 403."""
        wanted = spec.get("priorityClassName", "")
        chosen = await self._named(name, wanted) if wanted else await self._default()
        if chosen is None:
            value, policy = 0, PREEMPTS
        else:
            value, policy = chosen.get("value", 0), chosen.get("preemptionPolicy") or PREEMPTS
            spec["priorityClassName"] = chosen["metadata"]["name"]
        given = spec.get("priority")
        if given is not None and given != value:
            why = (
                f"the integer value of priority ({given}) must not be provided in {self._what}; "
                f"priority admission controller computed {value} from the given PriorityClass name"
            )
            raise errors.forbidden(self._resource, name, why, self._group)
        spec["priority"] = value
        spec.setdefault("preemptionPolicy", policy)

    async def _named(self, name: str, wanted: str) -> Object:
        found = await self._objects.get(kinds.PRIORITY_CLASS, "", wanted)
        if found is None:
            raise errors.forbidden(self._resource, name, f"no PriorityClass with name {wanted} was found", self._group)
        return found

    async def _default(self) -> Object | None:
        """Of several classes that call themselves the default, the one of the lowest value."""
        found = [one for one in await self._objects.list(kinds.PRIORITY_CLASS) if one.get("globalDefault")]
        return min(found, key=lambda one: int(one.get("value", 0)), default=None)


class OfPods(Plugin):
    name = "Priority"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._classes = Classes(objects, "pods", "pod spec")

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.POD and not subresource and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        await self._classes.fill(review.new.setdefault("spec", {}), review.new["metadata"].get("name", ""))
        return True


class OfGroups(Plugin):
    """Of PodGroups, CompositePodGroups and the templates of Workloads."""

    name = "Priority"

    def __init__(self, objects: decoded.DecodedObjects) -> None:
        self._objects = objects

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind.stored in _GROUPS and not subresource and operation == "CREATE"

    async def mutate(self, review: Review) -> bool:
        kind, spec = review.call.kind, review.new.setdefault("spec", {})
        classes = Classes(self._objects, kind.plural, f"{kind.singular} spec", kind.group)
        for one in _templates(spec) if kind.stored is kinds.WORKLOAD_V1BETA1 else [spec]:
            await classes.fill(one, review.new["metadata"].get("name", ""))
        return True


def _templates(spec: Object) -> Iterator[Object]:
    yield from spec.get("podGroupTemplates") or ()
    for one in spec.get("compositePodGroupTemplates") or ():
        yield one
        yield from _templates(one)
