"""OciRuntime: containers of crun or runc, without a daemon.

Keeps true: what `runtime.Runtime` promises, also after kill -9 of this process or of the shim: every container is found again
with its exit code, and what was removed leaves no mount, group, namespace, process or file behind.
Reads and writes: the run directory (per boot: sandboxes, containers, crun's state) and the data directory (images, containers'
changes). Leaves to others: networks (`SandboxNetwork`), when to start what (the kubelet).
"""

import asyncio
import contextlib
import dataclasses
import datetime
import errno
import hashlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import steersman
from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.containers.images.store import Image, ImageStore
from steersman.containers.oci import (
    attaching,
    bundles,
    cgroups,
    execs,
    host,
    host_mounts,
    pod_network,
    records,
    sandbox,
    sessions,
    shim_client,
    shim_mounts,
    statuses,
)
from steersman.containers.runtime import RuntimeFailure, State
from steersman.serving.messages import Duplex

if TYPE_CHECKING:
    from steersman.containers.images import registry

EVENTS_WAITING_MAX = 10_000  # an event more is dropped: the reader lists again now and then
GROUP_REMOVAL_TRIES_MAX = 100  # × 10 ms: a group stays busy for a moment after its last process has ended
GROUP_REMOVAL_PAUSE_SECONDS = 0.01
MEETINGS_MAX = 5  # a dying process is gone within milliseconds, a new shim starts in 0.1 s
MEETING_PAUSE_SECONDS = 0.05
KILL_SECONDS = 10.0  # SIGKILL takes effect in milliseconds, except for processes stuck in the kernel
START_ERROR_EXIT_CODE = 128  # what containerd reports for a container that could not be started


@dataclasses.dataclass(slots=True)
class _Sandbox:
    record: statuses.SandboxRecord
    containers: "dict[str, _Container]" = dataclasses.field(default_factory=dict)
    busy: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)


@dataclasses.dataclass(slots=True)
class _Container:
    sandbox: _Sandbox
    record: statuses.ContainerRecord
    status: runtime.ContainerStatus
    pidfd: int = -1
    ended: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    is_starting: bool = False


