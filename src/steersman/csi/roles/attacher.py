"""Carry out VolumeAttachments. Source: external-attacher."""

from steersman.api import kinds, volumes
from steersman.csi import driver as csi
from steersman.csi.driver import Driver, DriverError
from steersman.csi.roles.parts import Parts
from steersman.meta import objects, times
from steersman.meta.objects import Object


class Attacher:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def step(self, attachment: Object) -> None:
        driver = self._parts.driver(attachment["spec"]["attacher"], str(attachment["spec"]["nodeName"]))
        if driver is None:
            return
        finalizer = f"external-attacher/{driver.name.replace('.', '-')}"
        if objects.is_terminating(attachment):
            await self._detach(attachment, driver, finalizer)
        elif not (attachment.get("status") or {}).get("attached"):
            await self._attach(attachment, driver, finalizer)

    async def _attach(self, attachment: Object, driver: Driver, finalizer: str) -> None:
        volume = self._parts.volumes.get(self._parts.volume_name_of(attachment))
        if volume is None or not volume["spec"].get("csi"):
            return
        finalizers = attachment["metadata"].get("finalizers") or []
        if finalizer not in finalizers:
            body = {"metadata": {"finalizers": [*finalizers, finalizer]}}
            attachment = await self._parts.patch(kinds.VOLUME_ATTACHMENT, attachment, body)
        try:
            context = await self._publish(attachment, volume, driver)
        except DriverError as failure:
            await self._tell(attachment, {"attached": False, "attachError": self._error(failure)})
            raise
        await self._tell(attachment, {"attached": True, "attachmentMetadata": context or None, "attachError": None})

    async def _publish(self, attachment: Object, volume: Object, driver: Driver) -> dict[str, str]:
        if "PUBLISH_UNPUBLISH_VOLUME" not in await driver.controller_can():
            return {}
        source = volume["spec"]["csi"]
        capability = csi.capability(
            volumes.access_modes(volume),
            volumes.mode_of(volume),
            source.get("fsType") or "",
            list(volume["spec"].get("mountOptions") or ()),
        )
        answer = await driver.call(
            "Controller",
            "ControllerPublishVolume",
            volume_id=source["volumeHandle"],
            node_id=self._parts.node_id(driver.name, attachment["spec"]["nodeName"]),
            volume_capability=capability,
            readonly=bool(source.get("readOnly")),
            secrets=await self._parts.secrets(source.get("controllerPublishSecretRef")),
            volume_context=source.get("volumeAttributes") or {},
        )
        return dict(answer.get("publish_context") or {})

    async def _detach(self, attachment: Object, driver: Driver, finalizer: str) -> None:
        finalizers = attachment["metadata"].get("finalizers") or []
        if finalizer not in finalizers:
            return
        volume = self._parts.volumes.get(self._parts.volume_name_of(attachment))
        source = ((volume or {}).get("spec") or {}).get("csi")
        if source and "PUBLISH_UNPUBLISH_VOLUME" in await driver.controller_can():
            try:
                await driver.call(
                    "Controller",
                    "ControllerUnpublishVolume",
                    volume_id=source["volumeHandle"],
                    node_id=self._parts.node_id(driver.name, attachment["spec"]["nodeName"]),
                    secrets=await self._parts.secrets(source.get("controllerPublishSecretRef")),
                )
            except DriverError as failure:
                await self._tell(attachment, {"detachError": self._error(failure)})
                raise
        body = {"metadata": {"finalizers": [one for one in finalizers if one != finalizer] or None}}
        await self._parts.patch(kinds.VOLUME_ATTACHMENT, attachment, body)

    def _error(self, failure: DriverError) -> Object:
        return {"time": times.format_seconds(self._parts.clock.now()), "message": str(failure)}

    async def _tell(self, attachment: Object, status: Object) -> None:
        await self._parts.patch(kinds.VOLUME_ATTACHMENT, attachment, {"status": status}, "status")
