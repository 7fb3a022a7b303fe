"""OciRuntime: containers of crun or runc, without a daemon.

Keeps true: what `runtime.Runtime` promises, also after kill -9 of this process or of the shim: every container is found again
with its exit code, and what was removed leaves no mount, group, namespace, process or file behind.
Reads and writes: the run directory (per boot: sandboxes, containers, crun's state) and the data directory (images, containers'
changes). Leaves to others: networks (`SandboxNetwork`), when to start what (the kubelet).
The parts: `sandboxes`, `containers`, `groups`; what they share is `home`.
"""

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

import steersman
from steersman.aio.clock import Clock
from steersman.containers import app_armor, runtime, scattered
from steersman.containers.images.store import ImageStore
from steersman.containers.oci import (
    attaching,
    cgroups,
    execs,
    host,
    host_mounts,
    mount_points,
    pod_network,
    sandbox,
    sessions,
    shim_client,
    shim_mounts,
    snapshots,
)
from steersman.containers.oci.containers import Containers
from steersman.containers.oci.groups import Groups
from steersman.containers.oci.home import Home
from steersman.containers.oci.sandboxes import Sandboxes
from steersman.containers.runtime import RuntimeFailure, State
from steersman.serving.messages import Duplex

if TYPE_CHECKING:
    from steersman.containers.images import registry


