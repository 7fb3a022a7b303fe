"""What upstream's sidecars do beside a driver: make volumes, attach them, let them grow, delete them.

Keeps true: for drivers that ask for it (CSIDriver annotation `storage.steersman.dev/controller: built-in`) and can be reached
from this process, claims get volumes, attachments are carried out, claims that wish for more get it, what is released goes.
Reads: claims, volumes, classes, CSIDrivers, CSINodes, Nodes, VolumeAttachments, Secrets.  Writes: volumes, VolumeAttachments,
status of claims, Events.
Leaves to others: binding and attaching decisions (controllers), mounting (kubelet). Drivers that bring sidecars do all this
themselves. Source: external-provisioner, external-attacher and external-resizer, whose words these are.
"""

import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from steersman.aio import tasks, workqueue
from steersman.aio.clock import Clock
from steersman.api import kinds, volumes
from steersman.api.kind import Kind
from steersman.client.cache import Caches
from steersman.client.client import Client, Unreachable
from steersman.client.events import Recorder
from steersman.csi import driver as csi
from steersman.csi import making
from steersman.csi.driver import Driver, DriverError
from steersman.meta import conditions, objects, quantities, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

RATES = workqueue.Rates(initial_seconds=1.0, max_seconds=300.0)  # external-provisioner's retry-interval-start and -max
WORKERS = 4
CLAIM, VOLUME, ATTACHMENT = "claim", "volume", "attachment"


