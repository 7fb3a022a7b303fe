"""A cluster whose objects are in etcd: they outlive every process, and etcd may fail and come back under it."""

import contextlib
import pathlib
from collections.abc import Iterator

import pytest

from tests.clients.conftest import RunningCluster, kill_everything, started
from tests.store import etcd_server

pytestmark = [
    pytest.mark.root,
    pytest.mark.kubectl,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not etcd_server.is_installed(), reason="needs etcd (Debian: etcd-server)"),
]


@pytest.fixture
def etcd(tmp_path: pathlib.Path) -> Iterator[etcd_server.Cluster]:
    with etcd_server.running(tmp_path / "etcd") as running:
        yield running


@pytest.fixture
def stored(etcd: etcd_server.Cluster, tmp_path: pathlib.Path) -> Iterator[RunningCluster]:
    yield from started(tmp_path, "etcd", "--store", f"etcd:{etcd.members[0].url}", "--nodes", "0", "--fake-nodes", "2")


def test_objects_outlive_everything_but_etcd(stored):
    stored.kubectl("create", "deployment", "web", "--image=localhost/hello:1", "--replicas=3")
    stored.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    uid = stored.jsonpath("{.metadata.uid}", "deployment", "web")
    kill_everything(stored)
    stored.up()
    assert stored.jsonpath("{.metadata.uid}", "deployment", "web") == uid
    stored.kubectl("scale", "deployment/web", "--replicas=4")
    stored.kubectl("rollout", "status", "deployment/web", "--timeout=60s")


def test_etcd_dies_and_comes_back(stored, etcd):
    stored.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    etcd.members[0].kill()
    assert "the store is not available" in stored.kubectl_fails("get", "configmap", "kept")
    etcd.start()
    stored.wait_for("configmap kept", "b", "get", "configmap", "kept", "-o", "jsonpath={.data.a}")
    stored.kubectl("create", "deployment", "web", "--image=localhost/hello:1")
    stored.kubectl("rollout", "status", "deployment/web", "--timeout=60s")


def test_a_purge_forgets_this_cluster_only_and_an_absent_etcd_is_named(stored, etcd, tmp_path):
    with contextlib.contextmanager(started)(tmp_path / "other", "other", *stored.flags) as other:
        stored.kubectl("create", "configmap", "mine")
        stored.steersman("down", "--purge")
        stored.up()
        assert "not found" in stored.kubectl_fails("get", "configmap", "mine")
        assert "fake1" in other.kubectl("get", "nodes")
    stored.steersman("down")
    refused = stored.steersman("up", "-d", "--store", "etcd:http://127.0.0.1:1", check=False)
    assert refused.returncode == 1
    assert "No etcd answers at http://127.0.0.1:1." in refused.stderr
