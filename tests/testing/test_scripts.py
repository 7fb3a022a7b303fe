"""Pods by script: what annotations or a callback say is what the cluster, and a real kubectl, see."""

import json
import shutil
import subprocess

import pytest

from steersman.testing import Behaviour, Cluster, ExecAnswer, FakeNode

PROBE = {"periodSeconds": 1, "failureThreshold": 1, "httpGet": {"port": 80}}


def pod(container=None, *, restart="Never", **script):
    annotations = {f"fake.steersman.dev/{what.replace('_', '-')}": text for what, text in script.items()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one", "annotations": annotations},
        "spec": {
            "restartPolicy": restart,
            "containers": [{"name": "main", "image": "localhost/hello:1", **(container or {})}],
        },
    }


@pytest.fixture
def virtual():
    with Cluster(virtual_time=True) as cluster:
        yield cluster


def ready(obj):
    return obj["status"]["containerStatuses"][0]["ready"]


def seconds_to(cluster, wish):
    before = cluster._drive.clock.now()
    cluster.wait("pod/one", wish, timeout=1000)
    return round((cluster._drive.clock.now() - before).total_seconds())


@pytest.mark.parametrize(
    ("made", "wish", "seconds"),
    [
        pytest.param(pod(), "Ready", 0, id="at once"),
        pytest.param(pod(start_delay="7"), "Running", 7, id="start delay"),
        pytest.param(pod(run_seconds="20", exit_code="0"), "Succeeded", 20, id="ends"),
        pytest.param(pod(run_seconds="20", exit_code="3"), "Failed", 20, id="exit code"),
        pytest.param(pod({"readinessProbe": PROBE}, readiness="0-5"), "Ready", 6, id="ready later"),
        pytest.param(
            pod({"startupProbe": {**PROBE, "failureThreshold": 30}}, startup="0-9"), "Ready", 10, id="startup"
        ),
    ],
)
def test_time_passes_as_the_script_says(virtual, made, wish, seconds):
    virtual.apply(made)
    assert abs(seconds_to(virtual, wish) - seconds) <= 1


def test_never_ready(virtual):
    virtual.apply(pod({"readinessProbe": PROBE}, readiness="always"))
    virtual.wait("pod/one", "Running")
    virtual.advance(minutes=10)
    assert not ready(virtual.get("pod/one"))
    assert "Readiness probe failed: the script says so" in {event["message"] for event in virtual.events()}


def test_ready_only_now_and_then(virtual):
    virtual.apply(pod({"readinessProbe": PROBE}, readiness="60-120"))
    seen = []
    for _ in range(3):
        virtual.advance(seconds=50)
        seen.append(ready(virtual.get("pod/one")))
    assert seen == [True, False, True]


def test_a_failing_liveness_probe_restarts(virtual):
    virtual.apply(pod({"livenessProbe": PROBE}, restart="Always", liveness="30-"))
    virtual.wait("pod/one", lambda obj: obj["status"]["containerStatuses"][0]["restartCount"] == 1, timeout=60)


def test_crashes_end_in_a_backoff(virtual):
    virtual.apply(pod(restart="Always", run_seconds="1", exit_code="1"))
    virtual.advance(minutes=3)
    (status,) = virtual.get("pod/one")["status"]["containerStatuses"]
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["restartCount"] in (4, 5)  # after 10, 20, 40 and 80 seconds


def test_by_a_callback():
    def script(sandbox, container):
        return Behaviour(logs=f"{sandbox.name}/{container.name}\n", exec={"date": ExecAnswer(stdout=b"today\n")})

    with Cluster([FakeNode("scripted", script=script)], virtual_time=True) as cluster:
        cluster.apply(pod())
        cluster.wait("pod/one", "Running")
        assert cluster.client.logs("one") == "one/main\n"
        with cluster.fork() as fork:
            assert fork.client.logs("one") == "one/main\n"


def test_probes_go_on_in_a_fork(virtual):
    virtual.apply(pod({"readinessProbe": PROBE}, readiness="60-"))
    virtual.wait("pod/one", "Ready")
    virtual.advance(seconds=30)
    with virtual.fork() as fork:
        fork.advance(seconds=20)
        assert ready(fork.get("pod/one"))
        fork.advance(seconds=20)
        assert not ready(fork.get("pod/one"))


@pytest.fixture
def kubectl(cluster):
    if shutil.which("kubectl") is None:
        pytest.skip("needs a real kubectl")

    def call(*arguments, code=0):
        command = ["kubectl", "--kubeconfig", str(cluster.kubeconfig), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done.stderr
        return done.stdout

    return call


@pytest.mark.slow
@pytest.mark.kubectl
def test_kubectl_sees_the_script(cluster, kubectl):
    answers = {"cat /etc/motd": {"stdout": "welcome\n"}, "false": {"exit_code": 3, "stderr": "no\n"}}
    cluster.apply(pod(logs="hello\n", exec=json.dumps(answers), cpu="250", memory="1000000"))
    cluster.wait("pod/one", "Ready")
    assert kubectl("logs", "one") == "hello\n"
    assert kubectl("exec", "one", "--", "cat", "/etc/motd") == "welcome\n"
    assert kubectl("exec", "one", "--", "false", code=3) == ""
    stats = json.loads(kubectl("get", "--raw", "/api/v1/nodes/node-1/proxy/stats/summary"))
    (used,) = [one["memory"]["usageBytes"] for one in stats["pods"] if one["podRef"]["name"] == "one"]
    assert used == 1_000_000
