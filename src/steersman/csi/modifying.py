"""What a claim's status says while its volume gets another class of attributes. Pure. Source: external-resizer; KEP-3751."""

import dataclasses
import datetime
from typing import Literal

from steersman.meta import conditions
from steersman.meta.objects import Object

_CONDITIONS = ("ModifyingVolume", "ModifyVolumeError")
INFEASIBLE = "INVALID_ARGUMENT"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """`modify`: the driver is asked for the class. `forget`: what was refused is not wished for any more."""

    what: Literal["modify", "forget"]
    target: str


def next_step(claim: Object) -> Step | None:
    """A wish that is taken back while nobody knows what the driver did is asked for anew; one that it refused is forgotten."""
    wish = claim["spec"].get("volumeAttributesClassName")
    status = claim.get("status") or {}
    state = (status.get("modifyVolumeStatus") or {}).get("status")
    if not wish:
        return None
    if wish != status.get("currentVolumeAttributesClassName"):
        return Step("modify", wish)
    if state is None:
        return None
    return Step("modify" if state == "InProgress" else "forget", wish)


def is_infeasible(claim: Object, target: str) -> bool:
    found = (claim.get("status") or {}).get("modifyVolumeStatus") or {}
    return found.get("status") == "Infeasible" and found.get("targetVolumeAttributesClassName") == target


def pending(claim: Object, target: str) -> Object:
    """The class is not there."""
    return {**claim["status"], "modifyVolumeStatus": {"status": "Pending", "targetVolumeAttributesClassName": target}}


def begun(claim: Object, target: str, now: datetime.datetime) -> Object:
    status = {
        **claim["status"],
        "modifyVolumeStatus": {"status": "InProgress", "targetVolumeAttributesClassName": target},
    }
    condition = conditions.make("ModifyingVolume", "True", message="ModifyVolume operation in progress.")
    return _with(status, condition, now)


def failed(claim: Object, target: str, code: str, why: str, now: datetime.datetime) -> Object:
    """Only a class that the driver cannot understand is refused for good."""
    text = f"ModifyVolume failed with error: {why}. Waiting for retry."
    status = _with(claim["status"], conditions.make("ModifyVolumeError", "True", message=text), now)
    if code == INFEASIBLE:
        status["modifyVolumeStatus"] = {"status": "Infeasible", "targetVolumeAttributesClassName": target}
    return status


def done(claim: Object, target: str) -> Object:
    kept = [one for one in claim["status"].get("conditions") or () if one.get("type") not in _CONDITIONS]
    return {
        **claim["status"],
        "currentVolumeAttributesClassName": target,
        "modifyVolumeStatus": None,
        "conditions": kept or None,
    }


def _with(status: Object, condition: Object, now: datetime.datetime) -> Object:
    return {**status, "conditions": conditions.set_only(status.get("conditions") or [], condition, _CONDITIONS, now)}
