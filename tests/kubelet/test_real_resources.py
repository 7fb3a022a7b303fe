"""What upstream's node suite asks of resources, on real containers: many pods at once, each with its wish."""

import asyncio
import contextlib
import datetime
import functools
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from steersman.containers.oci import cgroups
from steersman.kubelet import pod_files
from steersman.kubelet.agent import Kubelet
from steersman.kubelet.eviction import observations
from steersman.kubelet.node_object import Machine
from steersman.kubelet.topology import hardware, scopes
from steersman.meta.objects import Object
from tests.containers import lab
from tests.kubelet import paper_api, world

pytestmark = [pytest.mark.root, pytest.mark.slow]

SECONDS_MOST = 40.0  # for all pods together, on a busy machine
MEGA = 1_000_000


@contextlib.asynccontextmanager
async def node(
    clean_machine: str, group: str, clock: Any, archive: str, *, machine: Machine | None = None, **options: Any
) -> AsyncIterator[tuple[world.World, Kubelet]]:
    folder = Path(clean_machine) / "kubelet"
    folder.mkdir()
    async with lab.oci_lab(clock, clean_machine, group, archive) as oci:
        here = world.make(clock, folder, on_paper=False, **options)
        here.runtime = oci.node
        here.api = paper_api.PaperApi(clock)
        if machine is not None:
            here.machine = machine
        async with here.running() as kubelet:
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"), 5)
            yield here, kubelet
            for kind, _, name in list(here.api.objects):
                if kind == "pods":
                    here.api.delete_pod(name, 0)
            await here.until(lambda: not any(kind == "pods" for kind, _, _ in here.api.objects), SECONDS_MOST)


def shell(script: str, name: str = "main", **about: Any) -> Object:
    return world.container(name, command=["sh", "-c", script], **about)


def limits(**amounts: str) -> Object:
    return {"resources": {"limits": amounts, "requests": amounts}}


def log(here: world.World, name: str) -> str:
    pod = here.api.get("pods", name)
    assert pod is not None
    return lab.read_log(str(pod_files.log_path(pod, "main", 0, here.options)))


# --- figures -----------------------------------------------------------------------------------------------------------

REGULAR = "echo 'some bytes' > /outside; echo 'hello world' >> /data/file; trap 'exit 0' TERM; while :; do :; sleep 0.05; done"


def bounded(found: Object, path: str, least: float, most: float) -> None:
    value: Any = found
    for part in path.split("."):
        value = value[part]
    assert least <= value <= most, f"{path}: {value}"


def recent(found: Object, path: str) -> None:
    value: Any = found
    for part in path.split("."):
        value = value[part]
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(value)
    assert datetime.timedelta(seconds=-5) < age < datetime.timedelta(minutes=1), f"{path}: {value}"


def check_use(found: Object, memory_most: float, *, available: bool) -> None:
    """CPU, memory and swap, as upstream's Summary API test bounds them."""
    recent(found, "cpu.time")
    bounded(found, "cpu.usageNanoCores", 0, 2.2e9)  # two samples and their times are not taken at once
    bounded(found, "cpu.usageCoreNanoSeconds", 0, 1e15)
    recent(found, "memory.time")
    assert ("availableBytes" in found["memory"]) == available
    for name, least in (("usageBytes", 10_000), ("workingSetBytes", 10_000), ("rssBytes", 1_000)):
        bounded(found, f"memory.{name}", least, memory_most)
    bounded(found, "memory.pageFaults", 0, 1e13)  # a machine counts since it was started
    bounded(found, "memory.majorPageFaults", 0, 1e9)
    bounded(found, "swap.swapUsageBytes", 0, memory_most)


def check_disk(found: Object, used_most: float = 1e13) -> None:
    recent(found, "time")
    for name in ("availableBytes", "capacityBytes"):
        bounded(found, name, 100 * MEGA, 1e13)
    bounded(found, "usedBytes", 0, used_most)
    for name in ("inodesFree", "inodes"):
        bounded(found, name, 0, 1e9)
    bounded(found, "inodesUsed", 0, 1e9)


