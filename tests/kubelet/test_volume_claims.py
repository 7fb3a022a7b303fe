"""Claims of pods on their node: what is mounted for them, and what upstream's kubelet says when it cannot be."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import local_path, volumes
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.containers import runtime
from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.kubelet.volumes import mounting, ownership
from steersman.kubelet.volumes.volume import MountError
from steersman.meta.objects import Object
from tests.kubelet import paper_api, world

NODE = {"metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "n1"}}}


def claim(name: str = "data", phase: str = "Bound", **more: Any) -> Object:
    meta = {"name": name, "namespace": "default", "uid": "c1", **more.pop("meta", {})}
    return {"metadata": meta, "spec": {"volumeName": "pv", **more}, "status": {"phase": phase}}


def volume(**spec: Any) -> Object:
    meta = {"name": "pv", **spec.pop("meta", {})}
    owner = {"namespace": "default", "name": "data", "uid": "c1"}
    return {"metadata": meta, "spec": {"claimRef": owner, "capacity": {"storage": "1Gi"}, **spec}}


def at(node: str) -> Object:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {"required": {"nodeSelectorTerms": [term]}}


def user(**more: Any) -> Object:
    source = more.pop("source", {"persistentVolumeClaim": {"claimName": "data", **more.pop("claim", {})}})
    pod = world.pod(volumes=[{"name": "v", **source}], **more)
    pod["metadata"]["uid"] = "uid-1"
    return pod


def mounted(folder: Path, pod: Object, *things: Object) -> runtime.Mount:
    """How a container of the pod sees its volume `v`. Raises MountError."""
    found: list[runtime.Mount] = []

    async def body(clock: SystemClock) -> None:
        async with Tasks("test") as tasks:
            api = paper_api.PaperApi(clock)
            for one in things:
                api.put("persistentvolumes" if "capacity" in one["spec"] else "persistentvolumeclaims", one)
            references = References(Client(InProcessTransport(api.handle), clock=clock), clock, tasks)
            known = mounting.Volumes(Options(data_dir=folder), references, clock, {}, lambda: NODE)
            await known.mount(pod)
            container = world.container(volumeMounts=[{"name": "v", "mountPath": "/v"}])
            found.extend(await known.mounts_of(pod, container, {}))
            await known.unmount("uid-1")

    asyncio.run(body(SystemClock()))
    return found[0]


def test_a_local_volume_is_its_folder(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "kept").write_text("data")
    seen = mounted(tmp_path / "kubelet", user(), claim(), volume(local={"path": str(disk)}, nodeAffinity=at("n1")))
    assert (seen.host_path, seen.read_only) == (str(disk), False)
    assert (disk / "kept").read_text() == "data", "what a claim holds outlives the pod"


def test_a_claim_may_be_used_for_reading_only(tmp_path: Path) -> None:
    pod = user(claim={"readOnly": True})
    assert mounted(tmp_path / "kubelet", pod, claim(), volume(hostPath={"path": str(tmp_path)})).read_only


def test_the_folder_of_the_built_in_class_is_made_when_first_used(tmp_path: Path) -> None:
    path = tmp_path / "root" / "pvc-1_default_data"
    ours = {"annotations": {volumes.PROVISIONED_BY: local_path.PROVISIONER}}
    mounted(tmp_path / "kubelet", user(), claim(), volume(local={"path": str(path)}, meta=ours))
    assert path.stat().st_mode & 0o777 == 0o777


FAILED = (
    "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: "
)
OWN: Any = {"source": {"ephemeral": {"volumeClaimTemplate": {}}}}
MESSAGES = {
    "no claim": (
        user(),
        [],
        f"{FAILED}error processing PVC default/data: failed to fetch PVC from API server: "
        'persistentvolumeclaims "data" not found',
    ),
    "not bound": (user(), [claim(phase="Pending")], f"{FAILED}error processing PVC default/data: PVC is not bound"),
    "going": (
        user(),
        [claim(meta={"deletionTimestamp": "2026-01-01T00:00:00Z"})],
        f"{FAILED}error processing PVC default/data: can't start pod because PVC default/data is being deleted",
    ),
    "no volume": (
        user(),
        [claim()],
        f"{FAILED}error processing PVC default/data: failed to fetch PV pv from API server: "
        'persistentvolumes "pv" not found',
    ),
    "another's ephemeral": (
        user(**OWN),
        [claim("web-v")],
        f"{FAILED}error processing PVC default/web-v: PVC default/web-v was not created for pod default/web (pod is not owner)",
    ),
    "another node": (
        user(),
        [claim(), volume(local={"path": "/"}, nodeAffinity=at("n2"))],
        'MountVolume.NodeAffinity check failed for volume "pv" : no matching NodeSelectorTerms',
    ),
    "no folder": (
        user(),
        [claim(), volume(local={"path": "/none"})],
        'MountVolume.SetUp failed for volume "pv" : path "/none" does not exist',
    ),
    "a folder as a device": (
        user(containers=[world.container(volumeDevices=[{"name": "v", "devicePath": "/v"}])]),
        [claim(), volume(local={"path": "/"}, volumeMode="Block")],
        'MountVolume.SetUp failed for volume "pv" : path "/" is not a block device',
    ),
    "a device as a folder": (
        user(containers=[world.container(volumeMounts=[{"name": "v", "mountPath": "/v"}])]),
        [claim(), volume(local={"path": "/dev/loop0"}, volumeMode="Block")],
        "volume v has volumeMode Block, but is specified in volumeMounts",
    ),
    "a folder to be a device": (
        user(containers=[world.container(volumeDevices=[{"name": "v", "devicePath": "/v"}])]),
        [claim(), volume(local={"path": "/"})],
        "volume v has volumeMode Filesystem, but is specified in volumeDevices",
    ),
    "unknown kind": (
        user(),
        [claim(), volume(iscsi={"iqn": "x"})],
        'MountVolume.SetUp failed for volume "v" : no volume plugin matched iscsi',
    ),
}


@pytest.mark.parametrize(("pod", "things", "message"), MESSAGES.values(), ids=MESSAGES.keys())
def test_what_cannot_be_mounted_says_why(tmp_path: Path, pod: Object, things: list[Object], message: str) -> None:
    with pytest.raises(MountError) as refused:
        mounted(tmp_path, pod, *things)
    assert str(refused.value) == message


ALWAYS, ON_MISMATCH = False, True


@pytest.mark.root
@pytest.mark.parametrize(
    ("policy", "first", "changed", "second", "expect"),
    [
        (ALWAYS, 1000, None, 2000, (2000, 2000)),
        (ALWAYS, 1000, (2000, 3000), 1000, (1000, 1000)),
        (ALWAYS, 1000, (2000, 3000), 4000, (4000, 4000)),
        (ON_MISMATCH, 1000, None, 2000, (2000, 2000)),
        (ON_MISMATCH, 1000, (2000, 3000), 1000, (2000, 3000)),
        (ON_MISMATCH, 1000, (2000, 3000), 4000, (4000, 4000)),
    ],
)
def test_whose_files_are_after_a_second_pod(
    tmp_path: Path,
    policy: bool,
    first: int,
    changed: tuple[int, int] | None,
    second: int,
    expect: tuple[int, int],
) -> None:
    """Upstream's testsuites/fsgroupchangepolicy, case by case: a pod writes two files, gives them to others, and goes."""
    ownership.give(tmp_path, first, on_mismatch_only=policy)
    files = tmp_path / "file1", tmp_path / "subdir/file2"
    files[1].parent.mkdir()
    for number, file in enumerate(files):
        file.touch()
        assert file.stat().st_gid == first, "what is new belongs to the group"
        if changed is not None:
            os.chown(file, -1, changed[number])
    ownership.give(tmp_path, second, on_mismatch_only=policy)
    assert tuple(file.stat().st_gid for file in files) == expect


