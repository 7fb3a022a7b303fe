"""Containers outlive the kubelet and the shim, whichever is killed and however; nothing they said or ended with is lost."""

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steersman.aio.clock import SystemClock
from steersman.containers import syscalls
from steersman.containers.oci import OciRuntime, power, readiness
from steersman.containers.runtime import State
from tests.containers import lab
from tests.containers.lab import FOREVER, Lab, Program

pytestmark = pytest.mark.root

# Prints a line every 20 ms, for ever; every fifth in two halves.
TICKER = """
n=0
while :; do
  n=$((n+1))
  [ $((n % 5)) = 0 ] && { printf 'line '; sleep 0.02; echo $n; } || echo line $n
  sleep 0.02
done"""


def shell(text: str) -> Program:
    return dataclasses.replace(FOREVER, shell=text)


def shim_pid(folder: str) -> int:
    with open(f"{folder}/run/shim.lock") as file:
        return int(file.read())


async def kill(pid: int) -> None:
    """kill -9, and wait until it has ended."""
    process = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    await readiness.wait_readable(process)
    os.close(process)


@contextlib.asynccontextmanager
async def restarted(folder: str, group: str, *, shim_too: bool) -> AsyncIterator[Lab]:
    """Another runtime in the same folders, as after a kill -9 of the kubelet (and of the shim)."""
    if shim_too:
        await kill(shim_pid(folder))
    node = lab.oci_runtime(folder, SystemClock(), group)
    await node.start()
    try:
        yield Lab(node, f"{folder}/logs")
    finally:
        await node.destroy()


def let_go(oci: Lab) -> None:
    """What a killed kubelet leaves: nothing was closed in order. Its descriptors are closed by the kernel."""
    node = oci.node
    assert isinstance(node, OciRuntime)

    assert node._watcher is not None
    node._watcher.cancel()
    node._home.close()


@pytest.mark.parametrize("shim_too", [False, True], ids=["kubelet", "kubelet and shim"])
class TestKubeletKilled:
    async def test_running_containers_are_found(self, clean_machine, group, clock, hello_archive, shim_too):
        async with first_life(clean_machine, group, clock, hello_archive) as before:
            sandbox_id = await before.sandbox("web", labels={"a": "b"})
            container_id = await before.run(FOREVER, sandbox_id)
            was = await before.status(container_id)
        async with restarted(clean_machine, group, shim_too=shim_too) as after:
            assert await after.status(container_id) == was
            [sandbox] = await after.node.list_sandboxes()
            assert (sandbox.id, sandbox.ready, sandbox.labels) == (sandbox_id, True, {"a": "b"})
            assert (await after.node.exec_sync(container_id, ["echo", "hi"], 10)).stdout == b"hi\n"
            await after.node.stop_container(container_id, 10)
            assert (await after.status(container_id)).state is State.EXITED

    async def test_exit_codes_are_known(self, clean_machine, group, clock, hello_archive, shim_too):
        async with first_life(clean_machine, group, clock, hello_archive) as before:
            ended = await before.run(shell("exit 5"))
            await before.ended(ended)
            later = await before.run(shell("while [ ! -e /stop ]; do sleep 0.02; done; exit 6"))
        async with restarted(clean_machine, group, shim_too=shim_too) as after:
            assert (await after.status(ended)).exit_code == 5
            await after.node.exec_sync(later, ["touch", "/stop"], 10)
            status = await after.ended(later)
            assert (status.exit_code, status.reason) == (6, "Error")

    async def test_no_line_is_lost(self, clean_machine, group, clock, hello_archive, shim_too):
        async with first_life(clean_machine, group, clock, hello_archive) as before:
            container_id = await before.run(shell(TICKER))
            await before.log(container_id, lambda text: "line 7\n" in text)
        async with restarted(clean_machine, group, shim_too=shim_too) as after:
            text = await after.log(container_id, lambda text: "line 20\n" in text)
            numbers = [int(line.split()[1]) for line in text.splitlines()]
            assert numbers == list(range(1, len(numbers) + 1))

    async def test_a_terminal_stays_open(self, clean_machine, group, clock, hello_archive, shim_too):
        async with first_life(clean_machine, group, clock, hello_archive) as before:
            container_id = await before.run(shell("exec sh"), stdin=True, tty=True)
        async with restarted(clean_machine, group, shim_too=shim_too) as after:
            session = await after.node.attach(container_id, stdin=True)
            await session.write_stdin(b"echo still $((40+2))\n")
            await lab.read_until(session, b"still 42")
            await session.close()


@contextlib.asynccontextmanager
async def first_life(folder: str, group: str, clock: SystemClock, archive: str) -> AsyncIterator[Lab]:
    """A runtime that ends as if killed."""
    node = lab.oci_runtime(folder, clock, group)
    await node.start()
    found = Lab(node, f"{folder}/logs")
    try:
        await node.images.load(archive)
        yield found
    except BaseException:
        await node.destroy()
        raise
    let_go(found)


