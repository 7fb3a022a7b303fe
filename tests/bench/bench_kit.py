"""The test kit as tests use it: a cluster in this process, forks of it, virtual time, a way in from outside."""

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

from steersman.testing import Cluster
from tests.bench.report import Figure

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "localhost/hello:1"}]}
"""
ROUNDS = 20
ENVTEST_MS = 5000  # the figure its users know; it has no pods and no controllers


def run() -> list[Figure]:
    with Cluster() as cluster:
        cluster.apply(WEB)
        cluster.wait("deployment/web", "Available")
        gc.collect()
        gc.freeze()  # as the pytest plugin does
        figures = [*_starts(), *_forks(cluster), _outside(cluster)]
    return [*figures, *_virtual(), *_commands()]


def _starts() -> Iterator[Figure]:
    yield Figure(
        "cluster of 1 node ready, in process", _median_ms(_started), "ms", ENVTEST_MS, ENVTEST_MS / 150, "less"
    )
    yield Figure("cluster of 10 nodes ready, in process", _median_ms(lambda: _started(10)), "ms", 0, 150, "less")


def _started(nodes: int = 1) -> None:
    with Cluster(nodes=nodes):
        pass


def _forks(cluster: Cluster) -> Iterator[Figure]:
    forks = [_timed_fork(cluster) for _ in range(ROUNDS)]

    def back() -> None:
        cluster.restore(snapshot)

    wall, cpu = (statistics.median(times) for times in zip(*forks, strict=True))
    yield Figure("fork with 3 running pods, ready", wall, "ms", 0, 20, "less")
    yield Figure("the same, CPU of the process", cpu, "ms", 0, 20, "less")
    snapshot = cluster.snapshot()
    yield Figure("restore a snapshot", _median_ms(back), "ms", 0, 20, "less")
    with cluster.fork() as one:
        began = time.perf_counter()
        one.client.patch("deployment/web", {"spec": {"replicas": 6}})
        one.wait("deployment/web", lambda obj: obj["status"]["availableReplicas"] == 6)
        yield Figure("3 more pods of a Deployment available", (time.perf_counter() - began) * 1000, "ms", better="less")


def _timed_fork(cluster: Cluster) -> tuple[float, float]:
    began, worked = time.perf_counter(), time.process_time()
    with cluster.fork():
        return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


def _outside(cluster: Cluster) -> Figure:
    with cluster.fork() as fork:
        return Figure("kubeconfig and TLS, on first use", _milliseconds(lambda: fork.kubeconfig), "ms", better="less")


def _virtual() -> Iterator[Figure]:
    with Cluster(nodes=3, virtual_time=True) as cluster:
        cluster.apply(WEB)
        cluster.wait("deployment/web", "Available")
        took = _milliseconds(lambda: cluster.advance(hours=1))
        yield Figure("an hour of virtual time, 3 nodes, quiet", took, "ms", better="less")
        with cluster.faults.partition("node-1"):
            took = _milliseconds(lambda: cluster.wait("node/node-1", _is_unknown, timeout=300))
        yield Figure("a node lost, noticed under virtual time", took, "ms", better="less")


def _is_unknown(node: dict[str, object]) -> bool:
    return '"Unknown"' in str(node["status"]).replace("'", '"')


def _commands() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "steersman.main", "up", "--ephemeral", "--", "true"]
        environment = {**os.environ, "HOME": home}
        took = _median_ms(lambda: subprocess.run(command, env=environment, check=True), rounds=5)
    yield Figure("steersman up --ephemeral -- true, all in all", took, "ms", 33_000, better="less", note="kind")


def _median_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    work()  # once to warm up
    return statistics.median(_milliseconds(work) for _ in range(rounds))


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000
