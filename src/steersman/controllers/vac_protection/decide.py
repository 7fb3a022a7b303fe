"""Keep a VolumeAttributesClass that is being deleted as long as a claim or volume has it.

Reads: VolumeAttributesClass, claims, volumes.  Writes: its finalizer kubernetes.io/vac-protection.
"""

import dataclasses

from steersman.api import kinds, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Decision
from steersman.meta import objects
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    attributes_class: Object
    is_used: bool


def decide(seen: Seen) -> Decision:
    found = seen.attributes_class
    present = found["metadata"].get("finalizers") or []
    is_there = volumes.ATTRIBUTES_PROTECTION in present
    if not objects.is_terminating(found):
        if is_there:
            return Decision(why="protected")
        return _write(found, [*present, volumes.ATTRIBUTES_PROTECTION], "made before it was protected")
    if not is_there or seen.is_used:
        return Decision(why="used" if seen.is_used else "not protected any more")
    return _write(found, [one for one in present if one != volumes.ATTRIBUTES_PROTECTION], "nobody uses it")


def names(obj: Object) -> set[str]:
    """The classes that a claim or volume has, or is to have."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    target = (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName")
    found = {spec.get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"), target}
    return {str(one) for one in found if one}


def _write(found: Object, finalizers: list[str], why: str) -> Decision:
    body = {"metadata": {"finalizers": finalizers or None}}
    return Decision((decision.patch(kinds.VOLUME_ATTRIBUTES_CLASS, found, body),), why)
