"""ClusterIPs and node ports: given out once each, taken back when the Service goes or its write fails.

Keeps true: no two Services share an address or a node port, and no address is given out that an IPAddress of somebody else
names. The books are in memory, made from the store at start and kept by `service_numbers`: they say what is free as far as this
server knows. What is free the store says, where each number given out is an entry (`ip_addresses`, `node_ports`).
Reads: the ServiceCIDRs that are ready.
Source: "Service ClusterIP allocation", "NodePort" ranges with a lower band kept for static choices.
"""

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from steersman.api import ip_addresses, kinds, strategies
from steersman.api.kind import Kind
from steersman.api.validation import address_families, fields
from steersman.apiserver import decoded
from steersman.apiserver.admission import number_book
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import conditions, errors, objects
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PORT_TYPES = frozenset(("NodePort", "LoadBalancer"))
DEFAULT_CIDR = "kubernetes"  # the name of the ServiceCIDR every cluster starts with: the first to be asked

Taken = tuple[str, int]
"""An address: its family and number."""


class NumberTakenError(errors.StatusError):
    """Another server has given it out meanwhile, which these books did not know: try again."""

    def __init__(self, service: Object, number: str | int) -> None:
        super().__init__(errors.modified("services", objects.name(service)).status)
        self.number = number