@pytest.mark.root
def test_a_group_gets_all_of_a_volume_once(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir(mode=0o700)
    file = tmp_path / "deep" / "file"
    file.write_text("data")
    file.chmod(0o600)
    (tmp_path / "link").symlink_to("/etc/hostname")
    before = Path("/etc/hostname").stat()
    ownership.give(tmp_path, 4242)
    assert (file.stat().st_gid, file.stat().st_mode & 0o7777) == (4242, 0o660)
    assert (tmp_path / "deep").stat().st_mode & 0o7777 == 0o2770
    assert Path("/etc/hostname").stat() == before
    file.chmod(0o600)
    ownership.give(tmp_path, 4242, on_mismatch_only=True)
    assert file.stat().st_mode & 0o777 == 0o600, "the root is right: nothing is looked at"
    ownership.give(tmp_path, 4242)
    assert file.stat().st_mode & 0o777 == 0o660


@pytest.mark.root
def test_a_group_gets_nothing_that_links_lead_to(tmp_path: Path) -> None:
    """Another pod uses the volume, and puts a link where a file was while the group is given."""
    secret, volume = tmp_path / "secret", tmp_path / "volume"
    secret.mkdir(mode=0o700)
    (secret / "file").touch(0o600)
    (volume / "folder").mkdir(parents=True)
    (volume / "folder/file").touch()
    (volume / "link").symlink_to(secret)
    ended = threading.Event()

    def play() -> None:
        while not ended.is_set():
            (volume / "folder").rename(volume / "aside")
            (volume / "link").rename(volume / "folder")
            (volume / "folder").rename(volume / "link")
            (volume / "aside").rename(volume / "folder")

    player = threading.Thread(target=play)
    player.start()
    try:
        for group in range(4000, 4200):
            ownership.give(volume, group)
    finally:
        ended.set()
        player.join()
    assert ((secret / "file").stat().st_gid, (secret / "file").stat().st_mode & 0o777) == (0, 0o600)
    assert (secret.stat().st_gid, secret.stat().st_mode & 0o777) == (0, 0o700)
