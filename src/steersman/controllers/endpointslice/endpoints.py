"""From a Service and its pods to endpoints: who can be reached where, and who should be."""

import dataclasses
import functools
import ipaddress
from collections.abc import Mapping

from steersman.controllers import pods
from steersman.meta import objects
from steersman.meta.objects import Object

ZONE = "topology.kubernetes.io/zone"

FAMILIES = {"IPv4": 4, "IPv6": 6}


@dataclasses.dataclass(frozen=True, slots=True)
class Port:
    """One resolved port. `name` may be empty."""

    name: str
    number: int
    protocol: str
    app_protocol: str = ""

    def in_slice(self) -> Object:
        found: Object = {"name": self.name, "port": self.number, "protocol": self.protocol}
        return {**found, "appProtocol": self.app_protocol} if self.app_protocol else found

    def in_endpoints(self) -> Object:
        found: Object = {"name": self.name} if self.name else {}
        found |= {"port": self.number, "protocol": self.protocol}
        return {**found, "appProtocol": self.app_protocol} if self.app_protocol else found


Ports = tuple[Port, ...]


def publishes_not_ready(service: Object) -> bool:
    return bool(service["spec"].get("publishNotReadyAddresses"))


def is_headless(service: Object) -> bool:
    return service["spec"].get("clusterIP", "") in ("None", "")


def families(service: Object) -> tuple[str, ...]:
    """IPv4, IPv6: those the Service names, or that of its cluster address; both for an old headless one."""
    named = service["spec"].get("ipFamilies")
    if named:
        return tuple(named)
    address = service["spec"].get("clusterIP", "")
    if address in ("", "None"):
        return ("IPv4", "IPv6")
    return ("IPv6",) if ":" in address else ("IPv4",)


def addresses(pod: Object, family: str) -> list[str]:
    """The pod's addresses of one family, in canonical form."""
    status = pod.get("status") or {}
    given = [one.get("ip", "") for one in status.get("podIPs") or ()] or [status.get("podIP", "")]
    parsed = (_parse(text) for text in given if text)
    return [text for text, version in parsed if version == FAMILIES[family]]


@functools.lru_cache(maxsize=65536)  # the same pods are looked at again and again
def _parse(text: str) -> tuple[str, int]:
    address = ipaddress.ip_address(text)
    return str(address), address.version


def belongs(pod: Object) -> bool:
    """It has an address and has not ended; terminating pods stay in, marked as such."""
    status = pod.get("status") or {}
    return bool(status.get("podIP") or status.get("podIPs")) and not pods.is_finished(pod)


def ports(service: Object, pod: Object) -> Ports:
    """Where the Service's ports lead in this pod; a named target the pod does not have is left out."""
    found = []
    for port in service["spec"].get("ports") or ():
        protocol = port.get("protocol", "TCP")
        number = target(port.get("targetPort", port["port"]), protocol, pod)
        if number:
            found.append(Port(port.get("name", ""), number, protocol, port.get("appProtocol", "")))
    return tuple(found)


def target(wanted: int | str, protocol: str, pod: Object) -> int:
    """The number of a target port; 0 when the pod has no port of that name."""
    if isinstance(wanted, int):
        return wanted
    spec = pod.get("spec") or {}
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *sidecars):
        for port in container.get("ports") or ():
            if port.get("name") == wanted and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return 0


def endpoint(
    service: Object, pod: Object, family: str, zones: Mapping[str, str], distribution: str | None = None
) -> Object | None:
    """One entry of a slice; None when the pod has no address of this family. `distribution`: who it is for."""
    found = addresses(pod, family)
    if not found:
        return None
    serving, terminating = pods.is_ready(pod), pods.is_terminating(pod)
    entry: Object = {
        "addresses": found,
        "conditions": {
            "ready": publishes_not_ready(service) or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": reference(pod),
    }
    node = pods.node_name(pod)
    if node:
        entry["nodeName"] = node
        if zones.get(node):
            entry["zone"] = zones[node]
    if hostname(service, pod):
        entry["hostname"] = hostname(service, pod)
    hints = _hints(distribution, entry)
    if hints:
        entry["hints"] = hints
    return entry


def _hints(distribution: str | None, entry: Object) -> Object:
    """Who had better use a ready endpoint: its own zone, or its own node before that. Source: KEP-3015, "trafficDistribution"."""
    hints: Object = {}
    if not distribution or not entry["conditions"]["ready"]:
        return hints
    if entry.get("zone"):
        hints["forZones"] = [{"name": entry["zone"]}]
    if distribution == "PreferSameNode" and entry.get("nodeName"):
        hints["forNodes"] = [{"name": entry["nodeName"]}]
    return hints


def reference(pod: Object) -> Object:
    return {
        "kind": "Pod",
        "namespace": objects.namespace(pod),
        "name": objects.name(pod),
        "uid": objects.uid(pod),
    }


def hostname(service: Object, pod: Object) -> str:
    """The pod's own name in DNS, when it asks for one below this Service."""
    spec = pod.get("spec") or {}
    return str(spec.get("hostname") or "") if spec.get("subdomain") == objects.name(service) else ""
