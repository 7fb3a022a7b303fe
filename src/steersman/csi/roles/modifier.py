"""Give volumes the class of attributes that their claims wish for. Source: external-resizer's modify controller."""

from steersman.api import kinds
from steersman.csi import modifying
from steersman.csi.driver import DriverError
from steersman.csi.roles.parts import LaterError, Parts
from steersman.meta import objects
from steersman.meta.objects import Object

SLOW_SECONDS = 300.0  # until a class that the driver refused for good is tried again

CLAIM, VOLUME = kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME


class Modifier:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._slow: dict[str, float] = {}  # uid of a claim → when its class may be tried again

    async def modify(self, claim: Object) -> None:
        """Raises DriverError, StatusError, Unreachable, LaterError."""
        volume, step = self._parts.bound_volume_of(claim), modifying.next_step(claim)
        source = ((volume or {}).get("spec") or {}).get("csi")
        if step is None or volume is None or not source or objects.is_terminating(claim):
            return
        driver = self._parts.driver(source["driver"])
        if driver is None or "MODIFY_VOLUME" not in await driver.controller_can():
            return
        if step.what == "forget":
            await self._tell(claim, modifying.done(claim, step.target))
            return
        wanted = self._parts.attributes_classes.get(step.target)
        if wanted is None or wanted.get("driverName") != driver.name:
            await self._tell(claim, modifying.pending(claim, step.target))
            return
        if modifying.is_infeasible(claim, step.target):
            left = self._slow.get(objects.uid(claim), 0.0) - self._parts.clock.monotonic()
            if left > 0:
                raise LaterError(left)
        claim = await self._tell(claim, modifying.begun(claim, step.target, self._parts.clock.now()))
        name, event = objects.name(claim), self._parts.recorder.event
        event(claim, "Normal", "VolumeModify", f"external resizer is modifying volume {name} with vac {step.target}")
        try:
            await driver.call(
                "Controller",
                "ControllerModifyVolume",
                volume_id=source["volumeHandle"],
                secrets=await self._parts.secrets(source.get("controllerExpandSecretRef")),
                mutable_parameters=wanted.get("parameters") or {},
            )
        except DriverError as failure:
            if failure.code == modifying.INFEASIBLE:
                self._slow[objects.uid(claim)] = self._parts.clock.monotonic() + SLOW_SECONDS
            now = self._parts.clock.now()
            await self._tell(claim, modifying.failed(claim, step.target, failure.code, str(failure), now))
            event(claim, "Warning", "VolumeModifyFailed", str(failure))
            raise
        await self._parts.patch(VOLUME, volume, {"spec": {"volumeAttributesClassName": step.target}})
        await self._tell(claim, modifying.done(claim, step.target))
        text = f"external resizer modified volume {name} with vac {step.target} successfully"
        event(claim, "Normal", "VolumeModifySuccessful", text)

    async def _tell(self, claim: Object, status: Object) -> Object:
        if status == claim["status"]:
            return claim
        return await self._parts.patch(CLAIM, claim, {"status": status}, "status")