class ServiceAddresses:
    """`service_cidrs` are those the cluster starts with, one per family, the default family first."""

    def __init__(
        self, service_cidrs: Sequence[str] = ("10.96.0.0/16",), node_ports: tuple[int, int] = (30000, 32767)
    ) -> None:
        self.families = tuple(address_families.family_of(cidr) for cidr in service_cidrs)
        self._taken: dict[str, set[int]] = {family: set() for family in address_families.FAMILIES}
        self._ranges: dict[str, number_book.Numbers] = {}
        low, high = node_ports
        self.ports = number_book.Numbers(low, high, number_book.static_band(high - low + 1, 32, 128))

    def rebuild(self, services: Iterable[Object], addresses: Iterable[Object]) -> None:
        """Take what stored Services hold and what IPAddresses name."""
        for service in services:
            for family, number in held_addresses(service):
                self._taken[family].add(number)
            for port in held_ports(service):
                self.ports.take(port)
        for address in addresses:
            self.take(objects.name(address))

    def take(self, address: str) -> None:
        """Somebody else has it."""
        family, number = _taken(address)
        self._taken[family].add(number)

    def give(self, address: str) -> None:
        family, number = _taken(address)
        self._taken[family].discard(number)

    def release(self, service: Object) -> None:
        """The Service is gone."""
        self._give_back(held_addresses(service), held_ports(service))

    def changed(self, old: Object | None, new: Object | None) -> None:
        """A Service is otherwise than it was, by whichever server."""
        had, has = ((held_addresses(one), held_ports(one)) if one else (set(), set()) for one in (old, new))
        self._give_back(had[0] - has[0], had[1] - has[1])
        for family, number in has[0]:
            self._taken[family].add(number)
        for port in has[1]:
            self.ports.take(port)

    def _know(self, number: str | int) -> None:
        if isinstance(number, int):
            self.ports.take(number)
        else:
            self.take(number)

    @contextlib.contextmanager
    def reserved(self, service: Object, old: Object | None, cidrs: Sequence[str], *, dry_run: bool) -> Iterator[None]:
        """Complete `service` in place, from `cidrs`, and hold its numbers; given back if the block fails. Raises StatusError."""
        addresses: set[Taken] = set()
        ports: set[int] = set()
        try:
            self._take_addresses(service, old, cidrs, addresses)
            self._take_ports(service, old, ports)
            yield
        except BaseException as why:
            self._give_back(addresses, ports)
            if isinstance(why, NumberTakenError):
                self._know(why.number)
            raise
        if dry_run:
            self._give_back(addresses, ports)
        elif old is not None:
            gone = held_addresses(old) - held_addresses(service)
            self._give_back(gone, held_ports(old) - held_ports(service))

    def _give_back(self, addresses: Iterable[Taken], ports: Iterable[int]) -> None:
        for family, number in addresses:
            self._taken[family].discard(number)
        for port in ports:
            self.ports.release(port)

    def _take_addresses(self, service: Object, old: Object | None, cidrs: Sequence[str], taken: set[Taken]) -> None:
        spec = service.setdefault("spec", {})
        if spec.get("type", "ClusterIP") not in ip_addresses.ADDRESS_TYPES:
            return
        before = (old or {}).get("spec") or {}
        had_addresses = bool(before) and before.get("type", "ClusterIP") in ip_addresses.ADDRESS_TYPES
        address_families.pair(spec, before if had_addresses else None)
        wrong = address_families.settle(spec, before if had_addresses else None, self.families)
        if wrong:
            raise _refused(service, wrong)
        if spec.get("clusterIP") == "None":
            return
        held = held_addresses(old) if old is not None else set()
        wanted = list(spec.get("clusterIPs") or ())
        found = []
        for index, family in enumerate(spec.get("ipFamilies") or ()):
            text = wanted[index] if index < len(wanted) else ""
            if text and _taken(text) in held:
                found.append(text)
                continue
            number = self._chosen(service, text, cidrs) if text else self._any_address(family, cidrs)
            taken.add((family, number))
            found.append(_text(family, number))
        spec["clusterIP"], spec["clusterIPs"] = found[0], found

    def _chosen(self, service: Object, wanted: str, cidrs: Sequence[str]) -> int:
        _, number = _taken(wanted)
        listed = service["spec"]["clusterIPs"]
        pools = [self._range(cidr) for cidr in cidrs if ipaddress.ip_address(wanted) in ipaddress.ip_network(cidr)]
        what = f"failed to allocate IP {wanted}"
        if not pools:
            why = "the provided network does not match the current range"
            raise _invalid(service, "spec.clusterIPs", listed, f"{what}: {why}")
        if not any(number in pool for pool in pools):
            where = ", ".join(cidr for cidr in cidrs if ipaddress.ip_address(wanted) in ipaddress.ip_network(cidr))
            why = f"the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {where}"
            raise _invalid(service, "spec.clusterIPs", listed, f"{what}: {why}")
        if not pools[0].take(number):
            raise _invalid(service, "spec.clusterIPs", listed, f"{what}: provided IP is already allocated")
        return number

    def _any_address(self, family: str, cidrs: Sequence[str]) -> int:
        asked = [cidr for cidr in cidrs if address_families.family_of(cidr) == family]
        for cidr in asked:
            number = self._range(cidr).take_any()
            if number is not None:
                return number
        raise errors.internal("failed to allocate a serviceIP: range is full")

    def _range(self, cidr: str) -> number_book.Numbers:
        if cidr not in self._ranges:
            network = ipaddress.ip_network(cidr)
            low, high = int(network.network_address) + 1, int(network.broadcast_address)
            if network.version == 4:
                high -= 1
            band = number_book.static_band(high - low + 1, 16, 256)
            taken = self._taken[address_families.family_of(cidr)]
            self._ranges[cidr] = number_book.Numbers(low, high, band, taken)
        return self._ranges[cidr]

    def _take_ports(self, service: Object, old: Object | None, taken: set[int]) -> None:
        spec = service["spec"]
        held = held_ports(old) if old else set()
        if spec.get("type") in PORT_TYPES and spec.get("allocateLoadBalancerNodePorts") is not False:
            self._take_node_ports(service, old, held, taken)
        elif spec.get("type") in PORT_TYPES:
            for index, port in enumerate(spec.get("ports") or ()):
                self._take_port(service, f"spec.ports[{index}].nodePort", port.get("nodePort"), held, taken)
        if _has_health_port(spec):
            wanted = spec.get("healthCheckNodePort")
            if wanted:
                self._take_port(service, "spec.healthCheckNodePort", wanted, held, taken)
            else:
                spec["healthCheckNodePort"] = self._any_port(taken)

    def _take_node_ports(self, service: Object, old: Object | None, held: set[int], taken: set[int]) -> None:
        kept = _ports_by_name(old) if old else {}
        of_number: dict[object, tuple[int, set[object]]] = {}  # service port → its node port, and for which protocols
        for index, port in enumerate(service["spec"].get("ports") or ()):
            wanted = port.get("nodePort") or kept.get((port.get("name", ""), port.get("port")))
            protocol = port.get("protocol") or "TCP"
            shared, protocols = of_number.get(port.get("port"), (0, set()))
            if not wanted and shared and protocol not in protocols:
                wanted = shared  # one port for several protocols, as DNS has it
            if wanted:
                self._take_port(service, f"spec.ports[{index}].nodePort", wanted, held, taken)
            else:
                wanted = self._any_port(taken)
            port["nodePort"] = wanted
            of_number[port.get("port")] = wanted, {*protocols, protocol}

    def _any_port(self, taken: set[int]) -> int:
        number = self.ports.take_any()
        if number is None:
            raise errors.internal("failed to allocate a nodePort: range is full")
        taken.add(number)
        return number

    def _take_port(self, service: Object, field: str, wanted: int | None, held: set[int], taken: set[int]) -> None:
        if not wanted or wanted in held or wanted in taken:
            return
        if wanted not in self.ports:
            why = f"provided port is not in the valid range. The range of valid ports is {self.ports.low}-{self.ports.high}"
            raise _invalid(service, field, wanted, why)
        if not self.ports.take(wanted):
            raise _invalid(service, field, wanted, "provided port is already allocated")
        taken.add(wanted)


