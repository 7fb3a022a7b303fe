"""Let volumes grow as their claims wish. Source: external-resizer."""

from typing import Any

from steersman.api import kinds, volumes
from steersman.csi import driver as csi
from steersman.csi import resizing
from steersman.csi.driver import Driver, DriverError
from steersman.csi.roles.parts import LaterError, Parts
from steersman.meta import objects, quantities
from steersman.meta.objects import Object

SLOW_SECONDS = 300.0  # until a driver that refused a size for good is asked for it again; external-resizer's

CLAIM, VOLUME = kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME


class Resizer:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._refused: set[str] = set()  # uids of claims: what they asked for last did not happen
        self._slow: dict[str, float] = {}  # uid of a claim → when its size may be asked for again

    async def grow(self, claim: Object) -> None:
        """Raises DriverError, StatusError, Unreachable, LaterError."""
        volume, uid = self._parts.bound_volume_of(claim), objects.uid(claim)
        source = ((volume or {}).get("spec") or {}).get("csi")
        if volume is None or not source or objects.is_terminating(claim):
            return
        driver = self._parts.driver(source["driver"])
        size = resizing.wanted_bytes(claim, volume, was_refused=uid in self._refused)
        if driver is None or size is None or not volumes.is_for(volume, claim):
            return
        if resizing.allocated_bytes(claim) == size and resizing.state_of(claim) == "ControllerResizeInfeasible":
            left = self._slow.get(uid, 0.0) - self._parts.clock.monotonic()
            if left > 0:
                raise LaterError(left)
        name, now = objects.name(volume), self._parts.clock.now()
        claim = await self._tell(claim, resizing.begun(claim, size, now))
        self._event(claim, "Normal", "Resizing", f"External resizer is resizing volume {name}")
        try:
            size, needs_node = await self._expand(driver, source, size)
        except DriverError as failure:
            await self._failed(claim, failure)
            text = f'resize volume "{name}" by resizer "{driver.name}" failed: {failure}'
            self._event(claim, "Warning", "VolumeResizeFailed", text)
            raise
        self._refused.discard(uid)
        grown = quantities.of_bytes(size)
        await self._parts.patch(VOLUME, volume, {"spec": {"capacity": {"storage": grown}}})
        if needs_node:
            await self._tell(claim, resizing.left_to_node(claim, now))
            self._event(claim, "Normal", "FileSystemResizeRequired", "Require file system resize of volume on node")
        else:
            await self._tell(claim, resizing.finished(claim, grown))
            self._event(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded")

    async def _expand(self, driver: Driver, source: Object, size: int) -> tuple[int, bool]:
        """The size it has now, and whether its file system has to grow too. Drivers without this ability leave all to the node."""
        if "EXPAND_VOLUME" not in await driver.controller_can():
            return size, True
        request: dict[str, Any] = {"volume_id": source["volumeHandle"], "capacity_range": {"required_bytes": size}}
        request["secrets"] = await self._parts.secrets(source.get("controllerExpandSecretRef"))
        answer = await driver.call("Controller", "ControllerExpandVolume", **request)
        return answer.get("capacity_bytes", size), bool(answer.get("node_expansion_required"))

    async def _failed(self, claim: Object, failure: DriverError) -> None:
        """A refusal is told; of anything else nobody knows whether it happened."""
        uid = objects.uid(claim)
        if failure.code in csi.UNCERTAIN:
            self._refused.discard(uid)
            return
        self._refused.add(uid)
        for_good = failure.code in resizing.INFEASIBLE
        if for_good:
            self._slow[uid] = self._parts.clock.monotonic() + SLOW_SECONDS
        await self._tell(claim, resizing.refused(claim, str(failure), self._parts.clock.now(), for_good=for_good))

    async def _tell(self, claim: Object, status: Object) -> Object:
        if status == claim["status"]:
            return claim
        return await self._parts.patch(CLAIM, claim, {"status": status}, "status")

    def _event(self, claim: Object, type: str, reason: str, message: str) -> None:  # noqa: A002
        self._parts.recorder.event(claim, type, reason, message)
