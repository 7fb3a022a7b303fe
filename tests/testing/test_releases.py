"""Clusters of older releases: a deployment runs in each, and clients are told what there is."""

import os
import pathlib
import shutil
import subprocess

import orjson
import pytest

from steersman.api import releases
from steersman.meta.objects import Object
from steersman.serving.messages import Request
from steersman.testing import Cluster
from tests.apiserver import kit

ALL = [f"1.{minor}" for minor in range(releases.OLDEST_MINOR, releases.NEWEST_MINOR + 1)]


def kubectl_of(release: str) -> str | None:
    """A kubectl of this release: Debian's Google Cloud package brings several."""
    known = pathlib.Path("/usr/lib/google-cloud-sdk/bin") / f"kubectl.{release}"
    return str(known) if known.exists() else shutil.which(f"kubectl.{release}")


@pytest.mark.parametrize("release", ALL)
def test_pods_run_in_every_release(release):
    with Cluster(nodes=1, kubernetes_version=release, virtual_time=True) as cluster:
        cluster.apply([kit.deployment("web")])
        cluster.wait("deployment/web", "Available")
        [node] = cluster.list("nodes")
        assert node["status"]["nodeInfo"]["kubeletVersion"] == f"v{release}.0"


def ask(cluster: Cluster, path: str) -> Object:
    answer = cluster.run(cluster._running._handle(Request("GET", path, peer=kit.ADMIN)))
    found: Object = orjson.loads(answer.body)
    return found


def test_clients_see_the_release():
    with Cluster(nodes=0, kubernetes_version="1.30", virtual_time=True) as cluster:
        assert ask(cluster, "/version")["gitVersion"].startswith("v1.30.0")
        assert ask(cluster, "/openapi/v2")["info"]["version"] == "v1.30.0"
        groups = {group["name"] for group in ask(cluster, "/apis")["groups"]}
        assert "resource.k8s.io" not in groups
        assert ask(cluster, "/apis/networking.k8s.io/v1/ipaddresses")["code"] == 404
        fork = cluster.fork()
        with fork:
            assert ask(fork, "/version")["minor"] == "30"


@pytest.mark.slow
@pytest.mark.parametrize("release", ["1.27", "1.30", "1.33"])  # tests/clients has more of each kubectl
def test_kubectl_of_the_release(release, tmp_path):
    kubectl = kubectl_of(release)
    if kubectl is None:
        pytest.skip(f"no kubectl {release} here")
    with Cluster(nodes=1, kubernetes_version=release) as cluster:
        environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "HOME": str(tmp_path)}

        def run(*arguments: str, stdin: str = "") -> str:
            found = subprocess.run(
                [kubectl, *arguments], env=environment, input=stdin, capture_output=True, text=True, timeout=60
            )
            assert found.returncode == 0, found.stderr
            return found.stdout

        assert f"v{release}.0+steersman" in run("version")
        run("create", "deployment", "web", "--image=localhost/hello:1", "--replicas=2")
        run("rollout", "status", "deployment/web", "--timeout=30s")
        assert run("get", "pods", "-o", "name").count("pod/web-") == 2
        assert f"v{release}.0" in run("get", "nodes")
        manifest = orjson.dumps(kit.deployment("api")).decode()
        assert "serverside-applied" in run("apply", "--server-side", "-f", "-", stdin=manifest)
        assert "Deployment enables declarative updates" in run("explain", "deployment")
        run("delete", "deployment", "web", "--wait")
