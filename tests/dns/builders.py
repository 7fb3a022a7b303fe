"""A zone over plain lists, and the questions asked of it."""

from collections.abc import Iterable, Sequence
from typing import Any

import dnslib

from steersman.dns import wire, zone
from steersman.meta import objects
from steersman.meta.objects import Object


class ListedRecords:
    """Answers `zone.Records` from two lists."""

    def __init__(self, services: Sequence[Object] = (), slices: Sequence[Object] = ()) -> None:
        self._services = services
        self._slices = slices

    def service(self, namespace: str, name: str) -> Object | None:
        found = [s for s in self._services if objects.key(s) == f"{namespace}/{name}"]
        return found[0] if found else None

    def slices(self, namespace: str, name: str) -> Iterable[Object]:
        return [
            item
            for item in self._slices
            if objects.namespace(item) == namespace and objects.labels(item).get("kubernetes.io/service-name") == name
        ]

    def has_services(self, namespace: str) -> bool:
        return any(objects.namespace(service) == namespace for service in self._services)

    def services_at(self, address: str) -> Iterable[Object]:
        return [service for service in self._services if service["spec"].get("clusterIP") == address]

    def slices_at(self, address: str) -> Iterable[Object]:
        return [
            item for item in self._slices if any(address in endpoint["addresses"] for endpoint in item["endpoints"])
        ]


def service(
    name: str = "web", address: str = "10.96.0.7", *ports: Object, namespace: str = "default", **spec: Any
) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1", "uid": name},
        "spec": {"clusterIP": address, "ports": list(ports) or [port()], **spec},
    }


def port(number: int = 80, name: str = "http", protocol: str = "TCP") -> Object:
    return {"port": number, "name": name, "protocol": protocol}


def endpoint(address: str, hostname: str = "", **conditions: bool) -> Object:
    found: Object = {"addresses": [address], "conditions": conditions}
    return found | {"hostname": hostname} if hostname else found


def endpoint_slice(*endpoints: Object, of: str = "db", namespace: str = "default") -> Object:
    return {
        "metadata": {
            "name": f"{of}-1",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": of},
            "resourceVersion": "1",
            "uid": of,
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


def message(name: str, kind: str, *, number: int = 1, udp_bytes: int = 0) -> bytes:
    question = dnslib.DNSRecord.question(name, kind)
    question.header.id = number
    if udp_bytes:
        question.add_ar(dnslib.EDNS0(udp_len=udp_bytes))
    return bytes(question.pack())


def short(names: zone.Zone, name: str, kind: str) -> str | list[str]:
    """What the zone says, as an independent reader (dnslib) understands its bytes: the code when it is not "no error", else
    each record as `TYPE DATA`, sorted; empty for no data."""
    asked = message(name, kind)
    query = wire.parse_query(asked)
    answer = names.answer(query.name, query.type)
    if answer is None:
        return "outside"
    read = dnslib.DNSRecord.parse(wire.format_answer(query, answer, wire.TCP_BYTES))
    code: str = dnslib.RCODE[read.header.rcode]
    if code != "NOERROR":
        return code
    return sorted(f"{dnslib.QTYPE[record.rtype]} {record.rdata}" for record in read.rr)
