"""Nodes where all of a pod's ResourceClaims have, or can be given, their devices.

Allocated claims: the node must be one the allocation can be used on. Others: the allocator must find devices for all at once.
Source: upstream's DynamicResources plugin.
"""

import collections
from collections.abc import Iterable, Sequence

import numpy as np

from steersman.api import devices
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import extended_resources
from steersman.scheduler.device_allocator import Allocator, Node, usable_on
from steersman.scheduler.device_wishes import AllocationError
from steersman.scheduler.devices import DevicePlan, Extended
from steersman.scheduler.filters.check import Check, Failure, OfClaims, Refusal
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot

FILTER = "DynamicResources"
REASON_ELSEWHERE = "resourceclaim not available on the node"
REASON_NONE = "cannot allocate all claims"
IN_USE = "resourceclaim in use"


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    if not shape.resource_claims and not _as_devices(shape, snapshot):
        return None
    why = _refusal(shape, snapshot)
    if why:
        return Refusal(FILTER, snapshot.rows, why)
    try:
        return Devices(shape, snapshot)
    except AllocationError as wrong:
        return Failure(FILTER, snapshot.rows, str(wrong))


def is_to_wait(shape: Shape, snapshot: Snapshot) -> bool:
    """Claims that are not there, or going: nothing is to be tried before that has changed (upstream's PreEnqueue)."""
    claims = (snapshot.devices.claims.get(use.key) for use in shape.resource_claims)
    return any(claim is None or objects.is_terminating(claim) for claim in claims)


def plan(pod: str, shape: Shape, snapshot: Snapshot, row: int) -> DevicePlan | None:
    """What has to be written when the pod (by key) goes to this node; None: nothing."""
    as_devices = _as_devices(shape, snapshot)
    if not shape.resource_claims and not as_devices:
        return None
    waiting, extended = _waiting(shape, snapshot), None
    lacking = _lacking(as_devices, snapshot, row)
    if lacking:
        extended = Extended(f"{pod}:{extended_resources.CLAIM}", *_requests_for(shape, snapshot, lacking))
        waiting[extended.key] = _claim(extended.requests)
    found = Allocator(snapshot.devices).allocate(waiting, _node(snapshot, row))
    assert found is not None, "the filter found devices on this node"
    return DevicePlan(found, tuple(use.key for use in shape.resource_claims), extended)


class Devices(OfClaims):
    filter = FILTER

    def explain(self, rows: Rows) -> collections.Counter[str]:
        elsewhere = int(np.count_nonzero(~self._available[rows]))
        return collections.Counter({REASON_ELSEWHERE: elsewhere, REASON_NONE: len(rows) - elsewhere})

    def look(self) -> None:
        """Raises AllocationError."""
        snapshot, waiting = self._snapshot, _waiting(self._shape, self._snapshot)
        as_devices = _as_devices(self._shape, snapshot)
        special: dict[frozenset[str], Object] = {frozenset(): {}}
        selectors = [selector for _, selector in self._bound()]
        allocator = Allocator(snapshot.devices)
        self._available = np.zeros(snapshot.rows, np.bool_)
        self.mask = np.zeros(snapshot.rows, np.bool_)
        for row in np.flatnonzero(snapshot.alive):
            node = _node(snapshot, int(row))
            if all(usable_on({"nodeSelector": selector}, node) for selector in selectors):
                self._available[row] = True
                lacking = _lacking(as_devices, snapshot, int(row))
                if lacking not in special:
                    made, _ = _requests_for(self._shape, snapshot, lacking)
                    special[lacking] = {extended_resources.CLAIM: _claim(made)}
                wanted = waiting | special[lacking]
                self.mask[row] = not wanted or allocator.allocate(wanted, node) is not None

    def stands_in_the_way(self, uid: str, rows: Rows) -> str:
        """A claim whose allocation keeps the pod from one of the rows, and that nobody else uses; "" for none."""
        known = self._snapshot.devices
        nodes = [_node(self._snapshot, int(row)) for row in rows]
        for key, selector in self._bound():
            claim = known.claims[key]
            others = [one for one in devices.reserved_for(claim) if one.get("uid") != uid]
            if devices.allocation(claim) is None or others:
                continue  # promised only, or used
            if any(not usable_on({"nodeSelector": selector}, node) for node in nodes):
                return key
        return ""

    def _bound(self) -> list[tuple[str, Object]]:
        """Claims whose allocation can be used on some nodes only, and on which."""
        found = ((use.key, self._snapshot.devices.allocation(use.key)) for use in self._shape.resource_claims)
        return [(key, one["nodeSelector"]) for key, one in found if one is not None and one.get("nodeSelector")]


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
        if len(devices.reserved_for(claim)) >= devices.RESERVED_MAX:
            return IN_USE
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


def _as_devices(shape: Shape, snapshot: Snapshot) -> list[str]:
    """Extended resources of the pod that a class of devices stands for."""
    classes = snapshot.devices.classes_by_resource() if shape.extended else {}
    return [name for name in dict.fromkeys(use.resource for use in shape.extended) if name in classes]


def _lacking(as_devices: Iterable[str], snapshot: Snapshot, row: int) -> frozenset[str]:
    """Those that the node does not count itself."""
    return frozenset(name for name in as_devices if not snapshot.allocatable[snapshot.resource(name), row])


def _requests_for(shape: Shape, snapshot: Snapshot, resources: frozenset[str]) -> tuple[list[Object], list[Object]]:
    return extended_resources.requests(shape.extended, resources, snapshot.devices.classes_by_resource())


def _claim(made: Sequence[Object]) -> Object:
    return {"metadata": {"name": extended_resources.CLAIM}, "spec": {"devices": {"requests": made}}}


def _node(snapshot: Snapshot, row: int) -> Node:
    return Node(snapshot.names[row], snapshot.labels_of_row(row))
