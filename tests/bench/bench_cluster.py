"""A whole cluster as people start it: `steersman up` with one real node. Root only; its own name, port and folder."""

import asyncio
import contextlib
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.transport import HttpTransport
from steersman.meta.objects import Object
from steersman.testing import waiting
from tests.bench.report import Figure

NAME = f"bench-{os.getpid()}"  # also how its processes are known: it stands in their command lines
IMAGE = "localhost/hello:1"
FOREVER = ("sleep", "3600")
ONE_BY_ONE, AT_ONCE = 15, 60
QUIET_SECONDS = 10.0
START_SECONDS_MAX = 90.0


def run() -> list[Figure]:
    if os.geteuid() != 0:
        print("left out: it needs root\n", file=sys.stderr)
        return []
    with (
        tempfile.TemporaryDirectory(prefix="steersman-bench-") as name,
        _cluster(pathlib.Path(name)) as seconds,
    ):
        file = pathlib.Path(name) / "kubeconfig"
        return [
            Figure("cluster up to Ready node (command returns)", seconds, "s", 50, 33.3, "less", "k3s"),
            Figure("idle memory, all processes (PSS)", _idle_mb(), "MB", 1600, 6.4, "less", "k3s"),
            *asyncio.run(_pods(file)),
        ]


@contextlib.contextmanager
def _cluster(folder: pathlib.Path) -> "Iterator[float]":
    steersman = Steersman(folder)
    began = time.perf_counter()
    try:
        steersman(
            "up", "-d", "--example-images", "--port", str(free_port()), "--kubeconfig", str(folder / "kubeconfig")
        )
        yield time.perf_counter() - began
    finally:
        steersman("down", "--purge")


class Steersman:
    """The command, for the cluster of this measurement."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def __call__(self, verb: str, *arguments: str) -> str:
        mine = ["--name", NAME, "--data-dir", str(self._folder / "data")]
        command = [str(pathlib.Path(sys.executable).parent / "steersman"), verb, *mine, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=START_SECONDS_MAX).stdout


async def _pods(file: pathlib.Path) -> list[Figure]:
    clock = SystemClock()
    client = Client(HttpTransport(kubeconfig.access(kubeconfig.load([file])), clock=clock), clock=clock)
    try:
        await _wait_for_account(client)
        single = [await _start_pods(client, [f"single-{number}"]) for number in range(ONE_BY_ONE)]
        together = await _start_pods(client, [f"many-{number}" for number in range(AT_ONCE)])
    finally:
        await client.close()
    median = statistics.median(single) * 1000
    return [
        Figure("pod of two containers, create → Running, median", median, "ms", 0, 80, "less", f"of {ONE_BY_ONE}"),
        Figure("pods started per second, one node", AT_ONCE / together, "pods/s", 13, 60 / 13, note="containerd"),
    ]


async def _wait_for_account(client: Client) -> None:
    await waiting.wait(client, client.clock, kinds.SERVICE_ACCOUNT, "default", "default", "Exists", START_SECONDS_MAX)


async def _start_pods(
    client: Client, names: list[str], command: tuple[str, ...] = FOREVER, grace_seconds: int = 0
) -> float:
    """Seconds from the first create until a watch has seen the last one Running."""
    since = (await client.list(kinds.POD, "default")).resource_version
    waiting = set(names)
    began = time.perf_counter()
    creates = asyncio.gather(
        *(client.create(kinds.POD, _pod(name, command, grace_seconds), "default") for name in names)
    )
    events = client.watch(kinds.POD, "default", resource_version=since)
    async with asyncio.timeout(START_SECONDS_MAX), contextlib.aclosing(events):
        async for event in events:
            if (event.object.get("status") or {}).get("phase") == "Running":
                waiting.discard(event.object["metadata"]["name"])
            if not waiting:
                break
    await creates
    return time.perf_counter() - began


def _pod(name: str, command: tuple[str, ...], grace_seconds: int) -> Object:
    containers = [
        {"name": part, "image": IMAGE, "command": [*command], "imagePullPolicy": "IfNotPresent"}
        for part in ("main", "sidecar")
    ]
    spec: dict[str, Any] = {"terminationGracePeriodSeconds": grace_seconds, "containers": containers}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def _idle_mb() -> float:
    """After some quiet seconds: what all processes of the cluster have for themselves, and their shares of the rest."""
    time.sleep(QUIET_SECONDS)
    ours = [
        int(process.name)
        for process in pathlib.Path("/proc").iterdir()
        if process.name.isdigit() and NAME.encode() in (process / "cmdline").read_bytes()
    ]
    return sum(_pss_kb(pid) for pid in ours) / 1024


def _pss_kb(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise LookupError("Pss")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
