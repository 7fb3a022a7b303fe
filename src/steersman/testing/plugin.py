"""Pytest plugin (entry point `steersman`): fixtures that give a test a cluster in this process.

- `cluster_session`: one running cluster for the whole session; do not change it if other tests look at it too.
- `cluster`: a fork of it for each test, to do with as one likes.

Every pytest run on a machine with Steersman installed loads this file, so it imports nothing of Steersman at import time.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from steersman.testing.cluster import Cluster


@pytest.fixture(scope="session")
def cluster_session() -> "Iterator[Cluster]":
    """A cluster of one fake node, shared by the session."""
    from steersman.testing.cluster import Cluster

    with Cluster(nodes=1) as cluster:
        yield cluster


@pytest.fixture
def cluster(cluster_session: "Cluster") -> "Iterator[Cluster]":
    """A cluster of this test's own."""
    with cluster_session.fork() as fork:
        yield fork
