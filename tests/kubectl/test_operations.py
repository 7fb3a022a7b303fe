"""Verbs that look after workloads and nodes, and what becomes of the cluster."""

import base64
import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from steersman.kubectl import draining
from steersman.testing import Cluster
from tests.kubectl.conftest import Kubectl

pytestmark = pytest.mark.slow

SET = """
apiVersion: apps/v1
kind: %s
metadata: {name: web}
spec:
  %s
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec: {containers: [{name: main, image: "localhost/hello:%d"}]}
"""
LONE = """
apiVersion: v1
kind: Pod
metadata: {name: lone}
spec: {nodeName: node-1, containers: [{name: main, image: "localhost/hello:1"}]}
"""


def manifest(kind: str, image: int) -> str:
    more = (
        "replicas: 2"
        if kind == "Deployment"
        else "serviceName: web"
        if kind == "StatefulSet"
        else "revisionHistoryLimit: 5"
    )
    return SET % (kind, more, kind.lower(), kind.lower(), image)


@pytest.fixture(params=["Deployment", "DaemonSet", "StatefulSet"])
def rolled_out(cluster: Cluster, kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    """A workload in its second revision: `deployment/web`."""
    name = f"{request.param.lower()}/web"
    cluster.apply(manifest(request.param, 1))
    kubectl(f"rollout status {name} --timeout=30s")
    cluster.apply(manifest(request.param, 2))
    kubectl(f"rollout status {name} --timeout=30s")
    yield name
    cluster.delete(name)


def image(cluster: Cluster, name: str) -> str:
    found: dict[str, Any] = cluster.get(name)
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def test_there_and_back(cluster: Cluster, kubectl: Kubectl, rolled_out: str) -> None:
    kind = rolled_out.partition("/")[0]
    head = f"{kind}.apps/web"
    assert kubectl(f"rollout history {rolled_out}") == (
        f"{head} \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n"
    )
    first = kubectl(f"rollout history {rolled_out} --revision=1")
    assert first.startswith(f"{head} with revision #1\nPod Template:\n  Labels:\tapp={kind}\n")
    assert "    Image:\tlocalhost/hello:1\n" in first
    assert kubectl(f"rollout undo {rolled_out} --to-revision=2") == (
        f"{head} skipped rollback (current template already matches revision 2)\n"
    )
    assert kubectl(f"rollout undo {rolled_out}") == f"{head} rolled back\n"
    assert image(cluster, rolled_out) == "localhost/hello:1"
    kubectl(f"rollout status {rolled_out} --timeout=30s")
    assert "3         <none>" in kubectl(f"rollout history {rolled_out}")
    assert kubectl(f"rollout restart {rolled_out}") == f"{head} restarted\n"
    annotations = cluster.get(rolled_out)["spec"]["template"]["metadata"]["annotations"]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", annotations["kubectl.kubernetes.io/restartedAt"]
    )


