"""A driver beside a real node: its volumes reach real containers, stay over a kill of everything, and leave nothing behind."""

import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.clients.conftest import CLOCK, RunningCluster, kill_everything, started
from tests.csi.driver import NAME

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

OBJECTS = f"""
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata:
  name: {NAME}
  annotations: {{storage.steersman.dev/controller: built-in}}
spec: {{podInfoOnMount: true, fsGroupPolicy: File, volumeLifecycleModes: [Persistent, Ephemeral]}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {{name: folders}}
provisioner: {NAME}
volumeBindingMode: WaitForFirstConsumer
allowVolumeExpansion: true
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: data}}
spec: {{storageClassName: folders, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: writer}}
spec:
  terminationGracePeriodSeconds: 1
  securityContext: {{runAsUser: 1000, fsGroup: 2000}}
  containers:
  - name: main
    image: localhost/hello:1
    command: [sh, -c, 'echo once >> /data/log; cp /data/log /data/part/copy; exec sleep 1000000']
    volumeMounts:
    - {{name: data, mountPath: /data}}
    - {{name: data, mountPath: /data/part, subPath: part}}
    - {{name: scratch, mountPath: /scratch}}
  volumes:
  - {{name: data, persistentVolumeClaim: {{claimName: data}}}}
  - {{name: scratch, csi: {{driver: {NAME}}}}}
"""


SNAPSHOT = f"""
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata: {{name: folders}}
driver: {NAME}
deletionPolicy: Delete
---
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {{name: s}}
spec: {{volumeSnapshotClassName: folders, source: {{persistentVolumeClaimName: data}}}}
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("csi"), "csi")


@pytest.fixture(scope="module")
def disks(cluster: RunningCluster) -> Iterator[pathlib.Path]:
    """The driver's folders, while it runs."""
    kubelet = cluster.folder / "data" / "nodes" / "node1" / "kubelet"
    root = cluster.folder / "disks"
    paths = [str(kubelet / "plugins" / "d.sock"), str(kubelet / "plugins_registry"), str(root), "node1"]
    command = [sys.executable, "-m", "tests.csi.driver", *paths]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=pathlib.Path(__file__).parents[2]) as driver:
        try:
            assert driver.stdout is not None
            assert driver.stdout.readline() == b"serving\n"
            yield root
        finally:
            driver.kill()


def mounts(cluster: RunningCluster) -> list[str]:
    table = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in table if "kubernetes.io~csi" in line and str(cluster.folder) in line]


def test_a_drivers_volumes_reach_containers_and_leave_nothing(cluster, disks):
    cluster.wait_for("the driver", NAME, "get", "csinode", "node1", "-o", "jsonpath={.spec.drivers[*].name}")
    cluster.kubectl("apply", "-f", "-", stdin=OBJECTS)
    cluster.kubectl("wait", "pod/writer", "--for=condition=Ready", "--timeout=60s")
    [volume] = [one for one in disks.iterdir() if one.name.startswith("pvc-")]
    [scratch] = [one for one in disks.iterdir() if one.name.startswith("csi-")]
    assert (scratch / "pod").read_text() == "writer"
    assert (volume / "part" / "copy").read_text() == "once\n"
    assert (volume.stat().st_gid, volume.stat().st_mode & 0o2070) == (2000, 0o2070)
    assert cluster.jsonpath("{.status.volumesInUse}", "node/node1") == f'["kubernetes.io/csi/{NAME}^{volume.name}"]'
    assert cluster.jsonpath("{.items[*].status.attached}", "volumeattachments") == "true"

    kill_everything(cluster)
    cluster.up()
    assert cluster.kubectl("exec", "writer", "--", "cat", "/data/log") == "once\n"
    cluster.kubectl("patch", "pvc", "data", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
    cluster.wait_for("more room", "2Gi", "get", "pvc", "data", "-o", "jsonpath={.status.capacity.storage}", seconds=150)

    cluster.kubectl("apply", "-f", "-", stdin=SNAPSHOT)
    cluster.kubectl("wait", "vs/s", "--for=jsonpath={.status.readyToUse}=true", "--timeout=30s")
    shown = cluster.kubectl("get", "volumesnapshot", "s", "--no-headers").split()
    assert shown[:5] == ["s", "true", "data", "1Gi", "folders"]
    [copy] = [one for one in disks.iterdir() if one.name.startswith("snapshot-")]
    assert (copy / "log").read_text() == "once\n"
    cluster.kubectl("delete", "vs", "s", "--timeout=30s")
    assert not copy.exists()

    cluster.kubectl("delete", "pod", "writer", "--timeout=30s")
    assert mounts(cluster) == []
    assert volume.exists()
    cluster.wait_for("detached", "", "get", "volumeattachments", "-o", "name")
    cluster.kubectl("delete", "pvc", "data", "--timeout=30s")
    cluster.wait_for("no volumes", "", "get", "pv", "-o", "name")
    assert not volume.exists()
    deadline = CLOCK.monotonic() + 20
    pods = cluster.folder / "data" / "nodes" / "node1" / "kubelet" / "pods"
    while any(pods.iterdir()) and CLOCK.monotonic() < deadline:
        CLOCK.pause(0.1)
    assert not any(pods.iterdir())
