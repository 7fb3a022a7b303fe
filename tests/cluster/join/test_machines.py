"""A cluster over three machines, from the first command to the last: one story, told by tests in their order."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers.images import build
from steersman.network import libnftables
from tests.cluster import machines
from tests.cluster.machines import Machine

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(240)]

CLUSTER = "machines-test"
KUBECTL = ("kubectl",) if shutil.which("kubectl") else machines.STEERSMAN  # the real one is quicker to start
WAIT_SECONDS = 60.0
CLOCK = SystemClock()

# What a careful administrator has, with the ports that the guide names.
FIREWALL = """
table ip filter {
 chain INPUT {
  type filter hook input priority 0; policy drop;
  ct state established,related accept
  iifname "lo" accept
  ip protocol icmp accept
  tcp dport 10250 accept
  udp dport 8472 accept
 }
 chain FORWARD { type filter hook forward priority 0; policy drop; }
}
"""

LARGE = 300_000  # bytes, in packets that must fit into the tunnel
PROGRAM = f"""
trap 'exit 0' TERM
mkdir /w
hostname > /w/index.html
head -c {LARGE} /dev/zero > /w/large
echo serving
httpd -f -p 8080 -h /w & wait
"""

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "kubernetes.io/hostname",
                        "whenUnsatisfiable": "DoNotSchedule",
                        "nodeTaintsPolicy": "Honor",
                        "labelSelector": {"matchLabels": {"app": "web"}},
                    }
                ],
                "containers": [
                    {
                        "name": "main",
                        "image": "localhost/hello:1",
                        "command": ["sh", "-c", PROGRAM],
                        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
                    }
                ],
            },
        },
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {
        "type": "NodePort",
        "selector": {"app": "web"},
        "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}],
    },
}


@dataclasses.dataclass
class World:
    lab: machines.Lab
    alpha: Machine
    beta: Machine
    gamma: Machine
    invitation: tuple[str, ...]  # the arguments of `join`, as alpha printed them

    def kubectl(self, *arguments: str, stdin: Any = None) -> str:
        environment = {"KUBECONFIG": f"/var/lib/steersman/{CLUSTER}/kubeconfig"}
        given = json.dumps(stdin) if stdin is not None else None
        done = self.alpha.run(*KUBECTL, *arguments, environment=environment, stdin=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", "-o", "json", *arguments))

    def pods(self) -> dict[str, Any]:
        """Node → the pod of `web` on it, of those that live."""
        found = self.get("pods", "-l", "app=web")["items"]
        return {one["spec"].get("nodeName", ""): one for one in found if "deletionTimestamp" not in one["metadata"]}

    def fetch(self, pod: Any, *urls: str) -> str:
        """What a pod gets from URLs, each in a second at the most; "" when one of them gives nothing."""
        script = " && ".join(f"timeout 1 wget -q -O - {url}" for url in urls)
        with contextlib.suppress(AssertionError):
            return self.kubectl("exec", pod["metadata"]["name"], "--", "sh", "-c", script).strip()
        return ""

    def nodes(self) -> dict[str, bool]:
        return {
            one["metadata"]["name"]: any(
                c["type"] == "Ready" and c["status"] == "True" for c in one["status"]["conditions"]
            )
            for one in self.get("nodes")["items"]
        }


def wait(until: Callable[[], Any]) -> Any:
    """What `until` answers, as soon as it is something."""
    deadline = CLOCK.monotonic() + WAIT_SECONDS
    while not (found := until()):
        assert CLOCK.monotonic() < deadline, "waited too long"
        CLOCK.pause(0.2)
    return found


def at_once(*works: Callable[[], Any]) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor() as threads:
        return [done.result() for done in [threads.submit(work) for work in works]]


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.geteuid() != 0 or not any(map(shutil.which, ("crun", "runc"))) or not libnftables.is_available():
        pytest.skip("machines of their own need root, crun or runc, and nftables")
    image = build.build_hello("1", tmp_path_factory.mktemp("image") / "hello.tar")
    with machines.opened(tmp_path_factory.mktemp("lab")) as lab:
        alpha = lab.machine("alpha")
        # Longer than a kubelet needs to be back on a busy machine.
        patience = ("--default-not-ready-toleration-seconds", "4")
        good(alpha.steersman("up", "-d", "--name", CLUSTER, "--listen", "0.0.0.0", "--example-images", *patience))
        try:
            told = good(alpha.steersman("token", "create", "--print-join-command", "--name", CLUSTER)).split()
            assert told[:2] == ["steersman", "join"]
            beta, gamma = lab.machine("beta"), lab.machine("gamma")

            good(gamma.run("nft", "-f", "-", stdin=FIREWALL))

            def join(machine: Machine, *flags: str) -> str:
                good(machine.steersman("image", "load", str(image)))
                return good(machine.steersman(*told[1:], *flags))

            flags = ("--labels", "node.kubernetes.io/rack=2", "--node-name", "third")
            said = at_once(lambda: join(beta), lambda: join(gamma, *flags))
            assert "as node beta, address 192.168.77.20" in said[0]
            assert "as node third, address 192.168.77.30" in said[1]
            yield World(lab, alpha, beta, gamma, tuple(told[2:]))
        finally:
            others = [one for one in lab.running() if one is not alpha]
            at_once(*(functools.partial(one.steersman, "down", "--purge") for one in others))
            alpha.steersman("down", "--purge", "--name", CLUSTER)


def test_machines_are_nodes_at_their_own_addresses(world: World):
    nodes = {one["metadata"]["name"]: one for one in world.get("nodes")["items"]}
    assert world.nodes() == {"node1": True, "beta": True, "third": True}
    addresses = {
        name: next(a["address"] for a in one["status"]["addresses"] if a["type"] == "InternalIP")
        for name, one in nodes.items()
    }
    assert addresses == {"node1": "172.30.0.2", "beta": "192.168.77.20", "third": "192.168.77.30"}
    assert len({one["spec"]["podCIDR"] for one in nodes.values()}) == 3
    assert nodes["third"]["metadata"]["labels"]["node.kubernetes.io/rack"] == "2"
    assert "node-role.kubernetes.io/control-plane" not in nodes["beta"]["metadata"]["labels"]


def test_a_machine_has_no_administrators_certificate(world: World):
    kept = {path.name for path in (world.beta.disk / "steersman" / "pki").iterdir()}
    assert kept == {"ca.crt", "node-beta.pem", "kubelet-beta.pem", "kube-proxy.pem"}


def test_a_token_is_not_seen_in_the_list_of_processes(world: World):
    secret = world.invitation[2].partition(".")[2]
    assert len(secret) == 16
    assert secret not in good(world.beta.run("ps", "axww"))


def test_every_pod_reaches_every_other_and_the_service_by_name(world: World):
    world.kubectl("apply", "-f", "-", stdin=WEB)
    world.kubectl("apply", "-f", "-", stdin=SERVICE)
    world.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    pods = world.pods()
    assert set(pods) == {"node1", "beta", "third"}
    names = [one["metadata"]["name"] for one in pods.values()]
    every = [f"http://{one['status']['podIP']}:8080" for one in pods.values()]
    for one in pods.values():
        assert world.fetch(one, *every).split() == names
        served = world.fetch(one, *["http://web.default.svc.cluster.local"] * 8).split()
        assert len(served) == 8
        assert len(set(served)) > 1


def test_much_at_once_gets_through_both_ways(world: World):
    pods = world.pods()
    for one, other in (("node1", "beta"), ("beta", "node1"), ("beta", "third")):
        count = f"wget -q -O - http://{pods[other]['status']['podIP']}:8080/large | wc -c"
        found = world.kubectl("exec", pods[one]["metadata"]["name"], "--", "timeout", "5", "sh", "-c", count)
        assert int(found) == LARGE


def test_machines_themselves_reach_services_and_pods(world: World):
    address = world.get("service", "web")["spec"]["clusterIP"]
    names = {one["metadata"]["name"] for one in world.pods().values()}
    for machine in (world.alpha, world.beta):
        # Not one connection for all of them: the choice is made once for each.
        served = good(
            machine.run("curl", "-s", "-m", "2", "-H", "Connection: close", *[f"http://{address}"] * 10)
        ).split()
        assert len(served) == 10
        assert set(served) <= names
        urls = [f"http://{pod['status']['podIP']}:8080" for pod in world.pods().values()]
        assert set(good(machine.run("curl", "-s", "-m", "2", *urls)).split()) == names


def test_node_ports_are_open_on_every_machine(world: World):
    names = {one["metadata"]["name"] for one in world.pods().values()}
    for machine in (world.alpha, world.beta, world.gamma):
        urls = [
            f"http://{address}:30080" for address in ("192.168.77.10", "192.168.77.20", "192.168.77.30", "172.30.0.2")
        ]
        served = good(machine.run("curl", "-sS", "-m", "2", *urls * 2)).split()
        assert len(served) == 8
        assert set(served) <= names


def test_pods_reach_the_api_server(world: World):
    for one in world.pods().values():
        command = "nc -w 2 kubernetes.default 443 </dev/null && echo reached"
        assert "reached" in world.kubectl("exec", one["metadata"]["name"], "--", "sh", "-c", command)


def test_logs_port_forward_and_metrics(world: World):
    pod = world.pods()["beta"]
    assert world.kubectl("logs", pod["metadata"]["name"]) == "serving\n"
    script = (
        f"{' '.join(KUBECTL)} port-forward pod/{pod['metadata']['name']} 18080:8080 & sleep 0.1; "
        "for i in $(seq 100); do curl -sf http://127.0.0.1:18080 && break; sleep 0.1; done; kill $!"
    )
    environment = {"KUBECONFIG": f"/var/lib/steersman/{CLUSTER}/kubeconfig"}
    assert pod["metadata"]["name"] in world.alpha.run("sh", "-c", script, environment=environment).stdout.split()
    measured = wait(lambda: json.loads(world.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes"))["items"])
    assert {one["metadata"]["name"] for one in measured} == {"node1", "beta", "third"}


def test_network_policies_judge_pods_of_other_machines(world: World):
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "chosen"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"chosen": "yes"}}}]}],
        },
    }
    pods = world.pods()
    world.kubectl("label", "pod", pods["third"]["metadata"]["name"], "chosen=yes")
    world.kubectl("apply", "-f", "-", stdin=policy)
    beta = f"http://{pods['beta']['status']['podIP']}:8080"
    node1 = f"http://{pods['node1']['status']['podIP']}:8080"
    wait(lambda: not world.fetch(pods["node1"], beta))
    wait(lambda: not world.fetch(pods["beta"], node1))
    for url in (beta, node1):
        assert world.fetch(pods["third"], url)
    world.kubectl("delete", "networkpolicy", "chosen")
    wait(lambda: world.fetch(pods["node1"], beta))


def test_joining_again_says_that_it_has_joined(world: World):
    said = good(world.beta.steersman("join", *world.invitation))
    assert said == "This machine is node beta of https://192.168.77.10:6443 already; `steersman status` says more.\n"
    status = json.loads(good(world.beta.steersman("status", "-o", "json")))
    assert (status["apiReady"], [one["name"] for one in status["nodes"]]) == (True, ["beta"])


REFUSED = {
    "nobody there": (
        ("https://192.168.77.10:6444", "--token", "TOKEN", "--ca-cert-hash", "PIN"),
        "https://192.168.77.10:6444 cannot be reached (Connection refused)",
    ),
    "wrong hash": (
        ("URL", "--token", "TOKEN", "--ca-cert-hash", f"sha256:{'0' * 64}"),
        "The cluster's authority has the key sha256:",
    ),
    "a name that is taken": (
        ("URL", "--token", "TOKEN", "--ca-cert-hash", "PIN", "--node-name", "beta"),
        'The cluster has a Node "beta" that is Ready',
    ),
}


def test_what_is_wrong_is_refused_in_a_sentence(world: World):
    url, _, token, _, pin = world.invitation
    words = {"URL": url, "TOKEN": token, "PIN": pin}
    delta = world.lab.machine("delta")
    for arguments, said in REFUSED.values():
        done = delta.steersman("join", *(words.get(one, one) for one in arguments))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(said), done.stderr
        assert len(done.stderr.splitlines()) == 1
    delta.cut_power()


def test_containers_outlive_a_kill_of_everything_else(world: World):
    before = world.pods()["beta"]
    good(world.beta.run("sh", "-c", "kill -9 $(pgrep -f '^steersman join')"))
    said = good(world.beta.steersman("join"))
    assert said.startswith("This machine is a member again of the cluster at https://192.168.77.10:6443 as node beta")
    after = world.pods()["beta"]
    assert (
        after["status"]["containerStatuses"][0]["containerID"]
        == before["status"]["containerStatuses"][0]["containerID"]
    )
    assert world.fetch(world.pods()["node1"], f"http://{after['status']['podIP']}:8080") == after["metadata"]["name"]


def test_pods_of_a_machine_that_lost_its_power_move_and_it_comes_back(world: World):
    lost = world.pods()["beta"]["metadata"]["name"]
    world.beta.cut_power()
    wait(lambda: not world.nodes()["beta"])
    wait(lambda: lost not in {one["metadata"]["name"] for one in world.pods().values()})
    world.beta.boot()
    good(world.beta.steersman("join"))
    wait(lambda: world.nodes()["beta"])
    world.kubectl("rollout", "restart", "deployment/web")
    world.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    back = wait(lambda: world.pods().get("beta"))
    elsewhere = next(one for node, one in world.pods().items() if node != "beta")
    wait(lambda: world.fetch(elsewhere, f"http://{back['status']['podIP']}:8080"))


def test_leaving_for_good_leaves_nothing(world: World):
    said = good(world.gamma.steersman("down", "--purge"))
    assert said.splitlines()[1:] == [
        "Deleted /var/lib/steersman/steersman.",
        "The cluster still has its Node: there, kubectl delete node third.",
    ]
    shown = "ip -4 -br address; ip route; nft list ruleset; grep nodes/third /proc/mounts; ls -A /run/steersman"
    left = good(world.gamma.run("sh", "-c", shown))
    assert left.count("accept") == FIREWALL.count("accept")
    for trace in ("steersman", "third", "10.96", "10.244", "172.30", "vxlan", "pod"):
        assert trace not in left, left
    assert not list(pathlib.Path(world.gamma.disk).iterdir())
    world.kubectl("delete", "node", "third")
    assert set(world.nodes()) == {"node1", "beta"}
