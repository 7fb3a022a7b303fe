"""kill -9 of every Steersman process: objects and running containers are still there afterwards."""

import contextlib
import pathlib
from collections.abc import Iterator

import pytest

from tests.clients.conftest import CLOCK, EXAMPLES, RunningCluster, kill_everything, started, steersman_processes
from tests.clients.test_first_session import fetch, service_url

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

FACTS = "jsonpath={range .items[*]}{.metadata.uid} {range .status.containerStatuses[*]}{.containerID} {.restartCount} {end}{end}"


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("survivor"), "survivor")


def test_objects_and_containers_survive_a_kill_of_everything(survivor):
    survivor.kubectl("apply", "-f", str(EXAMPLES / "web.yaml"))
    survivor.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    before = survivor.kubectl("get", "pods", "-l", "app=web", "-o", FACTS)
    kill_everything(survivor)
    assert survivor.kubectl_fails("get", "nodes")
    survivor.up()
    assert survivor.kubectl("get", "pods", "-l", "app=web", "-o", FACTS) == before
    assert fetch(service_url(survivor, "default")).startswith("hello from")
    name = survivor.jsonpath("{.items[0].metadata.name}", "pods", "-l", "app=web")
    assert "hello" in survivor.kubectl("logs", name, "-c", "sidecar", "--tail=1")
    survivor.kubectl("delete", "pod", name, "--timeout=30s")
    survivor.kubectl("rollout", "status", "deployment/web", "--timeout=60s")


def test_down_leaves_nothing_and_up_brings_it_back(survivor):
    survivor.steersman("down")
    assert steersman_processes(survivor) == []
    mounts = pathlib.Path("/proc/self/mountinfo").read_text()
    assert survivor.name not in mounts
    assert str(survivor.folder) not in mounts
    survivor.up()
    # The pods' last words are still in the store when nobody has looked at them anew: only an answer is proof.
    url, deadline, answer = service_url(survivor, "default"), CLOCK.monotonic() + 30, ""
    while not answer and CLOCK.monotonic() < deadline:
        with contextlib.suppress(OSError):
            answer = fetch(url)
    assert answer.startswith("hello from")
