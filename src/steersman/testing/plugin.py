"""Pytest plugin (entry point `steersman`): fixtures that give a test a cluster in this process.

- `cluster_session`: one running cluster for the whole session (of each xdist worker); do not change it if other tests look
  at it too.
- `cluster`: a fork of it for each test, to do with as one likes. `@pytest.mark.steersman(nodes=3, virtual_time=True)` gives
  the test one of its own making instead: the arguments are those of `Cluster`.
- `--steersman-save FOLDER` keeps the cluster of each failed test, `--steersman-seed N` is the seed of virtual time.

Every pytest run on a machine with Steersman installed loads this file, so it imports nothing of Steersman at import time.
"""

import gc
import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from steersman.testing.cluster import Cluster


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("steersman")
    group.addoption("--steersman-save", metavar="FOLDER", help="Keep the Steersman cluster of each failed test there.")
    group.addoption(
        "--steersman-seed", metavar="N", type=int, default=0, help="Seed of clusters in virtual time.  [default: 0]"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "steersman(nodes=1, virtual_time=False, seed=0): what the `cluster` fixture gives this test"
    )
    folder = config.getoption("--steersman-save")
    if folder:
        from steersman.testing import failures

        failures.keep_in(str(config.invocation_params.dir / folder))


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.getoption("--steersman-save"):
        from steersman.testing import failures

        failures.keep_in(None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.CallInfo[Any], None]:
    """Clusters of fixtures still run when the test has failed; those of `with` blocks have kept themselves on the way out."""
    outcome = yield
    made = sys.modules.get("steersman.testing.cluster")
    if made is None or call.when != "call" or call.excinfo is None or not item.config.getoption("--steersman-save"):
        return
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.failed:
        from steersman.testing import failures

        for found in getattr(item, "funcargs", {}).values():
            if isinstance(found, made.Cluster) and found.is_running:
                report.sections.append(("Steersman", failures.keep(found, call.excinfo.exconly())))


@pytest.fixture(scope="session")
def cluster_session() -> "Iterator[Cluster]":
    """A cluster of one fake node, shared by the session."""
    from steersman.testing.cluster import Cluster

    with Cluster(nodes=1) as cluster:
        # Schemas and kinds are for good: collections that look at them all take longer (0.1 s) than the test's own work.
        gc.collect()
        gc.freeze()
        try:
            yield cluster
        finally:
            gc.unfreeze()


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> "Iterator[Cluster]":
    """A cluster of this test's own."""
    from steersman.testing.cluster import Cluster

    wanted = request.node.get_closest_marker("steersman")
    if wanted is None:
        shared: Cluster = request.getfixturevalue("cluster_session")
        with shared.fork() as fork:
            yield fork
    else:
        with Cluster(*wanted.args, **{"seed": request.config.getoption("--steersman-seed"), **wanted.kwargs}) as made:
            yield made