def test_a_pause(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.apply(manifest("Deployment", 1))
    assert kubectl("rollout pause deploy/web") == "deployment.apps/web paused\n"
    assert kubectl.fails("rollout pause deploy/web") == 'error: deployments.apps "web" is already paused\n'
    assert kubectl.fails("rollout restart deploy/web") == (
        'error: deployments.apps "web" can\'t restart paused deployment (run rollout resume first)\n'
    )
    assert kubectl("rollout resume deploy/web") == "deployment.apps/web resumed\n"
    assert kubectl.fails("rollout resume deploy/web") == 'error: deployments.apps "web" is not paused\n'
    cluster.delete("deployment/web")


def test_a_rollout_that_does_not_end_in_time(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.apply(manifest("Deployment", 1).replace("localhost/hello:1", "missing.fake.steersman.dev/x"))
    done = kubectl.run("rollout status deploy/web --timeout=3s")
    assert done.out.startswith('Waiting for deployment "web"')
    assert (done.code, done.err) == (1, "error: timed out waiting for the condition\n")
    cluster.delete("deployment/web")


def test_taints(cluster: Cluster, kubectl: Kubectl) -> None:
    assert kubectl("taint nodes node-1 a=b:NoSchedule c:PreferNoSchedule") == "node/node-1 tainted\n"
    assert kubectl.fails("taint nodes node-1 a=x:NoSchedule") == (
        "error: node node-1 already has a taint(s) with same effect(s) and --overwrite is false\n"
    )
    assert kubectl("taint nodes node-1 a=x:NoSchedule --overwrite") == "node/node-1 modified\n"
    found = {(taint["key"], taint.get("value", "")) for taint in cluster.get("node/node-1")["spec"]["taints"]}
    assert found == {("a", "x"), ("c", "")}
    assert kubectl("taint nodes node-1 a- c-") == "node/node-1 untainted\n"
    assert not cluster.get("node/node-1")["spec"].get("taints")


def test_a_node_is_drained_and_comes_back(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.apply(manifest("Deployment", 1))
    cluster.apply(manifest("DaemonSet", 1))
    cluster.apply(LONE)
    for name in ("deployment/web", "daemonset/web"):
        kubectl(f"rollout status {name} --timeout=30s")
    cluster.wait("pod/lone", "Ready")
    refused = kubectl.fails("drain node-1")
    assert "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): default/web-" in refused
    assert (
        "cannot delete cannot delete Pods that declare no controller (use --force to override): default/lone\n"
        in refused
    )
    assert "There are pending nodes to be drained:\n node-1\n" in refused
    done = kubectl.run("drain node-1 --ignore-daemonsets --force --grace-period=0")
    assert done.code == 0
    assert done.out.startswith("node/node-1 already cordoned\n")
    assert done.out.endswith("node/node-1 drained\n")
    assert "evicting pod default/lone\n" in done.out
    assert "pod/lone evicted\n" in done.out
    assert done.err.startswith("Warning: ")
    assert "ignoring DaemonSet-managed Pods: default/web-" in done.err
    left = [pod["metadata"] for pod in cluster.list("pods", fields="spec.nodeName=node-1")]
    assert [meta["ownerReferences"][0]["kind"] for meta in left if "deletionTimestamp" not in meta] == ["DaemonSet"]
    assert kubectl("uncordon node-1") == "node/node-1 uncordoned\n"
    cluster.delete("deployment/web")
    cluster.delete("daemonset/web")


def test_a_budget_delays_a_drain(cluster: Cluster, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "RETRY_SECONDS", 0.02)
    cluster.apply(LONE.replace("metadata: {", "metadata: {labels: {app: lone}, "))
    cluster.apply(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: lone}\n"
        "spec: {minAvailable: 1, selector: {matchLabels: {app: lone}}}\n"
    )
    cluster.wait("pod/lone", "Ready")
    cluster.wait("poddisruptionbudget/lone", lambda obj: (obj.get("status") or {}).get("currentHealthy") == 1)
    done = kubectl.run("drain node-1 --force --pod-selector=app=lone --timeout=10ms")
    where = 'error when evicting pods/"lone" -n "default"'
    assert done.code == 1
    assert (
        f"{where} (will retry after 5s): Cannot evict pod as it would violate the pod's disruption budget.\n"
        in done.err
    )
    assert f"{where}: global timeout reached: 10ms\n" in done.err
    assert 'There are pending pods in node "node-1" when an error occurred: ' in done.err
    assert kubectl("drain node-1 --force --pod-selector=app=lone --disable-eviction --grace-period=0").endswith(
        "pod/lone deleted\nnode/node-1 drained\n"
    )
    kubectl("uncordon node-1")
    cluster.delete("poddisruptionbudget/lone")


def test_requests_for_certificates(cluster: Cluster, kubectl: Kubectl) -> None:
    for name in ("good", "bad"):
        cluster.apply(_request(name))
    assert kubectl("certificate approve good") == "certificatesigningrequest.certificates.k8s.io/good approved\n"
    assert kubectl("certificate approve good") == "certificatesigningrequest.certificates.k8s.io/good approved\n"
    assert kubectl("certificate deny bad") == "certificatesigningrequest.certificates.k8s.io/bad denied\n"
    assert kubectl.fails("certificate deny good") == 'error: certificate signing request "good" is already Approved\n'
    (condition,) = cluster.get("certificatesigningrequest/bad")["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Denied", "KubectlDeny")
    assert condition["message"] == "This CSR was denied by kubectl certificate deny."


def _request(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    text = base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode()
    return (
        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\n"
        f"metadata: {{name: {name}}}\n"
        f"spec: {{request: {text}, signerName: kubernetes.io/kube-apiserver-client, usages: [client auth]}}\n"
    )


def test_a_look_beside_in_a_copy_and_on_a_node(cluster: Cluster, kubectl: Kubectl) -> None:
    cluster.apply(LONE)
    cluster.wait("pod/lone", "Ready")
    said = kubectl("debug lone --image=localhost/hello:1 --profile=netadmin --target=main --env=A=b -- sleep 1")
    name = re.search(r"Defaulting debug container name to (debugger-\w{5})\.\n$", said)
    assert name is not None
    (beside,) = cluster.get("pod/lone")["spec"]["ephemeralContainers"]
    assert (beside["name"], beside["targetContainerName"]) == (name[1], "main")
    assert beside["securityContext"] == {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}}

    custom = kubectl.file("custom.json", json.dumps({"securityContext": {"runAsUser": 1000}}))
    kubectl(
        f"debug lone --copy-to=copy --image=localhost/hello:1 -c look --profile=general --custom={custom} --replace"
    )
    copy = cluster.get("pod/copy")["spec"]
    assert copy["shareProcessNamespace"] is True
    assert copy["containers"][1]["securityContext"] == {"capabilities": {"add": ["SYS_PTRACE"]}, "runAsUser": 1000}

    done = kubectl.run("debug node/node-1 --image=localhost/hello:1 --profile=sysadmin -- sleep 1")
    made = re.fullmatch(
        r"Creating debugging pod (node-debugger-node-1-\w{5}) with container debugger on node node-1.\n", done.out
    )
    assert made is not None
    spec = cluster.get(f"pod/{made[1]}")["spec"]
    assert (spec["hostPID"], spec["containers"][0]["securityContext"]) == (True, {"privileged": True})
    for pod in ("lone", "copy", made[1]):
        with contextlib.suppress(Exception):
            cluster.delete(f"pod/{pod}")
