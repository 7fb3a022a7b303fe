"""A claim's way through a driver: made, attached, mounted, grown, given back; and what is told when the driver refuses."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steersman import controllers
from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.apiserver.server import ApiServer
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.csi import driver as csi
from steersman.csi import roles
from steersman.csi.snapshots import contents, definitions
from steersman.kubelet.csi.drivers import Drivers
from steersman.kubelet.csi.registration import Registration
from steersman.kubelet.csi.volumes import CsiVolumes
from steersman.kubelet.dra.plugins import Plugins
from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.kubelet.volumes import mounting
from steersman.kubelet.volumes.volume import MountError
from steersman.meta import conditions, objects
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.store.memory import MemoryStore
from steersman.testing import waiting
from tests.csi.driver import NAME, FolderDriver

pytestmark = [pytest.mark.slow]

CLAIM, VOLUME, ATTACHMENT = kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME, kinds.VOLUME_ATTACHMENT
SECONDS = 20


class Stage:
    """An API server, the controllers, one node's registration and volumes, and a driver."""

    def __init__(self, folder: Path, client: Client, clock: SystemClock, running: Tasks) -> None:
        self.client = client
        self.clock = clock
        self.driver = FolderDriver(folder / "disks", "n1")
        self.options = Options(data_dir=folder / "kubelet")
        self.drivers = Drivers(self.options.data_dir)
        self.csi = CsiVolumes(self.options, self.drivers, client, clock, self)
        self.node: Object = {"metadata": {"name": "n1", "labels": {}}}
        self._running = running
        self.volumes = self.volumes_that_know_nothing()
        self.told: list[str] = []

    def volumes_that_know_nothing(self) -> mounting.Volumes:
        """Whatever was asked of the API before is asked again."""
        references = References(self.client, self.clock, self._running)
        return mounting.Volumes(self.options, references, self.clock, {}, lambda: self.node, self.csi)

    def event(self, obj: Object, type: str, reason: str, message: str) -> None:  # noqa: A002
        self.told.append(reason)

    async def make(self, kind: Kind, name: str, **fields: Any) -> Object:
        meta = {"name": name, **({"namespace": "default"} if kind.namespaced else {}), **fields.pop("meta", {})}
        obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, **fields}
        return await self.client.create(kind, obj, meta.get("namespace", ""))

    async def until(self, kind: Kind, name: str, wish: Any) -> Object:
        space = "default" if kind.namespaced else ""
        found = await waiting.wait(self.client, self.clock, kind, name, space, wish, SECONDS)
        return found or {}

    async def bound_claim(self) -> Object:
        await self.make(kinds.STORAGE_CLASS, "folders", provisioner=NAME, allowVolumeExpansion=True)
        requests = {"resources": {"requests": {"storage": "1Gi"}}}
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "folders", **requests}
        await self.make(CLAIM, "data", spec=spec)
        return await self.until(CLAIM, "data", lambda one: one["status"]["phase"] == "Bound")

    async def pod(self, **volume: Any) -> Object:
        volume = volume or {"persistentVolumeClaim": {"claimName": "data"}}
        mounts = [{"name": "v", "mountPath": "/v"}]
        containers = [{"name": "main", "image": "x", "volumeMounts": mounts}]
        spec: Object = {"nodeName": "n1", "containers": containers, "volumes": [{"name": "v", **volume}]}
        spec["automountServiceAccountToken"] = False
        return await self.make(kinds.POD, "user", spec=spec)

    async def event_said(self, reason: str, text: str) -> None:
        deadline = self.clock.monotonic() + SECONDS
        while text not in (said := await self.events(reason)):
            assert self.clock.monotonic() < deadline, said
            await self.clock.sleep(0.02)

    async def events(self, reason: str) -> list[str]:
        page = await self.client.list(kinds.EVENT, "default")
        return [one["message"] for one in page.items if one["reason"] == reason]


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    clock = SystemClock()
    server = ApiServer(MemoryStore(), clock=clock)
    await server.start()
    client = Client(InProcessTransport(server.handle, "admin", ("system:masters",)), clock=clock)
    caches = Caches(client, clock)
    with tempfile.TemporaryDirectory(prefix="csi-") as name:
        try:
            async with Tasks("stage") as running:
                found = Stage(Path(name), client, clock, running)
                await found.make(kinds.NODE, "n1")
                meta = {"annotations": {csi.BUILT_IN: "built-in"}}
                modes = ["Persistent", "Ephemeral"]
                await found.make(
                    kinds.CSI_DRIVER, NAME, meta=meta, spec={"podInfoOnMount": True, "volumeLifecycleModes": modes}
                )
                registry = found.options.data_dir / "plugins_registry"
                await found.driver.start(found.options.data_dir / "plugins" / "csi.sock", registry)
                registration = Registration("n1", registry, found.drivers, Plugins(), client, clock)
                running.start("registration", registration.run())
                running.start("controllers", controllers.run(client, caches, clock))
                running.start("roles", roles.run(client, caches, clock))
                running.start("caches", caches.run())
                await found.until(kinds.CSI_NODE, "n1", lambda one: bool(one["spec"]["drivers"]))
                found.node = await client.get(kinds.NODE, "n1")
                try:
                    yield found
                finally:
                    await found.driver.stop()
        finally:
            await server.close()


