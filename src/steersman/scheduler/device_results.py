"""Writes down what was chosen for a claim, as its allocation."""

from collections.abc import Iterator, Mapping, Sequence

from steersman.meta.objects import Object
from steersman.scheduler.device_wishes import Candidate, Wish

Choice = tuple[Wish, Candidate]
# Of a share, until the claim is written: whoever writes it gives it an id of its own.
SHARE_TO_BE_NAMED = ""


def allocation(claim: Object, chosen: Sequence[Choice], classes: Mapping[str, Object], node: str) -> Object:
    found: Object = {"devices": {}}
    if chosen:
        found["devices"]["results"] = [_result(wish, candidate) for wish, candidate in chosen]
    config = [*_of_classes(chosen, classes), *_of_claim(claim, chosen)]
    if config:
        found["devices"]["config"] = config
    terms = _node_selector(chosen, node)
    return found | ({"nodeSelector": terms} if terms else {})


def _result(wish: Wish, candidate: Candidate) -> Object:
    offer = candidate.offer
    driver, pool, device = offer.id
    found: Object = {"request": wish.request, "driver": driver, "pool": pool, "device": device}
    if wish.looks_only:
        found["adminAccess"] = True
    if wish.spec.get("tolerations"):
        found["tolerations"] = wish.spec["tolerations"]
    for field in ("bindingConditions", "bindingFailureConditions"):
        if offer.device.get(field):
            found[field] = offer.device[field]
    if candidate.is_shared:
        found["shareID"] = SHARE_TO_BE_NAMED
        if candidate.takes:
            found["consumedCapacity"] = {name: str(amount) for name, amount in candidate.takes.items()}
    return found


def _of_classes(chosen: Sequence[Choice], classes: Mapping[str, Object]) -> Iterator[Object]:
    """Each class once, for all requests that name it."""
    requests: dict[str, list[str]] = {}
    for request, name in dict.fromkeys((wish.request, wish.spec["deviceClassName"]) for wish, _ in chosen):
        requests.setdefault(name, []).append(request)
    for name, named in requests.items():
        for one in classes[name]["spec"].get("config") or ():
            yield {"source": "FromClass", "requests": named, **one}


def _of_claim(claim: Object, chosen: Sequence[Choice]) -> Iterator[Object]:
    """The claim's own, which wins; not what is meant for alternatives that were not taken."""
    taken = {wish.request for wish, _ in chosen} | {wish.request.partition("/")[0] for wish, _ in chosen}
    for one in (claim["spec"].get("devices") or {}).get("config") or ():
        if not one.get("requests") or taken.intersection(one["requests"]):
            yield {"source": "FromClaim", **one}


def _node_selector(chosen: Sequence[Choice], node: str) -> Object | None:
    """Where the allocation can be used: on this node if any device is of it, else where all of them are reached."""
    offers = [candidate.offer for _, candidate in chosen]
    if any(offer.nodes.get("nodeName") or offer.device.get("bindsToNode") for offer in offers):
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        return {"nodeSelectorTerms": [term]}
    selecting = [offer.nodes["nodeSelector"] for offer in offers if offer.nodes.get("nodeSelector")]
    if not selecting:
        return None
    merged: Object = {}
    for selector in selecting:
        for field, expressions in selector["nodeSelectorTerms"][0].items():
            merged.setdefault(field, []).extend(one for one in expressions if one not in merged.get(field, ()))
    return {"nodeSelectorTerms": [merged]}
