"""Pulling: from Debian's docker-registry over loopback, and from a registry made of canned answers that misbehaves."""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import random
import shutil
import socket
import tarfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from steersman.aio.clock import SystemClock
from steersman.containers.images import build, registry
from steersman.containers.images.store import ImageStore
from steersman.containers.runtime import RegistryLogin, RuntimeFailure

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    found = ImageStore(str(tmp_path / "store"), SystemClock())
    found.open(os.geteuid() != 0)
    yield found
    await found.close()


def image_blobs(folder: Path, *contents: str) -> tuple[dict[str, bytes], bytes]:
    """(blobs by digest, manifest) of an image with one small layer for each content."""
    layers = []
    for number, content in enumerate(contents):
        tree = build.Tree()
        tree.file(f"file{number}", content)
        layers.append(tree.content())
    path = folder / "image.tar"
    build.write_archive(path, "localhost/x:1", layers, {})
    with tarfile.open(path) as archive:
        names = [name for name in archive.getnames() if name.startswith("blobs/")]
        found = {f"sha256:{name.rpartition('/')[2]}": archive.extractfile(name).read() for name in names}  # type: ignore[union-attr]
        index = json.loads(archive.extractfile("index.json").read())  # type: ignore[union-attr]
    return found, found[index["manifests"][0]["digest"]]


class Canned:
    """A registry: paths to answers; may ask for a login."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.asked: list[str] = []
        self.token = ""
        self.basic = ""
        self.address = ""
        self.before_answer: Callable[[], Any] | None = None
        self.bytes_most = 0  # of a blob in one answer: then the connection breaks
        self.knows_ranges = True
        self.ranges: list[str] = []

    def add_image(self, folder: Path, name: str, tag: str, *contents: str) -> str:
        found, manifest = image_blobs(folder, *contents)
        for digest, blob in found.items():
            self.answers[f"/v2/{name}/blobs/{digest}"] = (200, "application/octet-stream", blob)
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        self.answers[f"/v2/{name}/manifests/{tag}"] = (200, OCI_MANIFEST, manifest)
        self.answers[f"/v2/{name}/manifests/{digest}"] = (200, OCI_MANIFEST, manifest)
        return digest

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        authorization = request.headers.get("Authorization", "")
        if request.path == "/token":
            return self.give_token(request, authorization)
        if self.token and authorization != f"Bearer {self.token}":
            challenge = f'Bearer realm="http://{self.address}/token",service="canned",scope="repository:a:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if self.basic and not self.token and authorization != f"Basic {self.basic}":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        status, kind, body = self.answers.get(request.path, (404, "text/plain", b""))
        if self.bytes_most and "/blobs/" in request.path:
            return await self.give_some(request, body)
        return web.Response(status=status, content_type=kind, body=body)

    async def give_some(self, request: web.Request, body: bytes) -> web.StreamResponse:
        wanted = request.headers.get("Range", "")
        self.ranges.append(wanted)
        begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.knows_ranges else 0
        answer = web.StreamResponse(status=206 if begin else 200, headers={"Content-Length": str(len(body) - begin)})
        await answer.prepare(request)
        await answer.write(body[begin : begin + self.bytes_most])
        if begin + self.bytes_most < len(body):
            assert request.transport is not None
            request.transport.close()
        return answer

    def give_token(self, request: web.Request, authorization: str) -> web.Response:
        assert request.query["scope"] == "repository:a:pull"
        assert request.query["service"] == "canned"
        if self.basic and authorization != f"Basic {self.basic}":
            return web.Response(status=401)
        return web.json_response({"token": self.token})


@pytest.fixture
async def canned() -> AsyncIterator[Canned]:
    found = Canned()
    app = web.Application()
    app.router.add_get("/{rest:.*}", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.address = f"127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def failure(store: ImageStore, reference: str, login: RegistryLogin | None = None) -> RuntimeFailure:
    with pytest.raises(RuntimeFailure) as refused:
        await store.pull(reference, login)
    assert os.listdir(os.path.dirname(store.temporary_path("x"))) == ["lock"]
    assert os.listdir(store.layers_dir) == []
    return refused.value


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


class TestBad:
    async def test_an_image_that_is_not_there(self, store: ImageStore, canned: Canned):
        refused = await failure(store, f"{canned.address}/a:1")
        assert refused.reason == "ErrImagePull"
        assert refused.message.startswith(f'failed to pull and unpack image "{canned.address}/a:1"')
        assert "not found" in refused.message

    async def test_nobody_listens(self, store: ImageStore):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        refused = await failure(store, f"127.0.0.1:{port}/a:1")
        assert refused.reason == "ErrImagePull"

    async def test_a_broken_registry(self, store: ImageStore, canned: Canned):
        canned.answers["/v2/a/manifests/1"] = (503, "text/plain", b"")
        assert (await failure(store, f"{canned.address}/a:1")).reason == "ErrImagePull"

    async def test_a_layer_with_other_content(self, store: ImageStore, canned: Canned, tmp_path: Path):
        canned.add_image(tmp_path, "a", "1", "x")
        manifest = json.loads(canned.answers["/v2/a/manifests/1"][2])
        digest = manifest["layers"][0]["digest"]
        canned.answers[f"/v2/a/blobs/{digest}"] = (200, "application/octet-stream", b"evil")
        assert f"expected {digest}" in (await failure(store, f"{canned.address}/a:1")).message

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
    ("domain", "insecure", "expected"),
    [
        ("localhost:5000", (), True),
        ("127.0.0.1:5000", (), True),
        ("[::1]:5000", (), True),
        ("10.0.0.1:5000", (), False),
        ("10.0.0.1:5000", ("10.0.0.1:5000",), True),
        ("localhost.evil.example", (), False),
        ("docker.io", (), False),
    ],
)
def test_who_may_be_spoken_to_in_plain_http(domain: str, insecure: tuple[str, ...], expected: bool):
    assert registry.may_be_plain(domain, insecure) is expected


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
