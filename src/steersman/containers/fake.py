"""FakeRuntime: pods on paper, driven by the Clock.

Keeps the promises of `runtime.Runtime` with no process, no file (except scripted logs) and no task per container, so that
thousands of pods fit into one process. What a container does stands in its `Behaviour` (see `fake_behaviour`).
"""

import asyncio
import contextlib
import dataclasses
import datetime
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import steersman
from steersman.aio.clock import Clock
from steersman.containers import cri_log, fake_behaviour, fake_content, runtime
from steersman.containers.fake_addresses import Addresses
from steersman.containers.fake_behaviour import Behaviour
from steersman.containers.fake_images import FakeImages
from steersman.containers.fake_session import FakeAttach, FakeExec, answer_connection
from steersman.containers.fake_timers import Timers
from steersman.containers.runtime import RuntimeFailure, State
from steersman.serving.messages import Duplex

EVENTS_WAITING_MAX = 10_000  # an event more is dropped: the reader lists again now and then


@dataclasses.dataclass(slots=True)
class _Sandbox:
    id: str
    config: runtime.SandboxConfig
    created_at: datetime.datetime
    addresses: tuple[str, ...]
    ready: bool = True
    containers: "dict[str, _Container]" = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class _Container:
    sandbox: _Sandbox
    config: runtime.ContainerConfig
    behaviour: Behaviour
    status: runtime.ContainerStatus
    resources: runtime.Resources
    ended: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class FakeRuntime:
    """Give either `network` (a SandboxNetwork) or `pod_cidr`, from which sandboxes get addresses in turn."""

    def __init__(
        self,
        clock: Clock,
        *,
        script: fake_behaviour.Script = fake_behaviour.from_annotations,
        network: runtime.SandboxNetwork | None = None,
        pod_cidr: str = "10.244.0.0/16",
        content: fake_content.Content | None = None,
    ) -> None:
        """`content` is that of another runtime, whose pods go on here from `start` on as if nothing had happened."""
        self._clock = clock
        self._script = script
        self._network = network
        self._addresses = Addresses(pod_cidr)
        self._images = FakeImages()
        self._sandboxes: dict[str, _Sandbox] = {}
        self._containers: dict[str, _Container] = {}
        self._events: asyncio.Queue[runtime.ContainerEvent] = asyncio.Queue(EVENTS_WAITING_MAX)
        self._timers = Timers(clock, self._on_time)
        if content is not None:
            self._go_on(content)

    @property
    def name(self) -> str:
        return f"steersman-fake://{steersman.__version__}"

    @property
    def features(self) -> runtime.Features:
        """Paper takes everything."""
        return runtime.Features((runtime.Handler("", True, True),), supplemental_groups_policy=True)

    @property
    def file_systems(self) -> runtime.FileSystems:
        return runtime.FileSystems()

    @property
    def images(self) -> FakeImages:
        return self._images

    def content(self) -> fake_content.Content:
        """What there is now, for another runtime to go on with."""
        return fake_content.Content(
            tuple(_saved(sandbox) for sandbox in self._sandboxes.values()),
            tuple(self._timers.left()),
            tuple(self._images.all()),
            self._addresses.next,
        )

    def _go_on(self, content: fake_content.Content) -> None:
        for image in content.images:
            self._images.add(image)
        self._addresses.next = content.next_address
        for saved in content.sandboxes:
            sandbox = _Sandbox(saved.id, saved.config, saved.created_at, saved.addresses, saved.ready)
            self._sandboxes[saved.id] = sandbox
            if saved.ready and self._network is None:
                self._addresses.keep(saved.addresses)
            for one in saved.containers:
                container = _Container(sandbox, one.config, one.behaviour, one.status, one.resources)
                self._containers[one.status.id] = sandbox.containers[one.status.id] = container
                if one.status.state is State.EXITED:
                    container.ended.set()
        self._timers.begin_with(content.timers)

    def move_logs(self, pods_folder: Path) -> None:
        """Write them anew below another folder, before `start`: POD/CONTAINER/N.log, as the kubelet names them."""
        for container in self._containers.values():
            if container.config.log_path:
                path = str(pods_folder.joinpath(*Path(container.config.log_path).parts[-3:]))
                container.config = dataclasses.replace(container.config, log_path=path)
                self._change(container, log_path=path)
                if container.status.started_at is not None:
                    self._write_log(container, container.status.started_at)

    async def start(self) -> None:
        self._timers.start()
        if self._network is not None:
            await self._network.keep_only(tuple(self._sandboxes))

    async def close(self) -> None:
        await self._timers.close()

    # Sandboxes

    async def run_sandbox(self, config: runtime.SandboxConfig) -> str:
        sandbox_id = self._clock.uid().replace("-", "")
        addresses: tuple[str, ...] = ()
        if not config.host_network:
            addresses = await self._attach(sandbox_id, config)
        sandbox = _Sandbox(sandbox_id, config, self._clock.now(), addresses)
        self._sandboxes[sandbox_id] = sandbox
        self._tell(sandbox, "", "started")
        return sandbox_id

    async def stop_sandbox(self, sandbox_id: str) -> None:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            return
        for container in sandbox.containers.values():
            self._end(container, 137, signal=9)
        sandbox.ready = False
        await self._detach(sandbox)
        self._tell(sandbox, "", "stopped")

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self.stop_sandbox(sandbox_id)
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            for container_id in tuple(sandbox.containers):
                await self.remove_container(container_id)
            self._tell(sandbox, "", "deleted")

    async def list_sandboxes(self) -> Sequence[runtime.SandboxStatus]:
        return self.sandboxes()

    # Containers

    async def sandbox_status(self, sandbox_id: str) -> runtime.SandboxStatus | None:
        found = self._sandboxes.get(sandbox_id)
        return _sandbox_status(found) if found else None

    async def create_container(self, sandbox_id: str, config: runtime.ContainerConfig) -> str:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            raise RuntimeFailure("CreateContainerError", f'sandbox "{sandbox_id}" is not running')
        image = self._images.find(config.image)
        if image is None:
            raise RuntimeFailure("CreateContainerError", f'image "{config.image}" is not present')
        behaviour = self._script(sandbox.config, config)
        status = runtime.ContainerStatus(
            id=self._clock.uid().replace("-", ""),
            sandbox_id=sandbox_id,
            pod_uid=sandbox.config.pod_uid,
            name=config.name,
            attempt=config.attempt,
            state=State.CREATED,
            image=image.tags[0] if image.tags else config.image,
            image_id=image.digests[0],
            created_at=self._clock.now(),
            log_path=config.log_path,
            labels=config.labels,
            annotations=config.annotations,
        )
        container = _Container(sandbox, config, behaviour, status, config.resources)
        self._containers[status.id] = sandbox.containers[status.id] = container
        self._tell(sandbox, status.id, "created")
        return status.id

    async def start_container(self, container_id: str) -> None:
        container = self._container(container_id)
        behaviour = container.behaviour
        if behaviour.start_delay_seconds:
            await self._clock.sleep(behaviour.start_delay_seconds)
        if container.status.state is not State.CREATED or not container.sandbox.ready:
            raise RuntimeFailure("RunContainerError", f"container {container_id} cannot be started any more")
        if behaviour.start_error:
            self._end(container, 128, reason="ContainerCannotRun", message=behaviour.start_error)
            raise RuntimeFailure("RunContainerError", behaviour.start_error)
        self._change(container, state=State.RUNNING, started_at=self._clock.now())
        self._write_log(container, self._clock.now())
        self._tell(container.sandbox, container_id, "started")
        if behaviour.run_seconds is not None:
            self._timers.set(behaviour.run_seconds, container_id, by_itself=True)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        container = self._containers.get(container_id)
        if container is None or container.status.state is State.EXITED:
            return
        needed = container.behaviour.stop_seconds
        if container.status.state is State.RUNNING and needed is not None and grace_seconds > 0:
            if needed == 0:
                self._end(container, container.behaviour.stop_exit_code)
            else:
                self._timers.set(needed, container_id, by_itself=False)
        with contextlib.suppress(TimeoutError):
            async with self._clock.timeout(grace_seconds):
                await container.ended.wait()
        self._end(container, 137, signal=9)

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is not None:
            self._end(container, 137, signal=9)
            container.sandbox.containers.pop(container_id, None)
            self._tell(container.sandbox, container_id, "deleted")

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]:
        return tuple(container.status for container in self._containers.values())

    async def container_status(self, container_id: str) -> runtime.ContainerStatus | None:
        container = self._containers.get(container_id)
        return container.status if container else None

    async def update_resources(self, container_id: str, resources: runtime.Resources) -> None:
        self._container(container_id).resources = resources

    async def update_sandbox_resources(
        self,
        sandbox_id: str,
        cpu_limit_millicores: int,
        cpu_shares: int,
        memory_limit_bytes: int,
        *,
        memory_guard: runtime.MemoryGuard | None = None,
    ) -> None:
        """Paper takes any weight."""

    async def not_ready(self) -> str:
        return ""

    async def shape_group(
        self,
        group: str,
        *,
        cpu_shares: int = 0,
        memory_limit_bytes: int = 0,
        pids_limit: int = 0,
        memory_guard: runtime.MemoryGuard | None = None,
    ) -> None:
        """Nor does it weigh pods against each other."""

    def group_of(self, container_id: str) -> runtime.Group | None:
        return None

    async def own_processes(self) -> Sequence[int]:
        return ()

    def changes_folder(self, container_id: str) -> str:
        return ""

    # Streams

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> runtime.ExecResult:
        answer = self._running(container_id).behaviour.answer(command)
        if answer.seconds:
            async with self._clock.timeout(timeout_seconds or answer.seconds + 1):
                await self._clock.sleep(answer.seconds)
        return runtime.ExecResult(answer.exit_code, answer.stdout, answer.stderr)

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> FakeExec:
        return FakeExec(self._running(container_id).behaviour.answer(command), self._clock, tty=tty)

    async def attach(self, container_id: str, *, stdin: bool) -> FakeAttach:
        container = self._running(container_id)
        return FakeAttach(container.ended, lambda: container.status.exit_code, tty=container.config.tty)

    async def port_forward(self, sandbox_id: str, port: int) -> Duplex:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None or not sandbox.ready:
            raise RuntimeFailure("PortForwardError", f'sandbox "{sandbox_id}" is not running')
        for container in sandbox.containers.values():
            if container.status.state is State.RUNNING and port in container.behaviour.ports:
                return answer_connection(container.behaviour.ports[port])
        raise RuntimeFailure("PortForwardError", f"dial tcp4 127.0.0.1:{port}: connect: connection refused")

    def probe_result(self, container_id: str, kind: str) -> bool | None:
        """What the script says of a probe now; None: nothing, or the container is gone."""
        container = self._containers.get(container_id)
        if container is None or container.status.started_at is None:
            return None
        seconds = (self._clock.now() - container.status.started_at).total_seconds()
        return container.behaviour.probe_succeeds(kind, seconds)

    async def reopen_log(self, container_id: str) -> None:
        self._running(container_id)

    async def usage(self) -> Sequence[runtime.Usage]:
        now = self._clock.now()
        return tuple(_usage(c, now) for c in self._containers.values() if c.status.state is State.RUNNING)

    async def sandbox_usage(self) -> Sequence[runtime.SandboxUsage]:
        now = self._clock.now()
        eth0 = (runtime.InterfaceUsage("eth0"),)
        return tuple(runtime.SandboxUsage(one.config.pod_uid, eth0, now) for one in self._sandboxes.values())

    async def events(self) -> AsyncIterator[runtime.ContainerEvent]:
        while True:
            yield await self._events.get()

    # What a test may see, and do to a container

    def sandboxes(self) -> Sequence[runtime.SandboxStatus]:
        return tuple(_sandbox_status(sandbox) for sandbox in self._sandboxes.values())

    def exit(self, container_id: str, code: int = 0, *, reason: str = "") -> None:
        """Let a running container end now."""
        self._end(self._container(container_id), code, reason=reason)

    def set_behaviour(self, container_id: str, behaviour: Behaviour) -> None:
        """What it answers from now on (exec, ports, use, stopping)."""
        self._container(container_id).behaviour = behaviour

    def lose_sandbox(self, sandbox_id: str) -> None:
        """As if its namespaces had died: not ready, containers killed."""
        sandbox = self._sandboxes[sandbox_id]
        for container in sandbox.containers.values():
            self._end(container, 137, signal=9)
        sandbox.ready = False
        self._tell(sandbox, "", "stopped")

    # Inside

    def _container(self, container_id: str) -> _Container:
        container = self._containers.get(container_id)
        if container is None:
            raise RuntimeFailure("NotFound", f'container "{container_id}" not found', temporary=False)
        return container

    def _running(self, container_id: str) -> _Container:
        container = self._container(container_id)
        if container.status.state is not State.RUNNING:
            raise RuntimeFailure("NotRunning", f'container "{container_id}" is not running', temporary=False)
        return container

    async def _attach(self, sandbox_id: str, config: runtime.SandboxConfig) -> tuple[str, ...]:
        if self._network is not None:
            return await self._network.attach(sandbox_id, "", config)
        return (self._addresses.take(),)

    async def _detach(self, sandbox: _Sandbox) -> None:
        if self._network is not None:
            await self._network.detach(sandbox.id, "")
        else:
            self._addresses.give_back(sandbox.addresses)

    def _on_time(self, container_id: str, by_itself: bool) -> None:
        container = self._containers.get(container_id)
        if container is None:
            return
        behaviour = container.behaviour
        if not by_itself:
            self._end(container, behaviour.stop_exit_code)
        elif behaviour.oom:
            self._end(container, 137, reason="OOMKilled", signal=9)
        else:
            self._end(container, behaviour.exit_code(container.config.attempt))

    def _end(self, container: _Container, code: int, *, reason: str = "", message: str = "", signal: int = 0) -> None:
        """Idempotent: what has ended keeps its exit code."""
        if container.status.state is State.EXITED:
            return
        self._change(
            container,
            state=State.EXITED,
            exit_code=code,
            signal=signal,
            reason=reason or ("Completed" if code == 0 else "Error"),
            message=message,
            finished_at=self._clock.now(),
        )
        container.ended.set()
        self._tell(container.sandbox, container.status.id, "stopped")

    def _change(self, container: _Container, **changes: object) -> None:
        container.status = dataclasses.replace(container.status, **changes)  # type: ignore[arg-type]

    def _write_log(self, container: _Container, at: datetime.datetime) -> None:
        if container.behaviour.logs and container.config.log_path:
            path = Path(container.config.log_path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as log:
                log.write(cri_log.records(at, "stdout", container.behaviour.logs))

    def _tell(self, sandbox: _Sandbox, container_id: str, kind: str) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(runtime.ContainerEvent(sandbox.config.pod_uid, sandbox.id, container_id, kind))


def _saved(sandbox: _Sandbox) -> fake_content.Sandbox:
    containers = tuple(
        fake_content.Container(one.config, one.behaviour, one.status, one.resources)
        for one in sandbox.containers.values()
    )
    return fake_content.Sandbox(
        sandbox.id, sandbox.config, sandbox.created_at, sandbox.addresses, sandbox.ready, containers
    )


def _sandbox_status(sandbox: _Sandbox) -> runtime.SandboxStatus:
    config = sandbox.config
    return runtime.SandboxStatus(
        id=sandbox.id,
        pod_uid=config.pod_uid,
        name=config.name,
        namespace=config.namespace,
        attempt=config.attempt,
        ready=sandbox.ready,
        created_at=sandbox.created_at,
        addresses=sandbox.addresses,
        labels=config.labels,
        annotations=config.annotations,
    )


def _usage(container: _Container, now: datetime.datetime) -> runtime.Usage:
    started = container.status.started_at or now
    behaviour = container.behaviour
    return runtime.Usage(
        container_id=container.status.id,
        pod_uid=container.status.pod_uid,
        name=container.status.name,
        cpu_ns=int((now - started).total_seconds() * behaviour.cpu_millicores * 1_000_000),
        memory_bytes=behaviour.memory_bytes,
        memory_working_set_bytes=behaviour.memory_bytes,
        at=now,
        started_at=container.status.started_at,
        memory_rss_bytes=behaviour.memory_bytes,
        processes=1,
    )
