"""Volumes on disk: payloads that change at once, every type, sub-paths that do not lead out."""

import asyncio
import base64
import datetime
import os
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock, VirtualClock
from steersman.aio.tasks import Tasks
from steersman.client.client import Client
from steersman.client.transport import InProcessTransport
from steersman.kubelet.options import Options
from steersman.kubelet.references import References
from steersman.kubelet.volumes import mounting, payload, subpath, tmpfs
from steersman.kubelet.volumes.payload import File
from steersman.kubelet.volumes.volume import MountError
from steersman.meta.objects import Object
from tests.aio import virtual
from tests.kubelet import paper_api, world

needs_mounts = pytest.mark.root


def content(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if not entry.name.startswith("..")}


def test_a_payload_changes_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "volume"
    assert payload.write(folder, {"a": File(b"1"), "b": File(b"2")}, stamp="t1")
    held = os.open(folder / "..data", os.O_RDONLY | os.O_DIRECTORY)
    assert not payload.write(folder, {"a": File(b"1"), "b": File(b"2")}, stamp="t2"), "nothing changed"
    assert payload.write(folder, {"a": File(b"3"), "c/d": File(b"4", 0o400)}, stamp="t2")
    os.close(held)
    assert (folder / "a").read_bytes() == b"3"
    assert (folder / "c" / "d").stat().st_mode & 0o777 == 0o400
    assert not (folder / "b").is_symlink()
    assert len([one for one in folder.iterdir() if one.name.startswith("..2") or one.name.startswith("..t")]) == 1


@pytest.mark.parametrize("evil", ["{outside}", "../outside", "..", "..link"])
def test_only_an_own_folder_is_removed_after_a_change(tmp_path: Path, evil: str) -> None:
    """Whoever may mount could have changed the link in a container."""
    outside, folder = tmp_path / "outside", tmp_path / "volume"
    outside.mkdir()
    (outside / "file").touch()
    payload.write(folder, {"a": File(b"1")}, stamp="t1")
    (folder / "..link").symlink_to(outside)
    (folder / "..data").unlink()
    (folder / "..data").symlink_to(evil.format(outside=outside))
    payload.write(folder, {"a": File(b"2")}, stamp="t2")
    assert (folder / "a").read_bytes() == b"2"
    assert (outside / "file").exists()


def test_a_group_may_read(tmp_path: Path) -> None:
    payload.write(tmp_path / "v", {"a": File(b"1", 0o600)}, stamp="t", group=os.getgid())
    assert (tmp_path / "v" / "a").stat().st_mode & 0o777 == 0o640


