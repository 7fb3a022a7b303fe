"""Which zone each endpoint is for, when a Service asks for it (`service.kubernetes.io/topology-mode: Auto`): every zone gets as
large a share of the endpoints as it has of the CPUs, its own first. Pure.

Where that would overload somebody, nobody gets hints, and an event says why. Source: KEP-2433; upstream's topologycache.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from steersman.controllers.decision import Emit
from steersman.controllers.endpointslice import endpoints
from steersman.meta import conditions, objects, quantities
from steersman.meta.objects import Object

MODE, OLD_MODE = "service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints"
OVERLOAD_MAX = 0.2  # how much more than its share a zone's endpoints may get

_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")
_NO_NODES = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"


class Refused(Exception):
    """No hints; the text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Zone:
    """How many endpoints are to be for it, and how many are in it."""

    desired: float
    own: int


def is_wanted(service: Object) -> bool:
    said = objects.annotations(service)
    return said.get(OLD_MODE, said.get(MODE)) in ("Auto", "auto")


def cpu_shares(nodes: Iterable[Object]) -> dict[str, float] | None:
    """Of each zone, of the CPUs of all nodes that are ready; None where one of them does not say what it has, or where it is."""
    found: Counter[str] = Counter()
    for node in nodes:
        labels = objects.labels(node)
        if any(one in labels for one in _CONTROL_PLANE) or not conditions.is_true(node, "Ready"):
            continue
        cpus = quantities.millis(((node.get("status") or {}).get("allocatable") or {}).get("cpu") or 0)
        zone = labels.get(endpoints.ZONE)
        if not cpus or not zone:
            return None
        found[zone] += cpus
    return {zone: cpus / found.total() for zone, cpus in found.items()} or None


def zones(entries: Sequence[Object], shares: Mapping[str, float] | None) -> list[str]:
    """For each of the endpoints, which are all ready. Raises Refused."""
    desired = _desired(len(entries), shares)
    own = [str(one.get("zone") or "") for one in entries]
    if not all(own):
        raise Refused("One or more endpoints do not have a zone specified")
    count = Counter(own)
    giving, receiving = _exchange({zone: _Zone(wish, count[zone]) for zone, wish in desired.items()})
    found = []
    for zone in own:
        taker = next(iter(receiving), "")
        if giving[zone] and taker:
            giving[zone] -= 1
            receiving[taker] -= 1
            receiving = +receiving
            zone = taker
        found.append(zone)
    return found


def told(service: Object, family: str, why: str, *, were_there: bool) -> list[Emit]:
    """`why` there are no hints, if there are none. `were_there`: there were some before."""
    if why:
        return [Emit(service, "Warning", "TopologyAwareHintsDisabled", f"{why}, addressType: {family}")]
    text = f"Topology Aware Hints has been enabled, addressType: {family}"
    return [] if were_there else [Emit(service, "Normal", "TopologyAwareHintsEnabled", text)]


def _desired(count: int, shares: Mapping[str, float] | None) -> dict[str, float]:
    if shares is None:
        raise Refused(_NO_NODES)
    if len(shares) < 2:
        raise Refused("Nodes only ready in one zone")
    how_many = f"({count} endpoints, {len(shares)} zones)"
    if len(shares) > count:
        raise Refused(f"Insufficient number of endpoints {how_many}")
    least = {zone: math.ceil(share * count / (1 + OVERLOAD_MAX)) for zone, share in shares.items()}
    if sum(least.values()) > count:
        raise Refused(f"Minimum allocation of required endpoints exceeds overload threshold {how_many}")
    return {zone: max(share * count, least[zone]) for zone, share in shares.items()}


def _exchange(of: Mapping[str, _Zone]) -> tuple[Counter[str], Counter[str]]:
    """How many endpoints each zone gives to others, and gets from them: no more than evens it out."""
    over = {zone: one.own - one.desired for zone, one in of.items() if one.own > one.desired}
    under = {zone: one.desired - one.own for zone, one in of.items() if one.own < one.desired}
    giving: Counter[str] = Counter()
    receiving: Counter[str] = Counter()
    while over and under:
        giver, taker = _most(over), _most(under)
        give, take = over[giver], under[taker]
        if (give < 1.0 and take < 1.0) or give < 0.5 or take < 0.5:
            break
        giving[giver] += 1
        over[giver] -= 1
        receiving[taker] += 1
        under[taker] -= 1
    return giving, receiving


def _most(amounts: Mapping[str, float]) -> str:
    return max(sorted(amounts), key=lambda zone: amounts[zone])
