"""Pulling where a registry has mirrors: who is asked, who is passed over, who hears the login, what is told."""

import base64
import datetime
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steersman.aio.clock import SystemClock
from steersman.cluster import pki
from steersman.containers.images.store import ImageStore
from steersman.containers.runtime import RegistryLogin
from tests.containers.images import canned_registry
from tests.containers.images.canned_registry import Canned, failure

REGISTRY = "127.0.0.1:1"  # where nobody listens


@pytest.fixture
async def mirror() -> AsyncIterator[Canned]:
    async with canned_registry.serving() as found:
        yield found


@pytest.fixture
async def second() -> AsyncIterator[Canned]:
    async with canned_registry.serving() as found:
        yield found


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ImageStore]:
    (tmp_path / "certs.d").mkdir()
    found = ImageStore(str(tmp_path / "store"), SystemClock(), registry_hosts=str(tmp_path / "certs.d"))
    found.open(os.geteuid() != 0)
    yield found
    await found.close()


def mirrors(folder: Path, *hosts: str, server: str = "", domain: str = REGISTRY) -> None:
    """`hosts`: ADDRESS or ADDRESS and further lines."""
    where = folder / "certs.d" / domain
    where.mkdir(exist_ok=True)
    lines = [f'server = "http://{server}"'] if server else []
    for host in hosts:
        address, _, more = host.partition("\n")
        lines += [f'[host."http://{address}"]', more]
    (where / "hosts.toml").write_text("\n".join(lines))


async def test_a_mirror_stands_in_for_a_registry_that_is_down(store: ImageStore, mirror: Canned, tmp_path: Path):
    digest = mirror.add_image(tmp_path, "a", "1", "x")
    mirrors(tmp_path, mirror.address)
    await store.pull(f"{REGISTRY}/a:1")
    [status] = await store.list()
    assert (status.tags, status.digests) == ((f"{REGISTRY}/a:1",), (f"{REGISTRY}/a@{digest}",))
    assert set(mirror.queries) == {f"ns={REGISTRY}"}, "a pull-through mirror hears whom it stands in for"


async def test_the_next_is_asked_for_what_one_does_not_have(
    store: ImageStore, mirror: Canned, second: Canned, tmp_path: Path
):
    second.add_image(tmp_path, "a", "1", "x")
    mirror.answers["/v2/a/manifests/1"] = (500, "text/plain", b"")
    mirrors(tmp_path, mirror.address, second.address)
    await store.pull(f"{REGISTRY}/a:1")
    assert mirror.asked == [one for one in second.asked if one in mirror.asked], "and is asked first for each thing"


async def test_who_may_not_resolve_is_not_asked_for_tags(
    store: ImageStore, mirror: Canned, second: Canned, tmp_path: Path
):
    mirror.add_image(tmp_path, "a", "1", "x")
    second.add_image(tmp_path, "a", "1", "x")
    mirrors(tmp_path, f'{mirror.address}\ncapabilities = ["pull"]', server=second.address)
    await store.pull(f"{REGISTRY}/a:1")
    assert second.asked == ["/v2/a/manifests/1"], "the tag from whom is trusted, the bytes from the mirror"
    assert all("/blobs/" in one for one in mirror.asked)


async def test_a_mirror_that_gives_something_else_is_passed_over(
    store: ImageStore, mirror: Canned, second: Canned, tmp_path: Path
):
    for one in (mirror, second):
        digest = one.add_image(tmp_path, "a", "1", "x")
    for path, (status, kind, body) in mirror.answers.items():
        mirror.answers[path] = (status, kind, body[:-1] + b"?")
    mirrors(tmp_path, mirror.address, second.address)
    await store.pull(f"{REGISTRY}/a@{digest}")


async def test_logins_go_to_the_registry_only(store: ImageStore, mirror: Canned, second: Canned, tmp_path: Path):
    mirror.basic = "c2VjcmV0"
    second.basic = base64.b64encode(b"ann:secret").decode()
    second.add_image(tmp_path, "a", "1", "x")
    mirrors(tmp_path, mirror.address, domain=second.address)
    await store.pull(f"{second.address}/a:1", RegistryLogin("ann", "secret"))
    assert mirror.authorizations == [""] * len(mirror.authorizations)


async def test_headers_go_to_whom_they_are_for(store: ImageStore, mirror: Canned, tmp_path: Path):
    mirror.basic = "a2V5"
    mirror.add_image(tmp_path, "a", "1", "x")
    mirrors(tmp_path, f'{mirror.address}\nheader = {{Authorization = "Basic a2V5"}}')
    await store.pull(f"{REGISTRY}/a:1")


async def test_the_first_failure_that_says_more_than_not_found(
    store: ImageStore, mirror: Canned, second: Canned, tmp_path: Path
):
    second.answers["/v2/a/manifests/1"] = (503, "text/plain", b"")
    mirrors(tmp_path, mirror.address, server=second.address)
    assert ": 503" in (await failure(store, f"{REGISTRY}/a:1")).message
    del second.answers["/v2/a/manifests/1"]
    refused = await failure(store, f"{REGISTRY}/a:1")
    assert refused.message.endswith(f'failed to resolve reference "{REGISTRY}/a:1": {REGISTRY}/a:1: not found')


async def test_a_file_that_cannot_be_meant(store: ImageStore, tmp_path: Path):
    mirrors(tmp_path, "x\ncapabilities = 3")
    refused = await failure(store, f"{REGISTRY}/a:1")
    assert refused.reason == "ErrImagePull"
    assert "hosts.toml" in refused.message


class TestTls:
    """A mirror with a certificate that nobody knows."""

    @pytest.fixture
    def authority(self, tmp_path: Path) -> pki.Authority:
        (tmp_path / "pki").mkdir()
        return pki.Authority(tmp_path / "pki", datetime.datetime.now(datetime.UTC))

    @pytest.fixture
    async def secret(self, authority: pki.Authority) -> AsyncIterator[Canned]:
        pair = authority.server("mirror", "mirror", ["127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        async with canned_registry.serving(context) as found:
            yield found

    @pytest.mark.parametrize(
        "how", ["", "skip_verify = true", 'ca = "CA"'], ids=["not trusted", "not asked", "trusted"]
    )
    async def test_trust(
        self, store: ImageStore, secret: Canned, authority: pki.Authority, tmp_path: Path, how: str
    ) -> None:
        secret.add_image(tmp_path, "a", "1", "x")
        where = tmp_path / "certs.d" / "example.invalid"
        where.mkdir()
        about = how.replace("CA", str(authority.pair.certificate))
        address = f"https://{secret.address}"
        (where / "hosts.toml").write_text(f'server = "{address}"\n{about}\n')
        if how:
            await store.pull("example.invalid/a:1")
        else:
            assert "certificate verify failed" in (await failure(store, "example.invalid/a:1")).message
