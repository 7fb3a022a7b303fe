"""Which local ports lead to which ports of a pod: command lines, services and names made into numbers.

Pure. Leaves to others: listening and moving bytes (`forwarder`).
Source: kubectl's pkg/cmd/portforward and pkg/util (ports), client-go's tools/portforward.
"""

import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object


class ForwardError(CommandError):
    """The text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ports:
    """`local` 0 is any free one."""

    local: int
    remote: int


@dataclasses.dataclass(frozen=True, slots=True)
class Address:
    """`must`: every one of these has to be listened on; of the others (localhost's) one is enough."""

    text: str
    must: bool

    @property
    def is_v6(self) -> bool:
        return ":" in self.text


def parse_ports(texts: Sequence[str]) -> list[Ports]:
    """`5000`, `8888:5000`, `:5000`. Raises ForwardError."""
    found = []
    for text in texts:
        parts = text.split(":")
        if len(parts) > 2:
            raise ForwardError(f"invalid port format '{text}'")
        local = _number(parts[0] or "0" if len(parts) == 2 else parts[0], "local")
        remote = _number(parts[-1], "remote")
        if remote == 0:
            raise ForwardError("remote port must be > 0")
        found.append(Ports(local, remote))
    return found


def parse_addresses(texts: Sequence[str]) -> list[Address]:
    """Sorted, each once. Raises ForwardError."""
    found: dict[str, Address] = {}
    for text in texts:
        if text == "localhost":
            for local in ("127.0.0.1", "::1"):
                found.setdefault(local, Address(local, must=False))
            continue
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise ForwardError(f"{text} is not a valid IP") from None
        found[text] = Address(text, must=True)
    return [found[text] for text in sorted(found)]


def of_service(service: Object, pod: Object, texts: Sequence[str]) -> list[str]:
    """Ports of a Service as ports of one of its pods. Raises ForwardError."""
    _refuse_udp(_listed(service["spec"].get("ports"), "port"), texts, lambda name: _service_port(service, name))
    found = []
    for text in texts:
        local, remote = _split(text)
        number = _decimal(remote)
        if number is None:
            number = _service_port(service, remote)
            local = str(number) if local == remote else local
        found.append(_joined(local, str(_target_port(service, pod, number))))
    return found


def of_pod(pod: Object, texts: Sequence[str]) -> list[str]:
    """Names of container ports as numbers. Raises ForwardError."""
    _refuse_udp(_listed(_container_ports(pod), "containerPort"), texts, lambda name: _pod_port(pod, name))
    found = []
    for text in texts:
        local, remote = _split(text)
        number = remote if _decimal(remote) is not None else str(_pod_port(pod, remote))
        found.append(f"{local}:{number}" if local != remote else number)
    return found


def _split(text: str) -> tuple[str, str]:
    parts = text.split(":")
    return (parts[0], parts[1]) if len(parts) == 2 else (parts[0], parts[0])


def _joined(local: str, remote: str) -> str:
    return remote if local == remote else f"{local}:{remote}"


def _target_port(service: Object, pod: Object, number: int) -> int:
    for port in service["spec"].get("ports") or []:
        if port["port"] != number:
            continue
        if service["spec"].get("clusterIP") == "None":
            return number
        target = port.get("targetPort") or number
        return target if isinstance(target, int) else _pod_port(pod, target)
    raise ForwardError(f"Service {service['metadata']['name']} does not have a service port {number}")


def _service_port(service: Object, name: str) -> int:
    for port in service["spec"].get("ports") or []:
        if port.get("name") == name:
            return int(port["port"])
    raise ForwardError(f"Service '{service['metadata']['name']}' does not have a named port '{name}'")


def _pod_port(pod: Object, name: str) -> int:
    for port in _container_ports(pod):
        if port.get("name") == name:
            return int(port["containerPort"])
    raise ForwardError(f"Pod '{pod['metadata']['name']}' does not have a named port '{name}'")


def _container_ports(pod: Object) -> list[Object]:
    return [port for container in pod["spec"]["containers"] for port in container.get("ports") or []]


def _listed(ports: Iterable[Object] | None, field: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for port in ports or ():
        found.setdefault(port.get("protocol", "TCP"), set()).add(port[field])
    return found


def _refuse_udp(by_protocol: dict[str, set[int]], texts: Sequence[str], named: Any) -> None:
    only_udp = by_protocol.get("UDP", set()) - by_protocol.get("TCP", set())
    for text in texts:
        _, remote = _split(text)
        number = _decimal(remote)
        if (named(remote) if number is None else number) in only_udp:
            raise ForwardError(f"UDP protocol is not supported for {remote}")


def _decimal(text: str) -> int | None:
    """Go's Atoi."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return int(text) if digits.isascii() and digits.isdecimal() else None


def _number(text: str, which: str) -> int:
    why = ""
    if not (text.isascii() and text.isdecimal()):
        why = "invalid syntax"
    elif int(text) > 65535:
        why = "value out of range"
    if why:
        raise ForwardError(f"error parsing {which} port '{text}': strconv.ParseUint: parsing \"{text}\": {why}")
    return int(text)
