"""Give Services of type LoadBalancer their addresses, on machines that no cloud looks after.

With a pool, each Service has an address of it (two of different families, where it asks for both); when none is free, one whose
ports it does not want. Without a pool, it has the addresses of the nodes: all that are ready, or with
`externalTrafficPolicy: Local` those with ready endpoints. What a Service has, it keeps.

Reads: Services, Nodes, EndpointSlices, ConfigMap `kube-system/load-balancer`.  Writes: `status.loadBalancer` of Services, Events.
Leaves to others: packets (proxy), announcing the addresses of a pool (network), Services with another `loadBalancerClass`.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision, Emit
from steersman.meta import conditions, objects
from steersman.meta.address_pools import Pool
from steersman.meta.objects import Object

CLASS = "steersman.io/load-balancer"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
VERSIONS = {"IPv4": 4, "IPv6": 6}
NODE_PORTS_TAKEN = frozenset((10249, 10250, 10256))  # kubelet and proxy answer there: not to be led elsewhere

Port = tuple[str, int]
"""Protocol and number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`services` are all that are ours, `nodes` all there are; `local` names the nodes with ready endpoints of a Service by its
    key. `problem` is what is wrong with the pool, "" if nothing."""

    services: Sequence[Object]
    nodes: Sequence[Object]
    local: Mapping[str, frozenset[str]]
    pool: Pool
    problem: str = ""


def decide(seen: Seen) -> Decision:
    """The oldest Service is served first, but nobody loses what they have."""
    taken: dict[str, set[Port]] = {}
    actions: list[Action] = []
    waiting = sorted(
        seen.services, key=lambda one: (str(one["metadata"].get("creationTimestamp") or ""), objects.key(one))
    )
    holders = [one for one in waiting if _held(one)]
    for service in [*holders, *(one for one in waiting if not _held(one))]:
        found = _from_pool(service, seen.pool, taken) if seen.pool else _from_nodes(service, seen, taken)
        for address in found:
            taken.setdefault(address, set()).update(ports_of(service))
        actions += _written(service, found, seen)
    return Decision(tuple(actions), f"{len(waiting)} load balancers")


def is_ours(service: Object) -> bool:
    spec = service.get("spec") or {}
    named = spec.get("loadBalancerClass")
    return spec.get("type") == "LoadBalancer" and named in (None, CLASS) and not objects.is_terminating(service)


def ports_of(service: Object) -> set[Port]:
    return {(one.get("protocol") or "TCP", one.get("port", 0)) for one in service["spec"].get("ports") or ()}


def _held(service: Object) -> list[str]:
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [one["ip"] for one in ingress if one.get("ip")]


def _from_pool(service: Object, pool: Pool, taken: Mapping[str, set[Port]]) -> list[str]:
    ports, found = ports_of(service), []
    for family in _families(service):
        version = VERSIONS[family]
        held = [text for text in _held(service) if (":" in text) == (version == 6)]
        asked = service["spec"].get("loadBalancerIP") or ""
        first = [asked] if asked and (":" in asked) == (version == 6) else held
        fitting = [one for one in first if one in pool and not taken.get(one, set()) & ports]
        if not fitting and not asked:
            fitting = _free(pool, version, ports, taken)
        found += fitting[:1]
    return found


def _free(pool: Pool, version: int, ports: set[Port], taken: Mapping[str, set[Port]]) -> list[str]:
    """An address nobody has, else one that is free for these ports."""
    shared = ""
    for address in pool.addresses(version):
        if address not in taken:
            return [address]
        if not shared and not taken[address] & ports:
            shared = address
    return [shared] if shared else []


def _from_nodes(service: Object, seen: Seen, taken: Mapping[str, set[Port]]) -> list[str]:
    ports = ports_of(service)
    if any(protocol == "TCP" and number in NODE_PORTS_TAKEN for protocol, number in ports):
        return []
    usable = [node for node in seen.nodes if _may_balance(node)]
    if service["spec"].get("externalTrafficPolicy") == "Local":
        local = seen.local.get(objects.key(service), frozenset())
        usable = [node for node in usable if objects.name(node) in local]
    found = []
    for family in _families(service):
        for node in sorted(usable, key=objects.name):
            address = _address(node, VERSIONS[family])
            if address and not taken.get(address, set()) & ports:
                found.append(address)
    return found


def _families(service: Object) -> Iterable[str]:
    return service["spec"].get("ipFamilies") or ("IPv4",)


def _may_balance(node: Object) -> bool:
    return (
        conditions.is_true(node, "Ready") and not objects.is_terminating(node) and EXCLUDED not in objects.labels(node)
    )


def _address(node: Object, version: int) -> str:
    """An address for others before one of the cluster's own."""
    listed = (node.get("status") or {}).get("addresses") or ()
    for kind in ("ExternalIP", "InternalIP"):
        for one in listed:
            if one.get("type") == kind and (":" in one.get("address", "")) == (version == 6):
                return str(one["address"])
    return ""


def _written(service: Object, found: list[str], seen: Seen) -> Iterable[Action]:
    status = service.get("status") or {}
    ingress = [{"ip": address, "ipMode": "VIP"} for address in found]
    before = (status.get("loadBalancer") or {}).get("ingress") or []
    if before == ingress:
        return
    balancer: Object = {"ingress": ingress} if ingress else {}
    yield from decision.with_status(kinds.SERVICE, service, {**status, "loadBalancer": balancer})
    if ingress:
        yield Emit(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
    else:
        why = seen.problem or ("the pool has no free address" if seen.pool else "no node has these ports free")
        yield Emit(service, "Warning", "SyncLoadBalancerFailed", f"Error syncing load balancer: {why}")
