"""Tell everyone which pods a Service leads to: EndpointSlices, and the old Endpoints object.

Reads: Service, the pods it selects, their nodes' zones, its slices and Endpoints.  Writes: EndpointSlices, Endpoints.
Leaves to others: Services without a selector (their owner writes the endpoints), deleting (garbage collector for slices;
the Endpoints object goes here, as it has no owner), routing (proxies).
"""

import dataclasses
from collections.abc import Mapping, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision
from steersman.controllers.endpointslice import endpoints, slices, subsets
from steersman.controllers.endpointslice.endpoints import Ports
from steersman.controllers.endpointslice.slices import Wanted
from steersman.meta import objects
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`pods` are those the Service selects, `slices` those that name it and are ours. `zones` by node name.

    `trigger_time`: when the newest change of Service or pods happened, for latency measurements ("" if unknown).
    """

    service: Object | None
    pods: Sequence[Object] = ()
    slices: Sequence[Object] = ()
    endpoints: Object | None = None
    zones: Mapping[str, str] = dataclasses.field(default_factory=dict)
    trigger_time: str = ""


def decide(seen: Seen) -> Decision:
    service = seen.service
    if service is None:
        return _service_gone(seen)
    if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
        return Decision(why="its endpoints are not ours to write")
    if objects.is_terminating(service):
        return Decision(why="being deleted: the garbage collector removes the slices")
    everyone = sorted((pod for pod in seen.pods if endpoints.belongs(pod)), key=objects.name)
    actions: list[Action] = []
    families = endpoints.families(service)
    for family in families:
        wanted = Wanted(service, family, _groups(service, everyone, family, seen.zones), seen.trigger_time)
        actions += slices.reconcile(wanted, [one for one in seen.slices if one.get("addressType") == family])
    others = [one for one in seen.slices if one.get("addressType") not in families]
    actions += [decision.delete(kinds.ENDPOINT_SLICE, one) for one in others]
    actions += subsets.reconcile(service, everyone, seen.endpoints, seen.trigger_time)
    return Decision(tuple(actions), f"{len(everyone)} pods with an address")


def _groups(
    service: Object, everyone: Sequence[Object], family: str, zones: Mapping[str, str]
) -> dict[Ports, dict[str, Object]]:
    groups: dict[Ports, dict[str, Object]] = {}
    for pod in everyone:
        entry = endpoints.endpoint(service, pod, family, zones)
        if entry is not None:
            groups.setdefault(endpoints.ports(service, pod), {})[objects.uid(pod)] = entry
    return groups


def _service_gone(seen: Seen) -> Decision:
    """Only what we wrote: others' Endpoints of that name stay."""
    found = seen.endpoints
    if found is None or objects.labels(found).get(subsets.MANAGED_BY) != subsets.MANAGER:
        return Decision(why="nothing is left of the Service")
    return Decision((decision.delete(kinds.ENDPOINTS, found),), "the Service is gone")
