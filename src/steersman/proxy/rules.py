"""What the packet rules must say for a set of Services: pure, one Service at a time.

Reads: Services, EndpointSlices, the name of the node whose rules these are.
Answers: `Elements`, the wanted content of the maps that `nftables.py` lays out. A change of one endpoint changes one element.
Leaves to others: Services with the label `service.kubernetes.io/service-proxy-name`, headless and ExternalName Services, IPv6.

Rules of the house, from Kubernetes' "Virtual IPs and Service Proxies": only ready endpoints get connections; where there is none,
those that are terminating but still serving do; where there is none at all, connections are refused. A traffic policy of `Local`
means endpoints of this node only, and silence (not refusal) where it has none.
"""

import dataclasses
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence

from steersman.meta import objects
from steersman.meta.objects import Object

PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
AFFINITY_SECONDS = 10_800  # upstream's default of sessionAffinityConfig.clientIP.timeoutSeconds

Element = tuple[str, str]
"""(map or set, key), both as nftables writes them."""

SLOTS_MAX = 0x10000  # what fits behind the colon of an endpoint's number, which nftables writes `0:HEX`

Elements = dict[Element, str]
"""Element → value; empty for a set."""

REFUSE = "goto refuse"
DROP = "drop"


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    address: str
    port: int
    ready: bool
    serving: bool
    terminating: bool
    node: str


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
    node: str,
    *,
    slots: Slots,
    affinity_id: Callable[[str], int],
) -> tuple[Elements, Slots]:
    """The elements of one Service, and their slots for next time.

    `slots` are those of the last call; `affinity_id` gives a number of its own to each port that keeps clients at their
    endpoint (sessionAffinity: ClientIP).
    """
    builder = _Builder(node, slots, affinity_id)
    if is_proxied(service):
        slices = list(slices)
        for port in service["spec"].get("ports") or ():
            builder.add_port(service, port, _endpoints(slices, port))
    return builder.elements, builder.slots


def is_proxied(service: Object) -> bool:
    spec = service.get("spec", {})
    return (
        spec.get("type", "ClusterIP") != "ExternalName"
        and spec.get("clusterIP", "") not in ("", "None")
        and PROXY_NAME_LABEL not in objects.labels(service)
    )


class _Builder:
    def __init__(self, node: str, slots: Slots, affinity_id: Callable[[str], int]) -> None:
        self.elements: Elements = {}
        self.slots: Slots = {}
        self._node = node
        self._old_slots = slots
        self._affinity_id = affinity_id

    def add_port(self, service: Object, port: Object, endpoints: Sequence[Endpoint]) -> None:
        spec = service["spec"]
        protocol, number = str(port.get("protocol", "TCP")).lower(), int(port["port"])
        everywhere = usable(endpoints)
        here = usable([endpoint for endpoint in endpoints if endpoint.node == self._node])
        sticky = self._sticky(service, port, protocol)

        inside_local = spec.get("internalTrafficPolicy") == "Local"
        for address in _cluster_addresses(spec):
            self.elements["cluster_ips", address] = ""
            targets = here if inside_local else everywhere
            self._add(CLUSTER, f"{address} . {protocol} . {number}", targets, sticky, is_served=bool(everywhere))

        outside_local = spec.get("externalTrafficPolicy") == "Local"
        for address in _external_addresses(service):
            key = f"{address} . {protocol} . {number}"
            self._add(EXTERNAL, key, everywhere, sticky, is_served=bool(everywhere))
            if outside_local:
                self._add(EXTERNAL_LOCAL, key, here, sticky, is_served=bool(everywhere))
        if port.get("nodePort"):
            key = f"{protocol} . {port['nodePort']}"
            self._add(NODE, key, everywhere, sticky, is_served=bool(everywhere))
            if outside_local:
                self._add(NODE_LOCAL, key, here, sticky, is_served=bool(everywhere))

        for endpoint in endpoints:
            if endpoint.node == self._node:  # a pod that reaches itself must see the node as its client
                self.elements["hairpin", f"{endpoint.address} . {endpoint.address}"] = ""

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


def usable(endpoints: Iterable[Endpoint]) -> list[str]:
    """Targets (`address . port`) that connections may go to, sorted."""
    ready = {_target(endpoint) for endpoint in endpoints if endpoint.ready}
    if not ready:
        ready = {_target(endpoint) for endpoint in endpoints if endpoint.serving and endpoint.terminating}
    return sorted(ready)


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


def _endpoints(slices: Iterable[Object], port: Object) -> list[Endpoint]:
    """Of the Service's port, by the name and protocol both sides give it."""
    found = []
    name, protocol = port.get("name", ""), port.get("protocol", "TCP")
    for item in slices:
        if item.get("addressType") != "IPv4":
            continue
        for offered in item.get("ports") or ():
            if (offered.get("name") or "") == name and (offered.get("protocol") or "TCP") == protocol:
                number = offered.get("port")
                if number:
                    found += [_endpoint(endpoint, int(number)) for endpoint in item.get("endpoints") or ()]
    return [endpoint for endpoint in found if _is_ipv4(endpoint.address)]


def _endpoint(endpoint: Object, port: int) -> Endpoint:
    """Unset conditions mean: ready, serving as ready, not terminating. All addresses are the same endpoint: the first counts."""
    conditions = endpoint.get("conditions") or {}
    ready = conditions.get("ready")
    ready = True if ready is None else bool(ready)
    serving = conditions.get("serving")
    serving = ready if serving is None else bool(serving)
    address = str(endpoint["addresses"][0])
    return Endpoint(
        address, port, ready, serving, bool(conditions.get("terminating")), str(endpoint.get("nodeName") or "")
    )


def _cluster_addresses(spec: Object) -> list[str]:
    return [address for address in spec.get("clusterIPs") or [spec["clusterIP"]] if _is_ipv4(address)]


def _external_addresses(service: Object) -> list[str]:
    found = list(service["spec"].get("externalIPs") or ())
    for ingress in service.get("status", {}).get("loadBalancer", {}).get("ingress") or ():
        if ingress.get("ip") and ingress.get("ipMode", "VIP") == "VIP":
            found.append(ingress["ip"])
    return [address for address in dict.fromkeys(found) if _is_ipv4(address)]


def _is_ipv4(address: str) -> bool:
    """Checked here again, because one bad address in the text would make nftables refuse all of it."""
    try:
        socket.inet_pton(socket.AF_INET, address)
    except OSError:
        return False
    return True


def chains(elements: Mapping[Element, str]) -> set[str]:
    """The names of all chains that the verdicts need, but for the one that refuses."""
    named = {value[5:] for value in elements.values() if value.startswith("goto ") and value != REFUSE}
    return named | {name.removeprefix("sticky-") for name in named}
