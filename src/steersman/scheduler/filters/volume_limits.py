"""A node takes only as many volumes of a CSI driver as the driver said (`CSINode.spec.drivers[].allocatable.count`), and none where
the driver is missing, if it asks for that (`preventPodSchedulingIfMissing`)."""

import collections
from collections.abc import Iterable

import numpy as np

from steersman.api import volumes
from steersman.meta.objects import Object
from steersman.scheduler.filters.check import Check, Fixed
from steersman.scheduler.label_columns import Mask
from steersman.scheduler.shape import Shape
from steersman.scheduler.snapshot import Rows, Snapshot
from steersman.scheduler.volumes import ClaimUse

FILTER = "NodeVolumeLimits"
REASON = "node(s) exceed max volume count"

MISSING = "node(s) did not have the CSI driver installed"

_Volume = tuple[str, str]  # driver, what is unique of it


def check_installed(shape: Shape, snapshot: Snapshot) -> Check | None:
    """Not counted among the limits: removing pods brings no driver."""
    known = snapshot.volumes
    strict = {
        driver
        for driver, _ in _volumes_of(shape, snapshot)
        if ((known.drivers.get(driver) or {}).get("spec") or {}).get("preventPodSchedulingIfMissing")
    }
    if not strict:
        return None
    mask: Mask = np.zeros(snapshot.rows, np.bool_)
    for name, node in known.csi_nodes.items():
        row = snapshot.row_of(name)
        if row is not None:
            mask[row] = strict <= {one["name"] for one in (node.get("spec") or {}).get("drivers") or ()}
    return Fixed(FILTER, mask, MISSING)


def check(shape: Shape, snapshot: Snapshot) -> Check | None:
    wanted = _volumes_of(shape, snapshot)
    if not wanted or not snapshot.volumes.csi_nodes:
        return None
    limits = {name: _limits(node) for name, node in snapshot.volumes.csi_nodes.items()}
    drivers = {driver for driver, _ in wanted}
    limited = {name: found for name, found in limits.items() if drivers & found.keys()}
    return _Limits(wanted, limited, snapshot) if limited else None


class _Limits:
    filter = FILTER

    def __init__(self, wanted: set[_Volume], limited: dict[str, dict[str, int]], snapshot: Snapshot) -> None:
        self._wanted, self._limited, self._snapshot = wanted, limited, snapshot
        self.mask: Mask = np.ones(snapshot.rows, np.bool_)
        for name in limited:
            row = snapshot.row_of(name)
            if row is not None:
                self.mask[row] = self._has_room(name)

    def placed(self, row: int) -> bool:
        name = self._snapshot.names[row]
        if name in self._limited:
            self.mask[row] = self._has_room(name)
        return False

    def explain(self, rows: Rows) -> collections.Counter[str]:
        return collections.Counter({REASON: len(rows)})

    def hopeless(self, rows: Rows) -> int:
        return 0

    def _has_room(self, node: str) -> bool:
        attached: set[_Volume] = set()
        for key in self._snapshot.pods_of(node):
            pod = self._snapshot.pod(key)
            if pod is not None:
                attached |= _volumes_of(pod.shape, self._snapshot)
        new = self._wanted - attached
        for driver, limit in self._limited[node].items():
            more = sum(one == driver for one, _ in new)
            if more and more + sum(one == driver for one, _ in attached) > limit:
                return False
        return True


def _volumes_of(shape: Shape, snapshot: Snapshot) -> set[_Volume]:
    inline = {(one.driver, f"{shape.group.namespace}/{one.name}") for one in shape.inline_csi}
    return inline | set(_claimed(shape.claims, snapshot))


def _claimed(uses: Iterable[ClaimUse], snapshot: Snapshot) -> Iterable[_Volume]:
    """Of a claim that has no volume yet, the one its class will make."""
    for use in uses:
        claim = snapshot.volumes.claim(use)
        if claim is None:
            continue
        volume = snapshot.volumes.volume_of(claim)
        if volume is not None and volume["spec"].get("csi"):
            yield volume["spec"]["csi"]["driver"], volume["spec"]["csi"].get("volumeHandle", "")
        elif volume is None and not volumes.is_bound(claim):
            provisioner = (snapshot.volumes.class_of(claim) or {}).get("provisioner", "")
            if provisioner in snapshot.volumes.drivers:
                yield provisioner, use.key


def _limits(csi_node: Object) -> dict[str, int]:
    found = {}
    for driver in (csi_node.get("spec") or {}).get("drivers") or ():
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None:
            found[driver["name"]] = int(count)
    return found
