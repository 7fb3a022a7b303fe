"""What the cluster's names mean: the "DNS-Based Service Discovery" specification (1.1.0), worked out per question. Pure.

Reads: Services and EndpointSlices, through `Records`. There is no second copy of them and nothing to keep up to date.
Answers, below the cluster domain:
  NAME.NS.svc                      the Service's addresses; if headless, those of its ready endpoints; if ExternalName, a CNAME
  _PORT._PROTOCOL.NAME.NS.svc      SRV, with the targets' addresses
  ENDPOINT.NAME.NS.svc             one endpoint of a headless Service, by hostname or by its address with dashes
  A-B-C-D.NS.pod                   that very address
and the reverse of Services' and named endpoints' addresses. A name with records of other types only, or with names below it, is
"no data" and not "no such name": a client that asks for both IPv4 and IPv6 gives up on the latter.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol

from steersman.dns import wire
from steersman.meta import objects
from steersman.meta.objects import Object

TTL_SECONDS = 5  # upstream's plugin default: how long a client may go on using what has changed
SCHEMA_VERSION = "1.1.0"


class Records(Protocol):
    """How the zone looks things up."""

    def service(self, namespace: str, name: str) -> Object | None: ...

    def slices(self, namespace: str, name: str) -> Iterable[Object]:
        """EndpointSlices of one Service."""

    def has_services(self, namespace: str) -> bool: ...

    def services_at(self, address: str) -> Iterable[Object]:
        """Services that have this cluster address."""

    def slices_at(self, address: str) -> Iterable[Object]:
        """EndpointSlices that hold an endpoint with this address."""


class Zone:
    """`reverse_networks` are those whose reverse names nobody else answers for."""

    def __init__(self, records: Records, domain: str = "cluster.local", reverse_networks: Sequence[str] = ()) -> None:
        self._records = records
        self.domain = domain
        self._suffix = f".{domain}"
        self._networks = [ipaddress.ip_network(network) for network in reverse_networks]
        self._server = f"ns.dns.{domain}"

    def answer(self, name: str, kind: int) -> wire.Answer | None:
        """None: not ours to answer. `name` is in lower case, without the last dot."""
        if name == self.domain or name.endswith(self._suffix):
            return self._finish(name, kind, self._forward(name), self.domain)
        if name.endswith((".in-addr.arpa", ".ip6.arpa")):
            return self._reverse(name, kind)
        return None

    def _finish(self, name: str, kind: int, found: "list[wire.Record] | None", origin: str) -> wire.Answer:
        """Choose by type; say "no" with the reason's lifetime in it."""
        if found is None:
            return wire.Answer(wire.NXDOMAIN, authority=(self._soa(origin),))
        chosen = [record for record in found if kind in (record.type, wire.ANY) or record.type == wire.CNAME]
        if not chosen:
            return wire.Answer(authority=(self._soa(origin),))
        additional = self._targets(chosen) if kind == wire.SRV else []
        return wire.Answer(answers=tuple(chosen), additional=tuple(additional))

    def _soa(self, origin: str) -> wire.Record:
        return wire.soa_record(origin, self._server, f"hostmaster.{self.domain}", 1, TTL_SECONDS)

    def _forward(self, name: str) -> list[wire.Record] | None:
        """All records of a name below the domain; None when there is no such name."""
        labels = name.removesuffix(self.domain).removesuffix(".").split(".") if name != self.domain else []
        match labels:
            case []:
                return [self._soa(name), wire.name_record(name, wire.NS, self._server, TTL_SECONDS)]
            case ["dns-version"]:
                return [wire.text_record(name, SCHEMA_VERSION, TTL_SECONDS)]
            case ["svc"] | ["pod"]:
                return []
            case [*path, namespace, "pod"]:
                return _pod(name, path)
            case [namespace, "svc"]:
                return [] if self._records.has_services(namespace) else None
            case [*path, service_name, namespace, "svc"]:
                service = self._records.service(namespace, service_name)
                return None if service is None else self._service(name, path, service)
        return None

    def _service(self, name: str, path: Sequence[str], service: Object) -> list[wire.Record] | None:
        spec = service.get("spec", {})
        if spec.get("type") == "ExternalName":
            target = str(spec.get("externalName", "")).lower().rstrip(".")
            return [wire.name_record(name, wire.CNAME, target, TTL_SECONDS)] if not path and target else None
        if spec.get("clusterIP") == "None":
            return self._headless(name, path, service)
        return self._cluster(name, path, service)

    def _cluster(self, name: str, path: Sequence[str], service: Object) -> list[wire.Record] | None:
        own = self._service_name(service)
        ports = service["spec"].get("ports") or []
        if not path:
            found = [wire.address_record(name, address, TTL_SECONDS) for address in _cluster_addresses(service)]
            return found + [
                wire.srv_record(name, _weight(len(ports)), port["port"], own, TTL_SECONDS) for port in ports
            ]
        named = [(port.get("name", ""), port.get("protocol", "TCP"), port["port"]) for port in ports]
        numbers = _ports_at(path, named)
        if numbers is None:
            return None
        return [wire.srv_record(name, _weight(len(numbers)), number, own, TTL_SECONDS) for number in numbers]

    def _headless(self, name: str, path: Sequence[str], service: Object) -> list[wire.Record] | None:
        own = self._service_name(service)
        found: list[wire.Record] = []
        exists = False
        for item in self._records.slices(objects.namespace(service), objects.name(service)):
            ports = [
                (port.get("name") or "", port.get("protocol") or "TCP", port.get("port") or 0)
                for port in item.get("ports") or ()
            ]
            for address, label in _ready(item):
                target = f"{label}.{own}"
                if not path or list(path) == [label]:
                    exists = True
                    found.append(wire.address_record(name, address, TTL_SECONDS))
                    numbers = [number for _, _, number in ports]
                else:
                    numbers_or_none = _ports_at(path, ports)
                    exists = exists or numbers_or_none is not None
                    numbers = numbers_or_none or []
                found += [wire.srv_record(name, 0, number, target, TTL_SECONDS) for number in numbers if number]
        if not exists:
            return None
        return _with_weights(list(dict.fromkeys(found)))

    def _targets(self, chosen: Iterable[wire.Record]) -> list[wire.Record]:
        """The addresses of SRV targets, so that nobody has to ask again."""
        found: list[wire.Record] = []
        for record in chosen:
            if record.type == wire.SRV:
                records = self._forward(wire.name_in_data(record.data, 6)) or []
                found += [other for other in records if other.type in (wire.A, wire.AAAA)]
        return list(dict.fromkeys(found))

    def _reverse(self, name: str, kind: int) -> wire.Answer | None:
        address = _address_of_reverse(name)
        if address is None:
            return None
        targets = [self._service_name(service) for service in self._records.services_at(address)]
        for item in self._records.slices_at(address):
            service = objects.labels(item).get("kubernetes.io/service-name", "")
            for endpoint in item.get("endpoints") or ():
                if address in endpoint.get("addresses", ()) and endpoint.get("hostname"):
                    targets.append(f"{endpoint['hostname']}.{service}.{objects.namespace(item)}.svc{self._suffix}")
        if targets:
            found = [wire.name_record(name, wire.PTR, target, TTL_SECONDS) for target in dict.fromkeys(targets)]
            return self._finish(name, kind, found, name)
        ours = any(ipaddress.ip_address(address) in network for network in self._networks)
        return self._finish(name, kind, None, self.domain) if ours else None

    def _service_name(self, service: Object) -> str:
        return f"{objects.name(service)}.{objects.namespace(service)}.svc{self._suffix}"