class Roles:
    def __init__(self, client: Client, caches: Caches, clock: Clock, recorder: Recorder) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._claims = caches.of(kinds.PERSISTENT_VOLUME_CLAIM)
        self._volumes = caches.of(kinds.PERSISTENT_VOLUME)
        self._classes = caches.of(kinds.STORAGE_CLASS)
        self._attachments = caches.of(kinds.VOLUME_ATTACHMENT)
        self._nodes = caches.of(kinds.NODE)
        self._csi_nodes = caches.of(kinds.CSI_NODE)
        self._drivers = caches.of(kinds.CSI_DRIVER)
        self._connected: dict[Path, Driver] = {}
        self._queue: workqueue.WorkQueue[tuple[str, str]] = workqueue.WorkQueue(clock, RATES)

    async def run(self) -> None:
        """Until cancelled."""
        followed = [(self._claims, CLAIM), (self._volumes, VOLUME), (self._attachments, ATTACHMENT)]
        ends = [cache.subscribe(self._noted(what)) for cache, what in followed]
        ends += [cache.subscribe(self._look_at_all) for cache in (self._drivers, self._csi_nodes)]
        try:
            async with tasks.Tasks("csi roles") as running:
                for number in range(WORKERS):
                    running.start(f"worker {number}", self._work())
                await running.wait()
        finally:
            for end in ends:
                end()
            self._queue.shut_down()
            for driver in self._connected.values():
                await driver.close()

    def _noted(self, what: str) -> Callable[[Object | None, Object | None], None]:
        def changed(old: Object | None, new: Object | None) -> None:
            if new is not None:
                self._queue.add((what, objects.key(new)))

        return changed

    def _look_at_all(self, old: Object | None, new: Object | None) -> None:
        for cache, what in ((self._claims, CLAIM), (self._volumes, VOLUME), (self._attachments, ATTACHMENT)):
            for obj in cache.list():
                self._queue.add((what, objects.key(obj)))

    async def _work(self) -> None:
        steps: dict[str, Callable[[str], Awaitable[None]]] = {
            CLAIM: self._claim,
            VOLUME: self._volume,
            ATTACHMENT: self._attachment,
        }
        while True:
            try:
                key = await self._queue.get()
            except workqueue.ShutDown:
                return
            what, name = key
            try:
                await steps[what](name)
            except (DriverError, StatusError, Unreachable) as failure:
                _log.warning("%s %s: %s; trying again", what, name, failure)
                self._queue.add_rate_limited(key)
            else:
                self._queue.forget(key)
            finally:
                self._queue.done(key)

    # --- claims: made, and grown ---

    async def _claim(self, key: str) -> None:
        claim = self._claims.get(key)
        if claim is None or objects.is_terminating(claim):
            return
        if volumes.is_bound(claim):
            await self._grow(claim)
        elif not claim["spec"].get("volumeName"):
            await self._provision(claim)

    async def _provision(self, claim: Object) -> None:
        storage_class = self._classes.get(volumes.class_of(claim)) if volumes.class_of(claim) else None
        name = objects.annotations(claim).get(volumes.PROVISIONER, "")
        chosen = objects.annotations(claim).get(volumes.SELECTED_NODE, "")
        driver = self._reachable(name, chosen)
        if storage_class is None or driver is None or self._volumes.get(making.volume_name(claim)) is not None:
            return
        text = f'External provisioner is provisioning volume for claim "{objects.key(claim)}"'
        self._recorder.event(claim, "Normal", "Provisioning", text)
        try:
            segments = self._segments(name, chosen) if chosen else {}
            request = making.request(claim, storage_class, segments)
            request["secrets"] = await self._secrets(making.secret_of(storage_class, making.PROVISIONER_SECRET))
            answer = await driver.call("Controller", "CreateVolume", **request)
        except DriverError as failure:
            text = f'failed to provision volume with StorageClass "{objects.name(storage_class)}": {failure}'
            self._recorder.event(claim, "Warning", "ProvisioningFailed", text)
            if failure.code == "RESOURCE_EXHAUSTED" and chosen:  # perhaps another node has room
                body = {"metadata": {"annotations": {volumes.SELECTED_NODE: None}}}
                await self._patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, body)
            raise
        made = making.volume(claim, storage_class, name, answer["volume"])
        try:
            await self._client.create(kinds.PERSISTENT_VOLUME, made)
        except StatusError as refused:
            if refused.reason != "AlreadyExists":
                raise
        text = f"Successfully provisioned volume {objects.name(made)}"
        self._recorder.event(claim, "Normal", "ProvisioningSucceeded", text)

    async def _grow(self, claim: Object) -> None:
        volume = self._volumes.get(claim["spec"]["volumeName"])
        source = ((volume or {}).get("spec") or {}).get("csi")
        size = volumes.requested_bytes(claim)
        capacity = quantities.whole(((claim.get("status") or {}).get("capacity") or {}).get("storage", 0))
        if volume is None or not source or size <= capacity:
            return
        driver = self._reachable(source["driver"])
        if driver is None or conditions.is_true(claim, "FileSystemResizePending"):
            return
        name = objects.name(volume)
        self._recorder.event(claim, "Normal", "Resizing", f"External resizer is resizing volume {name}")
        needs_node = True
        if "EXPAND_VOLUME" in await driver.controller_can():
            request: dict[str, Any] = {"volume_id": source["volumeHandle"], "capacity_range": {"required_bytes": size}}
            request["secrets"] = await self._secrets(source.get("controllerExpandSecretRef"))
            try:
                answer = await driver.call("Controller", "ControllerExpandVolume", **request)
            except DriverError as failure:
                text = f'resize volume "{name}" by resizer "{driver.name}" failed: {failure}'
                self._recorder.event(claim, "Warning", "VolumeResizeFailed", text)
                raise
            size, needs_node = answer.get("capacity_bytes", size), answer.get("node_expansion_required", False)
        grown = quantities.of_bytes(size)
        await self._patch(kinds.PERSISTENT_VOLUME, volume, {"spec": {"capacity": {"storage": grown}}})
        await self._tell_grown(claim, grown, needs_node=needs_node)

    async def _tell_grown(self, claim: Object, size: str, *, needs_node: bool) -> None:
        told = (claim.get("status") or {}).get("conditions") or []
        if needs_node:
            text = "Waiting for user to (re-)start a pod to finish file system resize of volume on node."
            pending = conditions.make("FileSystemResizePending", "True", message=text)
            body: Object = {"conditions": conditions.set(told, pending, self._clock.now())}
            event = ("FileSystemResizeRequired", "Require file system resize of volume on node")
        else:
            body = {"capacity": {"storage": size}, "conditions": conditions.remove(told, "Resizing") or None}
            event = ("VolumeResizeSuccessful", "Resize volume succeeded")
        await self._patch(kinds.PERSISTENT_VOLUME_CLAIM, claim, {"status": body}, "status")
        self._recorder.event(claim, "Normal", *event)

    # --- volumes: deleted ---

    async def _volume(self, name: str) -> None:
        volume = self._volumes.get(name)
        source = ((volume or {}).get("spec") or {}).get("csi")
        if volume is None or not source:
            return
        by = objects.annotations(volume).get(volumes.PROVISIONED_BY)
        is_released = (volume.get("status") or {}).get("phase") == "Released"
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        driver = self._reachable(source["driver"]) if by == source["driver"] else None
        if driver is None or not is_released or policy != "Delete" or objects.is_terminating(volume):
            return
        if any(_volume_of(one) == name for one in self._attachments.list()):
            return  # looked at again when the attachment is gone
        try:
            secrets = await self._secrets(_annotated_secret(volume))
            await driver.call("Controller", "DeleteVolume", volume_id=source["volumeHandle"], secrets=secrets)
        except DriverError as failure:
            self._recorder.event(volume, "Warning", "VolumeFailedDelete", str(failure))
            raise
        await self._client.delete(kinds.PERSISTENT_VOLUME, name, uid=objects.uid(volume))

    # --- attachments ---

    async def _attachment(self, name: str) -> None:
        attachment = self._attachments.get(name)
        if attachment is None:
            return
        node = str(attachment["spec"]["nodeName"])
        driver = self._reachable(attachment["spec"]["attacher"], node)
        if driver is None:
            return
        finalizer = f"external-attacher/{driver.name.replace('.', '-')}"
        if objects.is_terminating(attachment):
            await self._detach(attachment, driver, finalizer)
        elif not (attachment.get("status") or {}).get("attached"):
            await self._attach(attachment, driver, finalizer)

    async def _attach(self, attachment: Object, driver: Driver, finalizer: str) -> None:
        volume = self._volumes.get(_volume_of(attachment))
        if volume is None:
            return
        finalizers = attachment["metadata"].get("finalizers") or []
        if finalizer not in finalizers:
            body = {"metadata": {"finalizers": [*finalizers, finalizer]}}
            await self._patch(kinds.VOLUME_ATTACHMENT, attachment, body)
        try:
            context = await self._publish(attachment, volume, driver)
        except DriverError as failure:
            error = {"time": times.format_seconds(self._clock.now()), "message": str(failure)}
            told = {"status": {"attached": False, "attachError": error}}
            await self._patch(kinds.VOLUME_ATTACHMENT, attachment, told, "status")
            raise
        told = {"status": {"attached": True, "attachmentMetadata": context or None, "attachError": None}}
        await self._patch(kinds.VOLUME_ATTACHMENT, attachment, told, "status")

    async def _publish(self, attachment: Object, volume: Object, driver: Driver) -> dict[str, str]:
        if "PUBLISH_UNPUBLISH_VOLUME" not in await driver.controller_can():
            return {}
        source = volume["spec"]["csi"]
        answer = await driver.call(
            "Controller",
            "ControllerPublishVolume",
            volume_id=source["volumeHandle"],
            node_id=self._node_id(driver.name, attachment["spec"]["nodeName"]),
            volume_capability=csi.capability(
                volumes.access_modes(volume), volumes.mode_of(volume), source.get("fsType") or "", []
            ),
            readonly=bool(source.get("readOnly")),
            secrets=await self._secrets(source.get("controllerPublishSecretRef")),
            volume_context=source.get("volumeAttributes") or {},
        )
        return dict(answer.get("publish_context") or {})

    async def _detach(self, attachment: Object, driver: Driver, finalizer: str) -> None:
        finalizers = attachment["metadata"].get("finalizers") or []
        if finalizer not in finalizers:
            return
        volume = self._volumes.get(_volume_of(attachment))
        source = ((volume or {}).get("spec") or {}).get("csi")
        if source and "PUBLISH_UNPUBLISH_VOLUME" in await driver.controller_can():
            request = {
                "volume_id": source["volumeHandle"],
                "node_id": self._node_id(driver.name, attachment["spec"]["nodeName"]),
                "secrets": await self._secrets(source.get("controllerPublishSecretRef")),
            }
            await driver.call("Controller", "ControllerUnpublishVolume", **request)
        body = {"metadata": {"finalizers": [one for one in finalizers if one != finalizer] or None}}
        await self._patch(kinds.VOLUME_ATTACHMENT, attachment, body)
        if volume is not None:
            self._queue.add((VOLUME, objects.name(volume)))

    # --- who can be reached, and what is asked of the API ---

    def _reachable(self, name: str, node: str = "") -> Driver | None:
        """The driver at the socket of `node`, or of any node whose socket this process can see."""
        about = self._drivers.get(name) if name else None
        if about is None or objects.annotations(about).get(csi.BUILT_IN) != "built-in":
            return None
        names = [node] if node else sorted(objects.name(one) for one in self._csi_nodes.list() if self._has(one, name))
        for one in names:
            found = self._nodes.get(one)
            sockets = json.loads(objects.annotations(found).get(csi.ENDPOINTS, "{}")) if found is not None else {}
            path = Path(sockets.get(name, ""))
            if name in sockets and path.is_socket():
                if path not in self._connected:
                    self._connected[path] = Driver(name, path)
                return self._connected[path]
        return None

    def _has(self, csi_node: Object, driver: str) -> bool:
        return any(one["name"] == driver for one in (csi_node.get("spec") or {}).get("drivers") or ())

    def _entry(self, driver: str, node: str) -> Object:
        found = self._csi_nodes.get(node)
        listed = ((found or {}).get("spec") or {}).get("drivers") or ()
        return next((one for one in listed if one["name"] == driver), {})

    def _node_id(self, driver: str, node: str) -> str:
        return str(self._entry(driver, node).get("nodeID", ""))

    def _segments(self, driver: str, node: str) -> dict[str, str]:
        found = self._nodes.get(node)
        labels = objects.labels(found) if found is not None else {}
        keys = self._entry(driver, node).get("topologyKeys") or ()
        return {key: labels[key] for key in keys if key in labels}

    async def _secrets(self, reference: Object | None) -> dict[str, str]:
        if not reference:
            return {}
        found = await self._client.get(kinds.SECRET, reference["name"], reference["namespace"])
        return making.decoded(found)

    async def _patch(self, kind: Kind, obj: Object, body: Object, subresource: str = "") -> None:
        await self._client.patch(kind, objects.name(obj), objects.namespace(obj), body, subresource=subresource)


def _volume_of(attachment: Object) -> str:
    return str((attachment["spec"].get("source") or {}).get("persistentVolumeName", ""))


def _annotated_secret(volume: Object) -> Object | None:
    found = objects.annotations(volume)
    name = found.get(making.DELETION_SECRET_NAME)
    return {"name": name, "namespace": found.get(making.DELETION_SECRET_NAMESPACE, "")} if name else None


async def run(client: Client, caches: Caches, clock: Clock) -> None:
    """Until cancelled. Whoever calls runs `caches`."""
    recorder = Recorder(client, clock, "csi-controller")
    async with tasks.Tasks("csi") as running:
        running.start("events", recorder.run())
        running.start("roles", Roles(client, caches, clock, recorder).run())
        await running.wait()
