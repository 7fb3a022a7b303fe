"""Pods that misbehave and processes that are killed, on real containers: each ends as upstream shows it, and nothing is left."""

import asyncio
import dataclasses
import functools
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from steersman.containers import syscalls
from steersman.containers.images.store import ImageStore
from steersman.containers.runtime import RuntimeFailure
from steersman.meta.objects import Object
from tests.containers import lab
from tests.containers.images import canned_registry
from tests.kubelet import hung_file_system, paper_api, world

pytestmark = [pytest.mark.root, pytest.mark.slow]

SECONDS_MOST = 60.0
PODS = 6
LOG_BYTES_MOST = 10 << 20


def pod(name: str, script: str, *, about: Any = None, **spec: Any) -> Object:
    whole = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, **spec}
    return world.pod(name, containers=[world.container(command=["sh", "-c", script], **(about or {}))], **whole)


@dataclasses.dataclass
class Node:
    """A kubelet on the embedded runtime. `folder` is the runtime's."""

    world: world.World
    runtime: Any
    folder: str

    def ended(self, name: str) -> Object:
        found: Object = self.world.status(name)["containerStatuses"][0]["state"]["terminated"]
        return found

    async def until_phase(self, name: str, *phases: str) -> None:
        await self.world.until(lambda: self.world.phase(name) in phases, SECONDS_MOST)

    async def delete_all(self) -> None:
        for kind, _, name in list(self.world.api.objects):
            if kind == "pods":
                self.world.api.delete_pod(name, 1)
        await self.world.until(lambda: not any(kind == "pods" for kind, _, _ in self.world.api.objects), SECONDS_MOST)
        assert not list(await self.runtime.list_sandboxes())
        assert not list(await self.runtime.list_containers())
        pods = self.world.options.pods_dir
        assert not pods.exists() or not list(pods.iterdir())
        for kind in ("containers", "sandboxes", "roots"):
            assert not list(Path(self.folder, "run", kind).iterdir()), kind


@pytest.fixture
async def node(clean_machine: str, group: str, clock: Any, hello_archive: str) -> AsyncIterator[Node]:
    folder = Path(clean_machine) / "kubelet"
    folder.mkdir()
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as oci:
        here = world.make(clock, folder, on_paper=False, pod_pids_max=100, eviction_seconds=0.5)
        here.runtime = oci.node
        here.api = paper_api.PaperApi(clock)
        async with here.running():
            await here.until(lambda: here.api.get("leases", world.NODE, "kube-node-lease"), 5)
            yield Node(here, oci.node, clean_machine)


async def test_pods_that_misbehave(node: Node):
    here = node.world
    emptied = {"volumes": [{"name": "some", "emptyDir": {"sizeLimit": "1Mi"}}]}
    for one in (
        pod("deaf", "trap '' TERM; echo there; while :; do sleep 1; done"),
        pod("fork", "i=0; while [ $i -lt 1000 ]; do sleep 1000 & i=$((i+1)); done; echo $i; wait"),
        pod("talks", f"yes 'as much as it can' | head -c {2 * LOG_BYTES_MOST}; exit 3"),
        pod(
            "fills",
            "dd if=/dev/zero of=/some/file bs=1048576 count=3 2>/dev/null; exec sleep 1000",
            about={"volumeMounts": [{"name": "some", "mountPath": "/some"}]},
            **emptied,
        ),
    ):
        here.api.put("pods", one)
    await node.until_phase("deaf", "Running")
    await node.until_phase("talks", "Failed")
    assert node.ended("talks")["exitCode"] == 3
    await node.until_phase("fills", "Failed")
    assert here.status("fills")["reason"] == "Evicted"
    assert here.status("fills")["message"] == 'Usage of EmptyDir volume "some" exceeds the limit "1Mi". '
    # the shell of the image ends when it cannot fork, as all but bash do; what it had made dies with its group
    await node.until_phase("fork", "Failed", "Running")
    assert here.is_ready("deaf"), "its neighbours do not reach it"
    await node.delete_all()


async def test_the_shim_is_killed_at_any_moment(node: Node):
    here, chance = node.world, random.Random(int(os.environ.get("STEERSMAN_SEED", "1")))
    for turn in range(3):
        names = [f"pod-{turn}-{number}" for number in range(PODS)]
        for name in names:
            here.api.put("pods", pod(name, "trap 'exit 0' TERM; while :; do sleep 0.1; done", restartPolicy="Always"))
        await asyncio.sleep(chance.uniform(0.05, 1.0))
        with open(f"{node.folder}/run/shim.lock") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        for name in names:
            await here.until(functools.partial(here.is_ready, name), SECONDS_MOST)
        for name in names[:3]:
            here.api.delete_pod(name, 1)
    await node.delete_all()


@pytest.mark.parametrize("packed", [True, False], ids=["when it is unpacked", "while it comes"])
async def test_a_layer_that_is_larger_than_the_disk(clean_machine: str, tmp_path: Path, clock: Any, packed: bool):
    small = Path(clean_machine) / "small"
    small.mkdir()
    syscalls.mount("small", str(small), "tmpfs", 0, "size=200k")
    content = "x" * 400_000 if packed else random.Random(1).randbytes(400_000).hex()
    try:
        store = ImageStore(str(small), clock)
        store.open(False)
        async with canned_registry.serving() as registry:
            registry.add_image(tmp_path, "a", "1", content)
            with pytest.raises(RuntimeFailure) as refused:
                await store.pull(f"{registry.address}/a:1")
        assert refused.value.reason == "ErrImagePull"
        assert "No space left on device" in refused.value.message
        assert not list(Path(store.layers_dir).iterdir()), "nothing half done stays"
        assert [one.name for one in Path(store.temporary_path("x")).parent.iterdir()] == ["lock"]
        assert not list(await store.list())
        await store.close()
    finally:
        syscalls.unmount(str(small))


async def test_a_file_system_that_stands_still_holds_up_nobody_else(node: Node, tmp_path: Path):
    here, hung = node.world, tmp_path / "hung"
    mount = {"name": "some", "mountPath": "/some"}
    volumes = [{"name": "some", "hostPath": {"path": str(hung), "type": "Directory"}}]
    with hung_file_system.mounted(hung):
        here.api.put("pods", pod("hung", "ls /some", about={"volumeMounts": [mount]}, volumes=volumes))
        here.api.put("pods", pod("other", "exec sleep 1000"))
        await node.until_phase("other", "Running")
        text = 'MountVolume.SetUp failed for volume "some" : timed out waiting for the condition'
        await here.until(lambda: text in here.events.of("FailedMount"), SECONDS_MOST)
        await node.delete_all()
