"""Tell people that a claim waits to grow: whoever made its volume makes it larger.

Reads: PersistentVolumeClaim, its volume.  Writes: Events.
Leaves to others: growing the volume (its driver's resizer), the file system on it (kubelet).
"""

import dataclasses

from steersman.api import volumes
from steersman.controllers.decision import Decision, Emit
from steersman.meta import conditions, objects, quantities
from steersman.meta.objects import Object

WAITING = "waiting for an external controller to expand this PVC"


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    claim: Object
    volume: Object | None


def decide(seen: Seen) -> Decision:
    claim, volume = seen.claim, seen.volume
    if volume is None or objects.is_terminating(claim):
        return Decision(why="no volume")
    if volumes.requested_bytes(claim) <= max(volumes.capacity_bytes(volume), _capacity(claim)):
        return Decision(why="large enough")
    if any(conditions.is_true(claim, kind) for kind in ("Resizing", "FileSystemResizePending")):
        return Decision(why="growing")
    return Decision((Emit(claim, "Normal", "ExternalExpanding", WAITING),), WAITING)


def _capacity(claim: Object) -> int:
    return quantities.whole(((claim.get("status") or {}).get("capacity") or {}).get("storage", 0))
