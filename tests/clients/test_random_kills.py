"""kill -9 of a cluster's processes at random moments, while pods are made, run, end and go: nothing runs twice, nothing is
restarted, every exit is known, and nothing is left. With the embedded runtime it strikes kubelet and shim, then also the API
server, the controllers, the supervisor, all at once, or stops the kubelet for a while; with containerd that and the kubelet.

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

from steersman.containers.cri import containerd
from tests.clients.conftest import CLOCK, RunningCluster, started

pytestmark = [pytest.mark.root, pytest.mark.kubectl, pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS_MOST = 60.0
LASTING, ENDING = 3, 3  # pods of each kind in a round
SAID = "kills"  # a folder of the node: each container appends a line to a file of its pod's name when it starts


# A node that is away with all the rest is not to lose its pods.
PATIENT = ("--default-not-ready-toleration-seconds", "300")
OF_NODE = ("kubelet", "shim", "both")
OF_CLUSTER = (*OF_NODE, "stopped kubelet", "apiserver", "controllers", "supervisor", "everything")
OF_CONTAINERD = ("kubelet", "containerd", "both", "stopped kubelet", "stopped containerd")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    yield from started(tmp_path_factory.mktemp("kills"), "kills", *PATIENT)


@pytest.fixture(scope="module")
def on_containerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    try:
        containerd.installed()
    except containerd.NotInstalled as missing:
        pytest.skip(str(missing))
    yield from started(tmp_path_factory.mktemp("ckills"), "ckills", "--runtime", "cri", *PATIENT)


@dataclasses.dataclass
class Node:
    cluster: RunningCluster
    chance: random.Random
    victims: tuple[str, ...]

    @property
    def kubelet(self) -> int:
        """Its process, once it runs: after several deaths the supervisor waits some seconds."""
        deadline = CLOCK.monotonic() + SECONDS_MOST
        while CLOCK.monotonic() < deadline:
            if found := self._process("node1"):
                return found[0]
            CLOCK.pause(0.1)
        pytest.fail("no kubelet is started any more")

    @property
    def may_fail_to_start(self) -> bool:
        """A container whose start was cut off never ran: it is a failed one, or another is made and counted, as upstream shows it.
        The embedded runtime goes on with the same one."""
        return "containerd" in self.victims

    def _process(self, name: str) -> list[int]:
        told = json.loads(self.cluster.steersman("status", "-o", "json", check=False).stdout)
        return [int(one["pid"]) for one in told["processes"] if one["name"] == name and int(one["pid"]) > 0]

    def _shim(self) -> list[int]:
        """The one that serves; its lock tells (empty for the moment in which one begins)."""
        said = run_folder(self.cluster) / "shim.lock"
        return [int(word) for word in (said.read_text() if said.exists() else "").split()]

    def _containerd(self) -> list[int]:
        said = next(pathlib.Path("/run/steersman", self.cluster.name).rglob("containerd.json"), None)
        return [int(json.loads(said.read_text())[0])] if said else []

    def _supervisor(self) -> list[int]:
        """The parent of all but shims."""
        return [parent(pid) for pid in self._process("apiserver")]

    def _of(self, victim: str) -> list[int]:
        runtime = self._containerd if "containerd" in self.victims else self._shim
        if victim == "everything":
            return [pid for one in ("supervisor", "apiserver", "controllers", "both") for pid in self._of(one)]
        if victim == "both":
            return self._process("node1") + runtime()
        special = {"shim": self._shim, "containerd": self._containerd, "supervisor": self._supervisor}
        return special[victim]() if victim in special else self._process(victim.replace("kubelet", "node1"))

    def kill_something(self) -> str:
        """Which."""
        victim = self.chance.choice(self.victims)
        stopped = victim.removeprefix("stopped ")
        found = self._of(stopped)
        for pid in self.chance.sample(found, len(found)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL if stopped == victim else signal.SIGSTOP)
        if stopped != victim:
            self.pause(3.0)
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        if victim in ("supervisor", "everything"):
            self.cluster.up()
        return victim

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Again, until the API server is back; what it did in a request whose answer was lost is done."""
        deadline = CLOCK.monotonic() + SECONDS_MOST
        while True:
            done = self.cluster.run_kubectl(*arguments, stdin=stdin)
            if done.returncode == 0 or "AlreadyExists" in done.stderr or "NotFound" in done.stderr:
                return done.stdout
            if CLOCK.monotonic() > deadline:
                pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr}")
            CLOCK.pause(0.2)

    def pause(self, most_seconds: float) -> None:
        CLOCK.pause(self.chance.uniform(0.0, most_seconds))

    def pods(self) -> dict[str, Any]:
        return {one["metadata"]["name"]: one for one in json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]}

    def wait(self, what: str, is_so: Any) -> dict[str, Any]:
        deadline, pods = CLOCK.monotonic() + SECONDS_MOST, {}
        while CLOCK.monotonic() < deadline:
            pods = self.pods()
            if is_so(pods):
                return pods
            CLOCK.pause(0.2)
        pytest.fail(f"{what}\n" + self.kubectl("describe", "pods"))


def parent(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


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
        node.kubectl("create", "-f", "-", stdin=json.dumps(one))
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
    for name in (*lasting, *ending):
        [status] = pods[name]["status"]["containerStatuses"]
        ended = status["state"].get("terminated") or {}
        if node.may_fail_to_start and ended.get("reason") == "StartError":
            assert (name in ending, (folder / name).exists()) == (True, False)
            continue
        said = (folder / name).read_text().split()
        if said != ["started"] or (status["restartCount"] and not node.may_fail_to_start):
            pytest.fail(f"{name} was started {len(said)} times\n{node.kubectl('describe', 'pod', name)}")
        if name in ending and ended["exitCode"] != ending[name]:
            pytest.fail(f"{name} did not exit with {ending[name]}\n{node.kubectl('describe', 'pod', name)}")
    for name in chance.sample(lasting, 2):
        node.kubectl("delete", "pod", name, "--wait=false")
        node.pause(0.5)
        node.kill_something()
    node.kubectl("delete", "pods", "--all", "--wait=false")
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
    # What containerd forgets of a sandbox that it was killed over (its /dev/shm) is containerd's, and goes with the node's runtime.
    own = [one for one in own if "/containerd/state/" not in one]
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


def check(cluster: RunningCluster, victims: tuple[str, ...], rounds: int) -> None:
    seed = os.environ.get("STEERSMAN_SEED", "1")
    node = Node(cluster, random.Random(seed), victims)
    folder = cluster.folder / f"{SAID}-{len(victims)}-{rounds}"
    folder.mkdir()
    before = left_on(cluster, node.kubelet)
    for number in range(rounds):
        one_round(node, number, folder)
    deadline = CLOCK.monotonic() + SECONDS_MOST
    while (after := left_on(cluster, node.kubelet)) != before and CLOCK.monotonic() < deadline:
        CLOCK.pause(0.5)
    assert after == before


@pytest.mark.parametrize("rounds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_random_kills_on_a_node(cluster: RunningCluster, rounds: int):
    check(cluster, OF_NODE, rounds)


@pytest.mark.parametrize("rounds", [1, pytest.param(40, marks=pytest.mark.long)])
def test_random_kills_of_everything(cluster: RunningCluster, rounds: int):
    check(cluster, OF_CLUSTER, rounds)


@pytest.mark.parametrize("rounds", [1, pytest.param(40, marks=pytest.mark.long)])
def test_random_kills_with_containerd(on_containerd: RunningCluster, rounds: int):
    check(on_containerd, OF_CONTAINERD, rounds)
