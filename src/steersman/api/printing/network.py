"""How Services, Endpoints and EndpointSlices print."""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta.objects import Object

SERVICE_COLUMNS = (
    cells.NAME,
    Column("Type", field="spec.type"),
    Column("Cluster-IP", field="spec.clusterIP"),
    Column("External-IP", field="spec.externalIPs"),
    Column("Port(s)", field="spec.ports"),
    cells.AGE,
    Column("Selector", priority=1, field="spec.selector"),
)

ENDPOINTS_COLUMNS = (cells.NAME, Column("Endpoints", field="subsets"), cells.AGE)

ENDPOINT_SLICE_COLUMNS = (
    cells.NAME,
    Column("AddressType", field="addressType"),
    Column("Ports", field="ports"),
    Column("Endpoints", field="endpoints"),
    cells.AGE,
)


def service(obj: Object, now: datetime.datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    addresses = spec.get("clusterIPs") or ()
    return [
        cells.name(obj),
        spec.get("type", ""),
        addresses[0] if addresses else cells.NONE,
        _external_ip(spec, obj.get("status") or {}),
        ",".join(_port(port) for port in spec.get("ports") or ()) or cells.NONE,
        cells.age(obj, now),
        cells.labels(spec.get("selector")),
    ]


def endpoints(obj: Object, now: datetime.datetime) -> list[Any]:
    listed = [text for subset in obj.get("subsets") or () for text in _subset(subset)]
    return [cells.name(obj), cells.few(listed, cells.NONE if not obj.get("subsets") else ""), cells.age(obj, now)]


def endpoint_slice(obj: Object, now: datetime.datetime) -> list[Any]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or ()]
    addresses = [address for one in obj.get("endpoints") or () for address in one.get("addresses") or ()]
    return [cells.name(obj), obj.get("addressType", ""), cells.few(ports), cells.few(addresses), cells.age(obj, now)]


def _external_ip(spec: Object, status: Object) -> str:
    external = spec.get("externalIPs") or []
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or cells.NONE
        case "LoadBalancer":
            return ",".join([*load_balancer_addresses(status), *external]) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return "<unknown>"


def load_balancer_addresses(status: Object) -> list[str]:
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    return sorted({text for one in ingress if (text := one.get("ip") or one.get("hostname"))})


def _port(port: Object) -> str:
    number, node_port = port.get("port", 0), port.get("nodePort", 0)
    return f"{number}:{node_port}/{port.get('protocol', '')}" if node_port else f"{number}/{port.get('protocol', '')}"


def _subset(subset: Object) -> list[str]:
    addresses = [address.get("ip", "") for address in subset.get("addresses") or ()]
    ports = subset.get("ports") or ()
    if not ports:
        return addresses
    return [_joined(address, port.get("port", 0)) for port in ports for address in addresses]


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
