"""What only containers on paper do: behaviour from annotations, under virtual time."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

from steersman.aio.clock import VirtualClock
from steersman.aio.virtual_loop import VirtualLoop
from steersman.containers import fake, fake_behaviour, runtime
from steersman.containers.fake_behaviour import Behaviour, ExecAnswer
from steersman.containers.runtime import ContainerConfig, RuntimeFailure, SandboxConfig, State


def behaviour(container: str = "app", **annotations: str) -> Behaviour:
    named = {f"fake.steersman.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return fake_behaviour.from_annotations(
        SandboxConfig("u", "p", "d", annotations=named), ContainerConfig(container, "i")
    )


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, Behaviour()),
        ({"run_seconds": "1.5", "exit_code": "1,1,0"}, Behaviour(run_seconds=1.5, exit_codes=(1, 1, 0))),
        ({"start_delay": "2", "start_error": "no"}, Behaviour(start_delay_seconds=2, start_error="no")),
        ({"stop_seconds": "never"}, Behaviour(stop_seconds=None)),
        ({"stop_seconds": "3", "stop_exit_code": "143"}, Behaviour(stop_seconds=3, stop_exit_code=143)),
        ({"oom": "true", "cpu": "250", "memory": "1000"}, Behaviour(oom=True, cpu_millicores=250, memory_bytes=1000)),
        ({"exec": '{"a b": {"exit_code": 3, "stdout": "x"}}'}, Behaviour(exec={"a b": ExecAnswer(3, b"x")})),
        ({"readiness": "always"}, Behaviour(probe_failures={"readiness": ((0, math.inf),)})),
        ({"liveness": "0-5, 60-"}, Behaviour(probe_failures={"liveness": ((0, 5), (60, math.inf))})),
        ({"port": '{"80": "hi"}'}, Behaviour(ports={80: b"hi"})),
        ({"exit_code": "1", "exit_code.app": "2", "exit_code.other": "3"}, Behaviour(exit_codes=(2,))),
    ],
    ids=lambda value: ",".join(value) or "none" if isinstance(value, dict) else "",
)
def test_annotations(annotations: dict[str, str], expected: Behaviour):
    assert behaviour(**annotations) == expected


@pytest.mark.parametrize(
    "annotations", [{"run_seconds": "soon"}, {"exec": "[]"}, {"unknown": "1"}, {"port": "{"}, {"startup": "soon"}]
)
def test_annotations_that_cannot_be_read(annotations: dict[str, str]):
    with pytest.raises(RuntimeFailure) as refused:
        behaviour(**annotations)
    assert refused.value.reason == "CreateContainerError"


def virtually(story: Callable[[VirtualClock, fake.FakeRuntime], Awaitable[None]]) -> None:
    """Run a story under virtual time."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)

    async def run() -> None:
        node = fake.FakeRuntime(clock, pod_cidr="10.1.0.0/29")
        await node.start()
        try:
            await story(clock, node)
        finally:
            await node.close()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())


async def pod(node: fake.FakeRuntime, attempt: int = 0, **annotations: str) -> str:
    named = {f"fake.steersman.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    sandbox_id = await node.run_sandbox(SandboxConfig("u", "p", "d", annotations=named))
    await node.images.pull("busybox")
    container_id = await node.create_container(sandbox_id, ContainerConfig("app", "busybox", attempt=attempt))
    await node.start_container(container_id)
    return container_id


async def status(node: fake.FakeRuntime, container_id: str) -> runtime.ContainerStatus:
    found = await node.container_status(container_id)
    assert found is not None
    return found


def test_a_program_ends_by_itself():
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        slow, quick = await pod(node, run_seconds="60", exit_code="4"), await pod(node, run_seconds="5", oom="true")
        await clock.sleep(6)
        assert (await status(node, slow)).state is State.RUNNING
        ended = await status(node, quick)
        assert (ended.exit_code, ended.reason) == (137, "OOMKilled")
        assert ended.started_at is not None
        assert ended.finished_at is not None
        assert (ended.finished_at - ended.started_at).total_seconds() == 5
        await clock.sleep(60)
        assert (await status(node, slow)).exit_code == 4

    virtually(story)


@pytest.mark.parametrize(("attempt", "code"), [(0, 1), (1, 2), (2, 0), (9, 0)])
def test_a_crash_loop_that_ends(attempt: int, code: int):
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        container_id = await pod(node, attempt, run_seconds="1", exit_code="1,2,0")
        await clock.sleep(2)
        assert (await status(node, container_id)).exit_code == code

    virtually(story)


@pytest.mark.parametrize(
    ("needs", "grace", "code", "seconds"),
    [("0", 30, 143, 0), ("5", 30, 143, 5), ("50", 30, 137, 30), ("never", 30, 137, 30), ("5", 0, 137, 0)],
)
def test_stopping_takes_its_time(needs: str, grace: float, code: int, seconds: float):
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        container_id = await pod(node, stop_seconds=needs, stop_exit_code="143")
        before = clock.monotonic()
        await node.stop_container(container_id, grace)
        assert clock.monotonic() - before == pytest.approx(seconds)
        assert (await status(node, container_id)).exit_code == code

    virtually(story)


def test_a_start_that_fails():
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        with pytest.raises(RuntimeFailure, match="no such file"):
            await pod(node, start_delay="3", start_error="no such file")
        [found] = await node.list_containers()
        assert (found.state, found.exit_code, found.message) == (State.EXITED, 128, "no such file")
        assert clock.monotonic() == 3

    virtually(story)


def test_addresses_come_back():
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        config = SandboxConfig("u", "p", "d")
        for _ in range(3):
            made = [await node.run_sandbox(config) for _ in range(5)]
            addresses = {sandbox.addresses[0] for sandbox in await node.list_sandboxes()}
            assert addresses == {f"10.1.0.{n}" for n in range(2, 7)}
            with pytest.raises(RuntimeFailure, match="no addresses"):
                await node.run_sandbox(config)
            for sandbox_id in made:
                await node.remove_sandbox(sandbox_id)

    virtually(story)


def test_port_forward_answers():
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        await pod(node, port='{"80": "hi"}')
        [sandbox] = await node.list_sandboxes()
        connection = await node.port_forward(sandbox.id, 80)
        await connection.send(b"GET /")
        assert [await connection.receive(), await connection.receive()] == [b"hi", b""]

    virtually(story)


def test_images_that_do_not_exist():
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        with pytest.raises(RuntimeFailure) as refused:
            await node.images.pull("missing.fake.steersman.dev/app")
        assert refused.value.reason == "ErrImagePull"
        node.images.refuse("busybox", RuntimeFailure("RegistryUnavailable", "down"))
        with pytest.raises(RuntimeFailure, match="down"):
            await node.images.pull("busybox:latest")
        node.images.allow("busybox")
        await node.images.pull("busybox")

    virtually(story)


def test_a_lost_sandbox():
    async def story(clock: VirtualClock, node: fake.FakeRuntime) -> None:
        container_id = await pod(node)
        [sandbox] = await node.list_sandboxes()
        node.lose_sandbox(sandbox.id)
        [sandbox] = await node.list_sandboxes()
        assert not sandbox.ready
        assert (await status(node, container_id)).exit_code == 137

    virtually(story)
