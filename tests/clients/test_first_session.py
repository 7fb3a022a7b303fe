"""The first session of a user, with the real kubectl: the seven steps, end to end, on one node."""

import re
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from tests.clients.conftest import CLOCK, EXAMPLES, RunningCluster, kubectls

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(300)]

WEB = (EXAMPLES / "web.yaml").read_text()


@pytest.fixture
def web(cluster: RunningCluster, space: str) -> str:
    cluster.kubectl("apply", "-n", space, "-f", "-", stdin=WEB)
    cluster.kubectl("rollout", "status", "deployment/web", "-n", space, "--timeout=60s")
    return space


def service_url(cluster: RunningCluster, space: str) -> str:
    return f"http://{cluster.jsonpath('{.spec.clusterIP}', 'service', 'web', '-n', space)}/"


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read(), "utf-8")


def pod_names(cluster: RunningCluster, space: str) -> list[str]:
    return cluster.jsonpath("{.items[*].metadata.name}", "pods", "-n", space, "-l", "app=web").split()


def test_a_second_up_says_that_it_runs(cluster):
    assert "already runs" in cluster.steersman("up", "-d").stdout


def test_status_knows_processes_nodes_and_addresses(cluster):
    said = cluster.steersman("status").stdout
    assert f"https://127.0.0.1:{cluster.port}" in said
    assert "1 of 1 Ready" in said


@pytest.mark.parametrize("path", kubectls(), ids=lambda path: path.rpartition("/")[2])
def test_get_nodes_with_every_kubectl(cluster, path):
    old = RunningCluster(cluster.name, cluster.folder, cluster.port, kubectl_path=path)
    header, row = old.kubectl("get", "nodes").splitlines()
    assert header.split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert row.split()[:2] == ["node1", "Ready"]


@pytest.mark.parametrize("path", kubectls(), ids=lambda path: path.rpartition("/")[2])
def test_a_deployment_with_every_kubectl(cluster, space, path):
    old = RunningCluster(cluster.name, cluster.folder, cluster.port, kubectl_path=path)
    assert "deployment.apps/web created" in old.kubectl("apply", "-n", space, "-f", "-", stdin=WEB)
    old.kubectl("rollout", "status", "deployment/web", "-n", space, "--timeout=60s")
    assert "unchanged" in old.kubectl("apply", "-n", space, "-f", "-", stdin=WEB)
    wide = old.kubectl("get", "pods", "-n", space, "-o", "wide").splitlines()
    assert wide[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert all(line.split()[1:3] == ["2/2", "Running"] for line in wide[1:])
    assert "Events:" in old.kubectl("describe", "deployment", "web", "-n", space)
    assert "Assigned" in old.kubectl("describe", "pods", "-n", space).replace("assigned", "Assigned")
    name = pod_names(old, space)[0]
    # Its first question may come before the other container listens.
    old.wait_until_prints("hello from", "logs", name, "-c", "sidecar", "-n", space)
    assert old.kubectl("exec", name, "-n", space, "-c", "main", "--", "echo", "hi") == "hi\n"
    assert "KIND:" in old.kubectl("explain", "deployment.spec.strategy")
    old.kubectl("delete", "-n", space, "-f", "-", stdin=WEB)
    old.wait_for("pods gone", "", "get", "pods", "-n", space, "-o", "name")


def test_all_replicas_answer_from_the_host_and_from_a_pod(cluster, web):
    names = set(pod_names(cluster, web))
    url = service_url(cluster, web)
    assert {re.split(r"[ ,]", fetch(url))[2] for _ in range(40)} == names
    script = (
        "for i in $(seq 30); do wget -q -O - http://web; done; wget -q -O - http://web." + web + ".svc.cluster.local"
    )
    said = cluster.kubectl("exec", "-n", web, "deploy/web", "-c", "main", "--", "sh", "-c", script)
    assert {re.split(r"[ ,]", line)[2] for line in said.splitlines()} == names


def test_scale_up_and_down(cluster, web):
    cluster.kubectl("scale", "deployment/web", "--replicas=5", "-n", web)
    cluster.kubectl("rollout", "status", "deployment/web", "-n", web, "--timeout=60s")
    assert len(pod_names(cluster, web)) == 5
    cluster.kubectl("scale", "deployment/web", "--replicas=1", "-n", web)
    cluster.wait_for("one replica", "1", "get", "deployment", "web", "-n", web, "-o", "jsonpath={.status.replicas}")


def test_an_image_change_rolls_out_and_back_without_a_failed_request(cluster, web):
    url = service_url(cluster, web)
    done, failures, answers = threading.Event(), [], []

    def hammer() -> None:
        while not done.is_set():
            try:
                answers.append(fetch(url))
            except (OSError, urllib.error.URLError) as error:
                failures.append(repr(error))

    user = threading.Thread(target=hammer)
    user.start()
    try:
        cluster.kubectl(
            "set", "image", "deployment/web", "main=localhost/hello:2", "sidecar=localhost/hello:2", "-n", web
        )
        assert "successfully rolled out" in cluster.kubectl(
            "rollout", "status", "deploy/web", "-n", web, "--timeout=90s"
        )
        history = cluster.kubectl("rollout", "history", "deployment/web", "-n", web)
        assert re.findall(r"^(\d+) ", history, re.MULTILINE) == ["1", "2"]
        cluster.kubectl("rollout", "undo", "deployment/web", "-n", web)
        cluster.kubectl("rollout", "status", "deployment/web", "-n", web, "--timeout=90s")
    finally:
        done.set()
        user.join()
    assert failures == []
    assert len(answers) > 20
    images = cluster.jsonpath("{.spec.template.spec.containers[*].image}", "deployment", "web", "-n", web)
    assert images == "localhost/hello:1 localhost/hello:1"


def test_logs_follow_until_the_container_ends(cluster, space):
    script = "for i in 1 2 3; do echo line $i; sleep 0.2; done"
    cluster.kubectl(
        "run", "talker", "-n", space, "--image=localhost/hello:1", "--restart=Never", "--", "sh", "-c", script
    )
    cluster.kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].started}=true", "pod/talker", "-n", space)
    assert cluster.kubectl("logs", "-f", "talker", "-n", space) == "line 1\nline 2\nline 3\n"


