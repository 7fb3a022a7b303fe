"""The old Endpoints object of a Service: the same endpoints as in its slices, in the old shape.

Terminating pods are left out (the old shape has no word for them) unless not-ready addresses are published.
At most 1,000 addresses, as upstream, with an annotation that says so.
"""

from collections.abc import Iterable, Mapping, Sequence

from steersman.api import kinds
from steersman.controllers import pods
from steersman.controllers.decision import Action, Create, Update
from steersman.controllers.endpointslice import endpoints
from steersman.controllers.endpointslice.endpoints import Ports
from steersman.meta import objects
from steersman.meta.objects import Object

ADDRESSES_MAX = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
MANAGER = "endpoint-controller"
HEADLESS = "service.kubernetes.io/headless"


def reconcile(
    service: Object, selected: Iterable[Object], existing: Object | None, trigger_time: str
) -> tuple[Action, ...]:
    found, truncated = _truncated(subsets(service, selected))
    labels = {**objects.labels(service), MANAGED_BY: MANAGER}
    if endpoints.is_headless(service):
        labels[HEADLESS] = ""
    before = objects.annotations(existing) if existing else {}
    annotations = _annotations(service, before, truncated)
    if existing is not None and _is_same(existing, found, labels, annotations):
        return ()
    if trigger_time:
        annotations[TRIGGER_TIME] = trigger_time
    meta: Object = {"name": objects.name(service), "namespace": objects.namespace(service)}
    if existing is not None:
        meta = {**existing["metadata"]}
        meta.pop("annotations", None)
    meta["labels"] = labels
    if annotations:
        meta["annotations"] = annotations
    new: Object = {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta}
    if found:
        new["subsets"] = found
    if existing is None:
        return (Create(kinds.ENDPOINTS, new),)
    return (Update(kinds.ENDPOINTS, new),)


def subsets(service: Object, selected: Iterable[Object]) -> list[Object]:
    """Addresses grouped by their ports, all in a fixed order."""
    everyone = endpoints.publishes_not_ready(service)
    family = endpoints.families(service)[0]
    groups: dict[Ports, tuple[list[Object], list[Object]]] = {}
    for pod in selected:
        if not endpoints.belongs(pod) or (pods.is_terminating(pod) and not everyone):
            continue
        found = endpoints.addresses(pod, family)
        ports = endpoints.ports(service, pod)
        if not found or (not ports and not _may_have_no_ports(service)):
            continue
        ready, not_ready = groups.setdefault(ports, ([], []))
        (ready if everyone or pods.is_ready(pod) else not_ready).append(_address(service, pod, found[0]))
    return [_subset(ports, *groups[ports]) for ports in sorted(groups, key=repr)]


def _may_have_no_ports(service: Object) -> bool:
    return endpoints.is_headless(service) and not service["spec"].get("ports")


def _address(service: Object, pod: Object, ip: str) -> Object:
    found: Object = {"ip": ip, "targetRef": endpoints.reference(pod)}
    if pods.node_name(pod):
        found["nodeName"] = pods.node_name(pod)
    if endpoints.hostname(service, pod):
        found["hostname"] = endpoints.hostname(service, pod)
    return found


def _subset(ports: Ports, ready: list[Object], not_ready: list[Object]) -> Object:
    found: Object = {}
    for field, addresses in (("addresses", ready), ("notReadyAddresses", not_ready)):
        if addresses:
            found[field] = sorted(addresses, key=lambda one: (one["ip"], one["targetRef"]["uid"]))
    if ports:
        found["ports"] = [port.in_endpoints() for port in ports]
    return found


def _truncated(found: list[Object]) -> tuple[list[Object], bool]:
    """Ready addresses first, then others, while there is room."""
    room = ADDRESSES_MAX
    if sum(_count(one) for one in found) <= room:
        return found, False
    kept: list[Object] = [dict(one) for one in found]
    for field in ("addresses", "notReadyAddresses"):
        for one in kept:
            one[field] = one.get(field, [])[:room]
            room -= len(one[field])
            if not one[field]:
                del one[field]
    return [one for one in kept if _count(one)], True


def _count(subset: Object) -> int:
    return len(subset.get("addresses") or ()) + len(subset.get("notReadyAddresses") or ())


def _annotations(service: Object, before: Mapping[str, str], truncated: bool) -> dict[str, str]:
    after = {key: value for key, value in before.items() if key not in (OVER_CAPACITY, TRIGGER_TIME)}
    return {**after, OVER_CAPACITY: "truncated"} if truncated else after


def _is_same(existing: Object, found: Sequence[Object], labels: object, annotations: Mapping[str, str]) -> bool:
    before = {key: value for key, value in objects.annotations(existing).items() if key != TRIGGER_TIME}
    return (existing.get("subsets") or []) == found and objects.labels(existing) == labels and before == annotations