class OciRuntime:
    """`root_dir` is kept over reboots, `run_dir` is not; both may be shared with nobody. `cgroup_root` is relative, as in
    `steersman/node-1`. `shared_dirs`: further folders (of volumes) below which mounts must reach the containers. `images_dir`
    may be shared by the runtimes of several nodes of one machine. Registries are asked from `registry_network`,
    as the hosts.toml files in `registry_hosts` say. `snapshotter`: of `snapshots.KINDS`."""

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
        registry_hosts: str = "",
        shim_idle_seconds: float = 60.0,
        images_dir: str | os.PathLike[str] | None = None,
        registry_network: "registry.Network" = contextlib.nullcontext,
        snapshotter: str = snapshots.AUTO,
    ) -> None:
        self._home = Home(os.path.abspath(root_dir), os.path.abspath(run_dir), clock)
        self._runtime_path = runtime_path
        self._snapshotter = snapshotter
        self._shared_dirs = [os.path.abspath(folder) for folder in shared_dirs]
        self._shim_idle_seconds = shim_idle_seconds
        images = os.path.abspath(images_dir or os.path.join(self._home.root_dir, "images"))
        self._images = ImageStore(images, clock, registry_hosts=registry_hosts, registry_network=registry_network)
        self._groups = Groups(self._home, cgroup_root.strip("/"))
        self._containers = Containers(self._home, self._groups, self._images)
        self._sandboxes = Sandboxes(
            self._home, self._groups, network, lambda one: self.stop_container(one, 0), self.remove_container
        )
        self._execs: execs.Execs | None = None
        self._watcher: asyncio.Task[None] | None = None

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

    @property
    def file_systems(self) -> runtime.FileSystems:
        return runtime.FileSystems(self._images.layers_dir, self._home.root_dir)

    @property
    def facts(self) -> host.Facts:
        return self._home.facts

    # Life

    async def start(self) -> None:
        """Raises host.NoRuntime, snapshots.Unusable, or OSError where mounts are not allowed."""
        facts = await asyncio.to_thread(self._prepare)
        run_dir, clock = self._home.run_dir, self._home.clock
        shim = shim_client.ShimClient(run_dir, self._shim_config(facts), clock, self._shim_event)
        self._home.open(facts, shim)
        self._execs = execs.Execs(shim, clock, run_dir)
        await self._home.meet_shim()
        await self._sandboxes.take_over()
        await self._containers.take_over(self._sandboxes.live)
        await self._sandboxes.keep_networks()
        self._watcher = asyncio.create_task(self._watch_shim(), name="shim watcher")

    async def close(self) -> None:
        await self._stop_watching()
        self._home.close()
        self._containers.close()
        if self._execs is not None:
            self._execs.close()
        await self._images.close()

    async def destroy(self) -> None:
        """Remove every sandbox, end the shim and undo the host's mounts: nothing is left but images and folders."""
        for sandbox_id in tuple(self._sandboxes.live):
            await self.remove_sandbox(sandbox_id)
        await self._stop_watching()
        with contextlib.suppress(shim_client.ShimGone, shim_client.Refused):
            await self._home.shim.shut_down()
        await self.close()
        for folder in (self._home.run_dir, self._home.root_dir, *self._shared_dirs):
            await asyncio.to_thread(host_mounts.unmount_below, folder)
        # All of it: of the groups above sandboxes (one for each class of pods), only the last sandbox's went away with it.
        await self._groups.remove(self._groups.root)

    async def not_ready(self) -> str:
        """There is no daemon that could be away: a lost shim is replaced at once."""
        return ""

    def _prepare(self) -> host.Facts:
        facts = host.observe(self._groups.root, self._runtime_path)
        cgroups.hand_processors_down(facts.hierarchy, self._groups.root)
        run_dir, root_dir = self._home.run_dir, self._home.root_dir
        if not facts.is_rootless:
            host_mounts.ensure_in_memory(run_dir)
        for folder in (run_dir, root_dir, *self._shared_dirs):
            host_mounts.ensure_shared(folder)
        for name in ("sandboxes", "containers", "crun", "execs", shim_mounts.ROOTS):
            os.makedirs(os.path.join(run_dir, name), exist_ok=True)
        for name in ("containers", "crun", "execs"):  # environments stand here, also those from Secrets
            os.chmod(os.path.join(run_dir, name), 0o700)
        host_mounts.ensure_mount_point(os.path.join(run_dir, shim_mounts.ROOTS))
        scattered.make(os.path.join(root_dir, "containers"))
        self._images.open(facts.is_rootless)
        mount_points.ensure(self._images.layers_dir)
        chosen = snapshots.choose(self._snapshotter, root_dir, is_rootless=facts.is_rootless)
        return dataclasses.replace(
            facts, snapshotter=chosen, app_armor=app_armor.prepare(is_rootless=facts.is_rootless)
        )

    # The shim

    def _shim_config(self, facts: host.Facts) -> dict[str, Any]:
        command = [facts.runtime, "--root", os.path.join(self._home.run_dir, "crun")]
        if facts.is_rootless and facts.is_crun:
            command += ["--cgroup-manager", "disabled"]
        groups: dict[str, Any] = {"version": facts.hierarchy.version, "mounts": facts.hierarchy.mounts}
        if facts.hierarchy.unified and facts.is_crun:
            groups["hide"] = facts.hierarchy.unified
        return {
            "run_dir": self._home.run_dir,
            "runtime": command,
            "cgroups": groups,
            "is_rootless": facts.is_rootless,
            "idle_seconds": self._shim_idle_seconds,
        }

    async def _watch_shim(self) -> None:
        """When a shim was lost, have a new one at once: a container's output waits for it."""
        lost = self._home.shim.lost
        while True:
            await lost.wait()
            lost.clear()
            self._all_execs.shim_lost()
            try:
                await self._home.meet_shim()
            except shim_client.ShimGone:
                await self._home.clock.sleep(1)  # a machine without memory or processes: try again, for ever
                lost.set()
                continue
            self._containers.look_again()

    async def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None

    def _shim_event(self, message: dict[str, Any]) -> None:
        if message["event"] == "exited":
            self._containers.exited(message["container"], message)
        elif message["event"] == "exec_exited":
            self._all_execs.exited(message["exec"], message["code"])

    @property
    def _all_execs(self) -> execs.Execs:
        assert self._execs is not None, "start() first"
        return self._execs

    # Sandboxes

    async def run_sandbox(self, config: runtime.SandboxConfig) -> str:
        return await self._sandboxes.run(config)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        await self._sandboxes.stop(sandbox_id)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        await self._sandboxes.remove(sandbox_id)

    async def list_sandboxes(self) -> Sequence[runtime.SandboxStatus]:
        return self._sandboxes.statuses()

    async def sandbox_status(self, sandbox_id: str) -> runtime.SandboxStatus | None:
        return self._sandboxes.status(sandbox_id)

    async def update_sandbox_resources(
        self,
        sandbox_id: str,
        cpu_limit_millicores: int,
        cpu_shares: int,
        memory_limit_bytes: int,
        *,
        memory_guard: runtime.MemoryGuard | None = None,
    ) -> None:
        owner = self._sandboxes.live.get(sandbox_id)
        if owner is None or not self.facts.hierarchy.version:
            return
        ended = [one.record.cgroup for one in owner.containers.values() if one.status.state is State.EXITED]
        for group in filter(None, ended):  # a dead one's group still counts when the pod's is to shrink
            await self._groups.remove(group)
        try:
            await self._groups.limit_pod(
                owner.config, cpu_limit_millicores, cpu_shares, memory_limit_bytes, memory_guard
            )
        except OSError as refused:
            raise RuntimeFailure("UpdatePodSandboxError", str(refused)) from refused

    async def shape_group(
        self,
        group: str,
        *,
        cpu_shares: int = 0,
        memory_limit_bytes: int = 0,
        pids_limit: int = 0,
        memory_guard: runtime.MemoryGuard | None = None,
    ) -> None:
        self._groups.shape(group, cpu_shares, memory_limit_bytes, pids_limit, memory_guard)

    # Containers

    async def create_container(self, sandbox_id: str, config: runtime.ContainerConfig) -> str:
        return await self._containers.create(self._sandboxes.ready(sandbox_id, "CreateContainerError"), config)

    async def start_container(self, container_id: str) -> None:
        await self._containers.start(container_id)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        await self._containers.stop(container_id, grace_seconds)

    async def remove_container(self, container_id: str) -> None:
        await self._containers.remove(container_id)

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]:
        return tuple(container.status for container in self._containers.live.values())

    async def container_status(self, container_id: str) -> runtime.ContainerStatus | None:
        container = self._containers.live.get(container_id)
        return container.status if container else None

    async def update_resources(self, container_id: str, resources: runtime.Resources) -> None:
        container = self._containers.running(container_id)
        try:
            self._groups.limit(container.record.cgroup, resources)
        except OSError as refused:
            raise RuntimeFailure("UpdateContainerError", str(refused)) from refused

    def group_of(self, container_id: str) -> runtime.Group | None:
        container = self._containers.live.get(container_id)
        hierarchy = self._home.facts.hierarchy
        folders = cgroups.folders(hierarchy, container.record.cgroup) if container else {}
        return runtime.Group(hierarchy.version, folders) if folders else None

    async def own_processes(self) -> Sequence[int]:
        known = await self._home.ask("StatsError", "list")
        return [known["pid"], *known["reapers"]]

    def changes_folder(self, container_id: str) -> str:
        return os.path.join(self._home.changes_folder(container_id), "upper")

    # Streams

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> runtime.ExecResult:
        self._containers.running(container_id)
        return await self._all_execs.run_to_end(container_id, command, timeout_seconds)

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> sessions.Session:
        self._containers.running(container_id)
        return await self._all_execs.start(container_id, command, stdin=stdin, tty=tty)

    async def attach(self, container_id: str, *, stdin: bool) -> sessions.Session:
        container = self._containers.running(container_id)

        async def wait_exit() -> int:
            await container.ended.wait()
            return container.status.exit_code

        return await attaching.attach(self._home.shim, container.record, container.folder, wait_exit, stdin=stdin)

    async def port_forward(self, sandbox_id: str, port: int) -> Duplex:
        self._sandboxes.ready(sandbox_id, "PortForwardError", temporary=False)
        return await pod_network.connect(sandbox.namespace_path(self._home.sandbox_folder(sandbox_id), "net"), port)

    async def reopen_log(self, container_id: str) -> None:
        self._containers.running(container_id)
        await self._home.ask("ReopenContainerLogError", "reopen", container=container_id)

    async def usage(self) -> Sequence[runtime.Usage]:
        return self._containers.usage()

    async def sandbox_usage(self) -> Sequence[runtime.SandboxUsage]:
        return self._sandboxes.usage()

    async def events(self) -> AsyncIterator[runtime.ContainerEvent]:
        async for event in self._home.events():
            yield event
