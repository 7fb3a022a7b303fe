"""Claims and volumes through a whole cluster: binder, provisioner, scheduler and nodes on paper together."""

import pytest

from steersman.testing import Cluster

DB = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: main
        image: localhost/hello:1
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""

LOCAL = """
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: by-hand}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk-2}
spec:
  capacity: {storage: 5Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: by-hand
  local: {path: /mnt/disk}
  nodeAffinity:
    required:
      nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-2]}]}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: by-hand, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture
def cluster():
    with Cluster(nodes=3, virtual_time=True) as found:
        yield found


def user(claim, name="user", **more):
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
    spec = {"containers": [{"name": "main", "image": "localhost/hello:1"}], "volumes": [volume], **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def test_a_stateful_set_has_its_data_where_its_pods_are(cluster):
    cluster.apply(DB)
    cluster.wait("statefulset/db", lambda obj: obj["status"].get("readyReplicas") == 3)
    volumes = {one["metadata"]["name"]: one for one in cluster.list("persistentvolumes")}
    before = {}
    for number in range(3):
        claim = cluster.get(f"persistentvolumeclaim/data-db-{number}")
        assert claim["status"]["phase"] == "Bound"
        assert claim["spec"]["storageClassName"] == "local-path"
        volume = volumes[claim["spec"]["volumeName"]]
        before[f"db-{number}"] = volume["metadata"]["labels"]["storage.steersman.dev/node"]
        assert cluster.get(f"pod/db-{number}")["spec"]["nodeName"] == before[f"db-{number}"]
    assert len(set(before.values())) == 3
    uid = cluster.get("pod/db-1")["metadata"]["uid"]
    cluster.delete("pod/db-1")
    cluster.wait("pod/db-1", lambda obj: obj["metadata"]["uid"] != uid and obj["status"].get("phase") == "Running")
    assert cluster.get("pod/db-1")["spec"]["nodeName"] == before["db-1"]
    reasons = {event["reason"] for event in cluster.events()}
    assert reasons >= {"WaitForFirstConsumer", "ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"}
    cluster.delete("statefulset/db")
    for number in range(3):
        cluster.delete(f"persistentvolumeclaim/data-db-{number}")
    for name in volumes:
        cluster.wait(f"persistentvolume/{name}", "Deleted")


def test_a_pod_goes_where_its_volume_is(cluster):
    cluster.apply(LOCAL)
    cluster.apply([user("data")])
    cluster.wait("pod/user", "Running")
    assert cluster.get("pod/user")["spec"]["nodeName"] == "node-2"
    assert cluster.get("persistentvolumeclaim/data")["spec"]["volumeName"] == "disk-2"
    assert cluster.get("persistentvolume/disk-2")["status"]["phase"] == "Bound"
    cluster.delete("pod/user")
    cluster.wait("pod/user", "Deleted")
    cluster.delete("persistentvolumeclaim/data")
    cluster.wait("persistentvolume/disk-2", lambda obj: obj["status"]["phase"] == "Released")


def test_a_pod_waits_for_a_claim_and_goes_when_it_is_there(cluster):
    cluster.apply([user("data")])
    cluster.advance(seconds=3)
    [condition] = cluster.get("pod/user")["status"]["conditions"]
    assert condition["message"].startswith('0/3 nodes are available: persistentvolumeclaim "data" not found.')
    cluster.apply(LOCAL)
    cluster.wait("pod/user", "Running")


def test_one_pod_at_a_time(cluster):
    claim = {"accessModes": ["ReadWriteOncePod"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.apply([{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": claim}])
    cluster.apply([user("data", "first")])
    cluster.wait("pod/first", "Running")
    cluster.apply([user("data", "second")])
    cluster.advance(seconds=5)
    assert "ReadWriteOncePod access mode" in cluster.get("pod/second")["status"]["conditions"][0]["message"]
    cluster.delete("pod/first")
    cluster.wait("pod/second", "Running")


def test_an_ephemeral_volume_lives_as_long_as_its_pod(cluster):
    template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    pod = user("unused")
    pod["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
    cluster.apply([pod])
    cluster.wait("pod/user", "Running")
    volume = cluster.get("persistentvolumeclaim/user-scratch")["spec"]["volumeName"]
    cluster.delete("pod/user")
    cluster.wait(f"persistentvolume/{volume}", "Deleted")
