"""What the packet rules must say for a set of Services: pure, one Service at a time.

Reads: Services, EndpointSlices, the place whose rules these are (a node, in one address family).
Answers: `Elements`, the wanted content of the maps that `nftables.py` lays out. A change of one endpoint changes one element.
Leaves to others: Services with the label `service.kubernetes.io/service-proxy-name`, headless and ExternalName Services.

Rules of the house, from Kubernetes' "Virtual IPs and Service Proxies": only ready endpoints get connections; where there is none,
those that are terminating but still serving do; where there is none at all, connections are refused. A traffic policy of `Local`
means endpoints of this node only, and silence (not refusal) where it has none.
"""

import contextlib
import dataclasses
import functools
import ipaddress
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

from steersman.meta import objects
from steersman.meta.objects import Object

PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
AFFINITY_SECONDS = 10_800  # upstream's default of sessionAffinityConfig.clientIP.timeoutSeconds

Element = tuple[str, str]
"""(map or set, key), both as nftables writes them."""

SLOTS_MAX = 0x10000  # what fits behind the colon of an endpoint's number, which nftables writes `0:HEX`

Elements = dict[Element, str]
"""Element → value; empty for a set."""

REFUSE = "goto refuse"
DROP = "drop"


FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where rules are: on a node ("" on a host, where no pod is local) of a zone, for packets of one address family."""

    node: str = ""
    zone: str = ""
    family: str = "IPv4"


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """`for_nodes` and `for_zones` are hints: who had better use it. Empty: everybody."""

    address: str
    port: int
    ready: bool
    serving: bool
    terminating: bool
    node: str
    for_nodes: tuple[str, ...] = ()
    for_zones: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Scope:
    """One way to reach a Service: the map of verdicts a packet is looked up in, the map of endpoints its verdict picks from,
    whether the key carries the destination address (or is only protocol and port, for node ports), and whether the source
    is replaced by the node's address, without which answers would not come back this way."""

    name: str
    verdicts: str
    endpoints: str
    by_address: bool
    masquerade: bool


CLUSTER = Scope("cluster", "services", "endpoints", by_address=True, masquerade=False)
EXTERNAL = Scope("external", "services", "endpoints", by_address=True, masquerade=True)
NODE = Scope("node", "node_ports", "node_endpoints", by_address=False, masquerade=True)
EXTERNAL_LOCAL = Scope("external-local", "external_local", "local_endpoints", by_address=True, masquerade=False)
NODE_LOCAL = Scope("node-local", "node_ports_local", "node_local_endpoints", by_address=False, masquerade=False)
SCOPES = {scope.name: scope for scope in (CLUSTER, EXTERNAL, NODE, EXTERNAL_LOCAL, NODE_LOCAL)}

Slots = dict[tuple[str, str], tuple[str, ...]]
"""(endpoint map, key) → its targets in order; kept between calls so that what stays, stays where it is."""


def of_service(
    service: Object,
    slices: Iterable[Object],
    place: Place,
    *,
    slots: Slots,
    affinity_id: Callable[[str], int],
) -> tuple[Elements, Slots]:
    """The elements of one Service, and their slots for next time.

    `slots` are those of the last call; `affinity_id` gives a number of its own to each port that keeps clients at their
    endpoint (sessionAffinity: ClientIP).
    """
    builder = _Builder(place, slots, affinity_id)
    if is_proxied(service) and _cluster_addresses(service["spec"], place.family):
        slices = list(slices)
        for port in service["spec"].get("ports") or ():
            builder.add_port(service, port, _endpoints(slices, port, place.family))
    return builder.elements, builder.slots


def is_proxied(service: Object) -> bool:
    spec = service.get("spec", {})
    return (
        spec.get("type", "ClusterIP") != "ExternalName"
        and spec.get("clusterIP", "") not in ("", "None")
        and not objects.labels(service).keys() & {PROXY_NAME_LABEL, HEADLESS_LABEL}
    )


def local_ready(service: Object, slices: Iterable[Object], node: str) -> int:
    """How many ready endpoints the Service has on the node: what a load balancer wants to know."""
    found: set[str] = set()
    for item in slices:
        for endpoint in item.get("endpoints") or ():
            one = _endpoint(endpoint, 0)
            if one.ready and not one.terminating and one.node == node:
                found.add((endpoint.get("targetRef") or {}).get("uid") or one.address)
    return len(found)


