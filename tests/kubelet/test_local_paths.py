"""Folders of local-path volumes: removed when their volume goes, and nothing else ever."""

import asyncio
from pathlib import Path

import pytest

from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import kinds, local_path, volumes
from steersman.apiserver.server import ApiServer
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet import local_paths
from steersman.kubelet.local_paths import LocalPaths
from steersman.meta.objects import Object
from steersman.store.memory import MemoryStore
from steersman.testing import waiting


def volume(root: Path, name: str = "pvc-1", folder: str = "", **spec: object) -> Object:
    path = f"{root}/{folder or f'{name}_default_data'}"
    term = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    meta = {
        "name": name,
        "labels": {local_path.NODE: "n1"},
        "annotations": {volumes.PROVISIONED_BY: local_path.PROVISIONER},
        "finalizers": [local_path.FINALIZER],
    }
    known = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
        "persistentVolumeReclaimPolicy": "Delete",
        "local": {"path": path},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": known | spec}


class Recorder:
    def __init__(self) -> None:
        self.told = asyncio.Event()
        self.message = ""

    def event(self, obj: Object, type: str, reason: str, message: str) -> None:  # noqa: A002
        self.message = message
        self.told.set()


class Stage:
    """An API server, and the keeper of one node's folders."""

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self.client, self.recorder = client, recorder

    async def delete(self, obj: Object) -> None:
        """As an unused volume goes: protection has nothing against it."""
        name = obj["metadata"]["name"]
        made = await self.client.create(kinds.PERSISTENT_VOLUME, obj)
        await self.client.delete(kinds.PERSISTENT_VOLUME, name)
        kept = [one for one in made["metadata"]["finalizers"] if one != volumes.VOLUME_PROTECTION]
        await self.client.patch(kinds.PERSISTENT_VOLUME, name, "", {"metadata": {"finalizers": kept}})

    async def gone(self, name: str) -> None:
        await waiting.wait(self.client, self.client.clock, kinds.PERSISTENT_VOLUME, name, "", "Deleted", 10)


async def on_stage(root: Path | None, story) -> None:
    clock = SystemClock()
    server = ApiServer(MemoryStore(), clock=clock)
    await server.start()
    client = Client(InProcessTransport(server.handle, "admin", ("system:masters",)), clock=clock)
    caches, recorder = Caches(client, clock), Recorder()
    keeper = LocalPaths(client, local_paths.cache_of(caches, "n1"), clock, recorder, {"n1": root})
    try:
        async with Tasks("stage") as running:
            running.start("keeper", keeper.run())
            running.start("caches", caches.run())
            await story(Stage(client, recorder))
    finally:
        await server.close()


async def test_the_folder_goes_before_the_volume(tmp_path: Path):
    folder = tmp_path / "pvc-1_default_data"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("data")

    async def story(stage: Stage) -> None:
        await stage.delete(volume(tmp_path))
        await stage.gone("pvc-1")
        assert not folder.exists()

    await on_stage(tmp_path, story)


@pytest.mark.parametrize(
    ("spec", "on_paper", "stays"),
    [({"persistentVolumeReclaimPolicy": "Retain"}, False, True), ({}, True, True), ({}, False, False)],
    ids=["kept by policy", "on paper", "deleted"],
)
async def test_what_stays(tmp_path: Path, spec, on_paper, stays):
    folder = tmp_path / "pvc-1_default_data"
    folder.mkdir()

    async def story(stage: Stage) -> None:
        await stage.delete(volume(tmp_path, **spec))
        await stage.gone("pvc-1")
        assert folder.exists() == stays

    await on_stage(None if on_paper else tmp_path, story)


async def test_no_other_folder_is_touched(tmp_path: Path):
    root, precious = tmp_path / "root", tmp_path / "root" / "precious"
    precious.mkdir(parents=True)

    async def story(stage: Stage) -> None:
        await stage.delete(volume(root, folder="precious"))
        async with asyncio.timeout(10):
            await stage.recorder.told.wait()
        assert "is not a folder that was made for this volume" in stage.recorder.message
        assert await stage.client.get(kinds.PERSISTENT_VOLUME, "pvc-1")
        assert precious.exists()

    await on_stage(root, story)


REFUSED = {
    "its own": ("/root/pvc-1_default_data", False),
    "another's": ("/root/pvc-2_default_data", True),
    "the root": ("/root", True),
    "outside": ("/etc/pvc-1_x", True),
    "deeper": ("/root/pvc-1_default_data/x", True),
}


@pytest.mark.parametrize(("path", "refused"), REFUSED.values(), ids=REFUSED.keys())
def test_which_folders_may_go(path: str, refused: bool):
    assert bool(local_paths.refusal(volume(Path("/"), local={"path": path}), Path("/root"))) == refused
