"""Keep a volume that is being deleted as long as a claim is bound to it.

Reads: PersistentVolume.  Writes: its finalizer kubernetes.io/pv-protection.
"""

import dataclasses

from steersman.api import kinds, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import objects
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    volume: Object


def decide(seen: Seen) -> Decision:
    volume = seen.volume
    present = volume["metadata"].get("finalizers") or []
    is_there = volumes.VOLUME_PROTECTION in present
    if not objects.is_terminating(volume):
        if is_there:
            return Decision(why="protected")
        return _write(volume, [*present, volumes.VOLUME_PROTECTION], "made before it was protected")
    if not is_there:
        return Decision(why="not protected any more")
    if (volume.get("status") or {}).get("phase") == "Bound":
        return Decision(why="a claim is bound to it")
    return _write(volume, [one for one in present if one != volumes.VOLUME_PROTECTION], "no claim is bound to it")


def _write(volume: Object, finalizers: list[str], why: str) -> Decision:
    body = {"metadata": {"finalizers": finalizers or None}}
    return Decision((decision.patch(kinds.PERSISTENT_VOLUME, volume, body),), why)