def _pod(name: str, path: Sequence[str]) -> list[wire.Record] | None:
    """The name says the address; whether a pod has it is not asked (upstream's `pods insecure`)."""
    if not path:
        return []
    if len(path) > 1:
        return None
    for text in (path[0].replace("-", "."), path[0].replace("-", ":")):
        try:
            return [wire.address_record(name, str(ipaddress.ip_address(text)), TTL_SECONDS)]
        except ValueError:
            continue
    return None


def _cluster_addresses(service: Object) -> list[str]:
    spec = service["spec"]
    return [address for address in spec.get("clusterIPs") or [spec.get("clusterIP")] if address]


def _ready(item: Object) -> list[tuple[str, str]]:
    """(address, label) of the endpoints that may be told of: unset means ready."""
    found = []
    for endpoint in item.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is not False:
            for address in endpoint.get("addresses") or ():
                found.append((address, endpoint.get("hostname") or address.replace(".", "-").replace(":", "-")))
    return found


def _ports_at(path: Sequence[str], ports: Iterable[tuple[str, str, int]]) -> list[int] | None:
    """The numbers of ports named by `_PORT._PROTOCOL` (empty for the `_PROTOCOL` above them); None when there is no such name."""
    wanted = [label[1:] for label in path if label.startswith("_")]
    if len(wanted) != len(path):
        return None
    named = [(name, protocol.lower(), number) for name, protocol, number in ports if name]
    if len(wanted) == 1:
        return [] if any(protocol == wanted[0] for _, protocol, _ in named) else None
    numbers = [number for name, protocol, number in named if [name, protocol] == wanted]
    return numbers or None


def _weight(count: int) -> int:
    """Equal shares of 100, as upstream gives them."""
    return max(1, 100 // max(1, count))


def _with_weights(found: list[wire.Record]) -> list[wire.Record]:
    weight = _weight(sum(record.type == wire.SRV for record in found)).to_bytes(2, "big")
    return [
        wire.Record(record.name, record.type, record.ttl, record.data[:2] + weight + record.data[4:])
        if record.type == wire.SRV
        else record
        for record in found
    ]


def _address_of_reverse(name: str) -> str | None:
    labels = name.split(".")[:-2]
    try:
        if name.endswith(".in-addr.arpa"):
            return str(ipaddress.IPv4Address(".".join(reversed(labels)))) if len(labels) == 4 else None
        digits = "".join(reversed(labels))
        return str(ipaddress.IPv6Address(bytes.fromhex(digits))) if len(labels) == 32 else None
    except ValueError:
        return None