class JumpingClock(SystemClock):
    """Real time, but for pauses that a test makes: files are removed in threads, which virtual time does not wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped_seconds = 0.0

    def now(self) -> datetime.datetime:
        return super().now() + datetime.timedelta(seconds=self.skipped_seconds)

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped_seconds

    async def sleep(self, seconds: float) -> None:
        self.skipped_seconds += seconds


class Place:
    def __init__(self, clock: JumpingClock, tasks: Tasks, folder: Path) -> None:
        self.clock = clock
        self.api = paper_api.PaperApi(clock)
        client = Client(InProcessTransport(self.api.handle), clock=clock)
        options = Options(data_dir=folder, address="172.30.0.2")
        self.volumes = mounting.Volumes(options, References(client, clock, tasks), clock, {"cpu": "2"})

    def put(self, plural: str, name: str, **about: Any) -> None:
        kind = {"configmaps": "ConfigMap", "secrets": "Secret"}[plural]
        meta = {"name": name, "namespace": "default"}
        self.api.put(plural, {"apiVersion": "v1", "kind": kind, "metadata": meta, **about})

    async def mount(self, pod: Object, name: str = "v") -> Path:
        await self.volumes.mount(pod)
        mount = {"name": name, "mountPath": "/v"}
        return Path((await self.volumes.mounts_of(pod, world.container(volumeMounts=[mount]), {}))[0].host_path)


def pod_with(**source: Any) -> Object:
    made = world.pod(volumes=[{"name": "v", **source}])
    made["metadata"].update(uid="uid-1", labels={"app": 'we"b'})
    return made


def run(test: Any, folder: Path) -> None:
    async def body(clock: JumpingClock) -> None:
        async with Tasks("test") as tasks:
            place = Place(clock, tasks, folder)
            try:
                await test(place)
            finally:
                await place.volumes.unmount("uid-1")

    asyncio.run(body(JumpingClock()))


def test_config_maps(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        place.put(
            "configmaps", "settings", data={"a": "1", "b": "2"}, binaryData={"c": base64.b64encode(b"\xff").decode()}
        )
        assert content(await place.mount(pod_with(configMap={"name": "settings"}))) == {
            "a": b"1",
            "b": b"2",
            "c": b"\xff",
        }
        place.put("configmaps", "settings", data={"a": "new"})
        await place.clock.sleep(2)
        pod = pod_with(configMap={"name": "settings"})
        await place.volumes.refresh(pod)
        assert content(await place.mount(pod)) == {"a": b"new"}

    run(test, tmp_path)


def test_chosen_items_have_paths_and_modes(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        place.put("configmaps", "settings", data={"a": "1", "b": "2"})
        items = [{"key": "a", "path": "deep/name", "mode": 0o400}]
        folder = await place.mount(pod_with(configMap={"name": "settings", "items": items}))
        assert (folder / "deep" / "name").read_bytes() == b"1"
        assert (folder / "deep" / "name").stat().st_mode & 0o777 == 0o400

    run(test, tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMap": {"name": "none"}}, 'MountVolume.SetUp failed for volume "v" : configmap "none" not found'),
        ({"iscsi": {"iqn": "x"}}, 'MountVolume.SetUp failed for volume "v" : no volume plugin matched iscsi'),
        (
            {"hostPath": {"path": "/none", "type": "Directory"}},
            'MountVolume.SetUp failed for volume "v" : hostPath type check failed: /none is not a directory',
        ),
    ],
)
def test_what_cannot_be_mounted_says_why(tmp_path: Path, source: Object, message: str) -> None:
    async def test(place: Place) -> None:
        with pytest.raises(MountError) as refused:
            await place.volumes.mount(pod_with(**source))
        assert str(refused.value) == message

    run(test, tmp_path)


CERTIFICATES = [f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n" for name in "ab"]
BY_NAME, BY_SIGNER = {"name": "first", "path": "ca"}, {"signerName": "x.io/y", "path": "ca"}
NOBODY = "combination of signerName and labelSelector matched zero ClusterTrustBundles"
BUNDLES = {
    "by name": (BY_NAME, CERTIFICATES[0]),
    "each once": ({**BY_SIGNER, "labelSelector": {}}, "".join(CERTIFICATES)),
    "selected": ({**BY_SIGNER, "labelSelector": {"matchLabels": {"which": "1"}}}, CERTIFICATES[0]),
    "optional": ({"name": "none", "path": "ca", "optional": True}, ""),
    "missing": ({"name": "none", "path": "ca"}, 'clustertrustbundles.certificates.k8s.io "none" not found'),
    "no selector": (BY_SIGNER, NOBODY),
}


@pytest.mark.parametrize(("source", "expect"), BUNDLES.values(), ids=BUNDLES.keys())
def test_trust_bundles(tmp_path: Path, source: Object, expect: str) -> None:
    async def test(place: Place) -> None:
        texts = {"first": f"a comment\n{CERTIFICATES[0]}", "second": "".join(CERTIFICATES)}
        for number, (name, text) in enumerate(texts.items()):
            meta = {"name": name, "labels": {"which": str(number + 1)}}
            spec = {"signerName": "x.io/y", "trustBundle": text}
            place.api.put("clustertrustbundles", {"metadata": meta, "spec": spec})
        pod = pod_with(projected={"sources": [{"clusterTrustBundle": source}]})
        if expect.startswith("---") or not expect:
            assert content(await place.mount(pod)) == {"ca": expect.encode()}
        else:
            with pytest.raises(MountError, match=f" : {expect}"):
                await place.mount(pod)

    run(test, tmp_path)


def test_what_is_optional_is_empty(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        assert content(await place.mount(pod_with(configMap={"name": "none", "optional": True}))) == {}

    run(test, tmp_path)


def test_the_service_account_volume(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        place.put("configmaps", "kube-root-ca.crt", data={"ca.crt": "CA"})
        place.api.put("serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}})
        field = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
        sources = [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [field]}},
        ]
        pod = pod_with(projected={"sources": sources})
        folder = await place.mount(pod)
        first = content(folder)
        assert first["token"].startswith(b"token-default")
        assert (first["ca.crt"], first["namespace"]) == (b"CA", b"default")
        await place.volumes.refresh(pod)
        assert content(folder) == first, "a fresh token is kept"
        await place.clock.sleep(25 * 3600)
        await place.volumes.refresh(pod)
        assert content(folder)["token"] != first["token"], "a token is replaced after a day"

    run(test, tmp_path)


def test_downward_api(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        items = [
            {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "cpu", "resourceFieldRef": {"containerName": "main", "resource": "limits.cpu"}},
        ]
        folder = await place.mount(pod_with(downwardAPI={"items": items}))
        assert content(folder) == {"labels": b'app="we\\"b"', "cpu": b"2"}

    run(test, tmp_path)


def test_an_empty_dir_lives_as_long_as_its_pod(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        pod = pod_with(emptyDir={})
        folder = await place.mount(pod)
        (folder / "file").touch()
        assert await place.mount(pod) == folder
        assert (folder / "file").exists(), "mounting again keeps what is there"
        assert folder.stat().st_mode & 0o777 == 0o777
        await place.volumes.unmount("uid-1")
        assert not folder.exists()
        assert place.volumes.leftovers(set()) == []

    run(test, tmp_path)


@needs_mounts
def test_an_empty_dir_in_memory_has_its_size(tmp_path: Path) -> None:
    async def test(place: Place) -> None:
        folder = await place.mount(pod_with(emptyDir={"medium": "Memory", "sizeLimit": "1Mi"}))
        assert folder.is_mount()
        with pytest.raises(OSError, match="No space"), (folder / "big").open("wb") as file:
            file.write(bytes(2 << 20))
        await place.volumes.unmount("uid-1")
        assert not folder.exists()

    run(test, tmp_path)


@needs_mounts
def test_a_sub_path_does_not_lead_out(tmp_path: Path) -> None:
    volume, outside = tmp_path / "volume", tmp_path / "outside"
    volume.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (volume / "way-out").symlink_to("../outside")
    (volume / "inside").mkdir()
    (volume / "inside" / "file").write_text("file")
    targets = [tmp_path / "targets" / str(number) for number in range(4)]
    try:
        assert content(subpath.bind(volume, "inside", targets[0])) == {"file": b"file"}
        assert subpath.bind(volume, "inside/file", targets[1]).read_text() == "file"
        assert content(subpath.bind(volume, "made/new", targets[2])) == {}
        assert (volume / "made" / "new").is_dir()
        (volume / "inside" / "up").symlink_to("..")
        (volume / "host").symlink_to("/etc")
        (volume / "nowhere").symlink_to("/none/of/these")
        for out in ("way-out", "../outside", "host", "nowhere", "way-out/new", "inside/up/.."):
            with pytest.raises(OSError, match="Invalid cross-device link"):
                subpath.bind(volume, out, targets[3])
        with pytest.raises(NotADirectoryError):
            subpath.bind(volume, "inside/file/new", targets[3])
        assert (subpath.bind(volume, "inside/up", targets[3]) / "inside" / "file").is_file()
        (volume / "dangling").symlink_to("not/there")
        with pytest.raises(subpath.NotMade):
            subpath.bind(volume, "dangling", targets[3])
    finally:
        tmpfs.unmount_below(tmp_path)


@needs_mounts
def test_a_sub_path_is_bound_once_and_anew_when_it_was_taken_away(tmp_path: Path) -> None:
    volume, target = tmp_path / "volume", tmp_path / "targets" / "0"
    (volume / "part").mkdir(parents=True)

    def bound() -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line.split()[3] for line in lines if line.split()[4] == str(target)]

    try:
        for _ in range(3):
            subpath.bind(volume, "part", target)
            assert len(bound()) == 1
        (volume / "part").rmdir()
        assert bound()[0].endswith("//deleted")
        assert content(subpath.bind(volume, "part", target)) == {}
        assert (volume / "part").is_dir()
        (volume / "part").rmdir()
        (volume / "part").write_text("a file now")
        assert subpath.bind(volume, "part", target).read_text() == "a file now"
        assert len(bound()) == 1
    finally:
        tmpfs.unmount_below(tmp_path)


@pytest.mark.parametrize("kind", [*mounting.TYPES, "image"])
def test_containers_change_nothing_that_the_kubelet_writes(tmp_path: Path, kind: str) -> None:
    """Or a link in place of `..data` would have it remove what the link leads to (CVE-2017-1002102)."""

    async def test(place: Place) -> None:
        pod = pod_with(**{kind: {}})
        place.volumes._paths["uid-1"] = {"v": tmp_path}
        mount = {"name": "v", "mountPath": "/v", "readOnly": False}
        images = {"v": "image"} if kind == "image" else {}
        [found] = await place.volumes.mounts_of(pod, world.container(volumeMounts=[mount]), {}, images)
        assert found.read_only is (kind in ("configMap", "secret", "downwardAPI", "projected", "image"))

    run(test, tmp_path)


def test_what_no_container_uses_is_not_set_up(tmp_path: Path) -> None:
    """Upstream's testsuites/volumemode; so a pod that only names a ConfigMap does not wait for it. One that comes later is."""

    async def body(clock: VirtualClock) -> None:
        here = world.make(clock, tmp_path, on_paper=False)
        unused = [{"name": "some", "emptyDir": {}}, {"name": "none", "configMap": {"name": "none"}}]
        async with here.running() as kubelet:
            made = here.pod(containers=[world.container()], volumes=[*unused, {"name": "own", "emptyDir": {}}])
            await here.until_running()
            assert kubelet._node.volumes.paths_of(made["metadata"]["uid"]) == {}
            later = world.container("look", volumeMounts=[{"name": "own", "mountPath": "/own"}])
            pod = here.api.get("pods", "web") or {}
            here.api.put("pods", {**pod, "spec": {**pod["spec"], "ephemeralContainers": [later]}})
            running = lambda one: "running" in one["state"]  # noqa: E731
            await here.until(lambda: [*filter(running, here.status().get("ephemeralContainerStatuses", ()))])
            assert [*kubelet._node.volumes.paths_of(made["metadata"]["uid"])] == ["own"]
            assert here.events.of("FailedMount") == []

    virtual.run(body)