async def test_figures_of_pods_and_node(clean_machine: str, group: str, clock: Any, hello_archive: str) -> None:
    mount: Object = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    pod = world.pod(
        containers=[shell(REGULAR, **mount, resources={"limits": {"memory": "80M"}})],
        volumes=[{"name": "data", "emptyDir": {}}],
        terminationGracePeriodSeconds=1,
    )
    reserved = {"memory": "1Gi", "pid": "738"}
    async with node(clean_machine, group, clock, hello_archive, kube_reserved=reserved) as (here, kubelet):
        here.api.put("pods", pod)
        await here.until_running()
        await kubelet.statistics.summary()  # how fast the runtime's counters grow takes two looks
        await clock.sleep(1.1)
        hierarchy = cgroups.detect(Path("/proc/self/mountinfo").read_text())
        all_pods = cgroups.usage(hierarchy, f"{group}/kubepods")
        assert all_pods.processes, "there it is"
        most = Path(hierarchy.folder("pids", f"{group}/kubepods"), "pids.max").read_text()
        assert int(most) == observations.processes_most() - 738
        summary = json.loads(json.dumps(await kubelet.statistics.summary()))
        check_summary(summary)
        check_container_metrics(await kubelet.statistics.cadvisor())
        resource = await kubelet.statistics.resource()
        names = {line.split("{")[0].split(" ")[0] for line in resource.splitlines() if not line.startswith("#")}
        assert {
            f"{whose}_{what}"
            for whose in ("node", "pod", "container")
            for what in ("cpu_usage_seconds_total", "memory_working_set_bytes", "swap_usage_bytes")
        } < names


def check_summary(summary: Object) -> None:
    [pod] = summary["pods"]
    [main] = pod["containers"]
    for found in (pod, main):
        check_use(found, 80 * MEGA, available=True)
        bounded(found, "memory.availableBytes", 1000, 80 * MEGA)
    check_disk(main["rootfs"], 10 * MEGA)
    check_disk(main["logs"], 10 * MEGA)
    check_disk(pod["ephemeral-storage"], 21 * MEGA)
    [volume] = pod["volume"]
    assert volume["name"] == "data"
    check_disk(volume, MEGA)
    bounded(pod, "process_stats.process_count", 1, 1e8)
    of_node = summary["node"]
    check_use(of_node, 1e13, available=True)
    bounded(of_node, "memory.usageBytes", 10 * MEGA, 1e13)
    bounded(of_node, "memory.pageFaults", 1000, 1e13)
    bounded(of_node, "cpu.usageNanoCores", 100e3, 1e11)
    bounded(of_node, "cpu.usageCoreNanoSeconds", 1e9, 1e18)
    assert of_node["network"]["interfaces"]
    for name in ("fs", "runtime.imageFs", "runtime.containerFs"):
        found = of_node
        for part in name.split("."):
            found = found[part]
        check_disk(found)
    system = {one["name"]: one for one in of_node["systemContainers"]}
    assert set(system) == {"kubelet", "runtime", "pods"}
    for name, one in system.items():
        check_use(one, 1e13, available=name == "pods")
    if Path("/proc/pressure/cpu").exists():
        assert set(of_node["cpu"]["psi"]["some"]) == {"total", "avg10", "avg60", "avg300"}
        assert {"time", "psi"} == set(of_node["io"])


# Metric → (least, most): upstream's ContainerMetrics test.
CONTAINER_METRICS: dict[str, tuple[float, float]] = {
    "container_blkio_device_usage_total": (0, 1e9),
    "container_cpu_load_average_10s": (0, 100),
    "container_cpu_system_seconds_total": (0, 100),
    "container_cpu_usage_seconds_total": (0, 100),
    "container_cpu_user_seconds_total": (0, 100),
    "container_file_descriptors": (1, 100),
    "container_fs_reads_bytes_total": (0, 1e7),
    "container_fs_reads_total": (0, 100),
    "container_fs_usage_bytes": (0, 1e6),
    "container_fs_writes_bytes_total": (0, 1e6),
    "container_fs_writes_total": (0, 200),
    "container_last_seen": (1e9, 1e10),
    "container_memory_cache": (0, 10 * MEGA),
    "container_memory_failcnt": (0, 0),
    "container_memory_failures_total": (0, 1e6),
    "container_memory_mapped_file": (0, 1e7),
    "container_memory_max_usage_bytes": (0, 80 * MEGA),
    "container_memory_rss": (10_000, 80 * MEGA),
    "container_memory_swap": (0, 0),
    "container_memory_usage_bytes": (10_000, 80 * MEGA),
    "container_memory_working_set_bytes": (10_000, 80 * MEGA),
    "container_oom_events_total": (0, 0),
    "container_processes": (1, 10),
    "container_sockets": (0, 10),
    "container_spec_cpu_period": (100_000, 100_000),
    "container_spec_cpu_shares": (2, 2),
    "container_spec_memory_limit_bytes": (79_998_976, 79_998_976),
    "container_spec_memory_reservation_limit_bytes": (0, 0),
    "container_spec_memory_swap_limit_bytes": (0, 80 * MEGA),
    "container_start_time_seconds": (1e9, 1e10),
    "container_tasks_state": (0, 0),
    "container_threads": (1, 10),
    "container_threads_max": (0, 1e5),
    "container_ulimits_soft": (1, 1_073_741_816),
}


