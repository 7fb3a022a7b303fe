"""A registry made of canned answers, that may misbehave."""

import contextlib
import hashlib
import json
import os
import ssl
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from steersman.containers.images import build
from steersman.containers.images.store import ImageStore
from steersman.containers.runtime import RegistryLogin, RuntimeFailure

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


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
        found = {f"sha256:{name.rpartition('/')[2]}": _content(archive, name) for name in names}
        index = json.loads(_content(archive, "index.json"))
    return found, found[index["manifests"][0]["digest"]]


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None, f"{name} is no file"
    return file.read()


class Canned:
    """A registry: paths to answers; may ask for a login."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str, bytes]] = {}
        self.asked: list[str] = []
        self.queries: list[str] = []
        self.authorizations: list[str] = []
        self.token = ""
        self.token_answer: object = None  # in place of the token
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
        self.queries.append(request.query_string)
        self.authorizations.append(authorization)
        if request.path == "/token":
            return self.give_token(request, authorization)
        if self.token and authorization != f"Bearer {self.token}":
            challenge = f'Bearer realm="http://{self.address}/token",service="canned",scope="repository:a:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if self.basic and not self.token and authorization != f"Basic {self.basic}":
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        status, kind, body = self.answers.get(request.path, (404, "text/plain", b""))
        if status == 302:
            raise web.HTTPFound(body.decode())
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
        return web.json_response(self.token_answer or {"token": self.token})


@contextlib.asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Canned]:
    found = Canned()
    app = web.Application()
    app.router.add_get("/{rest:.*}", found.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
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
