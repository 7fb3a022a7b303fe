"""The scheduler's picture of devices: what drivers offer, what claims hold, and what it has promised meanwhile. Pure.

Keeps true: a device is given to one claim, unless it is only looked at; a promise ends when the caches show it kept.
Written by the controller (what the caches say) and by `decide` (its placements), read by the filter.
"""

import dataclasses
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence

from steersman.api import device_taints, devices
from steersman.api.devices import DeviceId, Held
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import extended_resources


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceClaimUse:
    """A pod's claim by namespace/name; `key` is empty while `name`, its name in the pod, has no claim yet."""

    name: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class Extended:
    """A claim that has to be made for the pod's extended resources, until then known as `key`; `mappings` say which of its requests
    is for which container."""

    key: str
    requests: Sequence[Object]
    mappings: Sequence[Object]


@dataclasses.dataclass(frozen=True, slots=True)
class DevicePlan:
    """Allocations by key of the claim, to be written before the pod is bound; every claim is reserved for the pod."""

    allocations: Mapping[str, Object]
    claims: tuple[str, ...]
    extended: Extended | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """A device of a complete pool. `nodes` says where it can be used, as a ResourceSlice says it."""

    id: DeviceId
    device: Object
    nodes: Object

    @property
    def driver(self) -> str:
        return self.id[0]


def uses_of(pod: Object) -> tuple[ResourceClaimUse, ...]:
    space = objects.namespace(pod)
    return tuple(
        ResourceClaimUse(name, f"{space}/{claim}" if claim else "") for name, claim in devices.claim_names(pod)
    )


class Devices:
    """Claims by namespace/name, classes and slices by name."""

    def __init__(self) -> None:
        self.claims: dict[str, Object] = {}
        self.classes: dict[str, Object] = {}
        self.slices: dict[str, Object] = {}
        self._promised: dict[str, Object] = {}  # claim → allocation
        self._made: dict[str, str] = {}  # what a claim was promised as → its key
        self.rules: dict[str, Object] = {}  # DeviceTaintRules by name
        self._pools: _Pools | None = None

    # What the caches say

    def set_claim(self, key: str, claim: Object | None) -> None:
        if claim is None:
            self.claims.pop(key, None)
            self._promised.pop(key, None)
            self._made = {of: claim for of, claim in self._made.items() if claim != key}
            return
        self.claims[key] = claim
        if devices.allocation(claim) is not None:
            self._promised.pop(key, None)

    def set_slice(self, name: str, found: Object | None) -> None:
        self._pools = None
        if found is None:
            self.slices.pop(name, None)
        else:
            self.slices[name] = found

    # What is asked

    def allocation(self, key: str) -> Object | None:
        """As promised or written."""
        claim = self.claims.get(key)
        return self._promised.get(key) or (devices.allocation(claim) if claim is not None else None)

    def offers(self) -> Sequence[Offer]:
        """Every device of every pool that all slices of its newest generation have been seen of."""
        return self._read().offers

    def offers_near(self, node: str) -> Iterator[Offer]:
        """Those that may be usable on the node, in order: not those of other nodes alone."""
        found = self._read()
        numbered = heapq.merge(found.of_node.get(node, ()), found.elsewhere, key=lambda one: one[0])
        return (offer for _, offer in numbered)

    def updated(self) -> Sequence[tuple[str, Object]]:
        """Pools that are not complete just now, as driver/pool, and where a slice of each can be used."""
        return self._read().updated

    def counters(self, driver: str, pool: str, name: str) -> Object:
        """What a set of shared counters has, by name."""
        return self._read().counters.get((driver, pool, name), {})

    def classes_by_resource(self) -> dict[str, str]:
        """Of extended resources, the classes whose devices serve them."""
        return extended_resources.classes_by_resource(self.classes) if self.classes else {}

    def taints(self, offer: Offer) -> list[Object]:
        return [*(offer.device.get("taints") or ()), *device_taints.of_rules(offer.id, self.rules.values())]

    def held(self) -> Iterator[Held]:
        """What all allocations keep from others."""
        for key in {*self.claims, *self._promised}:
            found = self.allocation(key)
            if found is not None:
                yield from devices.held_by(found)

    # What is promised

    def promise(self, plan: DevicePlan) -> None:
        self._promised.update(plan.allocations)

    def take_back(self, plan: DevicePlan) -> None:
        for key in plan.allocations:
            self._promised.pop(self._made.pop(key, key), None)

    def keys_of(self, plan: DevicePlan) -> list[str]:
        """Of the claims that the plan allocates, as they are called by now."""
        return [self._made.get(key, key) for key in plan.allocations]

    def made(self, key: str, claim: str) -> None:
        """The claim that was promised as `key` is there now."""
        found = self._promised.pop(key, None)
        if found is not None:
            self._made[key] = claim
            self._promised[claim] = found

    def _read(self) -> "_Pools":
        if self._pools is None:
            self._pools = _read(self.slices.values())
        return self._pools


@dataclasses.dataclass(slots=True)
class _Pools:
    """What slices say, read once. Numbers are places in `offers`."""

    offers: list[Offer] = dataclasses.field(default_factory=list)
    of_node: dict[str, list[tuple[int, Offer]]] = dataclasses.field(default_factory=dict)
    elsewhere: list[tuple[int, Offer]] = dataclasses.field(default_factory=list)
    updated: list[tuple[str, Object]] = dataclasses.field(default_factory=list)
    counters: dict[tuple[str, str, str], Object] = dataclasses.field(default_factory=dict)


def _read(slices: Iterable[Object]) -> _Pools:
    found = _Pools()
    pools: dict[tuple[str, str], list[Object]] = {}
    for one in slices:
        pools.setdefault((one["spec"]["driver"], one["spec"]["pool"]["name"]), []).append(one)
    for (driver, pool), all_of_it in sorted(pools.items()):
        newest = max(one["spec"]["pool"].get("generation", 0) for one in all_of_it)
        current = [one for one in all_of_it if one["spec"]["pool"].get("generation", 0) == newest]
        if len(current) < current[0]["spec"]["pool"].get("resourceSliceCount", 1):
            found.updated += [(f"{driver}/{pool}", one["spec"]) for one in current]
            continue
        for one in sorted(current, key=objects.name):
            _read_slice(one["spec"], driver, pool, found)
    return found


def _read_slice(spec: Object, driver: str, pool: str, found: _Pools) -> None:
    for one in spec.get("sharedCounters") or ():
        found.counters[driver, pool, one["name"]] = one.get("counters") or {}
    for device in spec.get("devices") or ():
        where = device if spec.get("perDeviceNodeSelection") else spec
        offer = Offer((driver, pool, device["name"]), device, where)
        node = where.get("nodeName")
        (found.of_node.setdefault(node, []) if node else found.elsewhere).append((len(found.offers), offer))
        found.offers.append(offer)
