from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.store import media


@pytest.fixture(params=media.MEDIA)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> media.Open:
    """Opens stores with limits of the test's choice; on SQLite, the same file each time."""
    return media.opener(request.param, tmp_path)


@pytest.fixture
async def store(open_store: media.Open) -> AsyncIterator[media.AnyStore]:
    async with open_store() as opened:
        yield opened
