"""Into running containers with the real kubectl: files in and out, ports, terminals, a look from beside."""

import pathlib
import subprocess
import urllib.request

import pytest

from tests.clients.conftest import RunningCluster

pytestmark = [pytest.mark.kubectl, pytest.mark.slow]


@pytest.fixture
def pod(cluster: RunningCluster, space: str) -> str:
    cluster.kubectl("run", "box", "-n", space, "--image=localhost/hello:1", "--port=8080", "--labels=app=box")
    cluster.kubectl("wait", "-n", space, "--for=condition=Ready", "pod/box", "--timeout=30s")
    return "box"


def test_files_in_and_out(cluster: RunningCluster, space: str, pod: str, tmp_path: pathlib.Path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "one").write_text("1\n")
    (folder / "two").write_text("2\n" * 50_000)
    cluster.kubectl("cp", str(folder), f"{space}/{pod}:/tmp/data")
    assert cluster.kubectl("exec", pod, "-n", space, "--", "cat", "/tmp/data/one") == "1\n"
    cluster.kubectl("cp", "-n", space, f"{pod}:/tmp/data/two", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "2\n" * 50_000


def test_a_port_of_a_pod(cluster: RunningCluster, space: str, pod: str):
    running = subprocess.Popen(
        [cluster.kubectl_path, "port-forward", "-n", space, f"pod/{pod}", ":8080"],
        env=cluster.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        address = running.stdout.readline().split()[2]
        for _ in range(3):
            with urllib.request.urlopen(f"http://{address}/", timeout=10) as answer:
                assert answer.status == 200
    finally:
        running.terminate()
        running.wait()
        assert running.stdout is not None
        running.stdout.close()


def test_standard_input_and_exit_codes(cluster: RunningCluster, space: str, pod: str):
    said = cluster.kubectl("exec", "-i", pod, "-n", space, "--", "cat", stdin="through and back\n")
    assert said == "through and back\n"
    assert "exit code 3" in cluster.kubectl_fails("exec", pod, "-n", space, "--", "sh", "-c", "exit 3")
    run = ("run", "once", "-n", space, "--image=localhost/hello:1", "--restart=Never", "--rm", "-i", "--command", "--")
    assert "heard: me" in cluster.kubectl(*run, "sh", "-c", "read x; echo heard: $x", stdin="me\n")


def test_a_look_from_beside(cluster: RunningCluster, space: str, pod: str):
    look = (
        "debug",
        pod,
        "-n",
        space,
        "--image=localhost/hello:1",
        "--target=box",
        "--container=look",
        "--attach=false",
    )
    cluster.kubectl(*look, "--", "sh", "-c", "ps; sleep 60")
    running = "{.status.ephemeralContainerStatuses[0].state.running.startedAt}"
    cluster.kubectl("wait", "-n", space, f"pod/{pod}", f"--for=jsonpath={running}", "--timeout=30s")
    assert cluster.jsonpath("{.spec.ephemeralContainers[0].targetContainerName}", "pod", pod, "-n", space) == "box"
    cluster.wait_until_prints("PID", "logs", pod, "-c", "look", "-n", space)
