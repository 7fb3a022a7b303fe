"""The writes that bind: first the volume, so that nobody else gets it, then the claim. Each only where it is not so yet."""

import datetime

from steersman.api import kinds, volumes
from steersman.controllers import decision
from steersman.controllers.decision import Action
from steersman.meta import objects, times
from steersman.meta.objects import Object


def bind(volume: Object, claim: Object, now: datetime.datetime) -> tuple[Action, ...]:
    """The claim's part waits for the next look, when the volume's is seen: two claims may want one volume."""
    reserved = _volume_to_claim(volume, claim)
    told = volume_phase(volume, "Bound", now)
    if reserved:
        return (*reserved, *told)
    return (*told, *_claim_to_volume(claim, volume), *claim_phase(claim, "Bound", volume))


def unbind(volume: Object, now: datetime.datetime) -> tuple[Action, ...]:
    """Take back what the controller did; what the user set aside stays so, without the uid of a claim."""
    if volumes.BOUND_BY_CONTROLLER in objects.annotations(volume):
        annotations = {"annotations": {volumes.BOUND_BY_CONTROLLER: None}}
        body: Object = {"metadata": annotations, "spec": {"claimRef": None}}
    else:
        body = {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
    return (decision.patch(kinds.PERSISTENT_VOLUME, volume, body), *volume_phase(volume, "Available", now))


def volume_phase(volume: Object, phase: str, now: datetime.datetime, message: str = "") -> tuple[Action, ...]:
    status = volume.get("status") or {}
    if status.get("phase") == phase:
        return ()
    told = {"phase": phase, "lastPhaseTransitionTime": times.format_seconds(now)}
    if message:
        told["message"] = message
    kept = {field: value for field, value in status.items() if field not in ("message", "reason")}
    return decision.with_status(kinds.PERSISTENT_VOLUME, volume, {**kept, **told}, "done")


def claim_phase(claim: Object, phase: str, volume: Object | None) -> tuple[Action, ...]:
    """Size, modes and class of attributes of a bound claim are its volume's. Size and class are told once; later it is for
    those who change them to tell."""
    status = claim.get("status") or {}
    told = {**status, "phase": phase}
    if volume is None:
        told.pop("accessModes", None)
        told.pop("capacity", None)
    else:
        told["accessModes"] = volumes.access_modes(volume)
        if not status.get("capacity") or status.get("phase") == "Pending":
            told["capacity"] = {"storage": volume["spec"]["capacity"]["storage"]}
        attributes_class = volume["spec"].get("volumeAttributesClassName")
        if attributes_class and status.get("phase") == "Pending":
            told["currentVolumeAttributesClassName"] = attributes_class
    return decision.with_status(kinds.PERSISTENT_VOLUME_CLAIM, claim, told, "done")


def _volume_to_claim(volume: Object, claim: Object) -> tuple[Action, ...]:
    was_for = volumes.is_for(volume, claim)
    body: Object = {}
    if not was_for or volumes.claim_of(volume).get("uid") != objects.uid(claim):
        body["spec"] = {"claimRef": volumes.reference(claim)}
    if not was_for and volumes.BOUND_BY_CONTROLLER not in objects.annotations(volume):
        body["metadata"] = {"annotations": {volumes.BOUND_BY_CONTROLLER: "yes"}}
    return (decision.patch(kinds.PERSISTENT_VOLUME, volume, body),) if body else ()


def _claim_to_volume(claim: Object, volume: Object) -> tuple[Action, ...]:
    present, wanted = objects.annotations(claim), {}
    body: Object = {}
    if claim["spec"].get("volumeName") != objects.name(volume):
        body["spec"] = {"volumeName": objects.name(volume)}
        wanted[volumes.BOUND_BY_CONTROLLER] = "yes"
    wanted[volumes.BIND_COMPLETED] = "yes"
    missing = {key: value for key, value in wanted.items() if key not in present}
    if missing:
        body["metadata"] = {"annotations": missing}
    return (decision.patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, body),) if body else ()
