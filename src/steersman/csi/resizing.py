"""What a claim's status says while its volume grows, and how large the volume is to become. Pure.

A size that was begun is finished before a larger or smaller one is tried, unless the driver refused it for good: so what a claim
has been allocated is never less than what its volume may already be. Source: external-resizer; KEP-1790.
"""

import datetime
from typing import Literal

from steersman.api import volumes
from steersman.meta import conditions, quantities
from steersman.meta.objects import Object

State = Literal[
    "", "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizePending", "NodeResizeInProgress"
]

PENDING = "Waiting for user to (re-)start a pod to finish file system resize of volume on node."
_CONDITIONS = ("Resizing", "FileSystemResizePending", "ControllerResizeError", "NodeResizeError")
_ON_NODE = ("NodeResizePending", "NodeResizeInProgress")
INFEASIBLE = frozenset(("INVALID_ARGUMENT", "OUT_OF_RANGE", "NOT_FOUND"))  # asking again does not help


def state_of(claim: Object) -> str:
    return str(((claim.get("status") or {}).get("allocatedResourceStatuses") or {}).get("storage", ""))


def allocated_bytes(claim: Object) -> int:
    return quantities.whole(((claim.get("status") or {}).get("allocatedResources") or {}).get("storage", 0))


def wanted_bytes(claim: Object, volume: Object, *, was_refused: bool) -> int | None:
    """None when there is nothing to ask of the driver. `was_refused`: what was asked last did not happen, for certain."""
    wish, has = volumes.requested_bytes(claim), volumes.capacity_bytes(volume)
    if wish <= quantities.whole(((claim.get("status") or {}).get("capacity") or {}).get("storage", 0)):
        return None
    state, begun = state_of(claim), allocated_bytes(claim) or wish
    if state in _ON_NODE:
        return begun if has < begun and has < wish else None
    if has < wish:
        is_fresh = state in ("", "ControllerResizeInfeasible") or (
            state == "ControllerResizeInProgress" and was_refused
        )
        return wish if is_fresh else begun
    if not state and not allocated_bytes(claim) and conditions.is_true(claim, "FileSystemResizePending"):
        return None
    return begun


def begun(claim: Object, size_bytes: int, now: datetime.datetime) -> Object:
    """The status when the driver is asked."""
    found = _with_state(claim, "ControllerResizeInProgress")
    told = {**(found.get("allocatedResources") or {}), "storage": quantities.of_bytes(size_bytes)}
    return _with_condition({**found, "allocatedResources": told}, conditions.make("Resizing", "True"), now)


def refused(claim: Object, why: str, now: datetime.datetime, *, for_good: bool) -> Object:
    found = _with_state(claim, "ControllerResizeInfeasible") if for_good else claim["status"]
    condition = conditions.make("ControllerResizeError", "True", message=f"failed to expand pvc with: {why}")
    return {**found, "conditions": conditions.set(found.get("conditions") or [], condition, now)}


def left_to_node(claim: Object, now: datetime.datetime) -> Object:
    found = _with_state(claim, "NodeResizePending")
    return _with_condition(found, conditions.make("FileSystemResizePending", "True", message=PENDING), now)


def finished(claim: Object, size: str) -> Object:
    """Also what the kubelet says when the file system has grown."""
    found = _with_state(claim, "")
    kept = [one for one in found.get("conditions") or () if one.get("type") not in _CONDITIONS]
    return {**found, "capacity": {**(found.get("capacity") or {}), "storage": size}, "conditions": kept or None}


def on_node(claim: Object) -> Object:
    return _with_state(claim, "NodeResizeInProgress")


def _with_state(claim: Object, state: State) -> Object:
    status = claim.get("status") or {}
    others = {name: one for name, one in (status.get("allocatedResourceStatuses") or {}).items() if name != "storage"}
    return {**status, "allocatedResourceStatuses": ({**others, "storage": state} if state else others) or None}


def _with_condition(status: Object, condition: Object, now: datetime.datetime) -> Object:
    return {**status, "conditions": conditions.set_only(status.get("conditions") or [], condition, _CONDITIONS, now)}