class Reservation(Plugin):
    """Every Service gets its numbers before it is validated, and gives them back when its write fails or it goes."""

    def __init__(self, known: decoded.DecodedObjects, addresses: ServiceAddresses) -> None:
        self._known = known
        self._addresses = addresses

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.SERVICE and (not subresource or operation == "DELETE")

    async def mutate(self, review: Review) -> bool:
        if review.operation == "DELETE" or (review.again and not review.round):  # the numbers come last, and once
            return False
        cidrs = usable_cidrs(await self._known.list(kinds.SERVICE_CIDR))
        strategies.keep_allocated(review.new, review.old)
        held = self._addresses.reserved(review.new, review.old, cidrs, dry_run=review.call.dry_run)
        review.holds.enter_context(held)
        return True

    async def removed(self, review: Review) -> None:
        assert review.old is not None
        self._addresses.release(review.old)


def usable_cidrs(service_cidrs: Iterable[Object]) -> list[str]:
    """Those that are ready and not about to go, the cluster's first ones first."""
    found = [one for one in service_cidrs if conditions.is_true(one, "Ready") and not objects.is_terminating(one)]
    found.sort(key=lambda one: (objects.name(one) != DEFAULT_CIDR, objects.name(one)))
    return [cidr for one in found for cidr in (one.get("spec") or {}).get("cidrs") or ()]


def held_addresses(service: Object) -> set[Taken]:
    return {_taken(text) for text in ip_addresses.of_service(service)}


def _taken(text: str) -> Taken:
    return address_families.family_of(text), int(ipaddress.ip_address(text))


def _text(family: str, number: int) -> str:
    return str(ipaddress.IPv6Address(number) if family == "IPv6" else ipaddress.IPv4Address(number))


def _has_health_port(spec: Object) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def held_ports(service: Object) -> set[int]:
    spec = service.get("spec") or {}
    if spec.get("type") not in PORT_TYPES:
        return set()
    found = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    if _has_health_port(spec) and spec.get("healthCheckNodePort"):
        found.add(spec["healthCheckNodePort"])
    return found


def _ports_by_name(service: Object) -> dict[tuple[str, object], int]:
    spec = service.get("spec") or {}
    return {(port.get("name", ""), port.get("port")): port.get("nodePort", 0) for port in spec.get("ports") or ()}


def _invalid(service: Object, field: str, value: object, detail: str) -> errors.StatusError:
    return _refused(service, [fields.invalid(field, value, detail)])


def _refused(service: Object, causes: list[FieldError]) -> errors.StatusError:
    return errors.invalid("Service", service["metadata"].get("name", ""), causes)
