"""Choose devices for claims on one node: a pure search.

Keeps true: every request of every claim gets what it asks for, all constraints hold, no device is given twice, no counter is
overdrawn; of several ways the first in the order of pools and devices. Source: upstream's structured allocator.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from steersman.api import devices
from steersman.api.devices import DeviceId
from steersman.meta import node_selectors, quantities
from steersman.meta.objects import Object
from steersman.scheduler import tolerations
from steersman.scheduler.devices import Devices, Offer
from steersman.scheduler.snapshot import Taint

STEPS_MAX = 100_000  # of one search: a claim that needs more is unreasonable


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    name: str
    labels: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Wish:
    """One device wanted for `request` ("name" or "name/alternative") of a claim; `candidates` are who would do."""

    claim: str
    request: str
    candidates: Sequence[Offer]
    spec: Object


@dataclasses.dataclass(slots=True)
class _State:
    """What the search has chosen so far."""

    taken: set[DeviceId]
    chosen: list[tuple[Wish, Offer]] = dataclasses.field(default_factory=list)
    steps: int = 0


class Allocator:
    """For one node; asked for all claims of a pod at once."""

    def __init__(self, known: Devices, node: Node) -> None:
        self._known = known
        self._node = node
        self._usable = [offer for offer in known.offers() if usable_on(offer.nodes, node)]
        self._held = {device for device, looks_only in known.held() if not looks_only}

    def allocate(self, claims: Mapping[str, Object]) -> dict[str, Object] | None:
        """The allocations by key of the claim, or None where they cannot all be had here."""
        state = _State(set(self._held))
        for wishes in self._wish_lists(claims):
            if self._search(wishes, claims, state):
                return {key: self._result(key, claim, state.chosen) for key, claim in claims.items()}
        return None

    # --- what is wanted ---

    def _wish_lists(self, claims: Mapping[str, Object]) -> Iterator[list[Wish]]:
        """One list per combination of alternatives, those that are named first tried first."""
        requests = [
            (key, request)
            for key, claim in claims.items()
            for request in (claim["spec"].get("devices") or {}).get("requests") or ()
        ]
        yield from self._combined(requests, [])

    def _combined(self, rest: Sequence[tuple[str, Object]], so_far: list[Wish]) -> Iterator[list[Wish]]:
        if not rest:
            yield so_far
            return
        key, request = rest[0]
        for name, spec in _alternatives(request):
            wishes = self._wishes(key, name, spec)
            if wishes is not None:
                yield from self._combined(rest[1:], [*so_far, *wishes])

    def _wishes(self, claim: str, request: str, spec: Object) -> list[Wish] | None:
        """As many as the request wants; None where it cannot be had."""
        candidates = [offer for offer in self._usable if self._suits(offer, spec)]
        if spec.get("allocationMode", "ExactCount") == "All":
            if not candidates:
                return None
            return [Wish(claim, request, [offer], spec) for offer in candidates]
        count = int(spec.get("count") or 1)
        return [Wish(claim, request, candidates, spec)] * count if len(candidates) >= count else None

    def _suits(self, offer: Offer, spec: Object) -> bool:
        found = self._known.classes.get(spec["deviceClassName"])
        if found is None or not _tolerated(offer.device, spec):
            return False
        asked = [*(found["spec"].get("selectors") or ()), *(spec.get("selectors") or ())]
        return all(devices.matches(one["cel"]["expression"], offer.driver, offer.device) for one in asked)

    # --- who gets it ---

    def _search(self, wishes: Sequence[Wish], claims: Mapping[str, Object], state: _State) -> bool:
        if len(state.chosen) == len(wishes):
            return True
        wish = wishes[len(state.chosen)]
        looks_only = bool(wish.spec.get("adminAccess"))
        for offer in wish.candidates:
            state.steps += 1
            if state.steps > STEPS_MAX:
                return False
            if offer.id in state.taken and not looks_only:
                continue
            if any(
                one.claim == wish.claim and one.request == wish.request and other.id == offer.id
                for one, other in state.chosen
            ):
                continue
            state.chosen.append((wish, offer))
            if self._is_allowed(claims[wish.claim], wish, state) and (looks_only or self._has_counters(offer, state)):
                if not looks_only:
                    state.taken.add(offer.id)
                if self._search(wishes, claims, state):
                    return True
                if not looks_only:
                    state.taken.discard(offer.id)
            state.chosen.pop()
        return False

    def _is_allowed(self, claim: Object, wish: Wish, state: _State) -> bool:
        """The claim's constraints, for what is chosen for it so far."""
        for constraint in (claim["spec"].get("devices") or {}).get("constraints") or ():
            named = constraint.get("requests") or ()
            chosen = [
                offer
                for one, offer in state.chosen
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

    def _has_counters(self, offer: Offer, state: _State) -> bool:
        """Whether what the device draws from its pool's counters is still there."""
        driver, pool, _ = offer.id
        for consumption in offer.device.get("consumesCounters") or ():
            name = consumption["counterSet"]
            has = self._known.counters(driver, pool, name)
            for counter in consumption.get("counters") or {}:
                drawn = sum(_draw(other, name, counter) for other in self._drawing(driver, pool, state))
                if drawn > _nanos(has.get(counter)):
                    return False
        return True

    def _drawing(self, driver: str, pool: str, state: _State) -> list[Object]:
        """Devices of the pool that are given away, the one just chosen included."""
        given = state.taken | {offer.id for wish, offer in state.chosen if not wish.spec.get("adminAccess")}
        return [offer.device for offer in self._known.offers() if offer.id[:2] == (driver, pool) and offer.id in given]

    # --- the answer ---

    def _result(self, key: str, claim: Object, chosen: Sequence[tuple[Wish, Offer]]) -> Object:
        mine = [(wish, offer) for wish, offer in chosen if wish.claim == key]
        found: Object = {"devices": {"results": [_given(wish, offer) for wish, offer in mine]}}
        config = list(self._config(claim, mine))
        if config:
            found["devices"]["config"] = config
        terms = _node_selector([offer for _, offer in mine], self._node.name)
        return found | ({"nodeSelector": terms} if terms else {})

    def _config(self, claim: Object, mine: Sequence[tuple[Wish, Offer]]) -> Iterator[Object]:
        """Of the classes first, then the claim's own, which wins."""
        for request, class_name in dict.fromkeys((wish.request, wish.spec["deviceClassName"]) for wish, _ in mine):
            found = self._known.classes.get(class_name)
            for one in (found["spec"].get("config") or ()) if found is not None else ():
                yield {"source": "FromClass", "requests": [request], **one}
        for one in (claim["spec"].get("devices") or {}).get("config") or ():
            yield {"source": "FromClaim", **one}


def usable_on(where: Object, node: Node) -> bool:
    """`nodeName`, `nodeSelector` or `allNodes`, of a slice or of a device."""
    if where.get("allNodes"):
        return True
    if where.get("nodeName"):
        return bool(where["nodeName"] == node.name)
    selector = where.get("nodeSelector")
    return selector is not None and node_selectors.matches(selector, node.name, node.labels)


def _alternatives(request: Object) -> Iterator[tuple[str, Object]]:
    if request.get("exactly") is not None:
        yield request["name"], request["exactly"]
    for one in request.get("firstAvailable") or ():
        yield f"{request['name']}/{one['name']}", one


def _tolerated(device: Object, spec: Object) -> bool:
    given = device.get("taints") or ()
    taints = [Taint(one["key"], one.get("value", ""), one["effect"]) for one in given if one["effect"] != "None"]
    return all(tolerations.tolerates(spec.get("tolerations") or (), taint) for taint in taints)


def _draw(device: Object, counter_set: str, counter: str) -> int:
    return sum(
        _nanos((one.get("counters") or {}).get(counter))
        for one in device.get("consumesCounters") or ()
        if one["counterSet"] == counter_set
    )


def _nanos(counter: Object | None) -> int:
    return 0 if counter is None else int(quantities.parse(str(counter["value"])).nanos)


def _given(wish: Wish, offer: Offer) -> Object:
    driver, pool, device = offer.id
    found: Object = {"request": wish.request, "driver": driver, "pool": pool, "device": device}
    if wish.spec.get("adminAccess"):
        found["adminAccess"] = True
    if wish.spec.get("tolerations"):
        found["tolerations"] = wish.spec["tolerations"]
    return found


def _node_selector(given: Sequence[Offer], node: str) -> Object | None:
    """Where the allocation can be used: on this node if any device is of it, else where all of them are reached."""
    if any(offer.nodes.get("nodeName") for offer in given):
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        return {"nodeSelectorTerms": [term]}
    selecting = [offer.nodes["nodeSelector"] for offer in given if offer.nodes.get("nodeSelector")]
    if not selecting:
        return None
    merged: Object = {}
    for selector in selecting:
        for field, expressions in selector["nodeSelectorTerms"][0].items():
            merged.setdefault(field, []).extend(one for one in expressions if one not in merged.get(field, ()))
    return {"nodeSelectorTerms": [merged]}