class _Builder:
    def __init__(self, place: Place, slots: Slots, affinity_id: Callable[[str], int]) -> None:
        self.elements: Elements = {}
        self.slots: Slots = {}
        self._place = place
        self._old_slots = slots
        self._affinity_id = affinity_id

    def add_port(self, service: Object, port: Object, endpoints: Sequence[Endpoint]) -> None:
        spec = service["spec"]
        protocol, number = str(port.get("protocol", "TCP")).lower(), int(port["port"])
        everywhere = usable(endpoints, self._place)
        here = usable([endpoint for endpoint in endpoints if endpoint.node == self._place.node])
        # A host is the edge of all its nodes: what comes to it from outside finds every endpoint, and keeps its source.
        inside = here if self._place.node else everywhere
        sticky = self._sticky(service, port, protocol)

        inside_local = spec.get("internalTrafficPolicy") == "Local"
        for address in _cluster_addresses(spec, self._place.family):
            self.elements["cluster_ips", address] = ""
            targets = here if inside_local else everywhere
            self._add(CLUSTER, f"{address} . {protocol} . {number}", targets, sticky, is_served=bool(everywhere))

        outside_local = spec.get("externalTrafficPolicy") == "Local"
        for address in _external_addresses(service, self._place.family):
            key = f"{address} . {protocol} . {number}"
            self._add(EXTERNAL, key, everywhere, sticky, is_served=bool(everywhere))
            if outside_local:
                self._add(EXTERNAL_LOCAL, key, inside, sticky, is_served=bool(everywhere))
        self._guard(service, protocol, number)
        if port.get("nodePort"):
            key = f"{protocol} . {port['nodePort']}"
            self._add(NODE, key, everywhere, sticky, is_served=bool(everywhere))
            if outside_local:
                self._add(NODE_LOCAL, key, inside, sticky, is_served=bool(everywhere))

        for endpoint in endpoints:
            if endpoint.node == self._place.node:  # a pod that reaches itself must see the node as its client
                self.elements["hairpin", f"{endpoint.address} . {endpoint.address}"] = ""

    def _guard(self, service: Object, protocol: str, number: int) -> None:
        """The addresses of a load balancer answer some sources only, where it names them."""
        ranges = [text.strip() for text in service["spec"].get("loadBalancerSourceRanges") or ()]
        if not ranges:
            return
        for address in _balancer_addresses(service, self._place.family):
            key = f"{address} . {protocol} . {number}"
            self.elements["guarded", key] = ""
            for source in _collapsed(ranges, self._place.family):
                self.elements["allowed_sources", f"{key} . {source}"] = ""

    def _add(self, scope: Scope, key: str, targets: Sequence[str], sticky: int, *, is_served: bool) -> None:
        if not targets:
            self.elements[scope.verdicts, key] = DROP if is_served else REFUSE
            return
        place = (scope.endpoints, key)
        slots = self.slots[place] = assign_slots(self._old_slots.get(place, ()), targets[:SLOTS_MAX])
        for number, target in enumerate(slots):
            self.elements[scope.endpoints, f"{key} . 0:{number:x}"] = target
        chain = f"{scope.name}-{len(slots)}"
        if sticky:
            chain = f"sticky-{chain}"
            self.elements["affinity_ids" if scope.by_address else "node_affinity_ids", key] = str(sticky)
        self.elements[scope.verdicts, key] = f"goto {chain}"

    def _sticky(self, service: Object, port: Object, protocol: str) -> int:
        """The port's affinity number, 0 when clients may go anywhere each time."""
        spec = service["spec"]
        if spec.get("sessionAffinity") != "ClientIP":
            return 0
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        seconds = int(config.get("timeoutSeconds") or AFFINITY_SECONDS)
        number = self._affinity_id(f"{port['port']}/{protocol}")
        self.elements["affinity_timeouts", str(number)] = f"goto record-{seconds}"
        return number


def usable(endpoints: Iterable[Endpoint], place: Place | None = None) -> list[str]:
    """Targets (`address . port`) that connections may go to, sorted; from `place`, those that are meant for it if there are."""
    endpoints = list(endpoints)
    chosen = [endpoint for endpoint in endpoints if endpoint.ready]
    if place is not None:
        chosen = _meant_for(chosen, place)
    if not chosen:
        chosen = [endpoint for endpoint in endpoints if endpoint.serving and endpoint.terminating]
    return sorted({_target(endpoint) for endpoint in chosen})


