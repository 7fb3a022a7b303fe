"""Several nodes on one machine: pods reach each other across them, one can be lost and come back; and nodes on paper."""

from collections.abc import Iterator

import pytest

from tests.clients.conftest import EXAMPLES, RunningCluster, started
from tests.clients.test_first_session import fetch, service_url

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

READY = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("three"), "three", "--nodes", "3")


@pytest.fixture(scope="module")
def web(three: RunningCluster) -> RunningCluster:
    three.kubectl("apply", "-f", str(EXAMPLES / "web.yaml"))
    three.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    return three


def nodes_of_pods(cluster: RunningCluster) -> set[str]:
    return set(cluster.jsonpath("{.items[*].spec.nodeName}", "pods", "-l", "app=web").split())


def test_replicas_are_spread_over_three_ready_nodes(web):
    assert nodes_of_pods(web) == {"node1", "node2", "node3"}


def test_pods_reach_each_other_across_nodes(web):
    addresses = web.jsonpath("{.items[*].status.podIP}", "pods", "-l", "app=web").split()
    for name in web.jsonpath("{.items[*].metadata.name}", "pods", "-l", "app=web").split():
        for address in addresses:
            said = web.kubectl("exec", name, "-c", "main", "--", "wget", "-q", "-O", "-", f"http://{address}:8080/")
            assert said.startswith("hello from")


def test_a_lost_node_is_noticed_its_pods_replaced_and_it_can_come_back(web):
    url = service_url(web, "default")
    web.steersman("node", "stop", "node2")
    web.wait_for("node2 not ready", "Unknown", "get", "node", "node2", "-o", READY)
    web.wait_for("replaced", "3", "get", "deployment", "web", "-o", "jsonpath={.status.readyReplicas}", seconds=60)
    assert all(fetch(url).startswith("hello from") for _ in range(20))
    web.steersman("node", "start", "node2")
    web.wait_for("node2 back", "True", "get", "node", "node2", "-o", READY)
    web.wait_for("old pods gone", "3", "get", "pods", "-l", "app=web", "-o", "go-template={{len .items}}", seconds=60)
    web.kubectl("scale", "deployment/web", "--replicas=6")
    web.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert nodes_of_pods(web) == {"node1", "node2", "node3"}


def test_a_node_that_does_not_exist_is_refused(three):
    done = three.steersman("node", "stop", "node9", check=False)
    assert done.returncode == 1
    assert "node9" in done.stderr


def test_fake_nodes_run_pods_on_paper(tmp_path_factory):
    for cluster in started(tmp_path_factory.mktemp("fake"), "fake", "--nodes", "0", "--fake-nodes", "100"):
        assert len(cluster.kubectl("get", "nodes", "--no-headers").splitlines()) == 100
        cluster.kubectl("create", "deployment", "paper", "--image=nowhere/nothing:1", "--replicas=200")
        cluster.kubectl("rollout", "status", "deployment/paper", "--timeout=60s")
