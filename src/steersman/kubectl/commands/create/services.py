"""`create service clusterip|externalname|loadbalancer|nodeport`: what they share, and the object. Pure."""

import dataclasses
import re
from collections.abc import Iterable

from steersman.kubectl.commands.create import typed
from steersman.kubectl.flags import LIST, Flag
from steersman.kubectl.problems import CommandError
from steersman.meta import names
from steersman.meta.objects import Object

TCP = Flag("tcp", LIST, help="Ports: PORT or PORT:TARGET.")

_PORT = re.compile(r"[0-9]+")
_INTEGER_32 = 2**31


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    name: str
    namespace: str
    type: str
    ports: tuple[str, ...] = ()
    cluster_ip: str = ""
    external_name: str = ""
    node_port: int = 0


def generate(wanted: Wanted) -> Object:
    """Raises CommandError."""
    spec: Object = {}
    ports = [_port(text, wanted.node_port) for text in wanted.ports]
    if ports:
        spec["ports"] = ports
    spec["selector"] = {"app": wanted.name}
    if wanted.cluster_ip:
        spec["clusterIP"] = wanted.cluster_ip
    spec["type"] = wanted.type
    if wanted.external_name:
        spec["externalName"] = wanted.external_name
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": typed.metadata(wanted.name, wanted.namespace, labels={"app": wanted.name}),
        "spec": spec,
        "status": {"loadBalancer": {}},
    }


def need_ports(ports: Iterable[str]) -> None:
    """Raises CommandError."""
    if not list(ports):
        raise CommandError("at least one tcp port specifier must be provided")


def _port(text: str, node_port: int) -> Object:
    number, target = parse_ports(text)
    found: Object = {"name": text.replace(":", "-"), "protocol": "TCP", "port": number, "targetPort": target}
    return found | ({"nodePort": node_port} if node_port else {})


def parse_ports(text: str) -> tuple[int, int | str]:
    """`80`, `80:8080`, `80:http`. Raises CommandError."""
    first, colon, rest = text.partition(":")
    second = rest.partition(":")[0]
    number = _unsigned(first)
    if not colon:
        return number, number
    target: int | str
    if _PORT.fullmatch(second):
        target = _unsigned(second)
    else:
        wrong = names.port_name_errors(second)
        if wrong:
            raise CommandError(",".join(wrong))
        target = second
    return number, target


def _unsigned(text: str) -> int:
    if not _PORT.fullmatch(text):
        raise CommandError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    number = int(text)
    if number >= _INTEGER_32:
        raise CommandError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return number
