from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.store import etcd_server, media

needs_etcd = pytest.mark.skipif(not etcd_server.is_installed(), reason="needs etcd (Debian: etcd-server)")


@pytest.fixture(params=[pytest.param(name, marks=needs_etcd if name == "etcd" else ()) for name in media.MEDIA])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[media.Open]:
    with media.opener(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
async def store(open_store: media.Open) -> AsyncIterator[media.AnyStore]:
    async with open_store() as opened:
        yield opened
