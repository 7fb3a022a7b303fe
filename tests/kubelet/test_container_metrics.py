"""What containers use, as /metrics/cadvisor tells it; what the kernel's files say, of both versions of control groups."""

import datetime
from pathlib import Path
from typing import Any

import pytest

from steersman.containers import runtime
from steersman.containers.runtime import Group
from steersman.kubelet import container_figures, container_metrics, metrics
from steersman.kubelet.container_figures import Figures, Io, Pressure, Stall
from steersman.kubelet.rates import Counter, Rates
from tests.kubelet import world

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
VERSION_1 = {
    "cpu/cpu.stat": "nr_periods 3\nnr_throttled 2\nthrottled_time 7\n",
    "cpu/cpu.shares": "102\n",
    "cpu/cpu.cfs_quota_us": "-1\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "cpuacct/cpuacct.stat": "user 4\nsystem 5\n",
    "memory/memory.stat": "cache 1\ntotal_cache 11\ntotal_mapped_file 12\ntotal_pgfault 13\ntotal_pgmajfault 14\n",
    "memory/memory.limit_in_bytes": "80000\n",
    "memory/memory.memsw.limit_in_bytes": "9223372036854771712\n",
    "memory/memory.failcnt": "6\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "memory/cgroup.procs": "",
    "pids/tasks": "1\n2\n",
    "pids/pids.max": "max\n",
    "blkio/blkio.throttle.io_service_bytes_recursive": "8:0 Read 10\n8:0 Write 20\n8:0 Sync 5\nTotal 30\n",
    "blkio/blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\nTotal 3\n",
}
VERSION_2 = {
    "cpu.stat": "usage_usec 9\nuser_usec 4\nsystem_usec 5\nnr_periods 3\nnr_throttled 2\nthrottled_usec 7\n",
    "cpu.weight": "4\n",
    "cpu.max": "20000 100000\n",
    "memory.stat": "anon 1\nfile 11\nfile_mapped 12\npgfault 13\npgmajfault 14\n",
    "memory.max": "80000\n",
    "memory.swap.max": "max\n",
    "memory.events": "low 0\nhigh 0\nmax 6\noom 1\noom_kill 2\n",
    "cgroup.procs": "",
    "cgroup.threads": "1\n2\n",
    "pids.max": "64\n",
    "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n",
    "cpu.pressure": "some avg10=1.50 avg60=0.20 avg300=0.00 total=17\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
}
DISK = (Io("8:0", {"Read": 10, "Write": 20}, {"Read": 1, "Write": 2}),)


def written(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "version", "wish"),
    [
        (
            VERSION_1,
            1,
            Figures(
                user_ns=4 * container_figures.TICKS_NS,
                system_ns=5 * container_figures.TICKS_NS,
                throttled_ns=7,
                shares=102,
                period_us=100_000,
            ),
        ),
        (
            VERSION_2,
            2,
            Figures(
                user_ns=4000,
                system_ns=5000,
                throttled_ns=7000,
                shares=80,
                quota_us=20_000,
                period_us=100_000,
                threads_most=64,
                pressure={"cpu": Pressure(Stall(17, 1.5, 0.2, 0.0))},
            ),
        ),
    ],
)
def test_the_kernels_files(tmp_path: Path, files: dict[str, str], version: int, wish: Figures) -> None:
    written(tmp_path, files)
    folders = {"": str(tmp_path)} if version == 2 else {one.name: str(one) for one in tmp_path.iterdir()}
    found = container_figures.read(Group(version, folders))
    same: dict[str, Any] = {
        "periods": 3,
        "throttled_periods": 2,
        "cache": 11,
        "mapped_file": 12,
        "faults": 13,
        "major_faults": 14,
    }
    same |= {"limit": 80000, "swap_limit": 0, "refused": 6, "oom_kills": 2, "threads": 2, "io": DISK}
    for name in Figures.__dataclass_fields__:
        assert getattr(found, name) == same.get(name, getattr(wish, name)), name


def test_a_group_that_is_gone(tmp_path: Path) -> None:
    assert container_figures.read(Group(2, {"": str(tmp_path / "none")})) == Figures()


def told(**figures: Any) -> dict[str, float]:
    pod = world.pod()
    pod["metadata"]["uid"] = "u1"
    use = runtime.Usage("id-1", "u1", "main", 2_000_000_000, 20, 10, NOW, NOW)
    eth0 = runtime.InterfaceUsage("eth0", 1, 2, 3, 4, 5, 6, 7, 8)
    seen = container_metrics.Seen(
        [pod],
        [use],
        [runtime.SandboxUsage("u1", (eth0,), NOW)],
        {"id-1": "busybox"},
        {"id-1": Figures(**figures)} if figures else {},
    )
    lines = metrics.text(container_metrics.samples(seen, [])).splitlines()
    found = {}
    for line in lines:
        if not line.startswith("#"):
            name, _, rest = line.partition("{")
            labels, _, value = rest.rpartition("} ")
            shown = ",".join(one for one in labels.split(",") if one.split("=")[0] not in SAME)
            found[f"{name}{{{shown}}}" if shown else name.split(" ")[0]] = float(
                (value or name.split(" ")[1]).split(" ")[0]
            )
    return found


SAME = ("container", "id", "image", "name", "namespace", "pod")


def test_figures_become_metrics() -> None:
    found = told(io=DISK, oom_kills=2, faults=13, pressure={"io": Pressure(Stall(2_000_000), Stall(1_000_000))})
    assert found['container_cpu_usage_seconds_total{cpu="total"}'] == 2
    assert found['container_fs_reads_bytes_total{device="8:0"}'] == 10
    assert found['container_blkio_device_usage_total{device="8:0",major="8",minor="0",operation="Write"}'] == 20
    assert found['container_memory_failures_total{failure_type="pgfault",scope="hierarchy"}'] == 13
    assert found["container_oom_events_total"] == 2
    assert found["container_pressure_io_waiting_seconds_total"] == 2
    assert found["container_pressure_io_stalled_seconds_total"] == 1
    assert "container_cpu_cfs_periods_total" not in found, "no limit, no periods"
    assert told(quota_us=5, periods=4)["container_cpu_cfs_periods_total"] == 4
    ways = {"receive": (1, 2, 6, 5), "transmit": (3, 4, 8, 7)}
    for way, values in ways.items():
        for what, value in zip(("bytes", "errors", "packets_dropped", "packets"), values, strict=True):
            assert found[f'container_network_{way}_{what}_total{{interface="eth0"}}'] == value


def test_without_the_kernels_figures() -> None:
    assert "container_memory_rss" in told()
    assert not any(name.startswith("container_spec") for name in told())


def test_rates() -> None:
    def at(seconds: float) -> datetime.datetime:
        return NOW + datetime.timedelta(seconds=seconds)

    rates = Rates()
    assert rates.look([("a", Counter(at(10), 500, NOW)), ("b", Counter(at(10), 7))]) == {"a": 50}
    assert rates.look([("a", Counter(at(10.5), 600)), ("b", Counter(at(10.5), 9))]) == {"a": 50}, "too soon"
    assert rates.look([("a", Counter(at(12), 700)), ("b", Counter(at(12), 11))]) == {"a": 100, "b": 2}
    assert rates.look([("b", Counter(at(14), 3))]) == {"b": 0}, "one that began anew"
