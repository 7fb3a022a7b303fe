"""What the tests of both runtimes need: programs that either can run, pods around them, waiting without sleeping."""

import asyncio
import contextlib
import dataclasses
import fcntl
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from steersman.containers import fake, runtime, syscalls
from steersman.containers.cri import containerd
from steersman.containers.cri.remote import CriRuntime
from steersman.containers.fake_behaviour import Behaviour, ExecAnswer
from steersman.containers.oci import OciRuntime
from steersman.containers.runtime import ContainerConfig, SandboxConfig, State

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
IMAGE = "localhost/hello:1"
PATIENCE_SECONDS = 15.0  # a test that waits longer has failed


@dataclasses.dataclass(frozen=True)
class Program:
    """The same thing to do for a shell and for a container on paper."""

    shell: str
    paper: Behaviour


FOREVER = Program("trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done", Behaviour(logs="ready\n"))
STUBBORN = Program("trap '' TERM; while :; do sleep 1000; done", Behaviour(stop_seconds=None))
TWO_LINES = Program("echo one; echo two", Behaviour(run_seconds=0, logs="one\ntwo\n"))


def exits(code: int) -> Program:
    return Program(f"exit {code}", Behaviour(run_seconds=0, exit_codes=(code,)))


def answers(command: str, answer: ExecAnswer) -> Program:
    return Program(FOREVER.shell, Behaviour(exec={command: answer}))


class NoNetwork:
    """A SandboxNetwork that gives every sandbox the same address and remembers what was asked of it."""

    def __init__(self) -> None:
        self.attached: dict[str, str] = {}
        self.kept: tuple[str, ...] | None = None

    async def attach(self, sandbox_id: str, namespace_path: str, config: SandboxConfig) -> tuple[str, ...]:
        self.attached[sandbox_id] = namespace_path
        if namespace_path:
            await asyncio.to_thread(_loopback_up, namespace_path)
        return ("10.0.0.7",)

    async def detach(self, sandbox_id: str, namespace_path: str) -> None:
        self.attached.pop(sandbox_id, None)

    async def keep_only(self, sandbox_ids: Sequence[str]) -> None:
        self.kept = tuple(sandbox_ids)


class Lab:
    """A runtime with an image, and short ways to use it."""

    def __init__(self, node: runtime.Runtime, log_folder: str) -> None:
        self.node = node
        self.log_folder = log_folder
        self.programs: dict[str, Program] = {}
        self.seen: list[runtime.ContainerEvent] = []
        self._count = 0

    def script(self, sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
        return self.programs[container.args[0]].paper

    async def sandbox(self, name: str = "web", **wanted: Any) -> str:
        self._count += 1
        uid = f"uid-{self._count}"
        config = SandboxConfig(uid, name, "default", hostname=name, cgroup_parent=f"kubepods/pod{uid}")
        return await self.node.run_sandbox(dataclasses.replace(config, **wanted))

    async def create(self, sandbox_id: str, program: Program = FOREVER, **wanted: Any) -> str:
        self._count += 1
        self.programs[program.shell] = program
        name = f"c{self._count}"
        log_path = f"{self.log_folder}/{name}/0.log"
        config = ContainerConfig(name, IMAGE, command=("/bin/sh", "-c"), args=(program.shell,), log_path=log_path)
        Path(log_path).parent.mkdir(parents=True, exist_ok=True)
        return await self.node.create_container(sandbox_id, dataclasses.replace(config, **wanted))

    async def run(self, program: Program = FOREVER, sandbox_id: str = "", **wanted: Any) -> str:
        """Start a container, in a sandbox of its own unless one is given."""
        container_id = await self.create(sandbox_id or await self.sandbox(), program, **wanted)
        await self.node.start_container(container_id)
        return container_id

    async def status(self, container_id: str) -> runtime.ContainerStatus:
        found = await self.node.container_status(container_id)
        assert found is not None
        return found

    async def ended(self, container_id: str) -> runtime.ContainerStatus:
        """Its status once it has exited."""
        await until(lambda: self._has_ended(container_id))
        return await self.status(container_id)

    async def _has_ended(self, container_id: str) -> bool:
        return (await self.status(container_id)).state is State.EXITED

    async def log(self, container_id: str, is_whole: Callable[[str], bool] = bool) -> str:
        """The text of its log (without times and tags) once `is_whole` says so."""
        path = (await self.status(container_id)).log_path

        async def check() -> bool:
            return is_whole(read_log(path))

        await until(check)
        return read_log(path)


def _loopback_up(namespace_path: str) -> None:
    """In a thread that is thrown away, as it moves into the namespace."""

    def work() -> None:
        with open(namespace_path) as namespace:
            syscalls.setns(namespace.fileno(), syscalls.CLONE_NEWNET)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def read_log(path: str) -> str:
    """CRI log text put together: partial records join, full ones end a line."""
    out = []
    with contextlib.suppress(FileNotFoundError), open(path) as file:
        for line in file:
            _, _, tag, text = line.rstrip("\n").split(" ", 3)
            out.append(text + ("\n" if tag == "F" else ""))
    return "".join(out)


async def until(check: Callable[[], Any]) -> None:
    """Poll: what is waited for is another process' doing."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await check():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def drain(session: runtime.ExecSession) -> dict[int, bytes]:
    """All output of a session by stream."""
    found = {1: b"", 2: b""}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            stream, data = await session.read()
            if stream == 0:
                return found
            found[stream] += data


async def read_until(session: runtime.ExecSession, text: bytes) -> bytes:
    found = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while text not in found:
            stream, data = await session.read()
            assert stream, f"ended after {found!r}"
            found += data
    return found


def oci_runtime(folder: str, clock: Any, group: str, network: Any = None, **options: Any) -> OciRuntime:
    return OciRuntime(
        f"{folder}/data", f"{folder}/run", network or NoNetwork(), clock, group, shim_idle_seconds=2, **options
    )


@contextlib.asynccontextmanager
async def fake_lab(clock: Any, folder: str) -> AsyncIterator[Lab]:
    lab: Lab

    def script(sandbox: SandboxConfig, container: ContainerConfig) -> Behaviour:
        return lab.script(sandbox, container)

    node = fake.FakeRuntime(clock, script=script)
    lab = Lab(node, f"{folder}/logs")
    await node.start()
    try:
        yield lab
    finally:
        await node.close()


@contextlib.asynccontextmanager
async def cri_lab(
    clock: Any, folder: str, group: str, archive: str, daemon: containerd.Containerd
) -> AsyncIterator[Lab]:
    """A running containerd, with the hello image."""
    await daemon.load(archive, "localhost/hello")
    node = CriRuntime(str(daemon.socket), f"{folder}/sandboxes", clock, group)
    await node.start()
    try:
        yield Lab(node, f"{folder}/logs")
    finally:
        await node.destroy()


@contextlib.asynccontextmanager
async def oci_lab(clock: Any, folder: str, group: str, archive: str, **options: Any) -> AsyncIterator[Lab]:
    """The embedded runtime with the hello image."""
    node = oci_runtime(folder, clock, group, **options)
    await node.start()
    try:
        await node.images.load(archive)
        yield Lab(node, f"{folder}/logs")
    finally:
        await node.destroy()
