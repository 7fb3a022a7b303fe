"""Repair the IPAddresses of Services when people, or a store put back from a backup, have changed them.

Reads: Services, ServiceCIDRs, IPAddresses.  Writes: IPAddresses.
Leaves to others: making and removing them with their Service (API server), those that name another parent on purpose.
"""

import dataclasses
import datetime
from collections.abc import Sequence

from steersman.api import ip_addresses, kinds
from steersman.api.validation import address_families
from steersman.controllers import decision
from steersman.controllers.decision import Action, Create, Decision, Emit
from steersman.meta import objects, times
from steersman.meta.objects import Object

LEAK_SECONDS = 60.0  # upstream's: as long as a request that makes the Service may last


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """One address: the Services that have it, the IPAddress of that name, and whether a ServiceCIDR covers it."""

    address: str
    services: Sequence[Object]
    ip_address: Object | None
    in_range: bool
    now: datetime.datetime


def decide(seen: Seen) -> Decision:
    found = seen.ip_address
    if not seen.services:
        return _without_service(seen) if found is not None else Decision(why="nobody has it")
    owner = _owner(seen)
    actions: list[Action] = [
        _warning(
            other,
            "ClusterIPAlreadyAllocated",
            f"{_told(seen)} was assigned to multiple services; please recreate service",
        )
        for other in seen.services
        if other is not owner
    ]
    if not seen.in_range:
        text = f"{_told(seen)} is not within any configured Service CIDR; please recreate service"
        return Decision((*actions, _warning(owner, "ClusterIPOutOfRange", text)), "in no range")
    wanted = ip_addresses.make(owner, seen.address)
    if found is None:
        text = f"{_told(seen)} is not allocated; repairing"
        create = Create(kinds.IP_ADDRESS, wanted, done=_warning(owner, "ClusterIPNotAllocated", text))
        return Decision((*actions, create), "missing")
    if _says(found, wanted):
        return Decision(tuple(actions), "it is right")
    text = f"the {_told(seen)} for Service {objects.key(owner)} has a wrong reference; repairing"
    create = Create(kinds.IP_ADDRESS, wanted, done=_warning(owner, "ClusterIPNotAllocated", text))
    return Decision((*actions, decision.delete(kinds.IP_ADDRESS, found), create), "wrong")


def _owner(seen: Seen) -> Object:
    """The Service that the IPAddress names; else the oldest."""
    parent = ((seen.ip_address or {}).get("spec") or {}).get("parentRef") or {}
    named = f"{parent.get('namespace', '')}/{parent.get('name', '')}"
    return min(
        seen.services,
        key=lambda one: (
            objects.key(one) != named,
            str(one["metadata"].get("creationTimestamp") or ""),
            objects.key(one),
        ),
    )


def _without_service(seen: Seen) -> Decision:
    found = seen.ip_address
    assert found is not None
    if not ip_addresses.is_of_services(found):
        return Decision(why="somebody else's")
    left = LEAK_SECONDS - times.seconds_since(found["metadata"].get("creationTimestamp"), seen.now)
    if left > 0:
        return Decision(why="its Service may still be on the way", again_after_seconds=left)
    parent = (found.get("spec") or {}).get("parentRef") or {}
    owner = f"{parent.get('namespace', '')}/{parent.get('name', '')}"
    text = f"IPAddress: {seen.address} for Service {owner} appears to have leaked: cleaning up"
    gone = decision.delete(kinds.IP_ADDRESS, found, done=_warning(found, "IPAddressNotAllocated", text))
    return Decision((gone,), "no Service has it")


def _says(found: Object, wanted: Object) -> bool:
    labels = objects.labels(found)
    if any(labels.get(name) != value for name, value in objects.labels(wanted).items()):
        return False
    return bool((found.get("spec") or {}).get("parentRef") == wanted["spec"]["parentRef"])


def _told(seen: Seen) -> str:
    return f"Cluster IP [{address_families.family_of(seen.address)}]: {seen.address}"


def _warning(about: Object, reason: str, text: str) -> Emit:
    return Emit(about, "Warning", reason, text)
