"""Make the volumes that claims wait for, and delete those that are released. Source: external-provisioner."""

from steersman.api import kinds, volumes
from steersman.api.kind import Kind
from steersman.csi import making, sources
from steersman.csi.driver import Driver, DriverError
from steersman.csi.roles.parts import Parts
from steersman.csi.snapshots.definitions import CONTENT, SNAPSHOT
from steersman.csi.sources import SourceError
from steersman.meta import objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.serving.protobuf import Message


class Provisioner:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def make(self, claim: Object) -> None:
        """Raises DriverError, StatusError, Unreachable, SourceError."""
        parts, spec, annotations = self._parts, claim["spec"], objects.annotations(claim)
        if objects.is_terminating(claim) or spec.get("volumeName"):
            return
        storage_class = parts.classes.get(volumes.class_of(claim)) if volumes.class_of(claim) else None
        name, chosen = annotations.get(volumes.PROVISIONER, ""), annotations.get(volumes.SELECTED_NODE, "")
        driver = parts.driver(name, chosen)
        if storage_class is None or driver is None or parts.volumes.get(making.volume_name(claim)) is not None:
            return
        if not sources.is_known(claim):  # whoever knows such a source makes the volume
            return
        self._tell(claim, "Normal", "Provisioning", _BEGUN.format(objects.key(claim)))
        try:
            made = await self._made(claim, storage_class, driver, chosen)
        except (DriverError, SourceError, StatusError) as failure:
            text = f'failed to provision volume with StorageClass "{objects.name(storage_class)}": {failure}'
            self._tell(claim, "Warning", "ProvisioningFailed", text)
            if isinstance(failure, DriverError) and failure.code == "RESOURCE_EXHAUSTED" and chosen:
                body = {"metadata": {"annotations": {volumes.SELECTED_NODE: None}}}  # perhaps another node has room
                await parts.patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, body)
            raise
        try:
            await parts.client.create(kinds.PERSISTENT_VOLUME, made)
        except StatusError as refused:
            if refused.reason != "AlreadyExists":
                raise
        self._tell(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {objects.name(made)}")

    async def _made(self, claim: Object, storage_class: Object, driver: Driver, chosen: str) -> Object:
        """The volume, as the driver made it."""
        parts = self._parts
        segments = parts.segments(driver.name, chosen) if chosen else {}
        request = making.request(claim, storage_class, segments)
        attributes_class = await self._attributes_class(claim, driver)
        if attributes_class is not None:
            request["mutable_parameters"] = attributes_class.get("parameters") or {}
        if source := await self._source(claim, storage_class, driver):
            request["volume_content_source"] = source
        request["secrets"] = await parts.secrets(making.secret_of(storage_class, making.PROVISIONER_SECRET))
        answer = await driver.call("Controller", "CreateVolume", **request)
        made = answer["volume"]
        if source and not made.get("content_source"):  # data that is not there would be missed too late
            await driver.call(
                "Controller", "DeleteVolume", volume_id=made.get("volume_id", ""), secrets=request["secrets"]
            )
            kind = "snapshot" if "snapshot" in source else "volume"
            raise SourceError(f"volume content source missing: the driver did not use the {kind}")
        return making.volume(claim, storage_class, driver.name, made, attributes_class)

    async def _attributes_class(self, claim: Object, driver: Driver) -> Object | None:
        name = claim["spec"].get("volumeAttributesClassName")
        if not name:
            return None
        found = await self._parts.client.get(kinds.VOLUME_ATTRIBUTES_CLASS, name)
        if found["driverName"] != driver.name:
            raise SourceError(f"VAC driver {found['driverName']} does not match PVC provisioner {driver.name}")
        if "MODIFY_VOLUME" not in await driver.controller_can():
            raise SourceError("VAC is specified but driver does not support it: MODIFY_VOLUME is not reported")
        return found

    async def _source(self, claim: Object, storage_class: Object, driver: Driver) -> Message | None:
        """What the new volume is filled with. Raises SourceError: not yet, or not at all."""
        source = sources.of(claim)
        if source is None:
            return None
        can, needed = await driver.controller_can(), sources.CAPABILITIES[source["kind"]]
        if needed.name not in can:
            raise SourceError(f"{needed.without}: controller {needed.name} capability is not reported")
        try:
            if source["kind"] == "PersistentVolumeClaim":
                from_claim = await self._found(kinds.PERSISTENT_VOLUME_CLAIM, source["name"], objects.namespace(claim))
                volume = self._parts.volume_of(from_claim) if from_claim is not None else None
                return sources.of_claim(claim, storage_class, source["name"], from_claim, volume)
            snapshot = await self._found(SNAPSHOT, source["name"], objects.namespace(claim))
            bound = ((snapshot or {}).get("status") or {}).get("boundVolumeSnapshotContentName")
            content = await self._found(CONTENT, bound, "") if bound else None
            return sources.of_snapshot(claim, storage_class, source["name"], snapshot, content)
        except SourceError as refused:
            text = f"error getting handle for DataSource Type {source['kind']} by Name {source['name']}: {refused}"
            raise SourceError(text) from refused

    async def _found(self, kind: Kind, name: str, namespace: str) -> Object | None:
        try:
            return await self._parts.client.get(kind, name, namespace)
        except StatusError as refused:
            if refused.code != 404:
                raise
            return None

    async def delete(self, volume: Object) -> None:
        """Also one that somebody has deleted while its claim had it: what it stands for would be left behind."""
        parts, source, name = self._parts, volume["spec"].get("csi"), objects.name(volume)
        if not source or objects.annotations(volume).get(volumes.PROVISIONED_BY) != source["driver"]:
            return
        is_released = (volume.get("status") or {}).get("phase") == "Released"
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        driver = parts.driver(source["driver"])
        if driver is None:
            return
        if policy != "Delete" and making.FINALIZER in (volume["metadata"].get("finalizers") or ()):
            await self._let_go(volume)
        if policy != "Delete" or not is_released:
            return
        if any(parts.volume_name_of(one) == name for one in parts.attachments.list()):
            return  # looked at again when the attachment is gone
        try:
            secrets = await parts.secrets(making.annotated_secret(volume))
            await driver.call("Controller", "DeleteVolume", volume_id=source["volumeHandle"], secrets=secrets)
        except DriverError as failure:
            self._tell(volume, "Warning", "VolumeFailedDelete", str(failure))
            raise
        if not objects.is_terminating(volume):
            await parts.client.delete(kinds.PERSISTENT_VOLUME, name, uid=objects.uid(volume))
        if making.FINALIZER in (volume["metadata"].get("finalizers") or ()):
            found = await self._found(kinds.PERSISTENT_VOLUME, name, "")
            if found is not None and objects.uid(found) == objects.uid(volume):
                await self._let_go(found)

    async def _let_go(self, volume: Object) -> None:
        left = [one for one in volume["metadata"].get("finalizers") or () if one != making.FINALIZER]
        await self._parts.patch(kinds.PERSISTENT_VOLUME, volume, {"metadata": {"finalizers": left or None}})

    def _tell(self, about: Object, type: str, reason: str, message: str) -> None:  # noqa: A002
        self._parts.recorder.event(about, type, reason, message)


_BEGUN = 'External provisioner is provisioning volume for claim "{}"'