def check_container_metrics(text: str) -> None:
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, labels = line.partition("{")
            if 'pod="web"' in labels:
                found.setdefault(name, []).append(float(labels.rpartition("} ")[2].split(" ")[0]))
    assert not set(CONTAINER_METRICS) - found.keys()
    wrong = {
        name: found[name]
        for name, (least, most) in CONTAINER_METRICS.items()
        if not all(least <= value <= most for value in found[name])
    }
    assert wrong == {}


# --- processors of containers' own, out-of-memory kills, groups -----------------------------------------------------------

GROUPS = "cat /proc/self/cgroup | grep -E ':(memory|cpu):|^0::/.'"
WHERE = "grep -E '^(Cpus|Mems)_allowed_list' /proc/self/status | cut -f2; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
STAYS = "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
GREEDY = "tail /dev/zero"
LITTLE = {"resources": {"limits": {"memory": "15Mi"}}}


def only(script: str, **about: Any) -> Object:
    return world.pod("", containers=[shell(script, **about)], restartPolicy="Never", terminationGracePeriodSeconds=1)


def init_killed(status: Object) -> Any:
    ended = status["initContainerStatuses"][0]["state"]["terminated"]
    return status["phase"], ended["reason"], ended["exitCode"]


def killed(status: Object) -> Any:
    ended = status["containerStatuses"][0]["state"]["terminated"]
    return ended["reason"], ended["exitCode"]


# Name → (pod, what is seen of its status and its log, the wish)
CASES: dict[str, tuple[Object, Callable[[Object, str], Any], Any]] = {
    "alone": (
        only(f"{WHERE}; {STAYS}", **limits(cpu="1", memory="32Mi")),
        lambda _, text: text.split(),
        ["1", "0", "-1"],
    ),
    "killed": (only(GREEDY, **LITTLE), lambda status, _: killed(status), ("OOMKilled", 137)),
    "killed-at-first": (
        world.pod("", containers=[shell("true")], inits=[shell(GREEDY, "first", **LITTLE)], restartPolicy="Never"),
        lambda status, _: init_killed(status),
        ("Failed", "OOMKilled", 137),
    ),
    "best-effort": (only(GROUPS), lambda _, text: "/kubepods/besteffort/pod" in text, True),
    "burstable": (
        only(GROUPS, resources={"requests": {"memory": "10Mi"}}),
        lambda _, text: "/kubepods/burstable/pod" in text,
        True,
    ),
    "guaranteed": (only(GROUPS, **limits(cpu="100m", memory="32Mi")), lambda _, text: "/kubepods/pod" in text, True),
    "best-effort-score": (only("cat /proc/self/oom_score_adj"), lambda _, text: text, "1000\n"),
    "not-here": (
        only("true", **limits(cpu="1500m", memory="1Mi")),
        lambda status, _: (status["phase"], status["reason"]),
        ("Failed", "OutOfcpu"),
    ),
}