def test_exec_passes_input_output_and_exit_code(cluster, web):
    name = pod_names(cluster, web)[0]
    assert cluster.kubectl("exec", "-i", name, "-c", "main", "-n", web, "--", "cat", stdin="through\n") == "through\n"
    said = cluster.kubectl_fails("exec", name, "-c", "main", "-n", web, "--", "sh", "-c", "exit 42")
    assert "exit code 42" in said


def test_containers_share_the_address_and_the_volume_but_not_the_root(cluster, web):
    name = pod_names(cluster, web)[0]

    def run(container, script):
        return cluster.kubectl("exec", name, "-c", container, "-n", web, "--", "sh", "-c", script).strip()

    assert (
        run("main", "hostname -i")
        == run("sidecar", "hostname -i")
        == cluster.jsonpath("{.status.podIP}", "pod", name, "-n", web)
    )
    run("main", "echo shared > /pages/note; echo private > /note")
    assert run("sidecar", "cat /pages/note; ls /note 2>&1 || true").splitlines()[0] == "shared"
    assert "private" not in run("sidecar", "cat /note 2>&1 || true")
    assert re.fullmatch(r"nameserver 10\.\d+\.0\.10", run("main", "grep nameserver /etc/resolv.conf"))


def test_a_killed_container_restarts_with_backoff(cluster, space):
    cluster.kubectl("run", "frail", "-n", space, "--image=localhost/hello:1", "--", "sh", "-c", "sleep 1; exit 3")
    query = "jsonpath={.status.containerStatuses[0].state.waiting.reason}"
    cluster.wait_for("backing off", "CrashLoopBackOff", "get", "pod", "frail", "-n", space, "-o", query)
    last = cluster.jsonpath("{.status.containerStatuses[0].lastState.terminated.exitCode}", "pod", "frail", "-n", space)
    assert last == "3"
    assert "BackOff" in cluster.kubectl("get", "events", "-n", space)


def test_a_pod_that_is_not_ready_gets_no_traffic(cluster, web):
    first, *others = pod_names(cluster, web)
    cluster.kubectl(
        "exec",
        first,
        "-c",
        "main",
        "-n",
        web,
        "--",
        "sh",
        "-c",
        "mkdir /off && mv /pages/* /off; chmod 0 /pages; killall httpd",
    )
    cluster.wait_for(
        "one of three not ready", "2", "get", "deployment", "web", "-n", web, "-o", "jsonpath={.status.readyReplicas}"
    )
    url = service_url(cluster, web)
    assert {re.split(r"[ ,]", fetch(url))[2] for _ in range(30)} <= set(others)


def test_deleting_a_pod_is_graceful(cluster, space):
    script = "trap 'sleep 1; exit 0' TERM; sleep 1000 & wait"
    cluster.kubectl("run", "polite", "-n", space, "--image=localhost/hello:1", "--", "sh", "-c", script)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/polite", "-n", space, "--timeout=30s")
    began = CLOCK.monotonic()
    cluster.kubectl("delete", "pod", "polite", "-n", space)
    assert 1.0 <= CLOCK.monotonic() - began < 6.0


def test_get_w_shows_each_state(cluster, space):
    watching = subprocess.Popen(
        ["kubectl", "get", "pods", "-w", "--no-headers", "-n", space],
        env=cluster.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with watching:
        cluster.kubectl("run", "seen", "-n", space, "--image=localhost/hello:1", "--restart=Never", "--", "true")
        assert watching.stdout is not None
        states = []
        while "Completed" not in states:
            states.append(watching.stdout.readline().split()[2])
        watching.kill()
    # How many of the states on the way a watch shows depends on how fast they pass; their order does not.
    order = ["Pending", "ContainerCreating", "Running", "Completed"]
    assert [order.index(state) for state in states] == sorted(order.index(state) for state in states)
    assert states[0] == "Pending"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("get", "nonsense"), 'the server doesn\'t have a resource type "nonsense"'),
        (("get", "pod", "nobody"), 'Error from server (NotFound): pods "nobody" not found'),
        (("create", "deployment", "BAD", "--image=x"), "Invalid value"),
        (("run", "x", "--image=x", "-n", "nowhere"), 'namespaces "nowhere" not found'),
        (("auth", "can-i", "list", "pods", "--as=stranger"), ""),
        (("logs", "nobody"), "not found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_requests_get_the_answers_of_kubernetes(cluster, arguments, said):
    assert said in cluster.kubectl_fails(*arguments)


def test_an_unknown_field_is_refused_by_name(cluster, space):
    manifest = WEB.replace("replicas: 3", "replicaz: 3")
    said = cluster.kubectl_fails("apply", "-n", space, "-f", "-", stdin=manifest)
    assert 'unknown field "spec.replicaz"' in said
