"""Choose devices for claims on one node: a pure search.

Keeps true: every request of every claim gets what it asks for, all constraints hold, no device is given twice unless it may be
shared, no capacity and no counter is overdrawn; of several ways the first in the order of pools and devices.
Source: upstream's structured allocator.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

from steersman.api import devices
from steersman.api.devices import DeviceId
from steersman.meta import node_selectors, quantities
from steersman.meta.objects import Object
from steersman.scheduler import device_results
from steersman.scheduler.device_results import Choice
from steersman.scheduler.device_wishes import Candidate, Wish, Wishes
from steersman.scheduler.devices import Devices

STEPS_MAX = 100_000  # of one search: a claim that needs more is unreasonable

Drawn = collections.Counter[tuple[DeviceId, str]]
"""Nanos of each device's capacities that are given to somebody."""


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    name: str
    labels: Mapping[str, str]


@dataclasses.dataclass(slots=True)
class _State:
    """What the search has chosen so far, on top of what others hold: `taken` whole, `drawn` of shared ones."""

    taken: set[DeviceId]
    shared: collections.Counter[DeviceId]
    drawn: Drawn
    chosen: list[tuple[int, Choice]] = dataclasses.field(default_factory=list)
    steps: int = 0


class Allocator:
    """Of what is free now; asked for all claims of a pod at once, node by node."""

    def __init__(self, known: Devices) -> None:
        self._known = known
        self._wishes = Wishes(known)
        self._taken: set[DeviceId] = set()
        self._shared: collections.Counter[DeviceId] = collections.Counter()
        self._drawn: Drawn = collections.Counter()
        for held in known.held():
            if not held.is_share:
                self._taken.add(held.id)
                continue
            self._shared[held.id] += 1
            for name, amount in held.consumed.items():
                self._drawn[held.id, name] += quantities.parse(str(amount)).nanos

    def allocate(self, claims: Mapping[str, Object], node: Node) -> dict[str, Object] | None:
        """The allocations by key of the claim, or None where they cannot all be had here. Raises AllocationError."""
        usable = [offer for offer in self._known.offers_near(node.name) if usable_on(offer.nodes, node)]
        updated = [pool for pool, where in self._known.updated() if usable_on(where, node)]
        state = _State(set(self._taken), self._shared.copy(), self._drawn.copy())
        for wishes in self._wishes.of(claims, usable, updated):
            if self._search(wishes, claims, state):
                classes = self._known.classes
                chosen = [choice for _, choice in state.chosen]
                return {
                    key: device_results.allocation(claim, [c for c in chosen if c[0].claim == key], classes, node.name)
                    for key, claim in claims.items()
                }
        return None

    def _search(self, wishes: Sequence[Wish], claims: Mapping[str, Object], state: _State) -> bool:
        if len(state.chosen) == len(wishes):
            return True
        wish = wishes[len(state.chosen)]
        for index in range(_first(wish, state), len(wish.candidates)):
            state.steps += 1
            if state.steps > STEPS_MAX:
                return False
            candidate = wish.candidates[index]
            if not self._is_free(wish, candidate, state):
                continue
            state.chosen.append((index, (wish, candidate)))
            if self._is_allowed(claims[wish.claim], wish, state):
                _count(candidate, wish, state, 1)
                if (wish.looks_only or self._has_counters(candidate, state)) and self._search(wishes, claims, state):
                    return True
                _count(candidate, wish, state, -1)
            state.chosen.pop()
        return False

    def _is_free(self, wish: Wish, candidate: Candidate, state: _State) -> bool:
        device = candidate.offer.id
        if candidate.is_shared:
            return wish.looks_only or all(
                state.drawn[device, name] + amount.nanos <= _capacity(candidate, name)
                for name, amount in candidate.takes.items()
            )
        if not wish.looks_only:
            return device not in state.taken
        return all(one.claim != wish.claim or other.offer.id != device for _, (one, other) in state.chosen)

    def _is_allowed(self, claim: Object, wish: Wish, state: _State) -> bool:
        """The claim's constraints, for what is chosen for it so far."""
        for constraint in (claim["spec"].get("devices") or {}).get("constraints") or ():
            named = constraint.get("requests") or ()
            chosen = [
                candidate.offer
                for _, (one, candidate) in state.chosen
                if one.claim == wish.claim
                and (not named or one.request in named or one.request.partition("/")[0] in named)
            ]
            name = constraint.get("matchAttribute") or constraint.get("distinctAttribute")
            values = [devices.attribute(offer.driver, offer.device, name) for offer in chosen]
            if None in values:
                return False
            different = len(set(values))
            if different != (1 if constraint.get("matchAttribute") else len(values)) and values:
                return False
        return True

    def _has_counters(self, candidate: Candidate, state: _State) -> bool:
        """Whether what the device, already counted, draws from its pool's counters is there. Sharing draws once."""
        driver, pool, _ = candidate.offer.id
        for consumption in candidate.offer.device.get("consumesCounters") or ():
            name = consumption["counterSet"]
            has = self._known.counters(driver, pool, name)
            given = [
                offer.device
                for offer in self._known.offers()
                if offer.id[:2] == (driver, pool) and (offer.id in state.taken or state.shared[offer.id])
            ]
            for counter in consumption.get("counters") or {}:
                if sum(_draw(device, name, counter) for device in given) > _nanos(has.get(counter)):
                    return False
        return True


def usable_on(where: Object, node: Node) -> bool:
    """`nodeName`, `nodeSelector` or `allNodes`, of a slice or of a device."""
    if where.get("allNodes"):
        return True
    if where.get("nodeName"):
        return bool(where["nodeName"] == node.name)
    selector = where.get("nodeSelector")
    return selector is not None and node_selectors.matches(selector, node.name, node.labels)


def _first(wish: Wish, state: _State) -> int:
    """Of several devices for one request the order does not matter: each comes after the one before, unless it is shared."""
    if not state.chosen:
        return 0
    index, (before, candidate) = state.chosen[-1]
    if before is not wish:
        return 0
    return index if candidate.is_shared else index + 1


def _count(candidate: Candidate, wish: Wish, state: _State, sign: int) -> None:
    if wish.looks_only:
        return
    device: DeviceId = candidate.offer.id
    if candidate.is_shared:
        state.shared[device] += sign
        for name, amount in candidate.takes.items():
            state.drawn[device, name] += sign * amount.nanos
    elif sign > 0:
        state.taken.add(device)
    else:
        state.taken.discard(device)


def _capacity(candidate: Candidate, name: str) -> int:
    return quantities.parse(str(candidate.offer.device["capacity"][name]["value"])).nanos


def _draw(device: Object, counter_set: str, counter: str) -> int:
    return sum(
        _nanos((one.get("counters") or {}).get(counter))
        for one in device.get("consumesCounters") or ()
        if one["counterSet"] == counter_set
    )


def _nanos(counter: Object | None) -> int:
    return 0 if counter is None else quantities.parse(str(counter["value"])).nanos
