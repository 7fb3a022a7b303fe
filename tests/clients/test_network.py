"""The network of a real cluster with two nodes and two address families, as a user sees it."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from steersman.aio.clock import SystemClock
from tests.clients.conftest import EXAMPLES, RunningCluster, started

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

CLOCK = SystemClock()
POOL = "10.231.77.1-10.231.77.2"  # on nobody's link: the host answers for it on its loopback


@pytest.fixture(scope="module")
def dual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    folder = tmp_path_factory.mktemp("dual")
    for cluster in started(folder, "dual", "--nodes", "2", "--ip-families", "IPv4,IPv6"):
        cluster.kubectl("apply", "-f", str(EXAMPLES / "web.yaml"))
        cluster.kubectl("run", "client", "--image=localhost/hello:1")
        cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
        cluster.kubectl("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
        yield cluster


def fetched(address: str, port: int = 80) -> str:
    """What the host gets; empty when nobody answers."""
    host = f"[{address}]" if ":" in address else address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def wait_fetched(address: str, port: int = 80) -> str:
    deadline = CLOCK.monotonic() + 15
    while not (found := fetched(address, port)) and CLOCK.monotonic() < deadline:
        CLOCK.pause(0.1)
    return found


def reaches(cluster: RunningCluster, address: str, port: int) -> bool:
    """Whether the client pod gets an answer."""
    script = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} {port}"
    return "hello from" in cluster.kubectl("exec", "client", "--", "sh", "-c", script, check=False)


def test_two_families(dual: RunningCluster):
    for query in ("{.items[*].status.podIPs[*].ip}", "{.items[*].status.hostIPs[*].ip}"):
        addresses = dual.jsonpath(query, "pods", "-l", "app=web").split()
        assert sum(":" in one for one in addresses) * 2 == len(addresses) > 0
    dual.kubectl("create", "service", "nodeport", "both", "--tcp=80:8080")
    patch = {"spec": {"ipFamilyPolicy": "RequireDualStack", "selector": {"app": "web"}}}
    dual.kubectl("patch", "service", "both", "-p", json.dumps(patch))
    four, six = dual.jsonpath("{.spec.clusterIPs[*]}", "service", "both").split()
    assert "hello from" in wait_fetched(four)
    assert "hello from" in wait_fetched(six)
    number = int(dual.jsonpath("{.spec.ports[0].nodePort}", "service", "both"))
    for address in dual.jsonpath("{.items[*].status.addresses[?(@.type=='InternalIP')].address}", "nodes").split():
        assert "hello from" in wait_fetched(address, number)
        assert reaches(dual, address, number)


def test_a_policy_and_the_way_it_tells(dual: RunningCluster):
    address = dual.jsonpath("{.spec.clusterIP}", "service", "web")
    assert reaches(dual, address, 80)
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed"},
        "spec": spec,
    }
    dual.kubectl("apply", "-f", "-", stdin=json.dumps(policy))
    deadline = CLOCK.monotonic() + 15
    while reaches(dual, address, 80) and CLOCK.monotonic() < deadline:
        CLOCK.pause(0.1)
    way = dual.steersman("net", "trace", "client", "web").stdout
    assert way.rstrip().endswith("no rule accepts it: dropped")
    assert "hello from" in fetched(address), "the host is the nodes' own"
    dual.kubectl("label", "pod", "client", "role=friend")
    friends = {"ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "friend"}}}]}]}
    dual.kubectl("patch", "networkpolicy", "closed", "--type=merge", "-p", json.dumps({"spec": friends}))
    deadline = CLOCK.monotonic() + 15
    while not (is_let_in := reaches(dual, address, 80)) and CLOCK.monotonic() < deadline:
        CLOCK.pause(0.1)
    assert is_let_in
    dual.kubectl("delete", "networkpolicy", "closed")


def test_a_load_balancer_of_a_pool(dual: RunningCluster):
    dual.kubectl("-n", "kube-system", "create", "configmap", "load-balancer", f"--from-literal=pool={POOL}")
    dual.kubectl(
        "expose", "deployment", "web", "--name=balanced", "--type=LoadBalancer", "--port=80", "--target-port=8080"
    )
    dual.wait_for("its address", "10.231.77.1", "get", "service", "balanced", "-o",
                  "jsonpath={.status.loadBalancer.ingress[0].ip}")  # fmt: skip
    assert "hello from" in wait_fetched("10.231.77.1")
    dual.kubectl("delete", "service", "balanced")
    deadline = CLOCK.monotonic() + 15
    while fetched("10.231.77.1") and CLOCK.monotonic() < deadline:
        CLOCK.pause(0.1)
    assert fetched("10.231.77.1") == ""


def test_names_of_ones_own_and_the_proxy(dual: RunningCluster):
    dual.kubectl("-n", "kube-system", "create", "configmap", "kube-dns", "--from-literal=hosts=10.9.9.9 gate.example")
    dual.wait_until_prints("10.9.9.9", "exec", "client", "--", "nslookup", "gate.example")
    assert "hello from" in dual.kubectl("get", "--raw", "/api/v1/namespaces/default/services/web/proxy/")