async def test_a_driver_is_registered_and_shown():
    async with stage() as at:
        [shown] = (await at.client.get(kinds.CSI_NODE, "n1"))["spec"]["drivers"]
        key = "topology.csi.example.com/node"
        assert shown == {"name": NAME, "nodeID": "id-n1", "topologyKeys": [key], "allocatable": {"count": 3}}
        assert objects.labels(await at.client.get(kinds.NODE, "n1"))[key] == "n1"
        assert await at.driver.registered == {"plugin_registered": True}


async def test_a_claim_is_made_attached_mounted_grown_and_given_back():
    async with stage() as at:
        claim = await at.bound_claim()
        volume = await at.client.get(VOLUME, claim["spec"]["volumeName"])
        assert volume["spec"]["csi"] == {
            "driver": NAME,
            "volumeHandle": objects.name(volume),
            "volumeAttributes": {"made": "here"},
        }
        pod = await at.pod()
        uid = objects.uid(pod)
        await at.volumes.mount(pod)
        [attachment] = (await at.client.list(ATTACHMENT, "")).items
        assert attachment["status"] == {"attached": True, "attachmentMetadata": {"node": "id-n1"}}
        assert at.csi.in_use() == [f"kubernetes.io/csi/{NAME}^{objects.name(volume)}"]
        [published] = at.driver.called("NodePublishVolume")
        assert published["publish_context"] == {"node": "id-n1"}
        assert published["volume_context"]["csi.storage.k8s.io/pod.name"] == "user"
        assert published["staging_target_path"] == at.driver.called("NodeStageVolume")[0]["staging_target_path"]
        await at.until(kinds.NODE, "n1", lambda one: bool(one["status"].get("volumesAttached")))

        assert not at.driver.called("ControllerExpandVolume")
        body = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        await at.client.patch(CLAIM, "data", "default", body)
        await at.until(CLAIM, "data", lambda one: conditions.is_true(one, "FileSystemResizePending"))
        waiting_claim = await at.client.get(CLAIM, "data", "default")
        assert waiting_claim["status"]["allocatedResources"] == {"storage": "2Gi"}
        assert waiting_claim["status"]["allocatedResourceStatuses"] == {"storage": "NodeResizePending"}
        at.volumes = at.volumes_that_know_nothing()
        await at.volumes.mount(pod)
        grown = await at.client.get(CLAIM, "data", "default")
        assert (grown["status"]["capacity"], grown["status"].get("conditions")) == ({"storage": "2Gi"}, None)
        assert "allocatedResourceStatuses" not in grown["status"]
        assert at.told == ["FileSystemResizeSuccessful"]

        await at.volumes.unmount(uid)
        assert [len(at.driver.called(f"Node{what}Volume")) for what in ("Unpublish", "Unstage")] == [1, 1]
        assert not (at.options.pods_dir / uid).exists()
        assert at.csi.in_use() == []
        await at.client.delete(kinds.POD, "user", "default", grace_seconds=0)
        await at.until(ATTACHMENT, objects.name(attachment), "Deleted")
        assert len(at.driver.called("ControllerUnpublishVolume")) == 1
        await at.client.delete(CLAIM, "data", "default")
        await at.until(VOLUME, objects.name(volume), "Deleted")
        assert not (at.driver.root / objects.name(volume)).exists()


async def test_a_volume_that_is_deleted_before_its_claim_leaves_nothing_behind():
    async with stage() as at:
        name = (await at.bound_claim())["spec"]["volumeName"]
        await at.client.delete(VOLUME, name)
        assert (await at.client.get(VOLUME, name))["metadata"]["deletionTimestamp"]
        await at.client.delete(CLAIM, "data", "default")
        await at.until(VOLUME, name, "Deleted")
        assert len(at.driver.called("DeleteVolume")) == 1


