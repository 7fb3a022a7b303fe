"""Nodes where all of a pod's ResourceClaims have, or can be given, their devices.

Allocated claims: the node must be one the allocation can be used on. Others: the allocator must find devices for all at once.
Source: upstream's DynamicResources plugin.
"""

import collections

import numpy as np

from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler.device_allocator import Allocator, Node, usable_on
from steersman.scheduler.devices import DevicePlan
from steersman.scheduler.filters.check import Check, Refusal
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot

FILTER = "DynamicResources"
REASON_ELSEWHERE = "resourceclaim not available on the node"
REASON_NONE = "cannot allocate all claims"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    if not shape.resource_claims:
        return None
    why = _refusal(shape, snapshot)
    return Refusal(FILTER, snapshot.rows, why) if why else _Devices(shape, snapshot)


def plan(shape: Shape, snapshot: Snapshot, row: int) -> DevicePlan | None:
    """What has to be written when the pod goes to this node; None without claims."""
    if not shape.resource_claims:
        return None
    node = _node(snapshot, row)
    found = Allocator(snapshot.devices, node).allocate(_waiting(shape, snapshot))
    assert found is not None, "the filter found devices on this node"
    return DevicePlan(found, tuple(use.key for use in shape.resource_claims))


def _refusal(shape: Shape, snapshot: Snapshot) -> str:
    """Why no node at all will do; "" for nothing."""
    for use in shape.resource_claims:
        claim = snapshot.devices.claims.get(use.key)
        if not use.key:
            return f'waiting for dynamic resource controller to create the resourceclaim "{use.name}"'
        name = objects.split_key(use.key)[1]
        if claim is None:
            return f'resourceclaim "{name}" not found'
        if objects.is_terminating(claim):
            return f'resourceclaim "{name}" is being deleted'
        for request in _requests(claim):
            if request not in snapshot.devices.classes:
                return f"request references device class {request} which does not exist"
    return ""


def _requests(claim: Object) -> set[str]:
    """The classes that its requests name."""
    return {
        one["deviceClassName"]
        for request in (claim["spec"].get("devices") or {}).get("requests") or ()
        for one in ([request["exactly"]] if request.get("exactly") else request.get("firstAvailable") or ())
    }


def _waiting(shape: Shape, snapshot: Snapshot) -> dict[str, Object]:
    """Claims without an allocation, by key."""
    known = snapshot.devices
    return {use.key: known.claims[use.key] for use in shape.resource_claims if known.allocation(use.key) is None}


def _node(snapshot: Snapshot, row: int) -> Node:
    return Node(snapshot.names[row], snapshot.labels_of_row(row))


class _Devices:
    filter = FILTER

    def __init__(self, shape: Shape, snapshot: Snapshot) -> None:
        self._shape = shape
        self._snapshot = snapshot
        self._look()

    def placed(self, row: int) -> bool:
        """A pod of the same claims has chosen for all of them."""
        self._look()
        return True

    def explain(self, rows: Rows) -> collections.Counter[str]:
        elsewhere = int(np.count_nonzero(~self._available[rows]))
        return collections.Counter({REASON_ELSEWHERE: elsewhere, REASON_NONE: len(rows) - elsewhere})

    def hopeless(self, rows: Rows) -> int:
        return len(rows)

    def _look(self) -> None:
        snapshot, waiting = self._snapshot, _waiting(self._shape, self._snapshot)
        allocated = [snapshot.devices.allocation(use.key) for use in self._shape.resource_claims]
        selectors = [one["nodeSelector"] for one in allocated if one is not None and one.get("nodeSelector")]
        self._available = np.zeros(snapshot.rows, np.bool_)
        self.mask: Mask = np.zeros(snapshot.rows, np.bool_)
        for row in np.flatnonzero(snapshot.alive):
            node = _node(snapshot, int(row))
            if all(usable_on({"nodeSelector": selector}, node) for selector in selectors):
                self._available[row] = True
                self.mask[row] = not waiting or Allocator(snapshot.devices, node).allocate(waiting) is not None