def _meant_for(endpoints: list[Endpoint], place: Place) -> list[Endpoint]:
    """Hints count only where every endpoint has one and some are for this place: otherwise connections would pile up on few."""
    near = [endpoint for endpoint in endpoints if place.node in endpoint.for_nodes]
    if place.node and near and all(endpoint.for_nodes for endpoint in endpoints):
        return near
    near = [endpoint for endpoint in endpoints if place.zone in endpoint.for_zones]
    if place.zone and near and all(endpoint.for_zones for endpoint in endpoints):
        return near
    return endpoints


def assign_slots(old: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Number the wanted targets from 0 with no gap, moving as few as possible."""
    if not old:
        return tuple(wanted)
    before, after = set(old), set(wanted)
    new = [target for target in reversed(wanted) if target not in before]
    slots: list[str | None] = [target if target in after else None for target in old]
    for place, target in enumerate(slots):
        if target is None and new:
            slots[place] = new.pop()
    slots.extend(reversed(new))
    while None in slots:
        last = slots.pop()
        if last is not None:
            slots[slots.index(None)] = last
    return tuple(target for target in slots if target is not None)


def _target(endpoint: Endpoint) -> str:
    return f"{endpoint.address} . {endpoint.port}"


def _endpoints(slices: Iterable[Object], port: Object, family: str) -> list[Endpoint]:
    """Of the Service's port, by the name and protocol both sides give it."""
    found = []
    name, protocol = port.get("name", ""), port.get("protocol", "TCP")
    for item in slices:
        if item.get("addressType") != family:
            continue
        for offered in item.get("ports") or ():
            if (offered.get("name") or "") == name and (offered.get("protocol") or "TCP") == protocol:
                number = offered.get("port")
                if number:
                    found += [_endpoint(endpoint, int(number)) for endpoint in item.get("endpoints") or ()]
    return [endpoint for endpoint in found if _is_of(family, endpoint.address)]


def _endpoint(endpoint: Object, port: int) -> Endpoint:
    """Unset conditions mean: ready, serving as ready, not terminating. All addresses are the same endpoint: the first counts."""
    conditions = endpoint.get("conditions") or {}
    ready = conditions.get("ready")
    ready = True if ready is None else bool(ready)
    serving = conditions.get("serving")
    serving = ready if serving is None else bool(serving)
    hints = endpoint.get("hints") or {}
    return Endpoint(
        str(endpoint["addresses"][0]),
        port,
        ready,
        serving,
        bool(conditions.get("terminating")),
        str(endpoint.get("nodeName") or ""),
        tuple(one.get("name", "") for one in hints.get("forNodes") or ()),
        tuple(one.get("name", "") for one in hints.get("forZones") or ()),
    )


def _cluster_addresses(spec: Object, family: str) -> list[str]:
    return [address for address in spec.get("clusterIPs") or [spec["clusterIP"]] if _is_of(family, address)]


def _external_addresses(service: Object, family: str) -> list[str]:
    found = [address for address in service["spec"].get("externalIPs") or () if _is_of(family, address)]
    return list(dict.fromkeys([*found, *_balancer_addresses(service, family)]))


def _balancer_addresses(service: Object, family: str) -> list[str]:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    found = [one["ip"] for one in ingress if one.get("ip") and one.get("ipMode", "VIP") == "VIP"]
    return [address for address in found if _is_of(family, address)]


@functools.lru_cache(maxsize=65536)  # the same few addresses again and again
def _is_of(family: str, address: str) -> bool:
    """Checked here again, because one bad address in the text would make nftables refuse all of it."""
    try:
        socket.inet_pton(FAMILIES[family], address)
    except OSError:
        return False
    return True


def _collapsed(ranges: Iterable[str], family: str) -> list[str]:
    """Without overlaps, which a set of intervals does not take."""
    parsed = []
    for text in ranges:
        with contextlib.suppress(ValueError):
            parsed.append(ipaddress.ip_network(text, strict=False))
    if family == "IPv6":
        return [str(one) for one in ipaddress.collapse_addresses(one for one in parsed if one.version == 6)]
    return [str(one) for one in ipaddress.collapse_addresses(one for one in parsed if one.version == 4)]


def chains(elements: Mapping[Element, str]) -> set[str]:
    """The names of all chains that the verdicts need, but for the one that refuses."""
    named = {value[5:] for value in elements.values() if value.startswith("goto ") and value != REFUSE}
    return named | {name.removeprefix("sticky-") for name in named}
