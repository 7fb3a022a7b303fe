"""Tell everyone which pods a Service leads to: EndpointSlices, and the old Endpoints object.

Reads: Service, the pods it selects, their nodes' zones, its slices and Endpoints.  Writes: EndpointSlices, Endpoints.
Leaves to others: Services without a selector (their owner writes the endpoints), deleting (garbage collector for slices;
the Endpoints object goes here, as it has no owner), routing (proxies).
"""

import dataclasses
from collections.abc import Mapping, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision, Emit
from steersman.controllers.endpointslice import endpoints, slices, subsets, topology
from steersman.controllers.endpointslice.endpoints import Ports
from steersman.controllers.endpointslice.slices import Wanted
from steersman.meta import objects
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`pods` are those the Service selects, `slices` those that name it and are ours. `zones` by node name.

    `cpu_shares`: of the zones, where the Service asks for hints by them.
    `trigger_time`: when the newest change of Service or pods happened, for latency measurements ("" if unknown).
    """

    service: Object | None
    pods: Sequence[Object] = ()
    slices: Sequence[Object] = ()
    endpoints: Object | None = None
    zones: Mapping[str, str] = dataclasses.field(default_factory=dict)
    trigger_time: str = ""
    cpu_shares: Mapping[str, float] | None = None


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
        groups = _groups(service, everyone, family, seen.zones)
        present = [one for one in seen.slices if one.get("addressType") == family]
        actions += _by_topology(seen, family, groups, present)
        actions += slices.reconcile(Wanted(service, family, groups, seen.trigger_time), present)
    others = [one for one in seen.slices if one.get("addressType") not in families]
    actions += [decision.delete(kinds.ENDPOINT_SLICE, one) for one in others]
    actions += subsets.reconcile(service, everyone, seen.endpoints, seen.trigger_time)
    return Decision(tuple(actions), f"{len(everyone)} pods with an address")


def _groups(
    service: Object, everyone: Sequence[Object], family: str, zones: Mapping[str, str]
) -> dict[Ports, dict[str, Object]]:
    groups: dict[Ports, dict[str, Object]] = {}
    distribution = None if topology.is_wanted(service) else service["spec"].get("trafficDistribution")
    for pod in everyone:
        entry = endpoints.endpoint(service, pod, family, zones, distribution)
        if entry is not None:
            groups.setdefault(endpoints.ports(service, pod), {})[objects.uid(pod)] = entry
    return groups


def _by_topology(
    seen: Seen, family: str, groups: Mapping[Ports, Mapping[str, Object]], present: Sequence[Object]
) -> list[Emit]:
    """Puts the hints into the entries of `groups`."""
    service = seen.service or {}
    if not topology.is_wanted(service):
        return []
    ready = [entry for group in groups.values() for entry in group.values() if entry["conditions"]["ready"]]
    were_there = any(entry.get("hints") for one in present for entry in one.get("endpoints") or ())
    try:
        found = topology.zones(ready, seen.cpu_shares)
    except topology.Refused as why:
        return topology.told(service, family, str(why), were_there=were_there)
    for entry, zone in zip(ready, found, strict=True):
        entry["hints"] = {"forZones": [{"name": zone}]}
    return topology.told(service, family, "", were_there=were_there)


def _service_gone(seen: Seen) -> Decision:
    """Only what we wrote: others' Endpoints of that name stay."""
    found = seen.endpoints
    if found is None or objects.labels(found).get(subsets.MANAGED_BY) != subsets.MANAGER:
        return Decision(why="nothing is left of the Service")
    return Decision((decision.delete(kinds.ENDPOINTS, found),), "the Service is gone")