async def test_what_the_driver_refuses_is_told_and_tried_again():
    async with stage() as at:
        refusals = {
            "CreateVolume": "INTERNAL",
            "ControllerPublishVolume": "NOT_FOUND",
            "NodeStageVolume": "UNAVAILABLE",
        }
        at.driver.failures |= refusals
        claim = await at.bound_claim()
        [refused] = await at.events("ProvisioningFailed")
        assert refused.endswith("rpc error: code = Internal desc = on purpose")
        pod, name = await at.pod(), claim["spec"]["volumeName"]
        with pytest.raises(MountError) as failure:
            await at.volumes.mount(pod)
        why = "rpc error: code = Unavailable desc = on purpose"
        assert str(failure.value) == f'MountVolume.MountDevice failed for volume "{name}" : {why}'
        await at.volumes.mount(pod)
        assert at.driver.called("NodePublishVolume")
        [told] = await at.events("FailedAttachVolume")
        assert told == f'AttachVolume.Attach failed for volume "{name}" : rpc error: code = NotFound desc = on purpose'


async def test_an_inline_volume_lives_with_its_pod():
    async with stage() as at:
        pod = await at.pod(csi={"driver": NAME, "volumeAttributes": {"size": "1"}})
        await at.volumes.mount(pod)
        [published] = at.driver.called("NodePublishVolume")
        assert published["volume_context"]["csi.storage.k8s.io/ephemeral"] == "true"
        assert published["volume_context"]["size"] == "1"
        assert at.csi.in_use() == []
        await at.volumes.unmount(objects.uid(pod))
        assert at.driver.called("NodeUnpublishVolume")[0]["volume_id"] == published["volume_id"]
        assert not at.driver.called("NodeStageVolume")


async def test_a_later_kubelet_takes_down_what_an_earlier_one_put_up():
    async with stage() as at:
        await at.bound_claim()
        pod = await at.pod()
        await at.volumes.mount(pod)
        later = CsiVolumes(at.options, at.drivers, at.client, at.clock, at)
        assert len(later.in_use()) == 1
        await later.tear_down(at.options.pods_dir / objects.uid(pod))
        assert at.driver.called("NodeUnstageVolume")
        assert later.in_use() == []


async def test_a_driver_that_is_gone_leaves_its_volumes_alone():
    async with stage() as at:
        await at.bound_claim()
        pod = await at.pod()
        await at.volumes.mount(pod)
        await at.drivers.remove(NAME)
        with pytest.raises(OSError, match="is not registered"):
            await at.volumes.unmount(objects.uid(pod))
        assert (at.options.pods_dir / objects.uid(pod)).exists()
        with pytest.raises(MountError, match=f"driver name {NAME} not found in the list of registered CSI drivers"):
            await at.volumes.mount(pod)


async def attributes_class(at: Stage, name: str, **parameters: str) -> None:
    await at.make(kinds.VOLUME_ATTRIBUTES_CLASS, name, driverName=NAME, parameters=parameters)


async def wish(at: Stage, name: str) -> None:
    await at.client.patch(CLAIM, "data", "default", {"spec": {"volumeAttributesClassName": name}})


async def test_a_volume_gets_another_class_of_attributes():
    async with stage() as at:
        claim = await at.bound_claim()
        await wish(at, "gold")
        pending = await at.until(CLAIM, "data", lambda one: bool(one["status"].get("modifyVolumeStatus")))
        assert pending["status"]["modifyVolumeStatus"]["status"] == "Pending"
        await attributes_class(at, "gold", iops="9")
        done = await at.until(
            CLAIM, "data", lambda one: one["status"].get("currentVolumeAttributesClassName") == "gold"
        )
        assert (done["status"].get("modifyVolumeStatus"), done["status"].get("conditions")) == (None, None)
        volume = await at.client.get(VOLUME, claim["spec"]["volumeName"])
        assert volume["spec"]["volumeAttributesClassName"] == "gold"
        [asked] = at.driver.called("ControllerModifyVolume")
        assert asked == {"volume_id": objects.name(volume), "mutable_parameters": {"iops": "9"}}
        await at.event_said(
            "VolumeModifySuccessful", "external resizer modified volume data with vac gold successfully"
        )