class OciRuntime:
    """`root_dir` is kept over reboots, `run_dir` is not; both may be shared with nobody. `cgroup_root` is relative, as in
    `steersman/node-1`. `shared_dirs`: further folders (of volumes) below which mounts must reach the containers. `images_dir`
    may be shared by the runtimes of several nodes of one machine. Registries are asked from `registry_network`."""

    def __init__(
        self,
        root_dir: str | os.PathLike[str],
        run_dir: str | os.PathLike[str],
        network: runtime.SandboxNetwork,
        clock: Clock,
        cgroup_root: str,
        *,
        runtime_path: str = "",
        shared_dirs: Sequence[str | os.PathLike[str]] = (),
        insecure_registries: Sequence[str] = (),
        shim_idle_seconds: float = 60.0,
        images_dir: str | os.PathLike[str] | None = None,
        registry_network: "registry.Network" = contextlib.nullcontext,
    ) -> None:
        self._root_dir = os.path.abspath(root_dir)
        self._run_dir = os.path.abspath(run_dir)
        self._network = network
        self._clock = clock
        self._cgroup_root = cgroup_root.strip("/")
        self._runtime_path = runtime_path
        self._shared_dirs = [os.path.abspath(folder) for folder in shared_dirs]
        self._shim_idle_seconds = shim_idle_seconds
        images = os.path.abspath(images_dir or os.path.join(self._root_dir, "images"))
        self._images = ImageStore(
            images, clock, insecure_registries=insecure_registries, registry_network=registry_network
        )
        self._hold_prefix = hashlib.sha256(self._run_dir.encode()).hexdigest()[:16] + "-"
        self._sandboxes: dict[str, _Sandbox] = {}
        self._containers: dict[str, _Container] = {}
        self._execs: execs.Execs | None = None
        self._events: asyncio.Queue[runtime.ContainerEvent] = asyncio.Queue(EVENTS_WAITING_MAX)
        self._watcher: asyncio.Task[None] | None = None
        self._facts: host.Facts | None = None
        self._client: shim_client.ShimClient | None = None

    @property
    def name(self) -> str:
        return f"steersman-oci://{steersman.__version__}"

    @property
    def features(self) -> runtime.Features:
        can = {"recursive_read_only_mounts": True, "user_namespaces": not self.facts.is_rootless}
        handlers = tuple(runtime.Handler(name, **can) for name in ("", self.facts.handler))
        return runtime.Features(handlers, supplemental_groups_policy=True)

    @property
    def images(self) -> ImageStore:
        return self._images

    # Life

    async def start(self) -> None:
        """Raises host.NoRuntime, or OSError where mounts are not allowed."""
        self._facts = await asyncio.to_thread(self._prepare)
        self._client = shim_client.ShimClient(self._run_dir, self._shim_config(), self._clock, self._shim_event)
        self._execs = execs.Execs(self._client, self._clock, self._run_dir)
        await self._meet_shim()
        await self._take_over()
        await self._network.keep_only([s for s, one in self._sandboxes.items() if one.record.ready])
        self._watcher = asyncio.create_task(self._watch_shim(), name="shim watcher")

    async def close(self) -> None:
        await self._stop_watching()
        if self._client is not None:
            self._client.close()
        for container in self._containers.values():
            self._close_pidfd(container)
        if self._execs is not None:
            self._execs.close()
        await self._images.close()

    async def destroy(self) -> None:
        """Remove every sandbox, end the shim and undo the host's mounts: nothing is left but images and folders."""
        for sandbox_id in tuple(self._sandboxes):
            await self.remove_sandbox(sandbox_id)
        await self._stop_watching()
        with contextlib.suppress(shim_client.ShimGone, shim_client.Refused):
            await self._shim.shut_down()
        await self.close()
        for folder in (self._run_dir, self._root_dir, *self._shared_dirs):
            await asyncio.to_thread(host_mounts.unmount_below, folder)
        # All of it: of the groups above sandboxes (one for each class of pods), only the last sandbox's went away with it.
        await self._remove_group(self._cgroup_root)

    async def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None

    @property
    def facts(self) -> host.Facts:
        assert self._facts is not None, "start() first"
        return self._facts

    @property
    def _shim(self) -> shim_client.ShimClient:
        assert self._client is not None, "start() first"
        return self._client

    @property
    def _all_execs(self) -> execs.Execs:
        assert self._execs is not None, "start() first"
        return self._execs

    def _prepare(self) -> host.Facts:
        facts = host.observe(self._cgroup_root, self._runtime_path)
        if not facts.is_rootless:
            host_mounts.ensure_in_memory(self._run_dir)
        for folder in (self._run_dir, self._root_dir, *self._shared_dirs):
            host_mounts.ensure_shared(folder)
        for name in ("sandboxes", "containers", "crun", "execs", shim_mounts.ROOTS):
            os.makedirs(os.path.join(self._run_dir, name), exist_ok=True)
        for name in ("containers", "crun", "execs"):  # environments stand here, also those from Secrets
            os.chmod(os.path.join(self._run_dir, name), 0o700)
        host_mounts.ensure_mount_point(os.path.join(self._run_dir, shim_mounts.ROOTS))
        os.makedirs(os.path.join(self._root_dir, "containers"), exist_ok=True)
        self._images.open(facts.is_rootless)
        return facts

    def _shim_config(self) -> dict[str, Any]:
        facts = self.facts
        command = [facts.runtime, "--root", os.path.join(self._run_dir, "crun")]
        if facts.is_rootless and facts.is_crun:
            command += ["--cgroup-manager", "disabled"]
        hierarchy = facts.hierarchy
        groups: dict[str, Any] = {"version": hierarchy.version, "mounts": hierarchy.mounts}
        if hierarchy.unified and facts.is_crun:
            groups["hide"] = hierarchy.unified
        return {
            "run_dir": self._run_dir,
            "runtime": command,
            "cgroups": groups,
            "is_rootless": facts.is_rootless,
            "idle_seconds": self._shim_idle_seconds,
        }

    # Taking over what an earlier runtime left

    async def _take_over(self) -> None:
        for sandbox_id in sorted(os.listdir(os.path.join(self._run_dir, "sandboxes"))):
            record = statuses.read_sandbox(self._sandbox_folder(sandbox_id))
            if record is None:  # an earlier runtime was killed while it made this one
                await self._undo_sandbox(sandbox_id)
                continue
            if record.ready and not sandbox.is_whole(self._sandbox_folder(sandbox_id)):
                record = dataclasses.replace(record, ready=False)
            self._sandboxes[sandbox_id] = _Sandbox(record)
        for container_id in sorted(os.listdir(os.path.join(self._run_dir, "containers"))):
            await self._take_over_container(container_id)
        known = set(self._containers)
        self._images.release_all_but(self._hold_prefix, {self._hold_name(name) for name in known})
        for name in os.listdir(os.path.join(self._root_dir, "containers")):
            if name not in known:
                await asyncio.to_thread(shutil.rmtree, os.path.join(self._root_dir, "containers", name))

    async def _take_over_container(self, container_id: str) -> None:
        folder = self._container_folder(container_id)
        record = statuses.read_container(folder)
        if record is None or record.sandbox_id not in self._sandboxes:
            await self._undo_container(container_id, "")
            return
        owner = self._sandboxes[record.sandbox_id]
        container = _Container(owner, record, statuses.container_status(folder, record))
        self._containers[container_id] = owner.containers[container_id] = container
        if container.status.state is State.EXITED:
            container.ended.set()
        elif container.status.state is State.RUNNING:
            self._hold(container)

    async def _meet_shim(self) -> None:
        """Wait for an answer, which is more than a connection: a new shim listens before it has found out which containers
        ended without one, and tells nobody. Once it answers, that stands on disk, and every later end is told. One that was
        killed a moment ago may still take a connection, but answers no more: the next try meets its successor."""
        for tries_left in reversed(range(MEETINGS_MAX)):
            try:
                await self._shim.ask("list")
            except shim_client.ShimGone:
                if not tries_left:
                    raise
                await self._clock.sleep(MEETING_PAUSE_SECONDS)
            else:
                return

    async def _watch_shim(self) -> None:
        """When a shim was lost, have a new one at once: a container's output waits for it."""
        while True:
            await self._shim.lost.wait()
            self._shim.lost.clear()
            self._all_execs.shim_lost()
            try:
                await self._meet_shim()
            except shim_client.ShimGone:
                await self._clock.sleep(1)  # a machine without memory or processes: try again, for ever
                self._shim.lost.set()
                continue
            for container in tuple(self._containers.values()):
                if container.status.state is State.RUNNING:
                    self._look_again(container)

    def _look_again(self, container: _Container) -> None:
        ending = records.read(os.path.join(self._container_folder(container.record.id), records.EXIT))
        if ending is not None:
            self._ended(container, ending)

    def _shim_event(self, message: dict[str, Any]) -> None:
        if message["event"] == "exited":
            container = self._containers.get(message["container"])
            if container is not None:
                self._ended(container, message)
        elif message["event"] == "exec_exited":
            self._all_execs.exited(message["exec"], message["code"])

    def _ended(self, container: _Container, ending: dict[str, Any]) -> None:
        if container.status.state is State.EXITED:
            return
        if container.status.state is State.CREATED:  # it ended before we heard that it had started
            folder = self._container_folder(container.record.id)
            begun = records.read(os.path.join(folder, records.STARTED))
            container.status = statuses.started(container.status, begun) if begun else container.status
        if ending["unknown"] and container.pidfd >= 0:
            ending = statuses.with_known_status(ending, container.pidfd, container.status.pid)
            path = os.path.join(self._container_folder(container.record.id), records.EXIT)
            records.write(path, {key: ending[key] for key in ("code", "signal", "at", "oom", "unknown")})
        container.status = statuses.exited(container.status, ending)
        self._close_pidfd(container)
        container.ended.set()
        self._tell(container.sandbox, container.record.id, "stopped")

    # Sandboxes

    async def run_sandbox(self, config: runtime.SandboxConfig) -> str:
        if config.handler not in ("", self.facts.handler):
            raise RuntimeFailure(
                "CreatePodSandboxError",
                f'failed to get sandbox runtime: no runtime for "{config.handler}" is configured',
            )
        sandbox_id = self._new_id()
        folder = self._sandbox_folder(sandbox_id)
        try:
            if config.users is not None:
                await self._make_with_users(folder, config)
            else:
                await asyncio.to_thread(sandbox.make, folder, config)
                if config.share_process_namespace and not config.host_pid:
                    pause = (await self._shim.ask("pause"))["pid"]
                    self._record_pause(folder, pause)
                    sandbox.pin_process_namespace(folder, pause)
            addresses: tuple[str, ...] = ()
            if not config.host_network:
                path = sandbox.namespace_path(folder, "net")
                addresses = await self._network.attach(sandbox_id, path, config)
            record = statuses.SandboxRecord(sandbox_id, config, self._clock.now(), addresses)
            statuses.write_sandbox(folder, record)
            self._make_group(config)
        except BaseException as failed:
            await self._undo_sandbox(sandbox_id, config)
            if isinstance(failed, OSError | shim_client.Refused):
                raise RuntimeFailure("CreatePodSandboxError", f"failed to create pod sandbox: {failed}") from failed
            raise
        owner = self._sandboxes[sandbox_id] = _Sandbox(record)
        self._tell(owner, "", "started")
        return sandbox_id

    async def _make_with_users(self, folder: str, config: runtime.SandboxConfig) -> None:
        """The pod has a user namespace, which only a process without threads can make."""
        held = await self._shim.ask("hold", wanted=sandbox.holder_order(config))
        os.makedirs(folder)
        try:
            if held["pause"]:
                self._record_pause(folder, held["pause"])
            sandbox.pin_held(folder, config, held["holder"], held["pause"])
        finally:
            os.kill(held["holder"], signal.SIGKILL)

    def _record_pause(self, folder: str, pid: int) -> None:
        records.write(os.path.join(folder, "pause.json"), [pid, records.process_start_ticks(pid)])

    def _make_group(self, config: runtime.SandboxConfig) -> None:
        if not config.cgroup_parent or not self.facts.hierarchy.version:
            return
        limits = cgroups.limit_files(
            self.facts.hierarchy.version,
            cpu_shares=config.cpu_shares,
            cpu_quota_us=config.cpu_limit_millicores * 100,
            memory_bytes=config.memory_limit_bytes,
            pids=config.pids_limit,
        )
        if limits:
            cgroups.create(self.facts.hierarchy, self._group(config), limits)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        owner = self._sandboxes.get(sandbox_id)
        if owner is None:
            return
        async with owner.busy:
            if not owner.record.ready:
                return
            await asyncio.gather(*(self.stop_container(container_id, 0) for container_id in owner.containers))
            await self._end_pause(sandbox_id)
            if not owner.record.config.host_network:
                path = sandbox.namespace_path(self._sandbox_folder(sandbox_id), "net")
                await self._network.detach(sandbox_id, path)
            owner.record = dataclasses.replace(owner.record, ready=False)
            statuses.write_sandbox(self._sandbox_folder(sandbox_id), owner.record)
        self._tell(owner, "", "stopped")

    async def remove_sandbox(self, sandbox_id: str) -> None:
        owner = self._sandboxes.get(sandbox_id)
        if owner is None:
            return
        await self.stop_sandbox(sandbox_id)
        for container_id in tuple(owner.containers):
            await self.remove_container(container_id)
        await self._undo_sandbox(sandbox_id, owner.record.config)
        self._sandboxes.pop(sandbox_id, None)
        if not self._sandboxes:
            parent = os.path.dirname(self._group(owner.record.config))
            cgroups.remove_empty_parents(self.facts.hierarchy, parent, self._cgroup_root)
        self._tell(owner, "", "deleted")

    async def list_sandboxes(self) -> Sequence[runtime.SandboxStatus]:
        return tuple(statuses.sandbox_status(one.record) for one in self._sandboxes.values())

    async def sandbox_status(self, sandbox_id: str) -> runtime.SandboxStatus | None:
        owner = self._sandboxes.get(sandbox_id)
        return statuses.sandbox_status(owner.record) if owner else None

    async def _undo_sandbox(self, sandbox_id: str, config: runtime.SandboxConfig | None = None) -> None:
        folder = self._sandbox_folder(sandbox_id)
        await self._end_pause(sandbox_id)
        await self._network.detach(sandbox_id, sandbox.namespace_path(folder, "net"))
        await asyncio.to_thread(sandbox.remove, folder)
        if config is not None and not self._shares_group(sandbox_id, config):
            await self._remove_group(self._group(config))

    def _shares_group(self, sandbox_id: str, config: runtime.SandboxConfig) -> bool:
        """Whether another attempt of the same pod is there: its containers live in the same group."""
        group = self._group(config)
        return any(self._group(one.record.config) == group for id_, one in self._sandboxes.items() if id_ != sandbox_id)

    async def _end_pause(self, sandbox_id: str) -> None:
        pause = records.read(os.path.join(self._sandbox_folder(sandbox_id), "pause.json"))
        if pause is not None and records.process_start_ticks(pause[0]) == pause[1]:
            os.kill(pause[0], signal.SIGKILL)

    # Containers

    async def create_container(self, sandbox_id: str, config: runtime.ContainerConfig) -> str:
        owner = self._sandboxes.get(sandbox_id)
        if owner is None or not owner.record.ready:
            raise RuntimeFailure("CreateContainerError", f'sandbox "{sandbox_id}" is not running')
        image = self._images.find(config.image)
        if image is None:
            raise RuntimeFailure("CreateContainerError", f'image "{config.image}" is not present')
        container_id = self._new_id()
        try:
            record = await asyncio.to_thread(self._write_container, container_id, owner, config, image)
            if not owner.record.ready:
                raise RuntimeFailure("CreateContainerError", f'sandbox "{sandbox_id}" was stopped')
        except BaseException as failed:
            await self._undo_container(container_id, "")
            if isinstance(failed, bundles.InvalidContainer | OSError):
                raise RuntimeFailure("CreateContainerError", str(failed)) from failed
            raise
        status = statuses.container_status(self._container_folder(container_id), record)
        container = _Container(owner, record, status)
        self._containers[container_id] = owner.containers[container_id] = container
        self._tell(owner, container_id, "created")
        return container_id

    def _write_container(
        self, container_id: str, owner: _Sandbox, config: runtime.ContainerConfig, image: Image
    ) -> statuses.ContainerRecord:
        """Slow where the disk is busy: in a thread."""
        mounted = self._mounted_images(config)
        layers = dict.fromkeys(layer for one in (image, *mounted.values()) for layer in one.layers)
        if not self._images.hold(self._hold_name(container_id), dataclasses.replace(image, layers=tuple(layers))):
            raise RuntimeFailure("CreateContainerError", f'image "{config.image}" was removed')
        pod = owner.record
        place = bundles.Place(
            folder=self._container_folder(container_id),
            data_folder=os.path.join(self._root_dir, "containers", container_id),
            sandbox_folder=self._sandbox_folder(pod.id),
            root=os.path.join(self._run_dir, shim_mounts.ROOTS, container_id),
            group=os.path.join(self._group(pod.config), container_id),
            layers_dir=self._images.layers_dir,
        )
        origin = bundles.Origin(container_id, pod, self._clock.now())
        joined = f"/proc/{self._running(config.processes_of).status.pid}/ns/pid" if config.processes_of else ""
        accounts = self._images.accounts(image)
        return bundles.write(place, origin, config, image, accounts, self.facts, joined, mounted)

    def _mounted_images(self, config: runtime.ContainerConfig) -> dict[str, Image]:
        """Those that are volumes, by the names that the mounts have for them."""
        found = {}
        for name in {mount.image for mount in config.mounts if mount.image}:
            image = self._images.find(name)
            if image is None:
                raise RuntimeFailure("CreateContainerError", f'image "{name}" is not present')
            found[name] = image
        return found

    async def start_container(self, container_id: str) -> None:
        container = self._container(container_id)
        if container.status.state is not State.CREATED or container.is_starting:
            raise RuntimeFailure("RunContainerError", f"container {container_id} was started before", temporary=False)
        container.is_starting = True
        try:
            answer = await self._shim.ask("start", container=container_id)
        except shim_client.Refused as refused:
            self._start_failed(container, str(refused))
            raise RuntimeFailure("RunContainerError", str(refused)) from refused
        except shim_client.ShimGone as gone:
            raise RuntimeFailure("RunContainerError", str(gone)) from gone
        finally:
            container.is_starting = False
        if container.status.state is State.CREATED:
            container.status = statuses.started(container.status, answer)
            self._hold(container)
            self._tell(container.sandbox, container_id, "started")

    def _start_failed(self, container: _Container, message: str) -> None:
        now = self._clock.now().isoformat()
        ending = {
            "code": START_ERROR_EXIT_CODE,
            "signal": 0,
            "at": now,
            "oom": False,
            "unknown": False,
            "message": message,
        }
        records.write(os.path.join(self._container_folder(container.record.id), records.EXIT), ending)
        container.status = statuses.exited(container.status, ending)
        container.ended.set()
        self._tell(container.sandbox, container.record.id, "stopped")

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        container = self._containers.get(container_id)
        if container is None or container.status.state is not State.RUNNING:
            return
        if grace_seconds > 0:
            await self._signal(container, statuses.signal_number(container.record.stop_signal))
            with contextlib.suppress(TimeoutError):
                async with self._clock.timeout(grace_seconds):
                    await container.ended.wait()
        if not container.ended.is_set():
            await self._signal(container, signal.SIGKILL)
            try:
                async with self._clock.timeout(KILL_SECONDS):
                    await container.ended.wait()
            except TimeoutError as late:
                raise RuntimeFailure("KillContainerError", f"container {container_id} does not end") from late

    async def _signal(self, container: _Container, number: int) -> None:
        await self._ask("KillContainerError", "signal", container=container.record.id, signal=int(number))

    async def remove_container(self, container_id: str) -> None:
        container = self._containers.get(container_id)
        if container is None:
            return
        await self.stop_container(container_id, 0)
        await self._ask("RemoveContainerError", "forget", container=container_id)
        await self._undo_container(container_id, container.record.cgroup)
        self._containers.pop(container_id, None)
        container.sandbox.containers.pop(container_id, None)
        self._close_pidfd(container)
        self._tell(container.sandbox, container_id, "deleted")

    async def _undo_container(self, container_id: str, group: str) -> None:
        if group:
            await self._remove_group(group)
        await asyncio.to_thread(self._remove_files, container_id)
        self._images.release(self._hold_name(container_id))

    def _hold_name(self, container_id: str) -> str:
        """Several runtimes may share the images: a name that tells this one's containers from others'."""
        return f"{self._hold_prefix}{container_id}"

    def _remove_files(self, container_id: str) -> None:
        """The record goes last: with it a removal that was cut short is found again."""
        for folder in (
            os.path.join(self._root_dir, "containers", container_id),
            os.path.join(self._run_dir, "crun", container_id),
            self._container_folder(container_id),
        ):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)

    async def _remove_group(self, group: str) -> None:
        hierarchy = self.facts.hierarchy
        for _ in range(GROUP_REMOVAL_TRIES_MAX):
            if cgroups.remove(hierarchy, group):
                return
            await self._clock.sleep(GROUP_REMOVAL_PAUSE_SECONDS)
        raise RuntimeFailure("RemoveContainerError", f"the control group {group} stays busy")

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]:
        return tuple(container.status for container in self._containers.values())

    async def container_status(self, container_id: str) -> runtime.ContainerStatus | None:
        container = self._containers.get(container_id)
        return container.status if container else None

    async def update_resources(self, container_id: str, resources: runtime.Resources) -> None:
        container = self._running(container_id)
        limits = cgroups.limit_files(
            self.facts.hierarchy.version,
            cpu_shares=resources.cpu_shares,
            cpu_quota_us=resources.cpu_quota_us,
            cpu_period_us=resources.cpu_period_us,
            memory_bytes=resources.memory_limit_bytes,
            pids=resources.pids_limit,
            cpus=resources.cpus,
        )
        try:
            cgroups.update(self.facts.hierarchy, container.record.cgroup, limits)
        except OSError as refused:
            raise RuntimeFailure("UpdateContainerError", str(refused)) from refused

    async def update_sandbox_resources(
        self, sandbox_id: str, cpu_limit_millicores: int, cpu_shares: int, memory_limit_bytes: int
    ) -> None:
        owner = self._sandboxes.get(sandbox_id)
        if owner is None or not self.facts.hierarchy.version:
            return
        limits = cgroups.limit_files(
            self.facts.hierarchy.version,
            cpu_shares=cpu_shares,
            cpu_quota_us=cpu_limit_millicores * 100,
            memory_bytes=memory_limit_bytes,
        )
        ended = [one.record.cgroup for one in owner.containers.values() if one.status.state is State.EXITED]
        for group in filter(None, ended):  # a dead one's group still counts when the pod's is to shrink
            await self._remove_group(group)
        try:
            await self._update_group(self._group(owner.record.config), limits)
        except OSError as refused:
            raise RuntimeFailure("UpdatePodSandboxError", str(refused)) from refused

    async def not_ready(self) -> str:
        """There is no daemon that could be away: a lost shim is replaced at once."""
        return ""

    async def shape_group(self, group: str, *, cpu_shares: int = 0, memory_limit_bytes: int = 0) -> None:
        hierarchy = self.facts.hierarchy
        limits = cgroups.limit_files(hierarchy.version, cpu_shares=cpu_shares, memory_bytes=memory_limit_bytes)
        try:
            if limits:
                cgroups.create(hierarchy, os.path.join(self._cgroup_root, group), limits)
        except OSError as refused:
            raise RuntimeFailure("UpdateGroupError", f"control group {group}: {refused}") from refused

    async def _update_group(self, group: str, limits: dict[str, str]) -> None:
        """The kernel forgets a removed group only some milliseconds later; until then a smaller parent is EINVAL."""
        for tries_left in reversed(range(GROUP_REMOVAL_TRIES_MAX)):
            try:
                cgroups.update(self.facts.hierarchy, group, limits)
                return
            except OSError as refused:
                if refused.errno != errno.EINVAL or not tries_left:
                    raise
            await self._clock.sleep(GROUP_REMOVAL_PAUSE_SECONDS)

    # Streams

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> runtime.ExecResult:
        self._running(container_id)
        return await self._all_execs.run_to_end(container_id, command, timeout_seconds)

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> sessions.Session:
        self._running(container_id)
        return await self._all_execs.start(container_id, command, stdin=stdin, tty=tty)

    async def attach(self, container_id: str, *, stdin: bool) -> sessions.Session:
        container = self._running(container_id)

        async def wait_exit() -> int:
            await container.ended.wait()
            return container.status.exit_code

        folder = self._container_folder(container_id)
        return await attaching.attach(self._shim, container.record, folder, wait_exit, stdin=stdin)

    async def port_forward(self, sandbox_id: str, port: int) -> Duplex:
        owner = self._sandboxes.get(sandbox_id)
        if owner is None or not owner.record.ready:
            raise RuntimeFailure("PortForwardError", f'sandbox "{sandbox_id}" is not running', temporary=False)
        return await pod_network.connect(sandbox.namespace_path(self._sandbox_folder(sandbox_id), "net"), port)

    async def reopen_log(self, container_id: str) -> None:
        self._running(container_id)
        await self._ask("ReopenContainerLogError", "reopen", container=container_id)

    async def usage(self) -> Sequence[runtime.Usage]:
        now = self._clock.now()
        running = [c for c in self._containers.values() if c.status.state is State.RUNNING]
        return tuple(self._usage(container, now) for container in running)

    def _usage(self, container: _Container, now: datetime.datetime) -> runtime.Usage:
        record = container.record
        use = cgroups.usage(self.facts.hierarchy, record.cgroup)
        return runtime.Usage(
            container_id=record.id,
            pod_uid=record.pod_uid,
            name=record.name,
            cpu_ns=use.cpu_ns,
            memory_bytes=use.memory_bytes,
            memory_working_set_bytes=use.working_set_bytes,
            at=now,
            started_at=container.status.started_at,
            memory_rss_bytes=use.rss_bytes,
            page_faults=use.page_faults,
            major_page_faults=use.major_page_faults,
            swap_bytes=use.swap_bytes,
            processes=use.processes,
        )

    async def sandbox_usage(self) -> Sequence[runtime.SandboxUsage]:
        """A pod's interfaces are seen through any process in it."""
        now = self._clock.now()
        found = []
        for owner in self._sandboxes.values():
            pids = (one.status.pid for one in owner.containers.values() if one.status.state is State.RUNNING)
            pid = 0 if owner.record.config.host_network else next(pids, 0)
            interfaces = pod_network.interfaces_of(pid) if pid else ()
            found.append(runtime.SandboxUsage(owner.record.config.pod_uid, interfaces, now))
        return tuple(found)

    def changes_folder(self, container_id: str) -> str:
        return os.path.join(self._root_dir, "containers", container_id, "upper")

    async def events(self) -> AsyncIterator[runtime.ContainerEvent]:
        while True:
            yield await self._events.get()

    # Small things

    async def _ask(self, reason: str, do: str, **arguments: Any) -> Any:
        """Ask the shim; its refusals become RuntimeFailures."""
        try:
            return await self._shim.ask(do, **arguments)
        except (shim_client.Refused, shim_client.ShimGone) as failed:
            raise RuntimeFailure(reason, str(failed)) from failed

    def _tell(self, owner: _Sandbox, container_id: str, kind: str) -> None:
        event = runtime.ContainerEvent(owner.record.config.pod_uid, owner.record.id, container_id, kind)
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(event)

    def _hold(self, container: _Container) -> None:
        """Keep a descriptor of its process: should the shim be killed, the kernel still tells how it ended."""
        with contextlib.suppress(ProcessLookupError):
            container.pidfd = os.pidfd_open(container.status.pid)

    def _close_pidfd(self, container: _Container) -> None:
        if container.pidfd >= 0:
            os.close(container.pidfd)
            container.pidfd = -1

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

    def _group(self, config: runtime.SandboxConfig) -> str:
        return os.path.join(self._cgroup_root, config.cgroup_parent.strip("/") or f"pod{config.pod_uid}")

    def _new_id(self) -> str:
        return self._clock.uid().replace("-", "")

    def _sandbox_folder(self, sandbox_id: str) -> str:
        return os.path.join(self._run_dir, "sandboxes", sandbox_id)

    def _container_folder(self, container_id: str) -> str:
        return os.path.join(self._run_dir, "containers", container_id)
