"""What a proxy is to do, and what may be looked up to find out: the words that Ingresses and Gateways are translated into."""

import dataclasses
from collections.abc import Callable, Iterable

from steersman.ingress.backends import Backend
from steersman.ingress.routes import Rule
from steersman.meta.objects import Object

UNAVAILABLE = "unavailable"  # the backend without servers: 503


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """PEM of a certificate (with its chain) and its key, for these hosts; none: for whoever asks for no other."""

    name: str
    pem: str
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """Something an object asks for that is not there."""

    obj: Object
    reason: str
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Look:
    """By `namespace/name`."""

    service: Callable[[str], Object | None]
    slices: Callable[[str], Iterable[Object]]
    certificate: Callable[[str], str | None]
    """PEM of a Secret of type kubernetes.io/tls; None where it is none."""


@dataclasses.dataclass(slots=True)
class Port:
    """What is served on one port; `https_only` are the hosts whose requests are sent to https."""

    number: int
    secure: bool
    rules: list[Rule] = dataclasses.field(default_factory=list)
    certificates: list[Certificate] = dataclasses.field(default_factory=list)
    https_only: set[str] = dataclasses.field(default_factory=set)


@dataclasses.dataclass(slots=True)
class Wanted:
    ports: dict[int, Port] = dataclasses.field(default_factory=dict)
    backends: dict[str, Backend] = dataclasses.field(default_factory=dict)
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def port(self, number: int, *, secure: bool = False) -> Port:
        """The port, added where nobody asked for it yet."""
        return self.ports.setdefault(number, Port(number, secure))
