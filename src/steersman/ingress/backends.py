"""Services as groups of servers: pure.

Reads: Services, EndpointSlices.  Leaves to others: which of them is asked (`routes`).
Traffic goes to the pods themselves, not to the ClusterIP: connections are spread by requests, and who is not ready gets none.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from steersman.meta import objects
from steersman.meta.objects import Object

Protocol = Literal["http", "https", "h2c"]
_PROTOCOLS: dict[str, Protocol] = {"https": "https", "kubernetes.io/h2c": "h2c", "grpc": "h2c"}

# Reads one Service, or its EndpointSlices, by `namespace/name`.
ServiceOf = Callable[[str], Object | None]
SlicesOf = Callable[[str], Iterable[Object]]


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    address: str
    port: int


@dataclasses.dataclass(frozen=True, slots=True)
class Backend:
    """`sticky`: a client stays at its server. `name` (instead of servers) is that of an ExternalName Service."""

    key: str
    servers: tuple[Server, ...]
    protocol: Protocol = "http"
    sticky: bool = False
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Reference:
    """A port of a Service, by name or number."""

    namespace: str
    service: str
    port: int | str

    @property
    def service_key(self) -> str:
        return f"{self.namespace}/{self.service}"


def resolve(reference: Reference, service_of: ServiceOf, slices_of: SlicesOf) -> Backend | str:
    """What it refers to, or why it refers to nothing."""
    service = service_of(reference.service_key)
    if service is None:
        return f'service "{reference.service_key}" not found'
    spec = service.get("spec") or {}
    port = _port(spec.get("ports") or (), reference.port)
    if spec.get("type") == "ExternalName":
        number = reference.port if isinstance(reference.port, int) else int((port or {}).get("port", 80))
        key = _key(reference, number)
        return Backend(key, (Server(spec["externalName"], number),), name=spec["externalName"])
    if port is None:
        return f'service "{reference.service_key}" has no port {reference.port}'
    return Backend(
        _key(reference, port["port"]),
        tuple(_servers(slices_of(reference.service_key), str(port.get("name") or ""))),
        _PROTOCOLS.get(port.get("appProtocol") or "", "http"),
        spec.get("sessionAffinity") == "ClientIP",
    )


def _key(reference: Reference, port: int) -> str:
    """Also a name that a proxy's configuration may carry: Services and namespaces have no dots."""
    return f"{reference.namespace}.{reference.service}.{port}"


def _port(ports: Sequence[Object], wanted: int | str) -> Object | None:
    return next((port for port in ports if wanted == port.get("name" if isinstance(wanted, str) else "port")), None)


def _servers(slices: Iterable[Object], port_name: str) -> list[Server]:
    """The ready endpoints; where there is none, those that are still serving while they end."""
    ready: set[tuple[str, int]] = set()
    serving: set[tuple[str, int]] = set()
    for one in slices:
        number = next((port["port"] for port in one.get("ports") or () if (port.get("name") or "") == port_name), None)
        if number is None or one.get("addressType") == "FQDN" or objects.is_terminating(one):
            continue
        for endpoint in one.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            place = endpoint["addresses"][0], int(number)
            if conditions.get("ready", True):
                ready.add(place)
            elif conditions.get("serving") and conditions.get("terminating"):
                serving.add(place)
    return [Server(*place) for place in sorted(ready or serving)]
