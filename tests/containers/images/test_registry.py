"""Pulling: from Debian's docker-registry over loopback, and from a registry made of canned answers that misbehaves."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers.images import blobs, hosts, registry
from steersman.containers.images.store import ImageStore
from steersman.containers.runtime import RegistryLogin, RuntimeFailure
from tests.containers.images import canned_registry
from tests.containers.images.canned_registry import OCI_MANIFEST, Canned, failure, image_blobs

OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    found = ImageStore(str(tmp_path / "store"), SystemClock())
    found.open(os.geteuid() != 0)
    yield found
    await found.close()


@pytest.fixture
async def canned() -> AsyncIterator[Canned]:
    async with canned_registry.serving() as found:
        yield found


async def test_a_pull(store: ImageStore, canned: Canned, tmp_path: Path):
    digest = canned.add_image(tmp_path, "team/app", "1", "low", "high")
    image_id = await store.pull(f"{canned.address}/team/app:1")
    [status] = await store.list()
    assert status.id == image_id
    assert status.tags == (f"{canned.address}/team/app:1",)
    assert status.digests == (f"{canned.address}/team/app@{digest}",)
    canned.asked.clear()
    assert await store.pull(f"{canned.address}/team/app@{digest}") == image_id
    assert len(canned.asked) == 2  # manifest and configuration: the layers are there


async def test_the_same_pull_twice_at_once_is_one(store: ImageStore, canned: Canned, tmp_path: Path):
    canned.add_image(tmp_path, "a", "1", "x")
    reference = f"{canned.address}/a:1"
    first, second = await asyncio.gather(store.pull(reference), store.pull(reference))
    assert first == second
    assert len(canned.asked) == 3


async def test_the_image_for_this_platform(store: ImageStore, canned: Canned, tmp_path: Path):
    from steersman.containers.images import platforms

    digest = canned.add_image(tmp_path, "a", "own", "x")
    manifests = [
        {"digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "z80"}},
        {"digest": digest, "platform": {"os": "linux", "architecture": platforms.own()[0]}},
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).encode()
    canned.answers["/v2/a/manifests/1"] = (200, OCI_INDEX, index)
    await store.pull(f"{canned.address}/a:1")
    [status] = await store.list()
    assert status.digests == (f"{canned.address}/a@sha256:{hashlib.sha256(index).hexdigest()}",)
    canned.answers["/v2/a/manifests/2"] = (200, OCI_INDEX, json.dumps({"manifests": manifests[:1]}).encode())
    with pytest.raises(RuntimeFailure, match="no match for platform"):
        await store.pull(f"{canned.address}/a:2")


class TestBrokenOff:
    @pytest.mark.parametrize("knows_ranges", [True, False])
    async def test_a_layer_goes_on_where_it_was(
        self, store: ImageStore, canned: Canned, tmp_path: Path, knows_ranges: bool
    ):
        canned.add_image(tmp_path, "a", "1", random.Random(1).randbytes(100_000).hex())
        manifest = json.loads(canned.answers["/v2/a/manifests/1"][2])
        size = int(manifest["layers"][0]["size"])
        canned.bytes_most, canned.knows_ranges = size // 3, knows_ranges
        if knows_ranges:
            await store.pull(f"{canned.address}/a:1")
            assert len([one for one in canned.ranges if one]) >= 3
        else:
            assert "broke off" in (await failure(store, f"{canned.address}/a:1")).message


class TestLogin:
    LOGIN = RegistryLogin("ann", "secret")
    BASIC = base64.b64encode(b"ann:secret").decode()

    async def test_a_token_for_anyone(self, store: ImageStore, canned: Canned, tmp_path: Path):
        canned.add_image(tmp_path, "a", "1", "x")
        canned.token = "t0ken"
        await store.pull(f"{canned.address}/a:1")
        assert canned.asked.count("/token") == 1

    async def test_a_token_for_a_user(self, store: ImageStore, canned: Canned, tmp_path: Path):
        canned.add_image(tmp_path, "a", "1", "x")
        canned.token, canned.basic = "t0ken", self.BASIC
        assert "failed to authorize" in (await failure(store, f"{canned.address}/a:1")).message
        await store.pull(f"{canned.address}/a:1", self.LOGIN)

    async def test_basic(self, store: ImageStore, canned: Canned, tmp_path: Path):
        canned.add_image(tmp_path, "a", "1", "x")
        canned.basic = self.BASIC
        assert "no basic auth credentials" in (await failure(store, f"{canned.address}/a:1")).message
        wrong = await failure(store, f"{canned.address}/a:1", RegistryLogin("ann", "wrong"))
        assert "pull access denied" in wrong.message
        await store.pull(f"{canned.address}/a:1", self.LOGIN)


def changed(canned: Canned, change: Callable[[Any], Any], *, layer: bytes | None = None) -> None:
    """The image a:1 with another configuration and layer, named by their true digests."""
    manifest = json.loads(canned.answers["/v2/a/manifests/1"][2])
    config = json.loads(canned.answers[f"/v2/a/blobs/{manifest['config']['digest']}"][2])
    change(config)
    manifest["config"] = add_blob(canned, json.dumps(config).encode())
    if layer is not None:
        manifest["layers"] = [add_blob(canned, layer)]
    canned.answers["/v2/a/manifests/1"] = (200, OCI_MANIFEST, json.dumps(manifest).encode())


def add_blob(canned: Canned, blob: bytes) -> Any:
    digest = blobs.digest(blob)
    canned.answers[f"/v2/a/blobs/{digest}"] = (200, "application/octet-stream", blob)
    return {"digest": digest, "size": len(blob)}


class TestBad:
    async def test_an_image_that_is_not_there(self, store: ImageStore, canned: Canned):
        refused = await failure(store, f"{canned.address}/a:1")
        assert refused.reason == "ErrImagePull"
        assert refused.message.startswith(f'failed to pull and unpack image "{canned.address}/a:1"')
        assert refused.message.endswith(
            f'failed to resolve reference "{canned.address}/a:1": {canned.address}/a:1: not found'
        )

    async def test_nobody_listens(self, store: ImageStore):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        refused = await failure(store, f"127.0.0.1:{port}/a:1")
        assert refused.reason == "ErrImagePull"

    async def test_redirects_that_never_end(self, store: ImageStore, canned: Canned):
        canned.answers["/v2/a/manifests/1"] = (302, "text/plain", b"/v2/a/manifests/1")
        assert (await failure(store, f"{canned.address}/a:1")).message.endswith("stopped after 10 redirects")
        assert len(canned.asked) == 10

    async def test_a_token_that_helps_nothing(self, store: ImageStore, canned: Canned):
        canned.token, canned.token_answer = "right", {"token": "wrong"}
        assert "pull access denied" in (await failure(store, f"{canned.address}/a:1")).message
        assert canned.asked == ["/v2/a/manifests/1", "/token", "/v2/a/manifests/1"]

    @pytest.mark.parametrize("answer", [["token"], "token", 7])
    async def test_a_token_of_another_shape(self, store: ImageStore, canned: Canned, answer: object):
        canned.token, canned.token_answer = "right", answer
        assert "failed to fetch oauth token" in (await failure(store, f"{canned.address}/a:1")).message

    @pytest.mark.parametrize("status", [429, 500])
    async def test_layers_that_are_refused(self, store: ImageStore, canned: Canned, tmp_path: Path, status: int):
        canned.add_image(tmp_path, "a", "1", "x")
        layer = json.loads(canned.answers["/v2/a/manifests/1"][2])["layers"][0]["digest"]
        canned.answers[f"/v2/a/blobs/{layer}"] = (status, "text/plain", b"later")
        assert f": {status}" in (await failure(store, f"{canned.address}/a:1")).message

    async def test_two_images_of_the_same_layers_at_once_while_others_are_removed(
        self, store: ImageStore, canned: Canned, tmp_path: Path
    ):
        for name in ("a", "b", "c"):
            canned.add_image(tmp_path, name, "1", "x", name)
        old = await store.pull(f"{canned.address}/c:1")
        wanted = [f"{canned.address}/{name}:1" for name in ("a", "b")]
        found = await asyncio.gather(*(store.pull(one) for one in wanted), store.remove(old))
        assert [store.find(one) is not None for one in wanted] == [True, True]
        assert store.find(f"{canned.address}/c:1") is None
        for one in await store.list():
            await store.remove(one.id)
        assert found[0] != found[1]
        assert os.listdir(store.layers_dir) == []

    async def test_a_broken_registry(self, store: ImageStore, canned: Canned):
        canned.answers["/v2/a/manifests/1"] = (503, "text/plain", b"")
        assert (await failure(store, f"{canned.address}/a:1")).reason == "ErrImagePull"

    async def test_a_layer_with_other_content(self, store: ImageStore, canned: Canned, tmp_path: Path):
        canned.add_image(tmp_path, "a", "1", "x")
        manifest = json.loads(canned.answers["/v2/a/manifests/1"][2])
        digest = manifest["layers"][0]["digest"]
        canned.answers[f"/v2/a/blobs/{digest}"] = (
            200,
            "application/octet-stream",
            b"e" * manifest["layers"][0]["size"],
        )
        assert f"expected {digest}" in (await failure(store, f"{canned.address}/a:1")).message

    @pytest.mark.parametrize("found", [b"evil", b"x" * 100_000], ids=["short", "without end"])
    async def test_a_layer_of_another_size(self, store: ImageStore, canned: Canned, tmp_path: Path, found: bytes):
        canned.add_image(tmp_path, "a", "1", "x")
        layer = json.loads(canned.answers["/v2/a/manifests/1"][2])["layers"][0]
        canned.answers[f"/v2/a/blobs/{layer['digest']}"] = (200, "application/octet-stream", found)
        said = (await failure(store, f"{canned.address}/a:1")).message
        assert re.search(rf"unexpected commit size \d+, expected {layer['size']}: failed precondition$", said)

    @pytest.mark.parametrize(
        "named",
        [
            "sha256:../../../../../../../..",
            "../../../etc",
            "sha256:",
            "sha256:" + "A" * 64,
            "sha512:" + "a" * 128,
            7,
            None,
        ],
    )
    async def test_an_image_whose_layer_is_a_path(self, store: ImageStore, canned: Canned, tmp_path: Path, named: Any):
        """It would stand on a folder of the node itself."""
        canned.add_image(tmp_path, "a", "1", "x")
        changed(canned, lambda config: config["rootfs"].update(diff_ids=[named]))
        assert "invalid checksum digest format" in (await failure(store, f"{canned.address}/a:1")).message

    @pytest.mark.parametrize(
        "config",
        [{"Env": [1]}, {"Env": "A=1"}, {"Entrypoint": {"a": 1}}, {"User": 5}, {"Cmd": "sh"}, {"WorkingDir": []}, ["x"]],
        ids=str,
    )
    async def test_a_configuration_of_another_shape(
        self, store: ImageStore, canned: Canned, tmp_path: Path, config: Any
    ):
        canned.add_image(tmp_path, "a", "1", "x")
        changed(canned, lambda whole: whole.update(config=config))
        with pytest.raises(RuntimeFailure, match="the image's configuration"):
            await store.pull(f"{canned.address}/a:1")
        assert not list(await store.list())

    @pytest.mark.parametrize(
        "blob", [b"\x1f\x8b\x08\0broken", gzip.compress(b"x" * 1000)[:-9]], ids=["no gzip", "cut off"]
    )
    async def test_a_layer_that_cannot_be_decompressed(
        self, store: ImageStore, canned: Canned, tmp_path: Path, blob: bytes
    ):
        canned.add_image(tmp_path, "a", "1", "x")
        changed(canned, lambda config: None, layer=blob)
        assert (await failure(store, f"{canned.address}/a:1")).reason == "ErrImagePull"

    async def test_a_manifest_that_is_nested_without_end(self, store: ImageStore, canned: Canned):
        canned.answers["/v2/a/manifests/1"] = (200, OCI_MANIFEST, b"[" * 1_000_000)
        assert (await failure(store, f"{canned.address}/a:1")).reason == "ErrImagePull"

    async def test_a_manifest_with_other_content(self, store: ImageStore, canned: Canned, tmp_path: Path):
        digest = canned.add_image(tmp_path, "a", "1", "x")
        status, kind, body = canned.answers[f"/v2/a/manifests/{digest}"]
        canned.answers[f"/v2/a/manifests/{digest}"] = (status, kind, body + b" ")
        assert "expected" in (await failure(store, f"{canned.address}/a@{digest}")).message

    @pytest.mark.parametrize("body", [b"{}", b"no json", b'{"config":{},"layers":[]}', b"[]"])
    async def test_no_manifest(self, store: ImageStore, canned: Canned, body: bytes):
        canned.answers["/v2/a/manifests/1"] = (200, OCI_MANIFEST, body)
        assert (await failure(store, f"{canned.address}/a:1")).reason == "ErrImagePull"

    async def test_a_manifest_without_end(self, store: ImageStore, canned: Canned):
        canned.answers["/v2/a/manifests/1"] = (200, OCI_MANIFEST, b" " * (registry.MANIFEST_BYTES_MAX + 1))
        assert "more than" in (await failure(store, f"{canned.address}/a:1")).message


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("10.0.0.1:5000", False),
        ("localhost.evil.example", False),
        ("docker.io", False),
    ],
)
def test_who_may_be_spoken_to_in_plain_http(domain: str, expected: bool):
    assert hosts.may_be_plain(domain) is expected


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.skipif(shutil.which("docker-registry") is None, reason="needs Debian's docker-registry")
async def test_debian_s_registry(store: ImageStore, tmp_path: Path):
    found, manifest = image_blobs(tmp_path, "one", "two", "three")
    async with debian_registry(tmp_path) as address:
        await push(address, "team/app", "1", found, manifest)
        image_id = await store.pull(f"{address}/team/app:1")
        [status] = await store.list()
        assert status.id == image_id
        assert status.tags == (f"{address}/team/app:1",)


@contextlib.asynccontextmanager
async def debian_registry(folder: Path) -> AsyncIterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "registry.yml"
    storage = {"filesystem": {"rootdirectory": str(folder / "registry")}}
    config.write_text(
        json.dumps({"version": 0.1, "storage": storage, "http": {"addr": address}, "log": {"level": "error"}})
    )
    process = await asyncio.create_subprocess_exec(
        "docker-registry", "serve", str(config), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(*address.split(":"))
                    writer.close()
                    break
                await asyncio.sleep(0.02)
        yield address
    finally:
        process.terminate()
        await process.wait()


async def push(address: str, name: str, tag: str, found: dict[str, bytes], manifest: bytes) -> None:
    import aiohttp

    async with aiohttp.ClientSession(f"http://{address}") as session:
        for digest, blob in found.items():
            async with session.post(f"/v2/{name}/blobs/uploads/") as begun:
                place = begun.headers["Location"]
            joiner = "&" if "?" in place else "?"
            async with session.put(f"{place}{joiner}digest={digest}", data=blob) as put:
                assert put.status == 201
        headers = {"Content-Type": OCI_MANIFEST}
        async with session.put(f"/v2/{name}/manifests/{tag}", data=manifest, headers=headers) as put:
            assert put.status == 201, await put.text()


async def test_registries_are_asked_from_the_network_that_was_said(store: ImageStore, canned: Canned, tmp_path: Path):
    canned.add_image(tmp_path, "a", "1", "content")
    visits = []

    @contextlib.contextmanager
    def network() -> Iterator[None]:
        visits.append(threading.current_thread())
        yield

    elsewhere = ImageStore(str(tmp_path / "elsewhere"), SystemClock(), registry_network=network)
    elsewhere.open(os.geteuid() != 0)
    try:
        await elsewhere.pull(canned.address.replace("127.0.0.1", "localhost") + "/a:1")
    finally:
        await elsewhere.close()
    assert threading.main_thread() in visits, "sockets are opened there"
    assert len(set(visits)) > 1, "names are looked up there, by a thread that may wait"
