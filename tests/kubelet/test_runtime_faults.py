"""A runtime that refuses, is late, or does what it is asked and cannot say so: what users see, and that nothing is left.

After upstream's `criproxy_test.go`, whose proxy puts errors and delays between kubelet and runtime.
"""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from steersman.aio.clock import VirtualClock
from steersman.meta import conditions
from tests.aio import virtual
from tests.kubelet import world
from tests.kubelet.faulty_runtime import Fault, FaultyRuntime, failure
from tests.kubelet.world import container

LATE = "context deadline exceeded"


def run(test: Any, folder: Path, *faults: Fault, **options: Any) -> None:
    async def body(clock: VirtualClock) -> None:
        here = world.make(clock, folder, **options)
        here.runtime = FaultyRuntime(clock)
        here.runtime.faults = list(faults)
        await test(here)

    virtual.run(body)


async def only_what_runs(here: world.World) -> None:
    """One sandbox, and in it one container, which runs."""
    sandboxes = here.runtime.sandboxes()
    containers = await here.runtime.list_containers()
    assert len(sandboxes) == 1
    assert [one.state.value for one in containers] == ["running"]
    assert containers[0].sandbox_id == sandboxes[0].id


async def ends_without_a_trace(here: world.World) -> None:
    here.api.delete_pod("web", 1)
    await here.until(lambda: here.api.get("pods", "web") is None)
    assert not here.runtime.sandboxes()
    assert not await here.runtime.list_containers()


@pytest.mark.parametrize("is_done", [False, True], ids=["refused", "made, and not told"])
@pytest.mark.parametrize("error", [failure("RunPodSandbox failed"), TimeoutError()], ids=["error", "too late"])
def test_a_sandbox_that_fails_is_tried_again(tmp_path: Path, error: Exception, is_done: bool) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until(lambda: len(here.events.of("FailedCreatePodSandBox")) == 3)
            assert here.phase() == "Pending"
            assert here.container()["state"] == {"waiting": {"reason": "ContainerCreating"}}
            assert not conditions.is_true(here.api.get("pods", "web") or {}, "PodReadyToStartContainers")
            await here.until_running()
            text = f"Failed to create pod sandbox: {str(error) or LATE}"
            assert here.events.of("FailedCreatePodSandBox") == [text] * 3
            assert here.container()["restartCount"] == 0
            await only_what_runs(here)
            await ends_without_a_trace(here)

    run(test, tmp_path, Fault("run_sandbox", error, times=3, is_done=is_done))


def test_a_sandbox_that_comes_when_nobody_waits_any_more_goes(tmp_path: Path) -> None:
    """Late, and the runtime tells of it only after its pod has gone on, or is gone."""

    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
            config = here.runtime._sandboxes[here.runtime.sandboxes()[0].id].config
            await here.runtime.run_sandbox(config)
            assert len(here.runtime.sandboxes()) == 2
            await here.until(lambda: len(here.runtime.sandboxes()) == 1, 60)
            assert here.container()["restartCount"] == 0
            await only_what_runs(here)
            await ends_without_a_trace(here)
            await here.runtime.run_sandbox(config)
            await here.until(lambda: not here.runtime.sandboxes(), 60)

    run(test, tmp_path)


def test_the_volumes_of_a_pod_outlive_its_second_sandbox(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        here.options = dataclasses.replace(here.options, on_paper=False, static_pods=None)
        about = {"name": "settings", "namespace": "default"}
        here.api.put("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": {"a": "1"}})
        async with here.running() as kubelet:
            pod = here.pod(volumes=[{"name": "v", "configMap": {"name": "settings"}}])
            await here.until_running()
            folder = kubelet._node.volumes.paths_of(pod["metadata"]["uid"])["v"]
            config = here.runtime._sandboxes[here.runtime.sandboxes()[0].id].config
            await here.runtime.run_sandbox(config)
            await here.until(lambda: len(here.runtime.sandboxes()) == 1, 60)
            await here.clock.sleep(1)
            assert (folder / "a").read_text() == "1"

    run(test, tmp_path)


