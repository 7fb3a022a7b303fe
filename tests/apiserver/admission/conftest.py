import pathlib
from collections.abc import AsyncIterator

import pytest

from tests.apiserver import kit
from tests.apiserver.admission import hooks


@pytest.fixture
async def api() -> AsyncIterator[kit.Api]:
    async with kit.Api() as running:
        yield running


@pytest.fixture
async def hook(tmp_path: pathlib.Path) -> AsyncIterator[hooks.Hooks]:
    async with hooks.running(tmp_path) as running:
        yield running