async def test_a_class_that_the_driver_cannot_give_is_forgotten_when_nobody_wishes_for_it_any_more():
    async with stage() as at:
        await attributes_class(at, "silver", iops="1")
        await attributes_class(at, "gold", iops="9")
        await at.bound_claim()
        await wish(at, "silver")
        await at.until(CLAIM, "data", lambda one: one["status"].get("currentVolumeAttributesClassName") == "silver")
        at.driver.failures["ControllerModifyVolume"] = "INVALID_ARGUMENT"
        await wish(at, "gold")

        def is_refused(claim: Object) -> bool:
            return bool((claim["status"].get("modifyVolumeStatus") or {}).get("status") == "Infeasible")

        refused = await at.until(CLAIM, "data", is_refused)
        [condition] = refused["status"]["conditions"]
        why = "rpc error: code = InvalidArgument desc = on purpose"
        assert (condition["type"], condition["message"]) == (
            "ModifyVolumeError",
            f"ModifyVolume failed with error: {why}. Waiting for retry.",
        )
        await wish(at, "silver")
        back = await at.until(CLAIM, "data", lambda one: not one["status"].get("modifyVolumeStatus"))
        assert (back["status"]["currentVolumeAttributesClassName"], back["status"].get("conditions")) == (
            "silver",
            None,
        )
        assert len(at.driver.called("ControllerModifyVolume")) == 2


async def wish_for(at: Stage, size: str) -> None:
    await at.client.patch(CLAIM, "data", "default", {"spec": {"resources": {"requests": {"storage": size}}}})


async def test_a_size_that_the_driver_cannot_give_is_told_and_may_be_taken_back():
    async with stage() as at:
        await at.bound_claim()
        at.driver.failures["ControllerExpandVolume"] = "OUT_OF_RANGE"
        await wish_for(at, "9Gi")
        told = await at.until(CLAIM, "data", lambda one: conditions.is_true(one, "ControllerResizeError"))
        assert told["status"]["allocatedResourceStatuses"] == {"storage": "ControllerResizeInfeasible"}
        await wish_for(at, "2Gi")
        taken = await at.until(CLAIM, "data", lambda one: conditions.is_true(one, "FileSystemResizePending"))
        assert [one["type"] for one in taken["status"]["conditions"]] == ["FileSystemResizePending"]
        assert taken["status"]["allocatedResources"] == {"storage": "2Gi"}


async def test_a_claim_is_copied():
    async with stage() as at:
        claim = await at.bound_claim()
        (at.driver.root / claim["spec"]["volumeName"] / "file").write_text("once")
        spec = {key: claim["spec"][key] for key in ("accessModes", "storageClassName", "resources")}
        source = {"kind": "PersistentVolumeClaim", "name": "data"}
        await at.make(CLAIM, "copy", spec={**spec, "dataSource": source})
        copy = await at.until(CLAIM, "copy", lambda one: one["status"]["phase"] == "Bound")
        assert (at.driver.root / copy["spec"]["volumeName"] / "file").read_text() == "once"


async def test_a_copy_of_what_is_not_there_says_so():
    async with stage() as at:
        claim = await at.bound_claim()
        spec = {key: claim["spec"][key] for key in ("accessModes", "storageClassName", "resources")}
        sources = {
            "a": {"kind": "PersistentVolumeClaim", "name": "nobody"},
            "b": {"kind": "VolumeSnapshot", "name": "nobody", "apiGroup": "snapshot.storage.k8s.io"},
        }
        for name, source in sources.items():
            await at.make(CLAIM, name, spec={**spec, "dataSource": source})
        other = {"kind": "Populator", "name": "x", "apiGroup": "example.com"}
        await at.make(CLAIM, "c", spec={**spec, "dataSourceRef": other})
        why = 'error getting PVC nobody (namespace "default") from api server: persistentvolumeclaim "nobody" not found'
        await at.event_said("ProvisioningFailed", f"{NO_SOURCE} PersistentVolumeClaim by Name nobody: {why}")
        why = (
            'error getting snapshot nobody from api server: volumesnapshots.snapshot.storage.k8s.io "nobody" not found'
        )
        await at.event_said("ProvisioningFailed", f"{NO_SOURCE} VolumeSnapshot by Name nobody: {why}")
        assert len(at.driver.called("CreateVolume")) == 1
        assert (await at.client.get(CLAIM, "c", "default"))["status"]["phase"] == "Pending"


NO_SOURCE = 'failed to provision volume with StorageClass "folders": error getting handle for DataSource Type'


async def take(at: Stage, name: str, **spec: Any) -> None:
    """When the kinds are defined."""
    await at.until(kinds.CUSTOM_RESOURCE_DEFINITION, "volumesnapshots.snapshot.storage.k8s.io", is_established)
    source = {"persistentVolumeClaimName": "data"}
    await at.make(definitions.SNAPSHOT, name, spec={"source": source, **spec})


