"""kill -9 of a node's kubelet and shim at random moments, while pods are made, run, end and go: nothing runs twice, nothing is
restarted, every exit is known, and nothing is left.

A seed (STEERSMAN_SEED) repeats the choice of moments and victims; the load of the machine does the rest.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.conftest import CLOCK, RunningCluster, started

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS_MOST = 60.0
LASTING, ENDING = 3, 3  # pods of each kind in a round
SAID = "kills"  # a folder of the node: each container appends a line to a file of its pod's name when it starts


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("kills"), "kills")


@dataclasses.dataclass
class Node:
    cluster: RunningCluster
    chance: random.Random

    @property
    def kubelet(self) -> int:
        """Its process, once it runs: after several deaths the supervisor waits some seconds."""
        deadline = CLOCK.monotonic() + SECONDS_MOST
        while CLOCK.monotonic() < deadline:
            if (pid := self._kubelet()) > 0:
                return pid
            CLOCK.pause(0.1)
        pytest.fail("no kubelet is started any more")

    def _kubelet(self) -> int:
        told = json.loads(self.cluster.steersman("status", "-o", "json", check=False).stdout)
        return next(int(one["pid"]) for one in told["processes"] if one["name"] == "node1")

    def shims(self) -> list[int]:
        """The one that serves; its lock tells (empty for the moment in which one begins)."""
        said = run_folder(self.cluster) / "shim.lock"
        return [int(word) for word in (said.read_text() if said.exists() else "").split()]

    def kill_something(self) -> str:
        """Which."""
        victims = self.chance.choice(("kubelet", "shim", "both"))
        found = [pid for pid in (self._kubelet(),) if pid] if victims != "shim" else []
        found += self.shims() if victims != "kubelet" else []
        for pid in self.chance.sample(found, len(found)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return victims

    def pause(self, most_seconds: float) -> None:
        CLOCK.pause(self.chance.uniform(0.0, most_seconds))

    def pods(self) -> dict[str, Any]:
        return {
            one["metadata"]["name"]: one
            for one in json.loads(self.cluster.kubectl("get", "pods", "-o", "json"))["items"]
        }

    def wait(self, what: str, is_so: Any) -> dict[str, Any]:
        deadline, pods = CLOCK.monotonic() + SECONDS_MOST, {}
        while CLOCK.monotonic() < deadline:
            pods = self.pods()
            if is_so(pods):
                return pods
            CLOCK.pause(0.2)
        pytest.fail(f"{what}\n" + self.cluster.kubectl("describe", "pods"))


def run_folder(cluster: RunningCluster) -> pathlib.Path:
    return pathlib.Path("/run/steersman", cluster.name, "nodes/node1/containers")


def pod(name: str, script: str, folder: pathlib.Path, policy: str) -> dict[str, Any]:
    said = f"echo started >>/said/{name}; {script}"
    main = {
        "name": "main",
        "image": "localhost/hello:1",
        "command": ["sh", "-c", said],
        "volumeMounts": [{"name": "said", "mountPath": "/said"}, {"name": "own", "mountPath": "/own"}],
    }
    volumes = [{"name": "said", "hostPath": {"path": str(folder)}}, {"name": "own", "emptyDir": {"medium": "Memory"}}]
    spec = {"containers": [main], "restartPolicy": policy, "terminationGracePeriodSeconds": 1, "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def one_round(node: Node, number: int, folder: pathlib.Path) -> None:
    chance = node.chance
    lasting = [f"r{number}-lasts-{one}" for one in range(LASTING)]
    ending = {f"r{number}-ends-{one}": 3 + one for one in range(ENDING)}
    made = [pod(name, "trap 'exit 0' TERM; while :; do sleep 0.1; done", folder, "Always") for name in lasting]
    made += [
        pod(name, f"sleep {chance.uniform(0.0, 2.0):.2f}; exit {code}", folder, "Never")
        for name, code in ending.items()
    ]
    for one in chance.sample(made, len(made)):
        node.cluster.kubectl("create", "-f", "-", stdin=json.dumps(one))
        if chance.random() < 0.3:
            node.pause(0.3)
            node.kill_something()
    node.pause(1.0)
    victims = node.kill_something()
    pods = node.wait(
        f"round {number}: not all are as they should be after the kill of {victims}",
        lambda pods: (
            all(is_ready(pods[name]) for name in lasting)
            and all(pods[name]["status"]["phase"] == "Failed" for name in ending)
        ),
    )
    for name, code in ending.items():
        [status] = pods[name]["status"]["containerStatuses"]
        if status["state"]["terminated"]["exitCode"] != code:
            pytest.fail(f"{name} exited with {code}\n{node.cluster.kubectl('describe', 'pod', name)}")
    for name in (*lasting, *ending):
        said = (folder / name).read_text().split()
        if said != ["started"] or pods[name]["status"]["containerStatuses"][0]["restartCount"]:
            pytest.fail(f"{name} was started {len(said)} times\n{node.cluster.kubectl('describe', 'pod', name)}")
    for name in chance.sample(lasting, 2):
        node.cluster.kubectl("delete", "pod", name, "--wait=false")
        node.pause(0.5)
        node.kill_something()
    node.cluster.kubectl("delete", "pods", "--all", "--wait=false")
    node.pause(0.5)
    node.kill_something()
    node.wait(f"round {number}: pods do not go", lambda pods: not pods)


def is_ready(one: dict[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in one["status"].get("conditions", [])
    )


def left_on(cluster: RunningCluster, kubelet: int) -> dict[str, list[str]]:
    """What a node keeps for pods, by kind."""
    data, found = cluster.folder / "data", {}
    run = run_folder(cluster)
    for kind in ("containers", "sandboxes", "roots"):
        found[f"run {kind}"] = names(run / kind)
    for folder in ("nodes/node1/containers", "nodes/node1/kubelet/pods", "nodes/node1/kubelet/logs/pods"):
        found[folder] = names(data / folder)
    tops = [one for up in ("", "*/") for one in pathlib.Path("/sys/fs/cgroup").glob(f"{up}steersman/{cluster.name}")]
    found["groups"] = sorted(str(one) for top in tops for one in top.glob("**/pod*"))
    mounts = pathlib.Path(f"/proc/{kubelet}/mountinfo").read_text().splitlines()
    own = [line.split()[4] for line in mounts if cluster.name in line or str(data) in line]
    found["mounts"] = sorted(one for one in own if "/pods/" in one or "/sandboxes/" in one)
    entered = ["nsenter", "-t", str(kubelet), "-n"]
    links = subprocess.run([*entered, "ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    found["links"] = sorted(line.split()[1].partition("@")[0] for line in links.splitlines())
    routes = subprocess.run([*entered, "ip", "-o", "route"], capture_output=True, text=True, check=True).stdout
    found["routes"] = sorted(line.strip() for line in routes.splitlines())
    rules = subprocess.run([*entered, "nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    found["rules"] = sorted(line.strip() for line in rules.splitlines())
    return found


def names(folder: pathlib.Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("rounds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_random_kills(cluster: RunningCluster, rounds: int):
    seed = os.environ.get("STEERSMAN_SEED", "1")
    node = Node(cluster, random.Random(seed))
    folder = cluster.folder / f"{SAID}-{rounds}"
    folder.mkdir()
    before = left_on(cluster, node.kubelet)
    for number in range(rounds):
        one_round(node, number, folder)
    deadline = CLOCK.monotonic() + SECONDS_MOST
    while (after := left_on(cluster, node.kubelet)) != before and CLOCK.monotonic() < deadline:
        CLOCK.pause(0.5)
    assert after == before
