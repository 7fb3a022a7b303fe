"""Keep a ServiceCIDR as long as a Service has an address of it.

Reads: ServiceCIDRs, IPAddresses.  Writes: the finalizer and the condition Ready of a ServiceCIDR.
Leaves to others: giving out addresses, and giving out none of a range that is going (API server).

Upstream waits ten seconds before it lets a range go, until every API server has heard of it. Ours asks the store for the
ranges whenever it gives out an address, so there is nothing to wait for.
"""

import dataclasses
import datetime
import ipaddress
from collections.abc import Iterable, Sequence

from steersman.api import kinds
from steersman.controllers import decision
from steersman.controllers.decision import Action, Decision
from steersman.meta import conditions, objects
from steersman.meta.objects import Object

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
_IN_USE = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """`others` are all other ServiceCIDRs, `addresses` those that Services have (asked for only when the range is to go)."""

    service_cidr: Object
    others: Sequence[Object]
    addresses: Sequence[str]
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    found = seen.service_cidr
    if not objects.is_terminating(found):
        actions: tuple[Action, ...] = ()
        listed = list(found["metadata"].get("finalizers") or ())
        if FINALIZER not in listed:
            actions = (_finalizers(found, [*listed, FINALIZER]),)
        if not conditions.is_true(found, "Ready"):
            actions += _ready(seen, "True", "", "Kubernetes Service CIDR is ready")
        return Decision(actions, "in service")
    if needed(seen):
        return Decision(_ready(seen, "False", "Terminating", _IN_USE), "still needed")
    rest = [name for name in found["metadata"].get("finalizers") or () if name != FINALIZER]
    return Decision((_finalizers(found, rest),), "nobody needs it any more")


def needed(seen: Seen) -> bool:
    """Whether an address would be in no range without this one."""
    ranges = ranges_of(seen.service_cidr)
    rest = [network for other in seen.others for network in ranges_of(other)]
    if all(any(_contains(other, one) for other in rest) for one in ranges):
        return False
    for text in seen.addresses:
        address = ipaddress.ip_address(text)
        if any(address in one for one in ranges) and not any(address in one for one in rest):
            return True
    return False


def ranges_of(service_cidr: Object) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(cidr) for cidr in (service_cidr.get("spec") or {}).get("cidrs") or ()]


def overlapping(service_cidr: Object, others: Iterable[Object]) -> list[str]:
    """Names of those whose fate may depend on this one."""
    ranges = ranges_of(service_cidr)
    return [
        objects.name(other) for other in others if any(one.overlaps(two) for one in ranges for two in ranges_of(other))
    ]


def _contains(whole: object, part: object) -> bool:
    if isinstance(whole, ipaddress.IPv4Network) and isinstance(part, ipaddress.IPv4Network):
        return part.subnet_of(whole)
    if isinstance(whole, ipaddress.IPv6Network) and isinstance(part, ipaddress.IPv6Network):
        return part.subnet_of(whole)
    return False


def _finalizers(found: Object, listed: list[str]) -> Action:
    return decision.patch(kinds.SERVICE_CIDR, found, {"metadata": {"finalizers": listed or None}})


def _ready(seen: Seen, status: str, reason: str, message: str) -> tuple[Action, ...]:
    found = seen.service_cidr
    condition = {**conditions.make("Ready", status, message=message), "reason": reason}
    before = (found.get("status") or {}).get("conditions") or []
    after = conditions.set(before, condition, seen.now)
    return decision.with_status(kinds.SERVICE_CIDR, found, {**(found.get("status") or {}), "conditions": after})
