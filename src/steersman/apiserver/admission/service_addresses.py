"""ClusterIPs and node ports: given out once each, taken back when the Service goes or its write fails.

Keeps true: no two Services share an address or a node port. The books are in memory and rebuilt from the store at start.
Source: "Service ClusterIP allocation", "NodePort" ranges with a lower band kept for static choices.
"""

import contextlib
import ipaddress
import itertools
from collections.abc import Iterable, Iterator

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.meta import errors
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

ADDRESS_TYPES = frozenset(("ClusterIP", "NodePort", "LoadBalancer"))
PORT_TYPES = frozenset(("NodePort", "LoadBalancer"))


class Numbers:
    """Integers of a range, each given out at most once; the lowest `static_band` last, so that people can choose there."""

    def __init__(self, low: int, high: int, static_band: int) -> None:
        self.low, self.high = low, high
        self._dynamic_low = min(high, low + static_band)
        self._taken: set[int] = set()
        self._next: int = self._dynamic_low

    def __contains__(self, number: int) -> bool:
        return self.low <= number <= self.high

    def take(self, number: int) -> bool:
        """False when it is somebody's already."""
        if number in self._taken:
            return False
        self._taken.add(number)
        return True

    def take_any(self) -> int | None:
        """A free number; None when all are taken."""
        for low, high in ((self._dynamic_low, self.high), (self.low, self._dynamic_low - 1)):
            start = self._next if low <= self._next <= high else low
            for number in itertools.chain(range(start, high + 1), range(low, start)):
                if self.take(number):
                    self._next = number + 1
                    return number
        return None

    def release(self, number: int) -> None:
        self._taken.discard(number)


class ServiceAddresses:
    def __init__(self, service_cidr: str = "10.96.0.0/16", node_ports: tuple[int, int] = (30000, 32767)) -> None:
        network = ipaddress.ip_network(service_cidr)
        assert isinstance(network, ipaddress.IPv4Network), "service addresses are IPv4"
        self._cidr = service_cidr
        low, high = int(network.network_address) + 1, int(network.broadcast_address) - 1
        self.addresses = Numbers(low, high, _band(high - low + 1, 16, 256))
        self.ports = Numbers(*node_ports, _band(node_ports[1] - node_ports[0] + 1, 32, 128))

    def rebuild(self, services: Iterable[Object]) -> None:
        """Take what stored Services hold."""
        for service in services:
            for number in _held_addresses(service):
                self.addresses.take(number)
            for port in _held_ports(service):
                self.ports.take(port)

    def release(self, service: Object) -> None:
        """The Service is gone."""
        for number in _held_addresses(service):
            self.addresses.release(number)
        for port in _held_ports(service):
            self.ports.release(port)

    @contextlib.contextmanager
    def reserved(self, service: Object, old: Object | None, *, dry_run: bool) -> Iterator[None]:
        """Complete `service` in place and hold its numbers; given back if the block fails. Raises StatusError 422."""
        addresses: list[int] = []
        ports: list[int] = []
        try:
            self._take_address(service, old, addresses)
            self._take_ports(service, old, ports)
            yield
        except BaseException:
            self._give_back(addresses, ports)
            raise
        if dry_run:
            self._give_back(addresses, ports)
        elif old is not None:
            self._give_back(_held_addresses(old) - _held_addresses(service), _held_ports(old) - _held_ports(service))

    def _give_back(self, addresses: Iterable[int], ports: Iterable[int]) -> None:
        for number in addresses:
            self.addresses.release(number)
        for port in ports:
            self.ports.release(port)

    def _take_address(self, service: Object, old: Object | None, taken: list[int]) -> None:
        spec = service.setdefault("spec", {})
        if spec.get("type", "ClusterIP") not in ADDRESS_TYPES:
            return
        before = (old or {}).get("spec") or {}
        wanted = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
        if not wanted and before.get("clusterIP"):
            wanted = before["clusterIP"]
        if wanted == "None":
            spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        elif wanted and wanted == before.get("clusterIP"):
            spec["clusterIP"], spec["clusterIPs"] = wanted, [wanted]
        else:
            number = self._chosen(service, wanted) if wanted else self._any_address(service)
            taken.append(number)
            text = str(ipaddress.IPv4Address(number))
            spec["clusterIP"], spec["clusterIPs"] = text, [text]
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _chosen(self, service: Object, wanted: str) -> int:
        try:
            number = int(ipaddress.IPv4Address(wanted))
        except ValueError:
            raise _invalid(
                service, "spec.clusterIPs", f'Invalid value: ["{wanted}"]: must be a valid IP address'
            ) from None
        what = f'Invalid value: ["{wanted}"]: failed to allocate IP {wanted}'
        if number not in self.addresses:
            why = f"the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {self._cidr}"
            raise _invalid(service, "spec.clusterIPs", f"{what}: {why}")
        if not self.addresses.take(number):
            raise _invalid(service, "spec.clusterIPs", f"{what}: provided IP is already allocated")
        return number

    def _any_address(self, service: Object) -> int:
        number = self.addresses.take_any()
        if number is None:
            raise errors.internal(f"failed to allocate a serviceIP: range is full ({self._cidr})")
        return number

    def _take_ports(self, service: Object, old: Object | None, taken: list[int]) -> None:
        spec = service["spec"]
        if spec.get("type") not in PORT_TYPES or spec.get("allocateLoadBalancerNodePorts") is False:
            return
        held = _held_ports(old) if old else set()
        kept = _ports_by_name(old) if old else {}
        for index, port in enumerate(spec.get("ports") or ()):
            wanted = port.get("nodePort") or kept.get((port.get("name", ""), port.get("port")))
            if not wanted:
                wanted = self.ports.take_any()
                if wanted is None:
                    raise errors.internal("failed to allocate a nodePort: range is full")
                taken.append(wanted)
            elif wanted not in held and wanted not in taken:
                self._take_chosen_port(service, index, wanted)
                taken.append(wanted)
            port["nodePort"] = wanted

    def _take_chosen_port(self, service: Object, index: int, wanted: int) -> None:
        field = f"spec.ports[{index}].nodePort"
        if wanted not in self.ports:
            why = f"provided port is not in the valid range. The range of valid ports is {self.ports.low}-{self.ports.high}"
            raise _invalid(service, field, f"Invalid value: {wanted}: {why}")
        if not self.ports.take(wanted):
            raise _invalid(service, field, f"Invalid value: {wanted}: provided port is already allocated")


