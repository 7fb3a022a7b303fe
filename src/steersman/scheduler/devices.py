"""The scheduler's picture of devices: what drivers offer, what claims hold, and what it has promised meanwhile. Pure.

Keeps true: a device is given to one claim, unless it is only looked at; a promise ends when the caches show it kept.
Written by the controller (what the caches say) and by `decide` (its placements), read by the filter.
"""

import dataclasses
from collections.abc import Iterator, Mapping

from steersman.api import devices
from steersman.api.devices import DeviceId
from steersman.meta import objects
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class ResourceClaimUse:
    """A pod's claim by namespace/name; `key` is empty while `name`, its name in the pod, has no claim yet."""

    name: str
    key: str


@dataclasses.dataclass(frozen=True, slots=True)
class DevicePlan:
    """Allocations by key of the claim, to be written before the pod is bound; every claim is reserved for the pod."""

    allocations: Mapping[str, Object]
    claims: tuple[str, ...]


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
        self._offers: list[Offer] | None = None
        self._counters: dict[tuple[str, str, str], Object] = {}

    # What the caches say

    def set_claim(self, key: str, claim: Object | None) -> None:
        if claim is None:
            self.claims.pop(key, None)
            self._promised.pop(key, None)
            return
        self.claims[key] = claim
        if devices.allocation(claim) is not None:
            self._promised.pop(key, None)

    def set_slice(self, name: str, found: Object | None) -> None:
        self._offers = None
        if found is None:
            self.slices.pop(name, None)
        else:
            self.slices[name] = found

    # What is asked

    def allocation(self, key: str) -> Object | None:
        """As promised or written."""
        claim = self.claims.get(key)
        return self._promised.get(key) or (devices.allocation(claim) if claim is not None else None)

    def offers(self) -> list[Offer]:
        """Every device of every pool that all slices of its newest generation have been seen of."""
        if self._offers is None:
            self._counters = {}
            self._offers = [offer for found in self._complete_pools() for one in found for offer in self._of_slice(one)]
        return self._offers

    def counters(self, driver: str, pool: str, name: str) -> Object:
        """What a set of shared counters has, by name."""
        self.offers()
        return self._counters.get((driver, pool, name), {})

    def held(self) -> Iterator[tuple[DeviceId, bool]]:
        """Devices of all allocations; True for those only looked at."""
        for key in {*self.claims, *self._promised}:
            found = self.allocation(key)
            if found is not None:
                yield from devices.devices_of(found)

    # What is promised

    def promise(self, plan: DevicePlan) -> None:
        self._promised.update(plan.allocations)

    def take_back(self, plan: DevicePlan) -> None:
        for key in plan.allocations:
            self._promised.pop(key, None)

    def _complete_pools(self) -> Iterator[list[Object]]:
        pools: dict[tuple[str, str], list[Object]] = {}
        for found in self.slices.values():
            pools.setdefault((found["spec"]["driver"], found["spec"]["pool"]["name"]), []).append(found)
        for _, slices in sorted(pools.items()):
            newest = max(one["spec"]["pool"].get("generation", 0) for one in slices)
            current = [one for one in slices if one["spec"]["pool"].get("generation", 0) == newest]
            if len(current) >= current[0]["spec"]["pool"].get("resourceSliceCount", 1):
                yield sorted(current, key=objects.name)

    def _of_slice(self, found: Object) -> Iterator[Offer]:
        spec = found["spec"]
        driver, pool = spec["driver"], spec["pool"]["name"]
        for one in spec.get("sharedCounters") or ():
            self._counters[driver, pool, one["name"]] = one.get("counters") or {}
        for device in spec.get("devices") or ():
            yield Offer((driver, pool, device["name"]), device, device if spec.get("perDeviceNodeSelection") else spec)
