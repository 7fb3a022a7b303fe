"""Claims through a real kubectl on three nodes with real containers: data stays as long as its claim, and no longer."""

import pathlib
import subprocess
from collections.abc import Iterator

import pytest

from tests.clients.conftest import EXAMPLES, RunningCluster, kill_everything, started

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

LINE = "diary-1 was here\n"
NFS = """
apiVersion: v1
kind: Pod
metadata: {name: files}
spec:
  containers: [{name: main, image: localhost/hello:1, volumeMounts: [{name: share, mountPath: /share}]}]
  volumes: [{name: share, nfs: {server: 127.0.0.1, path: /none}}]
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("volumes"), "volumes", "--nodes", "3")


def folders(cluster: RunningCluster) -> list[pathlib.Path]:
    return sorted((cluster.folder / "data" / "nodes").glob("*/local-path/*"))


def test_data_outlives_pods_and_kubelets_and_goes_with_its_claim(cluster):
    cluster.kubectl("apply", "-f", str(EXAMPLES / "diary.yaml"))
    cluster.kubectl("rollout", "status", "statefulset/diary", "--timeout=60s")
    assert cluster.jsonpath("{.items[*].status.phase}", "pvc") == "Bound Bound Bound"
    node = cluster.jsonpath("{.spec.nodeName}", "pod/diary-1")
    assert len(folders(cluster)) == 3
    assert cluster.kubectl("exec", "diary-1", "--", "cat", "/data/log") == LINE
    assert cluster.kubectl("exec", "diary-1", "--", "stat", "-c", "%g %a", "/data").split() == ["2000", "2777"]

    cluster.kubectl("delete", "pod", "diary-1", "--timeout=30s")
    cluster.kubectl("rollout", "status", "statefulset/diary", "--timeout=60s")
    cluster.wait_for("the new pod", LINE.strip() + "\n" + LINE.strip(), "exec", "diary-1", "--", "cat", "/data/log")
    assert cluster.jsonpath("{.spec.nodeName}", "pod/diary-1") == node

    kill_everything(cluster)
    cluster.up()
    assert cluster.kubectl("exec", "diary-1", "--", "cat", "/data/log") == LINE * 2
    cluster.kubectl("delete", "statefulset", "diary")
    cluster.wait_for("no pods", "", "get", "pods", "-o", "name")
    assert len(folders(cluster)) == 3
    cluster.kubectl("delete", "pvc", "-l", "app=diary", "--timeout=30s")
    cluster.wait_for("no volumes", "", "get", "pv", "-o", "name")
    assert folders(cluster) == []
    leftovers = [one for one in (cluster.folder / "data" / "nodes").glob("*/kubelet/pods/*") if one.is_dir()]
    assert leftovers == []


def test_what_cannot_be_mounted_is_told_and_leaves_nothing(cluster):
    cluster.kubectl("apply", "-f", "-", stdin=NFS)
    told = 'MountVolume.SetUp failed for volume "share" : mount failed: exit status 32'
    cluster.wait_until_prints(
        told, "get", "events", "--field-selector", "reason=FailedMount", "-o", "jsonpath={..message}"
    )
    cluster.kubectl("delete", "pod", "files", "--timeout=30s")
    assert str(cluster.folder) not in "".join(
        line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if " nfs" in line
    )


BLOCK = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: raw}}
spec:
  capacity: {{storage: 1Mi}}
  accessModes: [ReadWriteOnce]
  volumeMode: Block
  storageClassName: ""
  local: {{path: {device}}}
  nodeAffinity:
    required:
      nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [node2]}}]}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: raw}}
spec: {{storageClassName: "", volumeMode: Block, accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: raw}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: localhost/hello:1
    command: [sh, -c, 'echo written | dd of=/dev/disk conv=fsync && exec sleep 1000000']
    volumeDevices: [{{name: disk, devicePath: /dev/disk}}]
  volumes: [{{name: disk, persistentVolumeClaim: {{claimName: raw}}}}]
"""


@pytest.fixture
def device(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A disk that is a file."""
    backing = tmp_path / "disk"
    backing.write_bytes(bytes(1 << 20))
    made = subprocess.run(["losetup", "--find", "--show", str(backing)], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop devices here: {made.stderr.strip()}")
    try:
        yield pathlib.Path(made.stdout.strip())
    finally:
        subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


def test_a_device_reaches_a_container_as_it_is(cluster, device, tmp_path):
    cluster.kubectl("apply", "-f", "-", stdin=BLOCK.format(device=device))
    cluster.kubectl("wait", "pod/raw", "--for=condition=Ready", "--timeout=60s")
    assert cluster.jsonpath("{.spec.nodeName}", "pod/raw") == "node2"
    cluster.wait_until_prints("written", "exec", "raw", "--", "head", "-c", "8", "/dev/disk")
    assert (tmp_path / "disk").read_bytes().startswith(b"written\n")
    cluster.kubectl("delete", "pod", "raw", "--timeout=30s")
    cluster.kubectl("delete", "pvc", "raw", "--timeout=30s")
    cluster.kubectl("delete", "pv", "raw", "--timeout=30s")


IMAGE = """
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: localhost/hello:1
    command: [sh, -c, 'exec sleep 1000000']
    volumeMounts: [{name: other, mountPath: /other}, {name: other, mountPath: /part, subPath: bin}]
  volumes: [{name: other, image: {reference: "localhost/hello:2", pullPolicy: IfNotPresent}}]
---
apiVersion: v1
kind: Pod
metadata: {name: hopeless}
spec:
  containers: [{name: main, image: localhost/hello:1, volumeMounts: [{name: other, mountPath: /other}]}]
  volumes: [{name: other, image: {reference: "localhost/none:1"}}]
"""


def test_an_image_is_a_volume_to_read(cluster):
    cluster.kubectl("apply", "-f", "-", stdin=IMAGE)
    cluster.kubectl("wait", "pod/reader", "--for=condition=Ready", "--timeout=60s")
    assert (
        cluster.kubectl("exec", "reader", "--", "ls", "/other/bin").split()
        == cluster.kubectl("exec", "reader", "--", "ls", "/part").split()
    )
    assert "Read-only file system" in cluster.kubectl_fails("exec", "reader", "--", "touch", "/other/new")
    assert "Permission denied" in cluster.kubectl_fails("exec", "reader", "--", "/other/bin/busybox", "true")
    path = "{.status.containerStatuses[0].state.waiting.reason}"
    query = ("get", "pod", "hopeless", "-o", f"jsonpath={path}")
    cluster.wait_for("a missing image", "ImagePullBackOff", *query)
    cluster.kubectl("delete", "pod", "reader", "hopeless", "--timeout=30s")
