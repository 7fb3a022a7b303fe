"""Upstream's conformance list against a live cluster of two real nodes, all tests side by side.

Most of a test is waiting for pods, so the first one that is run starts them all, each in a thread and a namespace of its
own; pytest then reads the outcomes in its own order. STEERSMAN_CONFORMANCE_KUBECONFIG names a cluster that runs already.
"""

import concurrent.futures
import os
import pathlib
import re
from collections.abc import Iterator

import pytest

from tests.clients.conftest import started
from tests.conformance.live import Api, Refused, Space

HERE = pathlib.Path(__file__).parent
TOGETHER_MAX = 24
SPACE_NAME_LENGTH_MAX = 50


class Together:
    """Runs each test of this folder in a thread: `outcome` waits for one of them and raises what it raised."""

    def __init__(self, api: Api, items: list[pytest.Item]) -> None:
        self.api = api
        self._pool = concurrent.futures.ThreadPoolExecutor(TOGETHER_MAX)
        self._futures = {
            item.nodeid: self._pool.submit(self._run, item, number)
            for number, item in enumerate(items)
            if isinstance(item, pytest.Function)
        }

    def outcome(self, item: pytest.Function) -> None:
        self._futures[item.nodeid].result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _run(self, item: pytest.Function, number: int) -> None:
        words = re.sub("[^a-z0-9]+", "-", item.name.lower())[:SPACE_NAME_LENGTH_MAX].strip("-")
        space = Space.made(self.api, f"c{number}-{os.getpid()}-{words}")
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        try:
            item.obj(space=space, **parameters)
        finally:
            try:
                self.api.delete(f"/api/v1/namespaces/{space.name}")
            except Refused as refused:
                if refused.code not in (404, 409):
                    raise


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    if given := os.environ.get("STEERSMAN_CONFORMANCE_KUBECONFIG"):
        yield pathlib.Path(given)
        return
    for cluster in started(tmp_path_factory.mktemp("conformance"), "conf", "--nodes", "2"):
        yield cluster.folder / "kubeconfig"


@pytest.fixture(scope="session")
def together(request: pytest.FixtureRequest, kubeconfig: pathlib.Path) -> Iterator[Together]:
    api = Api(kubeconfig)
    running = Together(api, [item for item in request.session.items if _is_one(item)])
    yield running
    running.close()
    api.close()


@pytest.fixture
def space(together: Together) -> Together:
    """What asks for a Space is run with one of its own (`pytest_pyfunc_call`)."""
    return together


def _is_one(item: pytest.Item) -> bool:
    return HERE in item.path.parents and not item.get_closest_marker("skip")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for mark in (pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)):
                item.add_marker(mark)


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    together = pyfuncitem.funcargs.get("together")
    if not isinstance(together, Together):
        return None
    together.outcome(pyfuncitem)
    return True
