"""The rules of all Services together, and what a change of one of them changes. Pure.

Two Services may claim the same element (one external address, one pod behind both): the first keeps it, the other waits and gets
it when the first lets go.
"""

import dataclasses
import functools
import itertools
import zlib
from collections.abc import Iterable, Iterator, Mapping

from steersman.meta.objects import Object
from steersman.proxy import rules


@dataclasses.dataclass(slots=True)
class Change:
    """Elements to take away (with the value they had) and to put in. A changed value is in both."""

    removed: rules.Elements = dataclasses.field(default_factory=dict)
    added: rules.Elements = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)


class RuleSet:
    """Of one place. `elements` is the wanted content of all maps; read only."""

    def __init__(self, place: rules.Place) -> None:
        self.elements: rules.Elements = {}
        self._place = place
        self._of_service: dict[str, rules.Elements] = {}
        self._slots: dict[str, rules.Slots] = {}
        self._owners: dict[rules.Element, str] = {}
        self._waiting: dict[rules.Element, dict[str, str]] = {}
        self._affinity_numbers: dict[str, dict[str, int]] = {}
        self._numbers_taken: set[int] = set()

    def services(self) -> Iterable[str]:
        return self._of_service.keys()

    def update(self, key: str, service: Object | None, slices: Iterable[Object], change: Change) -> None:
        """Bring the Service `key` up to date (None: it is gone), and note in `change` what that changes."""
        old = self._of_service.pop(key, {})
        new: rules.Elements = {}
        if service is not None:
            new, slots = rules.of_service(
                service,
                slices,
                self._place,
                slots=self._slots.get(key, {}),
                affinity_id=functools.partial(self._affinity_number, key),
            )
            self._of_service[key] = new
            self._slots[key] = slots
        else:
            self._slots.pop(key, None)
            self._numbers_taken.difference_update(self._affinity_numbers.pop(key, {}).values())
        for element, value in old.items():
            if new.get(element) != value:
                self._release(key, element, change)
        for element, value in new.items():
            if old.get(element) != value:
                self._claim(key, element, value, change)

    def _affinity_number(self, key: str, port: str) -> int:
        """The same after every start, so that clients that were remembered before are known again."""
        numbers = self._affinity_numbers.setdefault(key, {})
        if port not in numbers:
            first = zlib.crc32(f"{key} {port}".encode())
            numbers[port] = next(one for one in itertools.count(first) if one and one not in self._numbers_taken)
            self._numbers_taken.add(numbers[port])
        return numbers[port]

    def _claim(self, key: str, element: rules.Element, value: str, change: Change) -> None:
        owner = self._owners.setdefault(element, key)
        if owner == key:
            self._put(element, value, change)
        else:
            self._waiting.setdefault(element, {})[key] = value

    def _release(self, key: str, element: rules.Element, change: Change) -> None:
        waiting = self._waiting.get(element)
        if self._owners[element] != key:
            assert waiting is not None
            del waiting[key]
            if not waiting:
                del self._waiting[element]
            return
        self._take(element, change)
        del self._owners[element]
        if waiting:
            heir = next(iter(waiting))
            value = waiting.pop(heir)
            if not waiting:
                del self._waiting[element]
            self._owners[element] = heir
            self._put(element, value, change)

    def _put(self, element: rules.Element, value: str, change: Change) -> None:
        self.elements[element] = value
        if change.removed.get(element) == value:
            del change.removed[element]  # back to what it is in the kernel
        else:
            change.added[element] = value

    def _take(self, element: rules.Element, change: Change) -> None:
        value = self.elements.pop(element)
        if element in change.added:
            del change.added[element]  # never reached the kernel
        else:
            change.removed[element] = value


_ENDPOINT_MAPS = frozenset(scope.endpoints for scope in rules.SCOPES.values())
_VERDICT_MAPS = frozenset(scope.verdicts for scope in rules.SCOPES.values())


def portions(change: Change, size: int) -> Iterator[Change]:
    """The change in parts of up to `size` elements, endpoints first; an element that is in both halves stays in one part."""
    elements = sorted({*change.removed, *change.added}, key=lambda element: element[0] in _VERDICT_MAPS)
    for at in range(0, len(elements), size):
        members = elements[at : at + size]
        yield Change(
            {element: change.removed[element] for element in members if element in change.removed},
            {element: change.added[element] for element in members if element in change.added},
        )


def left_targets(change: Change) -> set[str]:
    """Targets (`address . port`) that some Service led to before and leads to no more."""
    return {target for _, _, target in _targets(change.removed) - _targets(change.added)}


def _targets(elements: rules.Elements) -> set[tuple[str, str, str]]:
    """(map, key without the slot, target)"""
    return {
        (name, key.rpartition(" . ")[0], value) for (name, key), value in elements.items() if name in _ENDPOINT_MAPS
    }


def served_by_udp(elements: Mapping[rules.Element, str]) -> dict[tuple[str, int], set[str]]:
    """(address, port) → who may answer there; the address is empty for a node port."""
    found: dict[tuple[str, int], set[str]] = {}
    for (name, key), value in elements.items():
        if " . udp . " not in key and not key.startswith("udp . "):
            continue
        if name in _VERDICT_MAPS and value.startswith("goto ") and value != rules.REFUSE:
            address, _, port = _split(key)
            found.setdefault((address, port), set())
        elif name in _ENDPOINT_MAPS:
            address, _, port = _split(key.rpartition(" . ")[0])
            found.setdefault((address, port), set()).add(value.partition(" . ")[0])
    return found


def stale_flows(change: Change) -> set[tuple[str, int, str]]:
    """UDP connections that no longer go where the rules say: (address, port, who answers); the address is empty for a node port.

    Those of an endpoint that left its Service, and, where a Service gets its first endpoint, those that were led nowhere.
    """
    found: set[tuple[str, int, str]] = set()
    for _, key, target in _targets(change.removed) - _targets(change.added):
        address, protocol, port = _split(key)
        if protocol == "udp":
            found.add((address, port, target.partition(" . ")[0]))
    for (name, key), verdict in change.added.items():
        if name in _VERDICT_MAPS and verdict not in (rules.REFUSE, rules.DROP):
            address, protocol, port = _split(key)
            if protocol == "udp" and address and not _led_somewhere(change.removed.get((name, key), "")):
                found.add((address, port, address))
    return found


def _led_somewhere(verdict: str) -> bool:
    return verdict not in ("", rules.REFUSE, rules.DROP)


def _split(key: str) -> tuple[str, str, int]:
    address, protocol, port = key.split(" . ") if key.count(" . ") == 2 else ("", *key.split(" . "))
    return address, protocol, int(port)