class Reservation(Plugin):
    """Every Service gets its numbers before it is validated, and gives them back when its write fails or it goes."""

    def __init__(self, addresses: ServiceAddresses) -> None:
        self._addresses = addresses

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        return kind is kinds.SERVICE and (not subresource or operation == "DELETE")

    async def mutate(self, review: Review) -> bool:
        if review.operation == "DELETE":
            return False
        held = self._addresses.reserved(review.new, review.old, dry_run=review.call.dry_run)
        review.holds.enter_context(held)
        return True

    async def removed(self, review: Review) -> None:
        assert review.old is not None
        self._addresses.release(review.old)


def _band(size: int, low: int, high: int) -> int:
    """How many of the lowest numbers are kept for static choice: upstream's min(max(low, size/step), high)."""
    return 0 if size <= low else min(max(low, size // low), high)


def _held_addresses(service: Object) -> set[int]:
    spec = service.get("spec") or {}
    if spec.get("type", "ClusterIP") not in ADDRESS_TYPES:
        return set()
    texts = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    return {int(ipaddress.IPv4Address(text)) for text in texts if text and text != "None" and ":" not in text}


def _held_ports(service: Object) -> set[int]:
    spec = service.get("spec") or {}
    if spec.get("type") not in PORT_TYPES:
        return set()
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


def _ports_by_name(service: Object) -> dict[tuple[str, object], int]:
    spec = service.get("spec") or {}
    return {(port.get("name", ""), port.get("port")): port.get("nodePort", 0) for port in spec.get("ports") or ()}


def _invalid(service: Object, field: str, message: str) -> errors.StatusError:
    name = service["metadata"].get("name", "")
    return errors.invalid("Service", name, [FieldError(field, "FieldValueInvalid", message)])
