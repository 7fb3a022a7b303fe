"""Many pods through the whole loop on paper: Deployments → ReplicaSets → pods → bound → Running, with every process real.

Only containers are not: `steersman up --nodes 0 --fake-nodes N`. Each stage is timed from the first Deployment's creation
until a watch has seen the last pod there; the stages overlap. What each process spent on it is told beside: on a machine that
does other work, too, CPU says more than time. `BENCH_DEPLOYMENTS=20 script/bench controllers` does a fifth of it.
"""

import asyncio
import contextlib
import os
import pathlib
import tempfile
import time
from collections.abc import Iterator

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.transport import HttpTransport
from steersman.meta.objects import Object
from tests.bench import bench_cluster
from tests.bench.report import Figure

FEW_NODES, MANY_NODES = 100, 5_000
DEPLOYMENTS, REPLICAS = int(os.environ.get("BENCH_DEPLOYMENTS", "100")), 100
PODS = DEPLOYMENTS * REPLICAS
SECONDS_MAX = 300.0
STAGES = ("created", "bound", "running")


def run() -> list[Figure]:
    figures: list[Figure] = []
    for nodes, goal_seconds in ((FEW_NODES, PODS / 500), (MANY_NODES, 6.0)):
        with (
            tempfile.TemporaryDirectory(prefix="steersman-bench-") as name,
            _cluster(pathlib.Path(name), nodes) as seconds,
        ):
            upstream = 60.0 if nodes == MANY_NODES else 0  # kwok's own gate
            goal = 10 if upstream else 6.0
            figures.append(Figure(f"{nodes:,} fake nodes ready", seconds, "s", upstream, goal, "less", "kwok"))
            before = _cpu_seconds(name)
            stages = asyncio.run(_stages(pathlib.Path(name) / "kubeconfig"))
            figures += _cpu_figures(before, _cpu_seconds(name), nodes)
        for stage in STAGES:
            took = stages[stage]
            note = f"{PODS / took:,.0f} pods/s"
            last = stage == STAGES[-1]
            goal = (10 if upstream else goal_seconds) if last else 0
            what = f"{PODS:,} pods in {DEPLOYMENTS} Deployments on {nodes:,} nodes {stage}"
            figures.append(Figure(what, took, "s", upstream if last else 0, goal, "less", note))
    return figures


@contextlib.contextmanager
def _cluster(folder: pathlib.Path, nodes: int) -> Iterator[float]:
    steersman = bench_cluster.Steersman(folder)
    port, file = str(bench_cluster.free_port()), str(folder / "kubeconfig")
    began = time.perf_counter()
    try:
        steersman("up", "-d", "--nodes", "0", "--fake-nodes", str(nodes), "--port", port, "--kubeconfig", file)
        yield time.perf_counter() - began
    finally:
        steersman("down", "--purge")


def _cpu_seconds(folder: str) -> dict[str, float]:
    """User and system time of the cluster's processes so far, by name."""
    found = {}
    for process in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # gone meanwhile, or no process
            name = (process / "comm").read_text().strip()
            if name.startswith("stm-") and folder in (process / "cmdline").read_text():
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                found[name.removeprefix("stm-")] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def _cpu_figures(before: dict[str, float], after: dict[str, float], nodes: int) -> list[Figure]:
    spent = {name: 1000 * (after[name] - before.get(name, 0.0)) / PODS for name in after}
    note = ", ".join(f"{name} {ms:.2f}" for name, ms in sorted(spent.items(), key=lambda one: -one[1]))
    goal = 4.0 if nodes == FEW_NODES else 0.0  # two cores, 500 pods a second
    return [Figure(f"CPU for each of those pods, {nodes:,} nodes", sum(spent.values()), "ms", 0, goal, "less", note)]


async def _stages(file: pathlib.Path) -> dict[str, float]:
    clock = SystemClock()
    client = Client(HttpTransport(kubeconfig.access(kubeconfig.load([file])), clock=clock), clock=clock)
    try:
        since = (await client.list(kinds.POD, "default")).resource_version
        began = time.perf_counter()
        creates = asyncio.gather(
            *(client.create(kinds.DEPLOYMENT, _deployment(f"web-{number}"), "default") for number in range(DEPLOYMENTS))
        )
        async with asyncio.timeout(SECONDS_MAX):
            found = await _watch(client, since, began)
        await creates
        return found
    finally:
        await client.close()


async def _watch(client: Client, since: str, began: float) -> dict[str, float]:
    seen: dict[str, set[str]] = {stage: set() for stage in STAGES}
    at: dict[str, float] = {}
    events = client.watch(kinds.POD, "default", resource_version=since)
    async with contextlib.aclosing(events):
        async for event in events:
            pod = event.object
            if event.type == "BOOKMARK":
                continue
            there = (True, bool(pod["spec"].get("nodeName")), (pod.get("status") or {}).get("phase") == "Running")
            for stage, is_there in zip(STAGES, there, strict=True):
                if is_there:
                    seen[stage].add(pod["metadata"]["name"])
                    if len(seen[stage]) == PODS:
                        at.setdefault(stage, time.perf_counter() - began)
            if len(at) == len(STAGES):
                break
    return at


def _deployment(name: str) -> Object:
    labels = {"app": name}
    container = {"name": "main", "image": "registry.example.com/web:1", "resources": {"requests": {"cpu": "10m"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
