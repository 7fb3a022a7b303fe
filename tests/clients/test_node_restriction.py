"""What the certificate of a node is good for, and that nodes need no more: two real nodes, one certificate in a thief's hands."""

import ssl
import urllib.error
import urllib.request
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
        ("replace", "--raw", "/api/v1/nodes/node2", "-f", "-"),
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
    node = '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node2"}}'
    assert expect in running.kubectl_fails(*as_node(running, *arguments), stdin=node)


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


READING = """
apiVersion: v1
kind: Pod
metadata: {name: reads-NODE, namespace: default}
spec:
  nodeName: NODE
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: localhost/hello:1
    env: [{name: KEY, valueFrom: {secretKeyRef: {name: of-NODE, key: key}}}]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: of-NODE}}]
"""
CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: of-NODE, annotations: {volume.kubernetes.io/selected-node: NODE}}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
"""


@pytest.fixture(scope="module")
def reading(two: RunningCluster) -> RunningCluster:
    """A pod on each node that reads a Secret of its own, and keeps data."""
    for node in ("node1", "node2"):
        two.kubectl("create", "secret", "generic", f"of-{node}", f"--from-literal=key={node}")
        two.kubectl("apply", "-f", "-", stdin=CLAIM.replace("NODE", node))
        two.wait_for("claim", "Bound", "get", "pvc", f"of-{node}", "-o", "jsonpath={.status.phase}")
        two.kubectl("apply", "-f", "-", stdin=READING.replace("NODE", node))
    for node in ("node1", "node2"):
        two.wait_for("runs", "Running", "get", "pod", f"reads-{node}", "-o", "jsonpath={.status.phase}")
    return two


def volume_of(cluster: RunningCluster, node: str) -> str:
    return cluster.jsonpath("{.spec.volumeName}", "pvc", f"of-{node}")


def test_it_reads_what_its_pods_need(reading):
    printed = reading.kubectl(*as_node(reading, "get", "secret", "of-node1", "-o", "jsonpath={.data.key}"))
    assert printed == "bm9kZTE="
    for kind, name in (
        ("pvc", "of-node1"),
        ("pv", volume_of(reading, "node1")),
        ("pod", "reads-node1"),
        ("node", "node1"),
    ):
        assert name in reading.kubectl(*as_node(reading, "get", kind, name))
    own = reading.kubectl(*as_node(reading, "get", "pods", "-A", "--field-selector", "spec.nodeName=node1"))
    assert "reads-node1" in own
    assert "reads-node2" not in own


UNREAD = {
    "another's secret": (("get", "secret", "of-node2"), "no relationship found between node 'node1' and this object"),
    "a secret that is not there": (
        ("get", "secret", "x"),
        "no relationship found between node 'node1' and this object",
    ),
    "all secrets": (("get", "secrets"), "No Object name found"),
    "another's pod": (("get", "pod", "reads-node2"), "no relationship found between node 'node1' and this object"),
    "all pods": (("get", "pods", "-A"), "can only list/watch pods with spec.nodeName field selector"),
    "another node": (("get", "node", "node2"), "node 'node1' cannot read 'node2', only its own Node object"),
    "all volumes": (("get", "pv"), "can only get individual resources of this type"),
}


@pytest.mark.parametrize(("arguments", "expect"), UNREAD.values(), ids=UNREAD.keys())
def test_it_reads_nothing_else(reading, arguments, expect):
    refused = reading.kubectl_fails(*as_node(reading, *arguments))
    assert "Error from server (Forbidden)" in refused
    assert refused.strip().endswith(expect)


def test_it_is_told_what_it_may(reading):
    may_not = reading.kubectl(*as_node(reading, "auth", "can-i", "get", "secret/of-node2"), check=False)
    assert may_not.strip() == "no - no relationship found between node 'node1' and this object"
    assert reading.kubectl(*as_node(reading, "auth", "can-i", "get", "secret/of-node1")).strip() == "yes"


def test_nodes_never_ask_for_more(reading):
    """Also while pods come and go with their volumes: nothing was ever refused, and no event tells of a delay."""
    volume = volume_of(reading, "node1")
    reading.kubectl("delete", "pod", "reads-node1")
    reading.kubectl("delete", "pvc", "of-node1")
    reading.wait_for("no volume", "", "get", "pv", volume, "--ignore-not-found")
    folders = reading.folder / "data" / "nodes" / "node1" / "local-path"
    assert not list(folders.glob(f"{volume}_*"))
    assert "delete.storage" not in reading.kubectl("get", "node", "node1", "-o", "yaml")
    for log in (reading.folder / "data" / "logs").glob("*.log"):
        assert "forbidden" not in log.read_text(), log.name
    assert "forbidden" not in reading.kubectl("get", "events", "-A")


def kubelet_says(cluster: RunningCluster, path: str, token: str = "") -> int:
    """The status of node1's kubelet's answer, asked over the network with no certificate."""
    address = cluster.jsonpath('{.status.addresses[?(@.type=="InternalIP")].address}', "node", "node1")
    authority = cluster.folder / "data" / "pki" / "ca.crt"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"https://{address}:10250{path}", headers=headers)
    try:
        with urllib.request.urlopen(
            request, context=ssl.create_default_context(cafile=authority), timeout=30
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def test_a_kubelet_asks_who_may_ask_it(two):
    """Upstream's test/e2e/auth/node_authn.go, and what a Prometheus with an account's token gets."""
    assert kubelet_says(two, "/metrics") == 401
    two.kubectl("create", "serviceaccount", "scraper")
    token = two.kubectl("create", "token", "scraper").strip()
    assert kubelet_says(two, "/metrics", token) == 403
    two.kubectl("create", "clusterrole", "scraper", "--verb=get", "--resource=nodes/stats")
    two.kubectl("create", "clusterrolebinding", "scraper", "--clusterrole=scraper", "--serviceaccount=default:scraper")
    assert kubelet_says(two, "/stats/summary", token) == 200
    assert kubelet_says(two, "/pods", token) == 403


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
