"""The whole cluster in one process, as tests use it."""

import time

import kubernetes
import pytest

from steersman.meta.errors import StatusError
from steersman.testing import AsyncCluster, Cluster, NotSeen
from steersman.testing.fake_node import FakeNode

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "localhost/hello:1"}
      - {name: sidecar, image: "localhost/hello:2"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


def pod(name="one", **more):
    spec = {"containers": [{"name": "main", "image": "localhost/hello:1"}], **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
def virtual():
    with Cluster(nodes=2, virtual_time=True) as cluster:
        yield cluster


def running(pods):
    return [one["metadata"]["name"] for one in pods if one["status"].get("phase") == "Running"]


def test_a_deployment_becomes_available_behind_its_service(virtual):
    virtual.apply(WEB)
    virtual.wait("deployment/web", "Available")
    pods = virtual.list("pods", labels="app=web")
    assert len(running(pods)) == 3
    assert {one["spec"]["nodeName"] for one in pods} == {"node-1", "node-2"}
    endpoints = virtual.wait(
        "endpoints/web", lambda obj: len((obj.get("subsets") or [{}])[0].get("addresses", [])) == 3
    )
    assert endpoints is not None
    reasons = {event["reason"] for event in virtual.events()}
    assert reasons >= {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started"}


def test_scaling_and_deleting(virtual):
    virtual.apply(WEB)
    virtual.client.patch("deployment/web", {"spec": {"replicas": 5}})
    virtual.wait("deployment/web", lambda obj: obj["status"].get("availableReplicas") == 5)
    virtual.delete("deployment/web")
    virtual.advance(minutes=1)
    assert virtual.list("pods") == []
    assert virtual.list("replicasets") == []


def test_an_hour_passes_in_no_time(virtual):
    virtual.apply(WEB)
    began = time.monotonic()
    virtual.advance(hours=1)
    assert time.monotonic() - began < 5
    assert len(running(virtual.list("pods"))) == 3


def test_forks_and_their_origin_go_their_own_ways(virtual):
    virtual.apply(WEB)
    virtual.wait("deployment/web", "Available")
    with virtual.fork() as fork:
        fork.wait("deployment/web", "Available")
        fork.delete("deployment/web")
        fork.advance(minutes=1)
        assert fork.list("pods") == []
    assert len(virtual.list("pods")) == 3


def test_a_snapshot_brings_back_what_was(virtual):
    virtual.apply(pod())
    virtual.wait("pod/one", "Running")
    before = virtual.snapshot()
    virtual.delete("pod/one")
    virtual.wait("pod/one", "Deleted", timeout=60)
    virtual.restore(before)
    virtual.wait("pod/one", "Running")


def test_waiting_in_vain_says_what_was_seen(virtual):
    virtual.apply(pod(nodeSelector={"disk": "ssd"}))
    with pytest.raises(NotSeen) as seen:
        virtual.wait("pod/one", "Running", timeout=5)
    text = str(seen.value)
    assert text.startswith(
        "pod/one was not Running within 5 s\nlast seen, conditions:\n  PodScheduled=False Unschedulable: "
    )
    assert (
        "Warning FailedScheduling pod/one: 0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector."
        in text
    )


def test_waiting_in_vain_tells_of_what_it_owns(virtual):
    virtual.apply(WEB.replace("localhost/hello:2", "missing.fake.steersman.dev/hello:2"))
    with pytest.raises(NotSeen) as seen:
        virtual.wait("deployment/web", "Available", timeout=60)
    text = str(seen.value)
    assert "  Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.\n" in text
    assert ", 0 of 3 ready\n" in text
    assert ", Pending, sidecar waiting (ImagePullBackOff: Back-off pulling image" in text
    assert "  Normal ScalingReplicaSet deployment/web: Scaled up replica set web-" in text
    assert "  Warning Failed pod/web-" in text


def test_waiting_for_what_is_not_there(virtual):
    with pytest.raises(NotSeen, match=r"pod/none was not Running within 1 s\nit does not exist\nevents: none"):
        virtual.wait("pod/none", "Running", timeout=1)


def test_a_wish_may_find_a_field_missing(virtual):
    virtual.apply(pod())
    virtual.wait("pod/one", lambda obj: obj["status"]["containerStatuses"][0]["ready"])
    with pytest.raises(NotSeen, match=r"was not <lambda> within 1 s \(the wish raised KeyError\('none'\)\)\n"):
        virtual.wait("pod/one", lambda obj: obj["none"], timeout=1)


def test_errors_are_those_of_the_api(virtual):
    with pytest.raises(StatusError, match='pods "none" not found'):
        virtual.get("pod/none")


def test_logs_and_failures_by_script(virtual):
    annotations = {"fake.steersman.dev/logs": "hello\n", "fake.steersman.dev/run-seconds": "5"}
    one = pod(restartPolicy="Never")
    one["metadata"]["annotations"] = {**annotations, "fake.steersman.dev/exit-code": "3"}
    virtual.apply(one)
    virtual.wait("pod/one", "Running")
    assert virtual.client.logs("one") == "hello\n"
    failed = virtual.wait("pod/one", "Failed")
    assert failed["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_nodes_as_wished():
    node = FakeNode("large", {"cpu": "64", "memory": "256Gi", "pods": "500"}, {"disk": "ssd"})
    with Cluster(nodes=[node, FakeNode("small")], virtual_time=True) as cluster:
        cluster.apply(pod(nodeSelector={"disk": "ssd"}))
        found = cluster.wait("pod/one", "Running")
        assert found is not None
        assert found["spec"]["nodeName"] == "large"
        assert cluster.get("node/large")["status"]["allocatable"]["cpu"] == "64"


async def test_async():
    async with AsyncCluster(nodes=1) as cluster:
        await cluster.client.apply(pod())
        found = await cluster.client.wait("pod/one", "Running")
        assert found is not None
        assert found["status"]["podIP"]


@pytest.mark.slow
def test_from_outside_through_the_kubeconfig(cluster):
    config = kubernetes.client.Configuration()
    kubernetes.config.load_kube_config(str(cluster.kubeconfig), client_configuration=config)
    with kubernetes.client.ApiClient(config) as api:
        core = kubernetes.client.CoreV1Api(api)
        core.create_namespaced_pod("default", pod())
        cluster.wait("pod/one", "Running")
        assert [one.to_dict()["metadata"]["name"] for one in core.list_namespaced_pod("default").items] == ["one"]
        assert config.host == cluster.url
        before = cluster.snapshot()
        core.delete_namespaced_pod("one", "default", grace_period_seconds=0)
        cluster.restore(before)
        assert [one.to_dict()["metadata"]["name"] for one in core.list_namespaced_pod("default").items] == ["one"]
    folder = cluster.kubeconfig.parent
    cluster.close()
    assert not folder.exists()


def test_each_test_has_a_cluster_of_its_own(cluster, cluster_session):
    assert cluster is not cluster_session
    cluster.apply(pod())
    assert cluster.get("pod/one")
    assert cluster_session.list("pods") == []


CRON_TABS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {replicas: {type: integer, default: 1}}}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: example.com/v1
kind: CronTab
metadata: {name: one}
spec: {}
"""


def test_custom_resources_by_name_in_the_same_breath_as_their_definition():
    with Cluster() as cluster:
        cluster.apply(CRON_TABS)
        assert cluster.get("ct/one")["spec"] == {"replicas": 1}
        cluster.apply("{apiVersion: example.com/v1, kind: CronTab, metadata: {name: one}, spec: {replicas: 2}}")
        assert cluster.get("crontabs", "one")["spec"] == {"replicas": 2}
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        cluster.client.patch("crontab/one", ready, subresource="status")
        cluster.wait("crontab/one", "Ready")
        fork = cluster.fork()
        with fork:
            fork.delete("crontabs.example.com", "one")
            assert fork.list("CronTab") == []
        assert len(cluster.list("CronTab")) == 1