def test_a_sandbox_that_cannot_be_removed_at_once_goes_later(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
            assert len(here.runtime.sandboxes()) == 2
            await here.until(lambda: len(here.runtime.sandboxes()) == 1, 60)
            await only_what_runs(here)

    made = Fault("run_sandbox", failure("unavailable"), is_done=True)
    run(test, tmp_path, made, Fault("stop_sandbox", failure("unavailable")))


@pytest.mark.parametrize(
    "error",
    [failure("CreateContainer failed", "CreateContainerError"), TimeoutError()],
    ids=["error", "too late"],
)
def test_a_container_that_cannot_be_created_is_tried_again(tmp_path: Path, error: Exception) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            text = str(error) or LATE
            await here.until(lambda: here.events.of("Failed"))
            await here.clock.sleep(1)
            assert here.container()["state"] == {"waiting": {"reason": "CreateContainerError", "message": text}}
            await here.until_running()
            assert here.events.of("Failed") == [f"Error: {text}"] * 2
            assert here.container()["restartCount"] == 0
            await only_what_runs(here)
            await ends_without_a_trace(here)

    run(test, tmp_path, Fault("create_container", error, times=2))


def test_a_container_whose_making_was_not_told_is_found(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
            assert here.runtime.calls.count("create_container") == 1
            assert here.events.of("Failed") == []
            assert here.container()["restartCount"] == 0
            await only_what_runs(here)

    away = Fault("list_containers", failure("unavailable"), times=3)
    run(test, tmp_path, Fault("create_container", TimeoutError(), is_done=True), away)


@pytest.mark.parametrize("is_done", [False, True], ids=["refused", "started, and not told"])
def test_a_start_that_fails(tmp_path: Path, is_done: bool) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
            assert here.events.of("Failed") == ([] if is_done else ["Error: StartContainer failed"])
            assert here.container()["restartCount"] == (0 if is_done else 1)
            await only_what_runs(here)
            await ends_without_a_trace(here)

    run(
        test, tmp_path, Fault("start_container", failure("StartContainer failed", "RunContainerError"), is_done=is_done)
    )


def test_starts_that_go_on_failing_wait_longer_and_longer(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until(lambda: here.events.of("BackOff"))
            waiting = here.container()["state"]["waiting"]
            assert waiting["reason"] == "CrashLoopBackOff"
            await here.until_running()
            assert here.runtime.calls.count("start_container") == 5
            await only_what_runs(here)

    run(test, tmp_path, Fault("start_container", failure("no", "RunContainerError"), times=4))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("stop_container", 'failed to "KillContainer" for "main" with KillContainerError: "no \\"such\\" luck"'),
        ("stop_sandbox", 'failed to "KillPodSandbox" for "UID" with KillPodSandboxError: "no \\"such\\" luck"'),
    ],
)
def test_an_end_that_fails_is_told_and_tried_again(tmp_path: Path, call: str, text: str) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            uid = here.pod()["metadata"]["uid"]
            await here.until_running()
            await ends_without_a_trace(here)
            assert here.events.of("FailedKillPod") == [f"error killing pod: {text.replace('UID', uid)}"] * 2

    run(test, tmp_path, Fault(call, failure('no "such" luck'), times=2))


def test_who_may_start_containers_is_told_before_a_slow_pull_is_over(tmp_path: Path) -> None:
    """Upstream's `pod_conditions_criproxy_linux_test.go`, with its fifteen seconds."""

    async def test(here: world.World) -> None:
        pull = here.runtime.images.pull

        async def slow_pull(*args: Any) -> str:
            await here.clock.sleep(15)
            return str(await pull(*args))

        here.runtime.images.pull = slow_pull
        async with here.running():
            here.pod(containers=[container(imagePullPolicy="Always", image="registry.example/web:1")])
            pod = lambda: here.api.get("pods", "web") or {"status": {}}  # noqa: E731
            await here.until(lambda: conditions.is_true(pod(), "PodReadyToStartContainers"), 10)
            assert not conditions.is_true(pod(), "ContainersReady")
            await here.until_running()

    run(test, tmp_path)


def test_a_kubelet_starts_while_the_runtime_cannot_list(tmp_path: Path) -> None:
    """Upstream's #118559: the first look fails, and what runs is neither begun again nor refused."""

    async def test(here: world.World) -> None:
        async with here.running():
            here.pod()
            await here.until_running()
        before = here.runtime.sandboxes()
        for call in ("list_sandboxes", "list_containers"):
            here.runtime.faults.append(Fault(call, failure("injected"), times=3))
        async with here.running() as kubelet:
            await here.until(lambda: kubelet.workers, 60)
            await here.clock.sleep(60)
            assert here.runtime.sandboxes() == before
            assert here.container()["restartCount"] == 0
            assert here.is_ready()
            await only_what_runs(here)

    run(test, tmp_path)


def test_an_exit_is_seen_though_the_runtime_could_not_tell_of_it(tmp_path: Path) -> None:
    async def test(here: world.World) -> None:
        async with here.running():
            here.pod(restartPolicy="Never")
            await here.until_running()
            here.runtime.faults.append(Fault("container_status", failure("injected")))
            here.runtime.exit((await here.runtime.list_containers())[0].id, 3)
            await here.until(lambda: here.phase() == "Failed", 5)
            assert here.container()["state"]["terminated"]["exitCode"] == 3

    run(test, tmp_path)
