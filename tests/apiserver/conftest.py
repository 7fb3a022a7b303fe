from collections.abc import AsyncIterator

import pytest

from tests.apiserver import kit


@pytest.fixture
async def api() -> AsyncIterator[kit.Api]:
    async with kit.Api() as running:
        yield running