@pytest.mark.skipif(
    os.cpu_count() != len(os.sched_getaffinity(0)) or (os.cpu_count() or 0) < 2, reason="needs two processors"
)
async def test_pods_at_once(clean_machine: str, group: str, clock: Any, hello_archive: str) -> None:
    cpus = len(os.sched_getaffinity(0))
    others = "0" if cpus == 2 else f"0,2-{cpus - 1}" if cpus > 3 else "0,2"
    about = {
        "cpu_policy": "static",
        "reserved_cpus": frozenset({0}),
        "kube_reserved": {"cpu": "500m"},
        "memory_policy": "Static",
        "reserved_memory": {0: {"memory": 100 << 20}},
        "topology": scopes.Settings("single-numa-node"),
        "pod_pids_max": 64,
    }
    async with node(
        clean_machine,
        group,
        clock,
        hello_archive,
        machine=Machine(cpus=cpus, memory_bytes=hardware.of_machine([0], 0).nodes[0].memory_bytes),
        **about,
    ) as (here, _):
        beside = world.pod("beside", containers=[shell(STAYS)], terminationGracePeriodSeconds=1)
        here.api.put("pods", beside)
        for name, (pod, _, _) in CASES.items():
            here.api.put("pods", {**pod, "metadata": {**pod["metadata"], "name": name}})

        def is_over(name: str) -> bool:
            return here.phase(name) in ("Succeeded", "Failed") or (
                name == "alone" and bool(log(here, name).count("\n") == 3)
            )

        await here.until(lambda: all(here.phase(name) for name in CASES), SECONDS_MOST)
        await here.until(lambda: all(is_over(name) for name in CASES), SECONDS_MOST)
        found = {
            name: is_so(here.status(name), "" if name in ("not-here", "killed-at-first") else log(here, name))
            for name, (_, is_so, _) in CASES.items()
        }
        assert found == {name: wish for name, (_, _, wish) in CASES.items()}

        async def others_run_on(wish: str) -> None:
            async def looks() -> bool:
                id_ = here.status("beside")["containerStatuses"][0]["containerID"].partition("://")[2]
                command = ["sh", "-c", "grep Cpus_allowed_list /proc/self/status | cut -f2"]
                printed: bytes = (await here.runtime.exec_sync(id_, command, 10)).stdout
                return printed.strip() == wish.encode()

            await here.until_running("beside")
            async with asyncio.timeout(SECONDS_MOST):
                while not await looks():
                    await clock.sleep(0.1)

        await others_run_on(others)
        state = json.loads((here.options.data_dir / "cpu_manager_state").read_text())
        assert list(state["entries"].values()) == [{"main": "1"}]
        here.api.delete_pod("alone", 1)
        await others_run_on(f"0-{cpus - 1}")


# --- resizes -----------------------------------------------------------------------------------------------------------


def asks(cpu: str, memory: str) -> Object:
    amounts = {"cpu": cpu, "memory": memory}
    return {"limits": amounts, "requests": amounts}


async def test_a_pods_own_limits_change(clean_machine: str, group: str, clock: Any, hello_archive: str) -> None:
    """Its group's, and those of the container that has none; a kubelet that comes later goes on with what was granted."""
    hierarchy = cgroups.detect(Path("/proc/self/mountinfo").read_text())
    if hierarchy.version != 1:
        pytest.skip("reads files of version 1")
    pod = world.pod(
        containers=[shell(STAYS), shell(STAYS, "side", resources=asks("50m", "16Mi"))],
        resources=asks("200m", "64Mi"),
        terminationGracePeriodSeconds=1,
    )
    async with node(clean_machine, group, clock, hello_archive) as (here, _):
        made = here.api.put("pods", pod)
        await here.until_running()
        folder = Path(hierarchy.folder("memory", f"{group}/kubepods/pod{made['metadata']['uid']}"))

        def limits_now() -> dict[str, int]:
            found = {
                one["name"]: folder / one["containerID"].partition("://")[2]
                for one in here.status()["containerStatuses"]
            }
            return {
                name: int((path / "memory.limit_in_bytes").read_text()) >> 20
                for name, path in {"pod": folder, **found}.items()
            }

        def is_applied(own: Object) -> bool:
            return bool(here.status().get("resources") == own)

        assert limits_now() == {"pod": 64, "main": 64, "side": 16}
        for own, wish in ((asks("300m", "96Mi"), 96), (asks("300m", "48Mi"), 48)):
            now = here.api.get("pods", "web")
            assert now is not None
            here.api.put("pods", {**now, "spec": {**now["spec"], "resources": own}})
            await here.until(functools.partial(is_applied, own), SECONDS_MOST)
            assert limits_now() == {"pod": wish, "main": wish, "side": 16}
            assert here.status()["allocatedResources"] == own["requests"]
        assert here.container()["restartCount"] == 0
        told = [json.loads(text.partition(": ")[2])["containers"][1] for text in here.events.of("ResizeCompleted")]
        assert told == [{"name": "side", "resources": asks("50m", "16Mi")}] * 2
