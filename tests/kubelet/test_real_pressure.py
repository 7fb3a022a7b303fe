"""A node that really runs short: full file systems, memory and processes as the kernel counts them, on real containers.

After upstream's `eviction_test.go`: who goes, what is told, and that the node recovers. File systems are small tmpfs.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from steersman.containers import syscalls
from steersman.kubelet.eviction import observations
from steersman.kubelet.eviction.thresholds import Settings
from steersman.kubelet.node_object import Machine
from steersman.meta import conditions
from steersman.meta.objects import Object
from tests.containers import lab
from tests.containers.images import canned_registry
from tests.kubelet import paper_api, world

pytestmark = [pytest.mark.root, pytest.mark.slow]

MI = 1 << 20
SECONDS_MOST = 60.0
FOREVER = "exec sleep 1000"


@contextlib.contextmanager
def small(folder: Path, size: str) -> Iterator[Path]:
    folder.mkdir()
    syscalls.mount("small", str(folder), "tmpfs", 0, size)
    try:
        yield folder
    finally:
        syscalls.unmount(str(folder))


def pod(name: str, script: str, **spec: Any) -> Object:
    mounts = [{"name": "some", "mountPath": "/some"}]
    made = world.pod(name, containers=[world.container(command=["sh", "-c", script], volumeMounts=mounts)], **spec)
    made["spec"] |= {"volumes": [{"name": "some", "emptyDir": {}}], "terminationGracePeriodSeconds": 1}
    return made


@contextlib.asynccontextmanager
async def running(here: world.World) -> AsyncIterator[world.World]:
    here.api = paper_api.PaperApi(here.clock)
    async with here.running():
        await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"), 5)
        yield here
        for kind, _, name in list(here.api.objects):
            if kind == "pods":
                here.api.delete_pod(name, 1)
        await here.until(lambda: not any(kind == "pods" for kind, _, _ in here.api.objects), SECONDS_MOST)


def condition(here: world.World, kind: str) -> str:
    node = here.api.get("nodes", world.NODE, "") or {}
    found = conditions.find((node.get("status") or {}).get("conditions") or [], kind)
    return found["status"] if found else ""


async def until_evicted(here: world.World, name: str, resource: str, kind: str) -> str:
    """The message. The others go on, and the node says what it is short of, until it is not."""
    await here.until(lambda: here.phase(name) == "Failed", SECONDS_MOST)
    status = here.status(name)
    assert status["reason"] == "Evicted"
    assert status["message"].startswith(f"The node was low on resource: {resource}. Threshold quantity: ")
    disrupted = conditions.find(status["conditions"], "DisruptionTarget")
    assert disrupted is not None
    assert disrupted["reason"] == "TerminationByKubelet"
    assert f"Attempting to reclaim {resource}" in here.events.of("EvictionThresholdMet")
    await here.until(lambda: condition(here, kind) == "False", SECONDS_MOST)
    assert here.is_ready("calm")
    return str(status["message"])


async def test_full_file_systems(clean_machine: str, group: str, clock: Any, hello_archive: str, tmp_path: Path):
    with (
        small(tmp_path / "kubelet", "size=32m,nr_inodes=3000") as folder,
        small(tmp_path / "images", "size=64m") as images,
    ):
        async with lab.oci_lab(clock, clean_machine, group, hello_archive, images_dir=images) as oci:
            free = os.statvfs(images)
            hard = {
                "nodefs.available": "8Mi",
                "nodefs.inodesFree": "500",
                "imagefs.available": str(free.f_bavail * free.f_frsize - 20 * MI),
            }
            settings = Settings(hard=hard, transition_seconds=0.5)
            here = world.make(clock, folder, on_paper=False, eviction_seconds=0.3, eviction=settings)
            here.runtime = oci.node
            async with running(here):
                here.api.put("pods", pod("calm", FOREVER))
                await here.until(lambda: here.is_ready("calm"), SECONDS_MOST)

                # Images that nobody uses go first, and nobody else.
                async with canned_registry.serving() as registry:
                    registry.add_image(tmp_path, "unused", "1", "x" * (8 * MI))
                    await oci.node.images.pull(f"{registry.address}/unused:1")
                # A pull that is not over holds what no image can give back: the file system fills up after it.
                (images / "of-nobody").write_bytes(bytes(16 * MI))
                await here.until(lambda: here.events.of("EvictionThresholdMet"), SECONDS_MOST)
                await here.until(lambda: condition(here, "DiskPressure") == "False", SECONDS_MOST)
                (images / "of-nobody").unlink()
                assert len(await oci.node.images.list()) == 1
                assert here.events.of("Evicted") == []

                fill = f"dd if=/dev/zero of=/some/file bs=1048576 count=26 2>/dev/null; {FOREVER}"
                here.api.put("pods", pod("greedy", fill))
                await here.until(lambda: condition(here, "DiskPressure") == "True", SECONDS_MOST)
                here.api.put("pods", pod("late", FOREVER))
                message = await until_evicted(here, "greedy", "ephemeral-storage", "DiskPressure")
                assert "Threshold quantity: 8Mi, available: " in message
                await here.until(lambda: here.phase("late") == "Failed", SECONDS_MOST)
                assert here.status("late")["message"] == ("Pod was rejected: The node had condition: [DiskPressure]. ")

                make = f"i=0; while [ $i -lt 2900 ]; do : > /some/$i; i=$((i+1)); done; {FOREVER}"
                here.api.put("pods", pod("many", make))
                message = await until_evicted(here, "many", "inodes", "DiskPressure")
                assert "Threshold quantity: 500, available: " in message
                assert not (folder / "pods" / here.api.objects["pods", "default", "many"]["metadata"]["uid"]).exists()


async def test_memory_and_processes(clean_machine: str, group: str, clock: Any, hello_archive: str):
    """Memory that all pods may use together, as their control groups count it; processes of the machine."""
    folder = Path(clean_machine) / "kubelet"
    folder.mkdir()
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as oci:
        free = observations.processes_most() - observations.processes()
        settings = Settings(
            hard={"memory.available": "300Mi", "pid.available": str(free - 300)}, transition_seconds=0.5
        )
        here = world.make(
            clock,
            folder,
            on_paper=False,
            eviction_seconds=0.3,
            eviction=settings,
            system_reserved={"memory": "16Mi"},
            enforced=(),
        )
        here.machine = Machine(cpus=2, memory_bytes=512 * MI, disk_bytes=10 << 30)
        here.runtime = oci.node
        async with running(here):
            here.api.put("pods", pod("calm", FOREVER))
            await here.until(lambda: here.is_ready("calm"), SECONDS_MOST)
            take = f"dd if=/dev/zero bs=60M count=1 | {FOREVER}"  # it holds what nobody reads
            here.api.put("pods", pod("modest", take))
            await here.until(lambda: here.is_ready("modest"), SECONDS_MOST)
            await asyncio.sleep(1)
            assert here.phase("modest") == "Running"
            here.api.put("pods", pod("hungry", take.replace("60M", "160M")))
            message = await until_evicted(here, "hungry", "memory", "MemoryPressure")
            assert "Threshold quantity: 300Mi, available: " in message
            assert "Container main was using 16" in message
            assert here.is_ready("modest"), "one at a time, the largest first"
            here.api.delete_pod("modest", 1)
            await here.until(lambda: here.api.get("pods", "modest") is None, SECONDS_MOST)

            fork = f"i=0; while [ $i -lt 800 ]; do sleep 1000 & i=$((i+1)); done; {FOREVER}"
            here.api.put("pods", pod("forks", fork))
            message = await until_evicted(here, "forks", "pids", "PIDPressure")
            assert f"Threshold quantity: {free - 300}, available: " in message
