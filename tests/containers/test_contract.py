"""What every container runtime keeps true, whether its containers are real or on paper."""

import asyncio
import dataclasses
import os

import pytest

from steersman.containers import runtime
from steersman.containers.fake_behaviour import ExecAnswer
from steersman.containers.runtime import ContainerConfig, RuntimeFailure, State
from steersman.meta import times
from tests.containers import lab
from tests.containers.lab import FOREVER, STUBBORN, TWO_LINES, Lab, answers, exits


async def test_a_sandbox_is_ready_and_has_an_address(either: Lab):
    sandbox_id = await either.sandbox("web", labels={"app": "web"}, attempt=2)
    [status] = await either.node.list_sandboxes()
    assert (status.id, status.name, status.ready, status.attempt) == (sandbox_id, "web", True, 2)
    assert status.labels == {"app": "web"}
    assert len(status.addresses) == 1


async def test_a_stopped_sandbox_is_not_ready_and_a_removed_one_is_gone(either: Lab):
    sandbox_id = await either.sandbox()
    for _ in range(2):
        await either.node.stop_sandbox(sandbox_id)
        assert [s.ready for s in await either.node.list_sandboxes()] == [False]
    for _ in range(2):
        await either.node.remove_sandbox(sandbox_id)
        assert list(await either.node.list_sandboxes()) == []


async def test_a_container_goes_from_created_to_running_to_exited(either: Lab):
    container_id = await either.create(await either.sandbox())
    created = await either.status(container_id)
    assert (created.state, created.started_at, created.finished_at) == (State.CREATED, None, None)
    await either.node.start_container(container_id)
    running = await either.status(container_id)
    assert running.state is State.RUNNING
    assert running.started_at is not None
    assert await either.log(container_id) == "ready\n"
    await either.node.stop_container(container_id, 10)
    exited = await either.status(container_id)
    assert (exited.state, exited.exit_code, exited.reason) == (State.EXITED, 0, "Completed")
    assert exited.finished_at is not None
    assert exited.finished_at >= running.started_at >= created.created_at


@pytest.mark.parametrize(("code", "reason"), [(0, "Completed"), (1, "Error"), (42, "Error")])
async def test_exit_codes(either: Lab, code: int, reason: str):
    status = await either.ended(await either.run(exits(code)))
    assert (status.exit_code, status.signal, status.reason) == (code, 0, reason)


async def test_a_program_that_ignores_sigterm_is_killed_after_its_grace_period(either: Lab):
    container_id = await either.run(STUBBORN)
    before = asyncio.get_running_loop().time()
    await either.node.stop_container(container_id, 0.2)
    assert 0.19 <= asyncio.get_running_loop().time() - before < 5
    status = await either.status(container_id)
    assert (status.state, status.exit_code, status.reason) == (State.EXITED, 137, "Error")
    assert status.signal == (0 if either.node.name.startswith("containerd:") else 9), "CRI tells of no signals"


async def test_stopping_without_grace_kills_at_once(either: Lab):
    container_id = await either.run()
    await either.node.stop_container(container_id, 0)
    assert (await either.status(container_id)).exit_code == 137
    await either.node.stop_container(container_id, 0)


async def test_a_container_starts_once(either: Lab):
    container_id = await either.run()
    with pytest.raises(RuntimeFailure) as refused:
        await either.node.start_container(container_id)
    assert refused.value.reason == "RunContainerError"


async def test_two_containers_of_a_sandbox_live_apart(either: Lab):
    sandbox_id = await either.sandbox()
    first, second = await either.run(exits(3), sandbox_id), await either.run(FOREVER, sandbox_id)
    assert (await either.ended(first)).exit_code == 3
    assert (await either.status(second)).state is State.RUNNING
    assert {c.sandbox_id for c in await either.node.list_containers()} == {sandbox_id}


async def test_stopping_a_sandbox_stops_its_containers(either: Lab):
    sandbox_id = await either.sandbox()
    containers = [await either.run(FOREVER, sandbox_id) for _ in range(2)]
    await either.node.stop_sandbox(sandbox_id)
    assert [(await either.status(c)).state for c in containers] == [State.EXITED, State.EXITED]


async def test_removing_a_sandbox_removes_its_containers(either: Lab):
    sandbox_id = await either.sandbox()
    container_id = await either.run(FOREVER, sandbox_id)
    await either.node.remove_sandbox(sandbox_id)
    assert await either.node.container_status(container_id) is None
    assert list(await either.node.list_containers()) == []


async def test_removing_a_container_twice_succeeds(either: Lab):
    container_id = await either.run()
    for _ in range(2):
        await either.node.remove_container(container_id)
        assert await either.node.container_status(container_id) is None


async def test_nothing_is_created_in_a_stopped_sandbox(either: Lab):
    sandbox_id = await either.sandbox()
    await either.node.stop_sandbox(sandbox_id)
    with pytest.raises(RuntimeFailure) as refused:
        await either.create(sandbox_id)
    assert refused.value.reason == "CreateContainerError"


async def test_a_container_needs_its_image(either: Lab):
    sandbox_id = await either.sandbox()
    with pytest.raises(RuntimeFailure) as refused:
        await either.create(sandbox_id, image="docker.io/library/absent:1")
    assert refused.value.reason == "CreateContainerError"