def kernel_tells_exits() -> bool:
    """Whether PIDFD_GET_INFO answers exit codes (6.15 and newer)."""
    pid = os.fork()
    if pid == 0:
        os._exit(3)
    process = os.pidfd_open(pid)
    os.waitpid(pid, 0)
    try:
        return syscalls.exit_status_of(process, pid) is not None
    finally:
        os.close(process)


class TestShimKilled:
    async def test_the_runtime_starts_another_and_goes_on(self, oci: Lab, clean_machine: str):
        container_id = await oci.run(shell(TICKER))
        await oci.log(container_id)
        await kill(shim_pid(clean_machine))
        text = await oci.log(container_id, lambda text: "line 25\n" in text)
        numbers = [int(line.split()[1]) for line in text.splitlines()]
        assert numbers == list(range(1, len(numbers) + 1))
        assert (await oci.node.exec_sync(container_id, ["echo", "hi"], 10)).stdout == b"hi\n"
        await oci.node.stop_container(container_id, 0)
        assert (await oci.status(container_id)).exit_code == 137

    async def test_exit_codes_from_then_on(self, oci: Lab, clean_machine: str):
        container_id = await oci.run(shell("while [ ! -e /stop ]; do sleep 0.02; done; exit 9"))
        await kill(shim_pid(clean_machine))
        await oci.node.exec_sync(container_id, ["touch", "/stop"], 10)
        status = await oci.ended(container_id)
        assert status.exit_code == 9

    async def test_a_container_that_ended_while_no_shim_was_there(self, oci: Lab, clean_machine: str):
        """The runtime held its process: the kernel still tells."""
        container_id = await oci.run(shell("exec sleep 1000"))
        pid = (await oci.status(container_id)).pid
        shim = shim_pid(clean_machine)
        os.kill(shim, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        await kill(shim)
        status = await oci.ended(container_id)
        assert status.exit_code == 137
        assert status.reason == ("Error" if kernel_tells_exits() else "ContainerStatusUnknown")

    async def test_a_running_exec_ends(self, oci: Lab, clean_machine: str):
        session = await oci.node.exec(await oci.run(), ["sleep", "1000"], stdin=False, tty=False)
        await kill(shim_pid(clean_machine))
        assert await session.wait() == 137
        await session.close()


@pytest.mark.parametrize("written_down", [True, False], ids=["", "its start was not written down"])
async def test_how_it_ended_while_neither_kubelet_nor_shim_was_there(
    clean_machine, group, clock, hello_archive, written_down
):
    async with first_life(clean_machine, group, clock, hello_archive) as before:
        container_id = await before.run(shell("while [ ! -e /stop ]; do sleep 0.02; done; exit 6"))
        pid = (await before.status(container_id)).pid
        process = os.pidfd_open(pid)
    await kill(shim_pid(clean_machine))
    if not written_down:
        os.unlink(f"{clean_machine}/run/containers/{container_id}/started.json")
    Path(f"/proc/{pid}/root/stop").touch()
    async with asyncio.timeout(lab.PATIENCE_SECONDS):
        await readiness.wait_readable(process)
    os.close(process)
    async with restarted(clean_machine, group, shim_too=False) as after:
        status = await after.ended(container_id)
        assert (status.exit_code, status.reason) == (6, "Error")
        assert status.started_at is not None


async def test_after_a_power_cut_nothing_runs(clean_machine, group, clock, hello_archive):
    async with first_life(clean_machine, group, clock, hello_archive) as before:
        sandbox_id = await before.sandbox(share_process_namespace=True)
        container_id = await before.run(FOREVER, sandbox_id)
        process = os.pidfd_open((await before.status(container_id)).pid)
    power.cut(Path(clean_machine, "run"))
    async with asyncio.timeout(lab.PATIENCE_SECONDS):
        await readiness.wait_readable(process)
    os.close(process)
    async with restarted(clean_machine, group, shim_too=False) as after:
        assert (await after.ended(container_id)).exit_code == 137


async def test_a_shim_without_work_ends(oci: Lab, clean_machine: str):
    pid = shim_pid(clean_machine)
    process = os.pidfd_open(pid)
    let_go(oci)
    async with asyncio.timeout(lab.PATIENCE_SECONDS):
        await readiness.wait_readable(process)
    os.close(process)


async def test_after_a_reboot_nothing_runs_but_images_are_there(clean_machine, group, clock, hello_archive):
    async with lab.oci_lab(clock, clean_machine, group, hello_archive) as before:
        await before.run()
    os.rename(f"{clean_machine}/run", f"{clean_machine}/run-of-the-last-boot")
    async with restarted(clean_machine, group, shim_too=False) as after:
        assert list(await after.node.list_containers()) == []
        assert [image.tags for image in await after.node.images.list()] == [("localhost/hello:1",)]
        assert os.listdir(f"{clean_machine}/data/containers") == []
