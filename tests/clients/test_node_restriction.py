"""What the certificate of a node is good for, and that nodes need no more: two real nodes, one certificate in a thief's hands."""

from collections.abc import Iterator

import pytest

from steersman.client import kubeconfig
from tests.clients.conftest import RunningCluster, started

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

ROLE = "node-role.kubernetes.io/control-plane"
POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: default}
spec: {nodeName: NODE, terminationGracePeriodSeconds: 1, containers: [{name: main, image: localhost/hello:1}]}
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("thief"), "thief", "--nodes", "2")


@pytest.fixture(scope="module")
def running(two: RunningCluster) -> RunningCluster:
    """A pod on each node, with a token of its account."""
    for node in ("node1", "node2"):
        two.kubectl("apply", "-f", "-", stdin=pod(f"on-{node}", node))
        two.wait_for("runs", "Running", "get", "pod", f"on-{node}", "-o", "jsonpath={.status.phase}")
    return two


def pod(name: str, node: str) -> str:
    return POD.replace("NAME", name).replace("NODE", node)


def as_node(cluster: RunningCluster, *arguments: str) -> list[str]:
    """kubectl's arguments where node1's own files are all that one has."""
    pki = cluster.folder / "data" / "pki"
    authority, certificate, key = ((pki / file).read_bytes() for file in ("ca.crt", "node-node1.crt", "node-node1.key"))
    server, file = f"https://127.0.0.1:{cluster.port}", cluster.folder / "thief"
    access = kubeconfig.Access(server, authority=authority, certificate=certificate, key=key)
    kubeconfig.write(file, kubeconfig.build("c", access, user="u"))
    return [*arguments, "--kubeconfig", str(file)]


REFUSED = {
    "another node": (
        ("annotate", "node", "node2", "a=b"),
        'nodes "node2" is forbidden: node "node1" is not allowed to modify node "node2"',
    ),
    "its taints": (
        ("patch", "node", "node1", "-p", '{"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}'),
        'nodes "node1" is forbidden: node "node1" is not allowed to modify taints',
    ),
    "its role": (
        ("label", "node", "node1", f"{ROLE}-"),
        f'nodes "node1" is forbidden: is not allowed to modify labels: {ROLE}',
    ),
    "a pod elsewhere": (
        ("delete", "pod", "on-node2"),
        'pods "on-node2" is forbidden: node "node1" can only delete pods with spec.nodeName set to itself',
    ),
}


@pytest.mark.parametrize(("arguments", "expect"), REFUSED.values(), ids=REFUSED.keys())
def test_it_changes_nothing_beyond_its_node(running, arguments, expect):
    assert expect in running.kubectl_fails(*as_node(running, *arguments))


def test_it_makes_no_pods_of_its_own(running):
    why = 'pod does not have "kubernetes.io/config.mirror" annotation, node "node1" can only create mirror pods'
    refused = running.kubectl_fails(*as_node(running, "create", "--validate=false", "-f", "-"), stdin=pod("p", "node1"))
    assert f'pods "p" is forbidden: {why}' in refused


def test_it_gets_no_tokens_but_for_its_pods(running):
    def asked(name):
        uid = running.jsonpath("{.metadata.uid}", "pod", name)
        bound = ("--bound-object-kind=Pod", f"--bound-object-name={name}", f"--bound-object-uid={uid}")
        return running.kubectl_fails(*as_node(running, "create", "token", "default", "--audience=vault", *bound))

    assert "node requested token bound to a pod scheduled on a different node" in asked("on-node2")
    assert 'audience "vault" not found in pod spec volume' in asked("on-node1")


def test_a_node_registers_anew_with_its_role_and_its_static_pods(running):
    """By its own certificate and an administrator's help: the role is not a node's to take."""
    manifests = running.folder / "data" / "nodes" / "node1" / "manifests"
    (manifests / "static.yaml").write_text(pod("static", ""))
    phase = ("get", "pod", "static-node1", "-o", "jsonpath={.status.phase}")
    running.wait_for("mirror", "Running", *phase)
    before = running.jsonpath("{.metadata.uid}", "node", "node1")
    running.kubectl("delete", "node", "node1")
    role = ("get", "nodes", "-l", ROLE, "-o", "jsonpath={.items[*].metadata.name}")
    running.wait_for("role", "node1", *role)
    assert running.jsonpath("{.metadata.uid}", "node", "node1") != before
    owner = ("get", "pod", "static-node1", "-o", "jsonpath={.metadata.ownerReferences[0].uid}")
    running.wait_for("mirror of the new Node", running.jsonpath("{.metadata.uid}", "node", "node1"), *owner)
    running.wait_for("mirror", "Running", *phase)
    (manifests / "static.yaml").unlink()
    running.wait_for("no mirror", "", *phase)
