"""The node's images: archives in, layers shared, nothing left of what was removed or half done."""

import asyncio
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers.images import archive, blobs, build, platforms
from steersman.containers.images.store import ImageStore
from steersman.containers.runtime import RuntimeFailure


def layer(name: str, content: str = "x") -> bytes:
    tree = build.Tree()
    tree.file(name, content)
    return tree.content()


def opened(folder: Path) -> ImageStore:
    store = ImageStore(str(folder / "store"), SystemClock())
    store.open(os.geteuid() != 0)
    return store


def leftovers(store: ImageStore) -> list[str]:
    """Files of work that was not finished."""
    return sorted(set(os.listdir(os.path.dirname(store.temporary_path("x")))) - {"lock"})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    found = opened(tmp_path)
    yield found
    await found.close()


def written(folder: Path, name: str, *layers: bytes, **config: object) -> str:
    path = folder / "archive.tar"
    build.write_archive(path, name, layers, config)
    return str(path)


async def test_an_oci_layout(store: ImageStore, tmp_path: Path):
    path = written(tmp_path, "localhost/a:1", layer("low"), layer("high"), User="7", Cmd=["x"])
    assert await store.load(path) == ["localhost/a:1"]
    image = store.find("localhost/a:1")
    assert image is not None
    assert (image.config["Cmd"], len(image.layers)) == (["x"], 2)
    status = await store.status("localhost/a:1")
    assert status is not None
    assert status.user == "7"
    assert [os.listdir(os.path.join(store.layers_dir, name)) for name in image.layers] == [["low"], ["high"]]
    assert leftovers(store) == []


@pytest.mark.parametrize("compress", ["gzip", "zstd"])
async def test_a_compressed_archive_with_compressed_layers(store: ImageStore, tmp_path: Path, compress: str):
    if shutil.which(compress) is None:
        pytest.skip(f"{compress} is not installed")
    path = written(tmp_path, "localhost/a:1", layer("low"))
    command = [compress, "-c", path]
    packed = (await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)).stdout
    Path(path).write_bytes(packed)
    assert await store.load(path) == ["localhost/a:1"]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_docker_save(store: ImageStore, tmp_path: Path, packed: bool):
    content = layer("file")
    config = json.dumps(
        {
            "architecture": platforms.own()[0],
            "os": "linux",
            "config": {"Env": ["A=1"]},
            "rootfs": {"type": "layers", "diff_ids": [blobs.digest(content)]},
        }
    ).encode()
    manifest = [{"Config": "config.json", "RepoTags": ["app:2"], "Layers": ["1/layer.tar"]}]
    tree = build.Tree()
    tree.file("config.json", config)
    tree.file("1/layer.tar", gzip.compress(content) if packed else content)
    tree.file("manifest.json", json.dumps(manifest))
    path = tmp_path / "save.tar"
    path.write_bytes(tree.content())
    assert await store.load(path) == ["docker.io/library/app:2"]
    image = store.find("app:2")
    assert image is not None
    assert image.id == blobs.digest(config)


async def test_equal_layers_are_kept_once(store: ImageStore, tmp_path: Path):
    await store.load(written(tmp_path, "localhost/a:1", layer("base"), layer("a")))
    await store.load(written(tmp_path, "localhost/b:1", layer("base"), layer("b")))
    assert len(os.listdir(store.layers_dir)) == 3
    await store.remove("localhost/a:1")
    assert len(os.listdir(store.layers_dir)) == 2
    await store.remove("localhost/b:1")
    assert os.listdir(store.layers_dir) == []


async def test_a_name_moves_to_the_newer_image(store: ImageStore, tmp_path: Path):
    await store.load(written(tmp_path, "localhost/a:1", layer("old")))
    old = store.find("localhost/a:1")
    await store.load(written(tmp_path, "localhost/a:1", layer("new")))
    new = store.find("localhost/a:1")
    assert old is not None
    assert new is not None
    assert old.id != new.id
    assert [image.tags for image in await store.list()] == [(), ("localhost/a:1",)]
    assert store.find(old.id) is not None


async def test_what_is_on_disk_is_found_again(store: ImageStore, tmp_path: Path):
    await store.load(written(tmp_path, "localhost/a:1", layer("a")))
    os.mkdir(os.path.join(store.layers_dir, "half-done"))
    again = opened(tmp_path)
    assert await again.list() == await store.list()
    assert len(os.listdir(again.layers_dir)) == 1
    await again.close()


async def test_a_lost_layer_makes_its_image_unknown(store: ImageStore, tmp_path: Path):
    await store.load(written(tmp_path, "localhost/a:1", layer("a")))
    shutil.rmtree(store.layers_dir)
    again = opened(tmp_path)
    assert list(await again.list()) == []
    await again.close()


async def test_tagging(store: ImageStore, tmp_path: Path):
    await store.load(written(tmp_path, "localhost/a:1", layer("a")))
    await store.tag("localhost/a:1", "localhost/b:2")
    assert store.find("localhost/b:2") == store.find("localhost/a:1")