def is_established(definition: Object) -> bool:
    return conditions.is_true(definition, "Established")


async def snapshot_class(at: Stage, policy: str = "Delete") -> None:
    await at.until(kinds.CUSTOM_RESOURCE_DEFINITION, "volumesnapshotclasses.snapshot.storage.k8s.io", is_established)
    meta = {"annotations": {contents.IS_DEFAULT: "true"}}
    await at.make(definitions.CLASS, "folders", meta=meta, driver=NAME, deletionPolicy=policy)


def is_ready(snapshot: Object) -> bool:
    return bool((snapshot.get("status") or {}).get("readyToUse"))


async def test_a_snapshot_is_taken_restored_and_deleted():
    async with stage() as at:
        claim = await at.bound_claim()
        (at.driver.root / claim["spec"]["volumeName"] / "file").write_text("once")
        await snapshot_class(at)
        await take(at, "s")
        snapshot = await at.until(definitions.SNAPSHOT, "s", is_ready)
        name = f"snapcontent-{objects.uid(snapshot)}"
        assert snapshot["status"] == {
            "boundVolumeSnapshotContentName": name,
            "creationTime": "2023-11-14T22:13:20Z",
            "readyToUse": True,
            "restoreSize": "1Gi",
        }
        await at.event_said("SnapshotReady", "Snapshot default/s is ready to use.")
        await at.until(CLAIM, "data", lambda one: contents.CLAIM_PROTECTION not in one["metadata"]["finalizers"])
        spec = {key: claim["spec"][key] for key in ("accessModes", "storageClassName", "resources")}
        source = {"kind": "VolumeSnapshot", "name": "s", "apiGroup": definitions.GROUP}
        await at.make(CLAIM, "copy", spec={**spec, "dataSource": source})
        copy = await at.until(CLAIM, "copy", lambda one: one["status"]["phase"] == "Bound")
        assert (at.driver.root / copy["spec"]["volumeName"] / "file").read_text() == "once"
        await at.client.delete(definitions.SNAPSHOT, "s", "default")
        await at.until(definitions.SNAPSHOT, "s", "Deleted")
        with pytest.raises(StatusError, match="not found"):
            await at.client.get(definitions.CONTENT, name)
        assert at.driver.called("DeleteSnapshot") == [{"snapshot_id": f"snapshot-{objects.uid(snapshot)}"}]


async def test_a_snapshot_that_is_kept_can_be_had_again():
    async with stage() as at:
        await at.bound_claim()
        await snapshot_class(at, "Retain")
        await take(at, "s")
        snapshot = await at.until(definitions.SNAPSHOT, "s", is_ready)
        content = await at.client.get(definitions.CONTENT, snapshot["status"]["boundVolumeSnapshotContentName"])
        await at.client.delete(definitions.SNAPSHOT, "s", "default")
        await at.until(definitions.SNAPSHOT, "s", "Deleted")
        assert (await at.client.get(definitions.CONTENT, objects.name(content)))["status"]["readyToUse"]
        again = {"name": "again", "namespace": "default"}
        source = {"snapshotHandle": content["status"]["snapshotHandle"]}
        spec = {"driver": NAME, "deletionPolicy": "Retain", "source": source, "volumeSnapshotRef": again}
        await at.make(definitions.CONTENT, "kept", spec=spec)
        await at.make(definitions.SNAPSHOT, "again", spec={"source": {"volumeSnapshotContentName": "kept"}})
        found = await at.until(definitions.SNAPSHOT, "again", is_ready)
        assert found["status"]["boundVolumeSnapshotContentName"] == "kept"
        bound = await at.client.get(definitions.CONTENT, "kept")
        assert bound["spec"]["volumeSnapshotRef"]["uid"] == objects.uid(found)
        assert not at.driver.called("DeleteSnapshot")


async def test_a_snapshot_that_cannot_be_taken_says_why():
    async with stage() as at:
        await at.bound_claim()
        await take(at, "s")
        why = "Failed to set default snapshot class with error cannot find default snapshot class"
        await at.event_said("SetDefaultSnapshotClassFailed", why)
        at.driver.failures["CreateSnapshot"] = "INTERNAL"
        await snapshot_class(at)
        await take(at, "t", volumeSnapshotClassName="folders")
        told = await at.until(definitions.SNAPSHOT, "t", lambda one: bool((one.get("status") or {}).get("error")))
        assert told["status"]["error"]["message"].endswith('"rpc error: code = Internal desc = on purpose"')
        ready = await at.until(definitions.SNAPSHOT, "t", is_ready)
        assert "error" not in ready["status"]
