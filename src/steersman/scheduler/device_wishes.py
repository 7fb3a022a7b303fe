"""What claims ask for on one node: each request as so many wishes, with the devices that would do.

Source: upstream's structured allocator (requests, modes, alternatives, selectors), KEP-4816 (alternatives).
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from steersman.api import device_taints, devices
from steersman.api.devices import DeviceId, SelectorError
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import device_capacity
from steersman.scheduler.device_capacity import Amounts
from steersman.scheduler.devices import Devices, Offer

RESULTS_MAX = 32  # devices of one claim, upstream's AllocationResultsMaxSize


class AllocationError(Exception):
    """Something is wrong with a claim, a class or a pool: no node is to be tried. The text is the user's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """One device wanted for `request` ("name" or "name/alternative") of a claim; `candidates` are who would do."""

    claim: str
    request: str
    spec: Object
    candidates: "Sequence[Candidate]"

    @property
    def looks_only(self) -> bool:
        return bool(self.spec.get("adminAccess"))


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """`takes`: of the device's capacity, if it is shared."""

    offer: Offer
    takes: Amounts

    @property
    def is_shared(self) -> bool:
        return bool(self.offer.device.get("allowMultipleAllocations"))


class Wishes:
    """Answers are kept: a selector is asked once about a device, on however many nodes that can be used."""

    def __init__(self, known: Devices) -> None:
        self._known = known
        self._suited: dict[tuple[int, DeviceId], Candidate | None] = {}

    def of(self, claims: Mapping[str, Object], usable: Sequence[Offer], updated: Sequence[str]) -> Iterator[list[Wish]]:
        """One list per combination of alternatives, those that are named first tried first. Raises AllocationError.

        `usable` are the devices of the node, `updated` the pools of which not all is known just now.
        """
        requests = [
            (key, request)
            for key, claim in claims.items()
            for request in (claim["spec"].get("devices") or {}).get("requests") or ()
        ]
        options = [
            [self._wishes(key, claims[key], name, spec, usable, updated) for name, spec in _alternatives(request)]
            for key, request in requests
        ]
        yield from _combined(options, [])

    def _wishes(
        self, key: str, claim: Object, name: str, spec: Object, usable: Sequence[Offer], updated: Sequence[str]
    ) -> list[Wish] | None:
        """As many as the request wants; None where it cannot be had."""
        found = [one for offer in usable if (one := self._candidate(key, claim, spec, offer)) is not None]
        tolerations = spec.get("tolerations") or ()
        free = [one for one in found if not device_taints.is_kept_away(self._known.taints(one.offer), tolerations)]
        if spec.get("allocationMode", "ExactCount") == "All":
            if updated:
                text = f"asks for all devices, but resource pool {updated[0]} is currently being updated"
                raise AllocationError(f"claim {key}, request {name.rpartition('/')[2]}: {text}")
            return [Wish(key, name, spec, [one]) for one in found] if found and len(free) == len(found) else None
        # Whoever has to wait for a device after it was chosen comes last.
        ordered = sorted(free, key=lambda one: bool(one.offer.device.get("bindingConditions")))
        return [Wish(key, name, spec, ordered)] * int(spec.get("count") or 1) if ordered else None

    def _candidate(self, key: str, claim: Object, spec: Object, offer: Offer) -> Candidate | None:
        known = id(spec), offer.id
        if known not in self._suited:
            requests = (spec.get("capacity") or {}).get("requests") or {}
            takes = device_capacity.consumed(offer.driver, offer.device, requests)
            does = self._is_selected(key, spec, offer) and takes is not None
            self._suited[known] = Candidate(offer, takes or {}) if does else None
        return self._suited[known]

    def _is_selected(self, key: str, spec: Object, offer: Offer) -> bool:
        found = self._known.classes.get(spec["deviceClassName"])
        if found is None:
            return False
        sources = ((f"class {objects.name(found)}", found["spec"]), (f"claim {key}", spec))
        return all(_holds(whose, given.get("selectors") or (), offer) for whose, given in sources)


def _holds(whose: str, selectors: Iterable[Object], offer: Offer) -> bool:
    for index, one in enumerate(selectors):
        try:
            if not devices.matches(one["cel"]["expression"], offer.driver, offer.device):
                return False
        except SelectorError as wrong:
            raise AllocationError(f"{whose}: selector #{index}: {wrong}") from wrong
    return True


def _alternatives(request: Object) -> Iterator[tuple[str, Object]]:
    if request.get("exactly") is not None:
        yield request["name"], request["exactly"]
    for one in request.get("firstAvailable") or ():
        yield f"{request['name']}/{one['name']}", one


def _combined(options: Sequence[Sequence[list[Wish] | None]], so_far: list[Wish]) -> Iterator[list[Wish]]:
    if not options:
        yield so_far
        return
    for wishes in options[0]:
        if wishes is not None and _count(so_far, wishes[0].claim) + len(wishes) <= RESULTS_MAX:
            yield from _combined(options[1:], [*so_far, *wishes])


def _count(wishes: Iterable[Wish], claim: str) -> int:
    return sum(wish.claim == claim for wish in wishes)
