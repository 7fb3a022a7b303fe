"""`kubectl drain` of a node moves its pods without breaking a disruption budget."""

import os
import subprocess

import pytest

from steersman.testing import Cluster
from tests.apiserver import test_kubectl

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "localhost/hello:1"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 3, selector: {matchLabels: {app: web}}}
"""


@pytest.mark.parametrize("kubectl", test_kubectl.kubectls(), ids=lambda path: path.name)
def test_drain(kubectl, tmp_path):
    with Cluster(nodes=2) as cluster:
        cluster.apply(MANIFEST)
        cluster.wait("deployment/web", "Available")
        cluster.wait("poddisruptionbudget/web", lambda obj: (obj.get("status") or {}).get("disruptionsAllowed") == 1)
        command = [kubectl, "--kubeconfig", cluster.kubeconfig, "drain", "node-1", "--grace-period=1", "--timeout=60s"]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        drained = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert drained.returncode == 0, drained.stderr
        assert "node/node-1 drained" in drained.stdout
        cluster.wait("deployment/web", lambda obj: obj["status"].get("availableReplicas") == 4)
        assert {pod["spec"]["nodeName"] for pod in cluster.list("pods", labels="app=web")} == {"node-2"}
