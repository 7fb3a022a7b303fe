"""Faults as tests use them: the parts get over each of them, and clients from outside feel them."""

import contextlib

import kubernetes
import pytest
import urllib3

from steersman.testing import Cluster, Fault, NotSeen
from tests.testing.test_cluster import WEB, pod


@pytest.fixture
def virtual():
    with Cluster(nodes=2, virtual_time=True) as cluster:
        yield cluster


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        pytest.param("drop", {"probability": 0.3}, id="dropped"),
        pytest.param("drop", {"after_seconds": 5, "probability": 0.2}, id="dropped late"),
        pytest.param("lose_answer", {"probability": 0.3}, id="answers lost"),
        pytest.param("delay", {"seconds_each": 0.7}, id="delayed"),
        pytest.param("conflict", {"count": 20}, id="conflicts"),
        pytest.param("too_many_requests", {"retry_after_seconds": 2, "probability": 0.3}, id="busy"),
        pytest.param("server_error", {"probability": 0.3}, id="errors"),
        pytest.param("closed_watch", {"after_events": 3}, id="closed watches"),
        pytest.param("compaction", {}, id="compaction"),
        pytest.param("stale", {"resource": "pods"}, id="stale"),
        pytest.param("late_events", {"seconds_each": 0.3}, id="late events"),
        pytest.param("add", {"fault": Fault("twice", copies=2), "probability": 0.5}, id="twice"),
    ],
)
def test_a_rollout_gets_over(virtual, name, arguments):
    with getattr(virtual.faults, name)(**arguments) as rule:
        virtual.apply(WEB)
        virtual.advance(seconds=20)
        virtual.client.patch("deployment/web", {"spec": {"replicas": 5}})
        virtual.advance(seconds=20)
    virtual.wait("deployment/web", lambda obj: obj["status"]["availableReplicas"] == 5, timeout=300)
    virtual.advance(minutes=1)
    assert len(virtual.list("pods")) == 5
    assert rule.struck > 0


def test_conflicts_so_many_times(virtual):
    with virtual.faults.conflict(resource="deployments/status", count=3) as rule:
        virtual.apply(WEB)
        virtual.wait("deployment/web", "Available")
    assert rule.struck == 3
    (one, *_) = virtual.faults.struck
    assert (one.fault, one.call.user, one.call.resource) == (
        "409",
        "system:kube-controller-manager",
        "deployments/status",
    )


def test_a_scheduler_behind_a_partition(virtual):
    rule = virtual.faults.partition("scheduler")
    virtual.apply(pod())
    virtual.advance(minutes=1)
    assert "nodeName" not in virtual.get("pod/one")["spec"]
    rule.remove()
    rule.remove()
    virtual.wait("pod/one", "Running", timeout=60)


def test_a_node_behind_a_partition_is_lost_and_comes_back(virtual):
    virtual.apply(WEB)
    virtual.wait("deployment/web", "Available")
    with virtual.faults.partition("node-1"):
        virtual.wait("node/node-1", lambda node: condition(node)["status"] == "Unknown", timeout=120)
        virtual.advance(minutes=10)
        running = [one for one in virtual.list("pods") if "deletionTimestamp" not in one["metadata"]]
        assert {one["spec"]["nodeName"] for one in running} == {"node-2"}
    virtual.wait("node/node-1", "Ready", timeout=60)
    virtual.advance(minutes=2)
    assert len(virtual.list("pods")) == 3


def condition(node):
    (ready,) = [one for one in node["status"]["conditions"] if one["type"] == "Ready"]
    return ready


def test_a_stale_scheduler_sees_later(virtual):
    with virtual.faults.stale(user="system:kube-scheduler", resource="pods"):
        virtual.apply(pod())
        with pytest.raises(NotSeen):
            virtual.wait("pod/one", "PodScheduled", timeout=60)
    virtual.wait("pod/one", "PodScheduled", timeout=1)


def test_the_tests_own_calls_are_spared(virtual):
    with virtual.faults.drop():
        assert virtual.get("namespace/default")
        virtual.apply(pod())


def test_rules_end_by_themselves_and_all_at_once(virtual):
    virtual.faults.drop(seconds=30)
    virtual.faults.stale()
    virtual.faults.clear()
    virtual.apply(pod())
    virtual.wait("pod/one", "Running", timeout=5)


@pytest.fixture
def outside(cluster):
    """The official client, without its own retries."""
    config = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(cluster.kubeconfig), client_configuration=config)
    config.retries = False
    with kubernetes.client.ApiClient(config) as api:
        yield kubernetes.client.CoreV1Api(api)
        api.rest_client.pool_manager.clear()


def refused(call):
    with pytest.raises(kubernetes.client.ApiException) as raised:
        call()
    return raised.value


@pytest.mark.slow
def test_clients_from_outside(cluster, outside):
    me = {"user": "kubernetes-admin"}
    with cluster.faults.too_many_requests(7, **me, verb="list"):
        busy = refused(lambda: outside.list_namespaced_pod("default"))
        assert (busy.status, busy.headers["Retry-After"]) == (429, "7")
        assert outside.read_namespace("default").metadata.name == "default"
    with cluster.faults.server_error(**me):
        assert refused(lambda: outside.list_namespaced_pod("default")).status == 500
    with cluster.faults.drop(**me), pytest.raises(urllib3.exceptions.ProtocolError):
        outside.list_namespaced_pod("default")
    with cluster.faults.lose_answer(**me), pytest.raises(urllib3.exceptions.ProtocolError):
        outside.create_namespaced_pod("default", pod())
    assert outside.read_namespaced_pod("one", "default").metadata.name == "one"
    with cluster.faults.conflict(**me, resource="pods"):
        conflict = refused(lambda: outside.patch_namespaced_pod("one", "default", {"metadata": {"labels": {"a": "b"}}}))
        assert conflict.status == 409
        assert "the object has been modified" in conflict.body


@pytest.mark.slow
def test_watches_of_clients_from_outside(cluster, outside):
    version = outside.list_namespaced_pod("default").metadata.resource_version
    cluster.apply(pod())
    cluster.wait("pod/one", "Running")
    watched = {"namespace": "default", "resource_version": version, "timeout_seconds": 10}
    with contextlib.closing(kubernetes.watch.Watch().stream(outside.list_namespaced_pod, **watched)) as stream:
        assert next(stream)["type"] == "ADDED"
    with (
        cluster.faults.compaction(user="kubernetes-admin"),
        contextlib.closing(kubernetes.watch.Watch().stream(outside.list_namespaced_pod, **watched)) as old,
    ):
        assert refused(lambda: next(old)).status == 410
