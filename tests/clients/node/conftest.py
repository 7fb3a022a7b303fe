"""One cluster for the stories of this folder."""

import re
from collections.abc import Iterator

import pytest

from tests.clients.conftest import RunningCluster
from tests.clients.node.lab import Stories


@pytest.fixture(scope="module")
def told(cluster: RunningCluster, request: pytest.FixtureRequest) -> Iterator[Stories]:
    """The stories of the module (its STORIES), all begun."""
    name = re.sub("[^a-z0-9]+", "-", request.module.__name__.rpartition("test_")[2])
    with Stories(cluster, f"node-{name}", request.module.STORIES) as stories:
        yield stories