class TestSharedByProcesses:
    @pytest.fixture
    async def other(self, store: ImageStore, tmp_path: Path) -> AsyncIterator[ImageStore]:
        found = opened(tmp_path)
        yield found
        await found.close()

    async def test_each_sees_what_the_other_changes(self, store: ImageStore, other: ImageStore, tmp_path: Path):
        await store.load(written(tmp_path, "localhost/a:1", layer("a")))
        assert other.find("localhost/a:1") == store.find("localhost/a:1")
        await other.load(written(tmp_path, "localhost/b:1", layer("b")))
        assert [image.tags for image in await store.list()] == [("localhost/a:1",), ("localhost/b:1",)]
        await store.remove("localhost/a:1")
        assert other.find("localhost/a:1") is None

    async def test_both_may_load_the_same_at_once(self, store: ImageStore, other: ImageStore, tmp_path: Path):
        path = written(tmp_path, "localhost/a:1", *(layer(f"{n}") for n in range(20)))
        await asyncio.gather(store.load(path), other.load(path))
        assert len(os.listdir(store.layers_dir)) == 20
        assert (leftovers(store), leftovers(other)) == ([], [])

    async def test_a_layer_under_a_container_stays(self, store: ImageStore, other: ImageStore, tmp_path: Path):
        await store.load(written(tmp_path, "localhost/a:1", layer("a")))
        image = store.find("localhost/a:1")
        assert image is not None
        assert store.hold("node1-c", image)
        await other.remove("localhost/a:1")
        assert len(os.listdir(store.layers_dir)) == 1
        other.release_all_but("node2-", set())
        assert len(os.listdir(os.path.join(tmp_path, "store/holds"))) == 1
        store.release_all_but("node1-", set())
        await other.load(written(tmp_path, "localhost/b:1", layer("b")))
        assert (await other.list())[0].tags == ("localhost/b:1",)
        await other.remove("localhost/b:1")
        assert os.listdir(store.layers_dir) == []

    async def test_holding_too_late(self, store: ImageStore, other: ImageStore, tmp_path: Path):
        await store.load(written(tmp_path, "localhost/a:1", layer("a")))
        image = store.find("localhost/a:1")
        assert image is not None
        await other.remove("localhost/a:1")
        assert not store.hold("node1-c", image)

    async def test_unfinished_work_of_the_dead_is_removed(self, store: ImageStore, tmp_path: Path):
        for path, gone in (("dead-1", True), (os.path.dirname(store.temporary_path("x")), False)):
            os.makedirs(os.path.join(tmp_path, "store/temporary", path, "layer-1"))
            again = opened(tmp_path)
            assert os.path.exists(os.path.join(tmp_path, "store/temporary", path)) is not gone
            await again.close()


class TestBroken:
    async def refused(self, store: ImageStore, path: Path, error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match):
            await store.load(path)
        assert leftovers(store) == []
        assert os.listdir(store.layers_dir) == []
        assert list(await store.list()) == []

    async def test_no_archive_at_all(self, store: ImageStore, tmp_path: Path):
        (tmp_path / "x").write_bytes(b"no tar")
        await self.refused(store, tmp_path / "x", archive.BadArchive, "/x: ")

    async def test_a_tar_of_something_else(self, store: ImageStore, tmp_path: Path):
        (tmp_path / "x").write_bytes(layer("readme"))
        await self.refused(store, tmp_path / "x", archive.BadArchive, "neither index.json nor manifest.json")

    async def test_a_layer_that_is_not_what_its_digest_says(self, store: ImageStore, tmp_path: Path):
        good, evil = layer("file", "good"), layer("file", "evil")
        path = Path(written(tmp_path, "localhost/a:1", good))
        path.write_bytes(path.read_bytes().replace(good.rstrip(b"\0"), evil.rstrip(b"\0")))
        await self.refused(store, path, blobs.WrongDigest, "layer has digest")

    async def test_a_configuration_that_is_not_what_its_digest_says(self, store: ImageStore, tmp_path: Path):
        path = Path(written(tmp_path, "localhost/a:1", layer("a"), Env=["SAFE=1"]))
        path.write_bytes(path.read_bytes().replace(b"SAFE=1", b"EVIL=1"))
        await self.refused(store, path, blobs.WrongDigest, "content has digest")

    async def test_another_platform_s(self, store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(platforms, "own", lambda: ("z80", ""))
        path = Path(written(tmp_path, "localhost/a:1", layer("a")))
        monkeypatch.undo()
        with pytest.raises(platforms.NoMatch, match="z80"):
            await store.load(path)

    async def test_names_that_leave_the_archive(self, store: ImageStore, tmp_path: Path):
        tree = build.Tree()
        tree.file("manifest.json", json.dumps([{"Config": "../../../../etc/passwd", "Layers": []}]))
        (tmp_path / "x").write_bytes(tree.content())
        await self.refused(store, tmp_path / "x", archive.BadArchive, "not in it")

    async def test_links_that_leave_the_archive(self, store: ImageStore, tmp_path: Path):
        tree = build.Tree()
        tree.link("index.json", "/etc/passwd")
        (tmp_path / "x").write_bytes(tree.content())
        await self.refused(store, tmp_path / "x", archive.BadArchive, "index.json, which is not in it")


async def test_images_of_localhost_are_not_pulled(store: ImageStore):
    with pytest.raises(RuntimeFailure) as refused:
        await store.pull("localhost/absent:1")
    assert refused.value.reason == "ErrImagePull"


class TestHello:
    def test_the_same_bytes_every_time(self, tmp_path: Path):
        first, second = build.build_hello("1", tmp_path / "a"), build.build_hello("1", tmp_path / "b")
        assert Path(first).read_bytes() == Path(second).read_bytes()

    def test_what_is_in_it(self, tmp_path: Path):
        with tarfile.open(build.build_hello("2", tmp_path / "a")) as found:
            names = found.getnames()
            biggest = max(found.getmembers(), key=lambda member: member.size)
            content = found.extractfile(biggest)
            assert content is not None
            with tarfile.open(fileobj=io.BytesIO(content.read())) as files:
                assert {"bin/sh", "bin/httpd", "bin/wget", "bin/nslookup", "bin/ping", "www/index.html"} <= set(
                    files.getnames()
                )
                assert files.getmember("tmp").mode == 0o1777
        assert "index.json" in names
        assert f"blobs/sha256/{hashlib.sha256(b'').hexdigest()}" not in names
