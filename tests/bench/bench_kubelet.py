"""One real node: pods of two containers from creation to Running, many at once, idle ones, and the runtimes beneath in the same
run. Root only; its own name, port and folder. containerd is left out where it is not installed."""

import asyncio
import contextlib
import os
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from typing import Any

from steersman.aio.clock import SystemClock
from steersman.api import kinds
from steersman.client import kubeconfig
from steersman.client.client import Client
from steersman.client.transport import HttpTransport
from steersman.containers.cri import containerd
from steersman.containers.images import build
from tests.bench import bench_cluster
from tests.bench.report import Figure
from tests.containers import lab

ONE_BY_ONE, AT_ONCE, IDLE_PODS = 40, 60, 110
DELETED_ONE_BY_ONE, DELETED_AT_ONCE = 20, 100
POLITE = ("sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait")
GRACE_SECONDS = 30
SETTLE_SECONDS, IDLE_SECONDS = 10.0, 20.0  # events are written 50 a second; a heartbeat comes each ten
RUNTIME_ROUNDS, RUNTIME_PODS, RUNTIME_AT_ONCE = 12, 40, 4


def run() -> list[Figure]:
    if os.geteuid() != 0:
        print("left out: it needs root\n", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory(prefix="steersman-bench-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o711)
        runtimes = asyncio.run(_runtimes(folder))
        with bench_cluster._cluster(folder):
            pods = asyncio.run(_pods(folder / "kubeconfig"))
    return [*runtimes, *pods]


async def _runtimes(folder: pathlib.Path) -> list[Figure]:
    """A sandbox and two containers, made and started by the runtime alone: one after the other, then four pods at once."""
    archive, clock, group = (
        build.build_hello("1", folder / "hello.tar"),
        SystemClock(),
        f"steersman-bench-{os.getpid()}",
    )
    async with lab.oci_lab(clock, str(folder / "oci"), f"{group}-oci", archive) as oci:
        own, own_rate = await _start_and_remove(oci), await _rate(oci)
    beside = beside_rate = 0.0
    with contextlib.suppress(containerd.NotInstalled):
        containerd.installed()
        async with (
            _containerd(folder, clock) as daemon,
            lab.cri_lab(clock, str(folder / "cri"), f"{group}-cri", archive, daemon) as cri,
        ):
            beside, beside_rate = await _start_and_remove(cri), await _rate(cri)
    note = "containerd through CRI, same run"
    return [
        Figure("runtime alone: sandbox and two containers, median", own, "ms", beside, 4, "less", note),
        Figure(f"the same, {RUNTIME_AT_ONCE} pods at once", own_rate, "pods/s", beside_rate, 60 / 13, note=note),
    ]


@contextlib.asynccontextmanager
async def _containerd(folder: pathlib.Path, clock: SystemClock) -> AsyncIterator[containerd.Containerd]:
    made = containerd.Containerd(folder / "containerd", folder / "containerd-run", "10.88.9.0/24", clock)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
        made.clear_away()


async def _start_and_remove(found: lab.Lab) -> float:
    took = []
    for number in range(RUNTIME_ROUNDS):
        began = time.perf_counter()
        sandbox_id = await found.sandbox(f"web-{number}")
        for _ in range(2):
            await found.run(lab.FOREVER, sandbox_id)
        took.append(time.perf_counter() - began)
        await found.node.remove_sandbox(sandbox_id)
    return statistics.median(took) * 1000


async def _rate(found: lab.Lab) -> float:
    """Pods started per second."""
    slots = asyncio.Semaphore(RUNTIME_AT_ONCE)

    async def start(number: int) -> str:
        async with slots:
            sandbox_id = await found.sandbox(f"many-{number}")
            await asyncio.gather(*(found.run(lab.FOREVER, sandbox_id) for _ in range(2)))
            return sandbox_id

    began = time.perf_counter()
    made = await asyncio.gather(*map(start, range(RUNTIME_PODS)))
    took = time.perf_counter() - began
    await asyncio.gather(*map(found.node.remove_sandbox, made))
    return RUNTIME_PODS / took


async def _pods(file: pathlib.Path) -> list[Figure]:
    clock = SystemClock()
    client = Client(HttpTransport(kubeconfig.access(kubeconfig.load([file])), clock=clock), clock=clock)
    try:
        await bench_cluster._wait_for_account(client)
        single = []
        for number in range(ONE_BY_ONE):
            single.append(1000 * await bench_cluster._start_pods(client, [f"single-{number}"]))
            await client.delete(kinds.POD, f"single-{number}", "default", grace_seconds=0)
        await clock.sleep(
            SETTLE_SECONDS
        )  # those just deleted have two seconds to end, and the node has to clear them away
        node, shim = _process("stm-node1"), _process("steersman-shim")
        before, crun_before = _cpu_seconds(node), _cpu_seconds(shim, with_children=True)
        together = await bench_cluster._start_pods(client, [f"many-{number}" for number in range(AT_ONCE)])
        spent, crun = _cpu_seconds(node) - before, _cpu_seconds(shim, with_children=True) - crun_before
        await bench_cluster._start_pods(client, [f"idle-{number}" for number in range(IDLE_PODS - AT_ONCE)])
        await clock.sleep(SETTLE_SECONDS)
        began, cpu = time.perf_counter(), _cpu_seconds(node) + _cpu_seconds(shim)
        await clock.sleep(IDLE_SECONDS)
        idle = 100 * (_cpu_seconds(node) + _cpu_seconds(shim) - cpu) / (time.perf_counter() - began)
        memory_kb, rss = bench_cluster._pss_kb(node) + bench_cluster._pss_kb(shim), _rss_mb(node) + _rss_mb(shim)
        await _delete_pods(
            client, [pod["metadata"]["name"] for pod in (await client.list(kinds.POD, "default")).items], 0
        )
        polite = [f"polite-{number}" for number in range(DELETED_AT_ONCE)]
        await bench_cluster._start_pods(client, polite, POLITE, GRACE_SECONDS)
        await clock.sleep(SETTLE_SECONDS)
        ends = [1000 * await _delete_pods(client, [name]) for name in polite[:DELETED_ONE_BY_ONE]]
        await bench_cluster._start_pods(client, polite[:DELETED_ONE_BY_ONE], POLITE, GRACE_SECONDS)
        await clock.sleep(SETTLE_SECONDS)
        all_ended = await _delete_pods(client, polite)
    finally:
        await client.close()
    single.sort()
    return [
        Figure(
            "pod of two containers, create → Running, median",
            statistics.median(single),
            "ms",
            0,
            80,
            "less",
            f"of {ONE_BY_ONE}",
        ),
        Figure("the same, 99th of a hundred", single[int(len(single) * 0.99)], "ms", 0, 250, "less"),
        Figure("pods started per second, one node", AT_ONCE / together, "pods/s", 13, 60 / 13, note="containerd"),
        Figure("processor time of the kubelet for each of them", 1000 * spent / AT_ONCE, "ms"),
        Figure("of the shim and crun, without what crun does inside the container", 1000 * crun / AT_ONCE, "ms"),
        Figure(f"kubelet and shim with {IDLE_PODS} idle pods", idle, "% of a core", 0, 3, "less"),
        Figure(
            f"their memory then (RSS {rss:.0f} MB)",
            memory_kb / 1024,
            "MB",
            0,
            150,
            "less",
        ),
        Figure("pod that ends at SIGTERM: delete → gone, median", statistics.median(ends), "ms"),
        Figure(f"{DELETED_AT_ONCE} of them deleted at once, until the last is gone", all_ended, "s"),
    ]


async def _delete_pods(client: Client, names: list[str], grace_seconds: int | None = None) -> float:
    """Seconds from the first delete until a watch has seen the last one go."""
    since = (await client.list(kinds.POD, "default")).resource_version
    waiting = set(names)
    began = time.perf_counter()
    deletes = asyncio.gather(
        *(client.delete(kinds.POD, name, "default", grace_seconds=grace_seconds) for name in names)
    )
    events = client.watch(kinds.POD, "default", resource_version=since)
    async with asyncio.timeout(bench_cluster.START_SECONDS_MAX), contextlib.aclosing(events):
        async for event in events:
            if event.type == "DELETED":
                waiting.discard(event.object["metadata"]["name"])
            if not waiting:
                break
    await deletes
    return time.perf_counter() - began


def _process(name: str) -> int:
    """The kubelet or the shim of the measurement's only node."""
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                if (process / "comm").read_text().strip() == name and bench_cluster.NAME.encode() in (
                    process / "cmdline"
                ).read_bytes():
                    return int(process.name)
    raise LookupError(name)


def _cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    fields: list[Any] = (pathlib.Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_children else 13])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    return int((pathlib.Path("/proc") / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
