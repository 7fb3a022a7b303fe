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
from steersman.kubelet.csi.registration import Drivers, Registration
from steersman.kubelet.csi.volumes import CsiVolumes
from steersman.kubelet.dra.plugins import Plugins
from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.kubelet.volumes import mounting
from steersman.kubelet.volumes.volume import MountError
from steersman.meta import objects
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
        references = References(client, clock, running)
        self.node: Object = {"metadata": {"name": "n1", "labels": {}}}
        self.volumes = mounting.Volumes(self.options, references, clock, {}, lambda: self.node, self.csi)
        self.told: list[str] = []

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
        containers = [{"name": "main", "image": "x"}]
        spec: Object = {"nodeName": "n1", "containers": containers, "volumes": [{"name": "v", **volume}]}
        spec["automountServiceAccountToken"] = False
        return await self.make(kinds.POD, "user", spec=spec)

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

        body = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        await at.client.patch(CLAIM, "data", "default", body)
        await at.until(CLAIM, "data", lambda one: bool(one["status"].get("conditions")))
        await at.clock.sleep(1.1)  # what was asked before is fresh for a second
        await at.volumes.refresh(pod)
        grown = await at.client.get(CLAIM, "data", "default")
        assert (grown["status"]["capacity"], grown["status"].get("conditions")) == ({"storage": "2Gi"}, None)
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