async def test_log_lines_are_in_cri_format(either: Lab):
    container_id = await either.run(TWO_LINES)
    started = (await either.ended(container_id)).created_at
    assert await either.log(container_id, lambda text: "two" in text) == "one\ntwo\n"
    with open((await either.status(container_id)).log_path) as file:
        found, streams, tags, texts = zip(*(line.split() for line in file), strict=True)
    assert (streams, tags, texts) == (("stdout",) * 2, ("F",) * 2, ("one", "two"))
    assert all(started <= times.parse(time) for time in found)


async def test_what_was_asked_for_is_told_again(either: Lab):
    container_id = await either.run(labels={"a": "b"}, annotations={"c": "d"}, attempt=4)
    status = await either.status(container_id)
    assert (status.labels, status.annotations, status.attempt) == ({"a": "b"}, {"c": "d"}, 4)
    assert status.image == lab.IMAGE
    assert status.image_id.startswith("localhost/hello@sha256:")


class TestExec:
    async def test_output_and_exit_code(self, either: Lab):
        answer = ExecAnswer(7, b"out\n", b"err\n")
        container_id = await either.run(answers("sh -c echo out; echo err >&2; exit 7", answer))
        result = await either.node.exec_sync(container_id, ["sh", "-c", "echo out; echo err >&2; exit 7"], 10)
        assert result == runtime.ExecResult(7, b"out\n", b"err\n")

    async def test_one_that_takes_too_long(self, either: Lab):
        container_id = await either.run(answers("sleep 100", ExecAnswer(seconds=100)))
        with pytest.raises(TimeoutError):
            await either.node.exec_sync(container_id, ["sleep", "100"], 0.1)

    async def test_a_session(self, either: Lab):
        container_id = await either.run(answers("echo hi", ExecAnswer(0, b"hi\n")))
        session = await either.node.exec(container_id, ["echo", "hi"], stdin=False, tty=False)
        assert await lab.drain(session) == {1: b"hi\n", 2: b""}
        assert await session.wait() == 0
        assert await session.read() == (0, b"")
        await session.close()

    async def test_only_into_running_containers(self, either: Lab):
        container_id = await either.run(exits(0))
        await either.ended(container_id)
        with pytest.raises(RuntimeFailure):
            await either.node.exec_sync(container_id, ["true"], 10)


async def test_events_tell_the_life_of_a_container(either: Lab):
    events = either.node.events()
    sandbox_id = await either.sandbox()
    container_id = await either.run(FOREVER, sandbox_id)
    await either.node.stop_container(container_id, 0)
    await either.node.remove_container(container_id)
    await either.node.remove_sandbox(sandbox_id)
    seen: list[runtime.ContainerEvent] = []
    async with asyncio.timeout(lab.PATIENCE_SECONDS):
        while len(seen) < 7:
            seen.append(await anext(events))
    mine = [(event.kind, event.container_id) for event in seen]
    assert mine == [
        ("started", ""),
        ("created", container_id),
        ("started", container_id),
        ("stopped", container_id),
        ("deleted", container_id),
        ("stopped", ""),
        ("deleted", ""),
    ]
    assert {event.sandbox_id for event in seen} == {sandbox_id}
    await events.aclose()  # type: ignore[attr-defined]


async def test_use_is_told_of_running_containers_only(either: Lab):
    running, ended = await either.run(), await either.run(exits(0))
    await either.ended(ended)
    assert [use.container_id for use in await either.node.usage()] == [running]
    group = either.node.group_of(running)
    assert group is None or all(map(os.path.isdir, group.folders.values()))
    assert all(os.path.exists(f"/proc/{pid}") for pid in await either.node.own_processes())


async def test_port_forward_to_a_closed_port_fails(either: Lab):
    sandbox_id = await either.sandbox()
    with pytest.raises(RuntimeFailure) as refused:
        await either.node.port_forward(sandbox_id, 81)
    assert "refused" in refused.value.message or "unreachable" in refused.value.message


async def test_resources_of_a_running_container_can_change(either: Lab):
    container_id = await either.run()
    await either.node.update_resources(container_id, runtime.Resources(cpu_shares=512, memory_limit_bytes=64 << 20))
    assert (await either.status(container_id)).state is State.RUNNING


class TestImages:
    async def test_one_that_is_there(self, either: Lab):
        status = await either.node.images.status("localhost/hello:1")
        assert status is not None
        assert status.tags == ("localhost/hello:1",)
        assert status in await either.node.images.list()
        assert await either.node.images.status(status.id) == status

    async def test_one_that_is_not(self, either: Lab):
        assert await either.node.images.status("absent") is None

    async def test_removing(self, either: Lab):
        for _ in range(2):
            await either.node.images.remove("localhost/hello:1")
            assert "localhost/hello:1" not in [tag for one in await either.node.images.list() for tag in one.tags]
            assert await either.node.images.status("docker.io/library/absent:1") is None

    @pytest.mark.parametrize("reference", ["UPPER", "a b", "http://x", ":tag", "", "a" * 64])
    async def test_bad_names(self, either: Lab, reference: str):
        with pytest.raises(RuntimeFailure) as refused:
            await either.node.images.pull(reference)
        assert refused.value.reason == "InvalidImageName"


async def test_names_say_which_runtime(either: Lab):
    kind, _, version = either.node.name.partition("://")
    assert kind in ("steersman-fake", "steersman-oci", "containerd")
    assert version


def test_configurations_compare_by_value():
    config = ContainerConfig("a", "b", environment=(("A", "1"),))
    assert config == dataclasses.replace(config)
