"""metrics.k8s.io of a cluster, and `kubectl top`."""

import os
import re
import subprocess

import pytest

from steersman.apiserver.resource_metrics import answers
from steersman.meta.errors import StatusError
from steersman.testing import Cluster
from tests.apiserver import test_kubectl

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: %s
  labels: {app: %s}
  annotations: {fake.steersman.dev/cpu: "%d", fake.steersman.dev/memory: "67108864"}
spec: {containers: [{name: main, image: "localhost/hello:1"}, {name: other, image: "localhost/hello:1"}]}
"""


def test_pods_and_nodes():
    with Cluster(nodes=2, virtual_time=True) as cluster:
        cluster.apply(POD % ("a", "web", 100))
        cluster.apply(POD % ("b", "db", 250))
        cluster.wait("pod/a", "Ready")
        cluster.wait("pod/b", "Ready")
        cluster.advance(minutes=5)
        told = cluster.client.get(answers.PODS, "b")
        assert [(one["name"], one["usage"]) for one in told["containers"]] == [
            ("main", {"cpu": "250m", "memory": "64Mi"}),
            ("other", {"cpu": "250m", "memory": "64Mi"}),
        ]
        assert [one["metadata"]["name"] for one in cluster.client.list(answers.PODS, labels="app=web")] == ["a"]
        nodes = cluster.client.list(answers.NODES)
        assert [one["metadata"]["name"] for one in nodes] == ["node-1", "node-2"]
        with pytest.raises(StatusError, match=r'podmetrics.metrics.k8s.io "default/c" not found'):
            cluster.client.get(answers.PODS, "c")


@pytest.mark.kubectl
@pytest.mark.slow
@pytest.mark.parametrize("kubectl", test_kubectl.kubectls(), ids=lambda path: path.name)
def test_kubectl_top(kubectl, tmp_path):
    with Cluster(nodes=1) as cluster:
        cluster.apply(POD % ("a", "web", 100))
        cluster.wait("pod/a", "Ready")
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(cluster.kubeconfig)}

        def top(*arguments):
            run = subprocess.run(
                [kubectl, "top", *arguments], env=environment, capture_output=True, text=True, check=True
            )
            return run.stdout.splitlines()

        cluster.advance(seconds=1)
        header, row = top("pods", "--containers", "-l", "app=web")[:2]
        assert header.split() == ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"]
        assert re.fullmatch(r"a +main +\d+m +64Mi *", row)
        header, row = top("nodes")
        assert header.split()[:2] == ["NAME", "CPU(cores)"]
        assert row.startswith("node-1")
