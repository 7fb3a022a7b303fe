"""CriRuntime: pods on containerd or CRI-O, through CRI v1.

Keeps true: what `runtime.Runtime` promises. Networks are the runtime's own (CNI). Reads and writes: the runtime, the control
groups above its containers (which CRI leaves to the kubelet), and a file for each sandbox with what it was made for, as CRI wants
to hear it again for each container.
"""

import asyncio
import contextlib
import logging
import math
import os
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.containers.cri import doubts, images, streams, translate
from steersman.containers.oci import cgroups, statuses
from steersman.containers.runtime import RuntimeFailure, State
from steersman.serving import protobuf
from steersman.serving.messages import Duplex
from steersman.serving.protobuf import Message
from steersman.serving.remote_calls import CallFailed, Peer
from steersman.serving.remote_sessions import SpdySession

_log = logging.getLogger(__name__)

SCHEMA = Path(__file__).with_name("api.proto")
SERVICE = "RuntimeService"
CALL_SECONDS = 120.0  # upstream's runtimeRequestTimeout
BEYOND_SECONDS = 10.0  # what a call may take beyond the time that it is about
LOOK_SECONDS = 1.0  # between two looks at all containers, where the runtime tells of no events (upstream's PLEG)
EVENTS_WAITING_MAX = 10_000
GROUP_REMOVAL_TRIES_MAX = 100
GROUP_REMOVAL_PAUSE_SECONDS = 0.01
DEFAULT_SOCKET = "/run/containerd/containerd.sock"
KINDS = {State.CREATED: "created", State.RUNNING: "started", State.EXITED: "stopped", State.UNKNOWN: "stopped"}


class CriRuntime:
    """`state_dir` is this node's alone; `cgroup_root` is relative, as in `steersman/node-1`."""

    def __init__(self, address: str, state_dir: str | os.PathLike[str], clock: Clock, cgroup_root: str) -> None:
        self._peer_address = address = address if ":" in address else f"unix://{address}"
        self._peer = Peer(address, protobuf.load(SCHEMA))
        self._images = images.CriImages(self._peer)
        self._state_dir = Path(state_dir)
        self._clock = clock
        self._cgroup_root = cgroup_root.strip("/")
        self._hierarchy = cgroups.NONE
        self._name = "containerd://"
        self._features = runtime.Features()
        self._file_systems = runtime.FileSystems()
        self._sandboxes: dict[str, runtime.SandboxConfig] = {}
        self._doubts = doubts.Doubts(self._state_dir, clock)
        self._ready: dict[str, bool] = {}
        self._states: dict[str, tuple[State, str]] = {}  # of containers, with their sandboxes
        self._exited: dict[str, runtime.ContainerStatus] = {}
        self._events: asyncio.Queue[runtime.ContainerEvent] = asyncio.Queue(EVENTS_WAITING_MAX)
        self._watcher: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self._name

    @property
    def features(self) -> runtime.Features:
        return self._features

    @property
    def file_systems(self) -> runtime.FileSystems:
        return self._file_systems

    @property
    def images(self) -> images.CriImages:
        return self._images

    async def start(self) -> None:
        """Raises RuntimeFailure when nobody answers."""
        found = await self._call("Version", {"version": "v1"})
        self._name = f"{found.get('runtime_name', '')}://{found.get('runtime_version', '')}"
        self._features = translate.features(await self._call("Status", {}))
        self._file_systems = await self._images.file_systems()
        hierarchy = cgroups.detect(Path("/proc/self/mountinfo").read_text())
        self._hierarchy = hierarchy if cgroups.is_writable(hierarchy, self._cgroup_root) else cgroups.NONE
        self._state_dir.mkdir(parents=True, exist_ok=True)
        for file in self._state_dir.glob("*.json"):
            record = statuses.read_sandbox_config(str(file))
            if record is not None:
                self._sandboxes[file.stem] = record
        self._doubts.read()
        await self._look(tell=False)
        self._watcher = asyncio.create_task(self._watch(), name="cri watcher")

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        await self._peer.close()

    async def destroy(self) -> None:
        """Remove every sandbox of this node."""
        for sandbox_id in tuple(self._sandboxes):
            await self.remove_sandbox(sandbox_id)
        await self.close()
        await self._remove_group(self._cgroup_root)

    async def not_ready(self) -> str:
        """Why pods cannot be run now; empty when they can."""
        try:
            return translate.not_ready(await self._call("Status", {}))
        except (RuntimeFailure, TimeoutError):
            return "container runtime is down"

    # Sandboxes

    async def run_sandbox(self, config: runtime.SandboxConfig) -> str:
        group = self._group(config)
        limits = cgroups.limit_files(
            self._hierarchy.version,
            cpu_shares=config.cpu_shares,
            cpu_quota_us=config.cpu_limit_millicores * 100,
            memory_bytes=config.memory_limit_bytes,
            pids=config.pids_limit,
        )
        if any(config.memory_guard):
            limits |= cgroups.guard_files(self._hierarchy.version, config.memory_guard)
        try:
            if limits:
                cgroups.create(self._hierarchy, group, limits)
            wanted = translate.sandbox(config, f"/{group}" if self._hierarchy.version else "")
            request = {"config": wanted, "runtime_handler": config.handler}
            self._doubts.begin(config)
            made = await self._peer.call(SERVICE, "RunPodSandbox", request, 2 * CALL_SECONDS)
        except (OSError, CallFailed) as failed:  # a TimeoutError is an OSError
            await self._remove_group_unless_shared(config)
            raise RuntimeFailure("CreatePodSandboxError", _as_grpc_says(failed)) from failed
        sandbox_id = str(made["pod_sandbox_id"])
        self._know_sandbox(sandbox_id, config)
        self._saw_sandbox(sandbox_id, ready=True)
        return sandbox_id

    def _know_sandbox(self, sandbox_id: str, config: runtime.SandboxConfig) -> None:
        statuses.write_sandbox_config(str(self._file(sandbox_id)), config)
        self._sandboxes[sandbox_id] = config
        self._doubts.settle(config)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id not in self._sandboxes:
            return
        await self._call("StopPodSandbox", {"pod_sandbox_id": sandbox_id}, "KillPodSandboxError")
        for container_id in self._containers_of(sandbox_id):
            await self._see_container(container_id)
        self._saw_sandbox(sandbox_id, ready=False)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        if sandbox_id not in self._sandboxes:
            return
        await self.stop_sandbox(sandbox_id)
        for container_id in self._containers_of(sandbox_id):
            await self.remove_container(container_id)
        await self._call("RemovePodSandbox", {"pod_sandbox_id": sandbox_id}, "KillPodSandboxError")
        config = self._sandboxes.pop(sandbox_id)
        self._ready.pop(sandbox_id, None)
        self._tell(config.pod_uid, sandbox_id, "", "deleted")
        await self._remove_group_unless_shared(config)
        self._file(sandbox_id).unlink(missing_ok=True)

    async def list_sandboxes(self) -> Sequence[runtime.SandboxStatus]:
        if self._doubts:
            await self._look()
        found = [await self.sandbox_status(sandbox_id) for sandbox_id in tuple(self._sandboxes)]
        return [one for one in found if one is not None]

    async def sandbox_status(self, sandbox_id: str) -> runtime.SandboxStatus | None:
        try:
            found = await self._peer.call(SERVICE, "PodSandboxStatus", {"pod_sandbox_id": sandbox_id}, CALL_SECONDS)
        except CallFailed as failed:
            if failed.code == "NOT_FOUND":
                return None
            raise RuntimeFailure("SandboxStatusError", failed.message) from failed
        return translate.sandbox_status(found["status"])

    # Containers

    async def create_container(self, sandbox_id: str, config: runtime.ContainerConfig) -> str:
        pod = self._sandboxes.get(sandbox_id)
        if pod is None:
            raise RuntimeFailure("CreateContainerError", f'sandbox "{sandbox_id}" is not running')
        image = await self._images.status(config.image)
        if image is None:
            raise RuntimeFailure("CreateContainerError", f'image "{config.image}" is not present')
        request = {
            "pod_sandbox_id": sandbox_id,
            "config": translate.container(config, image.id, pod, self._hierarchy.version),
            "sandbox_config": translate.sandbox(pod, f"/{self._group(pod)}" if self._hierarchy.version else ""),
        }
        made = await self._call("CreateContainer", request, "CreateContainerError")
        container_id = str(made["container_id"])
        self._saw_container(container_id, sandbox_id, State.CREATED)
        return container_id

    async def start_container(self, container_id: str) -> None:
        try:
            await self._call("StartContainer", {"container_id": container_id}, "RunContainerError")
        finally:
            await self._see_container(container_id)

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        if container_id not in self._states:
            return
        timeout = math.ceil(max(0.0, grace_seconds))
        request = {"container_id": container_id, "timeout": timeout}
        await self._call("StopContainer", request, "KillContainerError", seconds=timeout + CALL_SECONDS)
        await self._see_container(container_id)

    async def remove_container(self, container_id: str) -> None:
        if container_id not in self._states:
            return
        if self._states[container_id][0] is State.RUNNING:
            await self.stop_container(container_id, 0)
        await self._call("RemoveContainer", {"container_id": container_id}, "RemoveContainerError")
        self._forget_container(container_id)

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]:
        await self._look()
        found = [await self.container_status(container_id) for container_id in tuple(self._states)]
        return [one for one in found if one is not None]

    async def container_status(self, container_id: str) -> runtime.ContainerStatus | None:
        if container_id in self._exited:
            return self._exited[container_id]
        if container_id not in self._states:
            return None
        try:
            found = await self._peer.call(SERVICE, "ContainerStatus", {"container_id": container_id}, CALL_SECONDS)
        except CallFailed as failed:
            if failed.code == "NOT_FOUND":
                return None
            raise RuntimeFailure("ContainerStatusError", failed.message) from failed
        sandbox_id = self._states[container_id][1]
        status = translate.container_status(found["status"], sandbox_id, self._sandboxes[sandbox_id].pod_uid)
        if status.state is State.EXITED:
            self._exited[container_id] = status
        return status

    async def update_resources(self, container_id: str, resources: runtime.Resources) -> None:
        wanted = translate.resources(resources)
        if any(resources.memory_guard) and self._hierarchy.version == 2:
            wanted["unified"] = cgroups.guard_files(2, resources.memory_guard)
        request = {"container_id": container_id, "linux": wanted}
        await self._call("UpdateContainerResources", request, "UpdateContainerError")

    async def update_sandbox_resources(
        self,
        sandbox_id: str,
        cpu_limit_millicores: int,
        cpu_shares: int,
        memory_limit_bytes: int,
        *,
        memory_guard: runtime.MemoryGuard | None = None,
    ) -> None:
        config = self._sandboxes.get(sandbox_id)
        if config is None or not self._hierarchy.version:
            return
        limits = cgroups.limit_files(
            self._hierarchy.version,
            cpu_shares=cpu_shares,
            cpu_quota_us=cpu_limit_millicores * 100,
            memory_bytes=memory_limit_bytes,
        ) | cgroups.guard_files(self._hierarchy.version, memory_guard)
        try:
            cgroups.update(self._hierarchy, self._group(config), limits)
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
        limits = cgroups.limit_files(
            self._hierarchy.version, cpu_shares=cpu_shares, memory_bytes=memory_limit_bytes, pids=pids_limit
        ) | cgroups.guard_files(self._hierarchy.version, memory_guard)
        try:
            if limits:
                cgroups.create(self._hierarchy, os.path.join(self._cgroup_root, group), limits)
        except OSError as refused:
            raise RuntimeFailure("UpdateGroupError", f"control group {group}: {refused}") from refused

    def group_of(self, container_id: str) -> runtime.Group | None:
        """With the driver cgroupfs, which every runtime has by default where pods' groups are the kubelet's own."""
        _, owner = self._states.get(container_id, (None, ""))
        config = self._sandboxes.get(owner)
        folders = cgroups.folders(self._hierarchy, os.path.join(self._group(config), container_id)) if config else {}
        return runtime.Group(self._hierarchy.version, folders) if folders else None

    async def own_processes(self) -> Sequence[int]:
        """Who answers at the socket."""
        with socket.socket(socket.AF_UNIX) as asked:
            try:
                asked.connect(self._peer_address.removeprefix("unix://").removeprefix("unix:"))
            except OSError:  # away for now
                return []
            pid, _, _ = struct.unpack("3i", asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return [pid] if pid else []

    def changes_folder(self, container_id: str) -> str:
        """Only the runtime knows."""
        return ""

    # Streams

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> runtime.ExecResult:
        timeout = math.ceil(timeout_seconds)
        request = {"container_id": container_id, "cmd": list(command), "timeout": timeout}
        seconds = timeout + BEYOND_SECONDS if timeout else None
        found = await self._call("ExecSync", request, "ExecError", seconds=seconds)
        return runtime.ExecResult(found.get("exit_code", 0), found.get("stdout", b""), found.get("stderr", b""))

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> SpdySession:
        request = {
            "container_id": container_id,
            "cmd": list(command),
            "tty": tty,
            "stdin": stdin,
            "stdout": True,
            "stderr": not tty,
        }
        url = str((await self._call("Exec", request, "ExecError"))["url"])
        return await streams.open_session(url, stdin=stdin, tty=tty, reason="ExecError", clock=self._clock)

    async def attach(self, container_id: str, *, stdin: bool) -> SpdySession:
        status = await self.container_status(container_id)
        tty = status is not None and status.tty
        request = {"container_id": container_id, "stdin": stdin, "tty": tty, "stdout": True, "stderr": not tty}
        url = str((await self._call("Attach", request, "AttachError"))["url"])
        return await streams.open_session(url, stdin=stdin, tty=tty, reason="AttachError", clock=self._clock)

    async def port_forward(self, sandbox_id: str, port: int) -> Duplex:
        request = {"pod_sandbox_id": sandbox_id, "port": [port]}
        url = str((await self._call("PortForward", request, "PortForwardError"))["url"])
        return await streams.open_port(url, port, self._clock)

    async def reopen_log(self, container_id: str) -> None:
        await self._call("ReopenContainerLog", {"container_id": container_id}, "ReopenContainerLogError")

    async def usage(self) -> Sequence[runtime.Usage]:
        stats = (await self._call("ListContainerStats", {})).get("stats", [])
        by_id = {one.get("attributes", {}).get("id", ""): one for one in stats}
        now, found = self._clock.now(), []
        for container_id, (state, _) in tuple(self._states.items()):
            status = await self.container_status(container_id) if state is State.RUNNING else None
            if status is not None and status.state is State.RUNNING and container_id in by_id:
                found.append(translate.usage(by_id[container_id], status, now))
        return found

    async def sandbox_usage(self) -> Sequence[runtime.SandboxUsage]:
        try:
            stats = (await self._call("ListPodSandboxStats", {})).get("stats", [])
        except RuntimeFailure:  # older runtimes do not know
            return []
        own = {config.pod_uid for config in self._sandboxes.values()}
        found = [translate.sandbox_usage(one, self._clock.now()) for one in stats]
        return [one for one in found if one.pod_uid in own]

    async def events(self) -> AsyncIterator[runtime.ContainerEvent]:
        while True:
            yield await self._events.get()

    # Looking

    async def _watch(self) -> None:
        """Follow the runtime's events where it has any; look at everything now and then where it has none, or is away."""
        while True:
            try:
                async for event in self._peer.follow(SERVICE, "GetContainerEvents", {}):
                    await self._on_event(event)
            except CallFailed as failed:
                if failed.code != "UNIMPLEMENTED":
                    _log.info("container events: %s", failed)
            await self._clock.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except (RuntimeFailure, TimeoutError) as failed:
                _log.warning("the container runtime does not answer: %s", failed)

    async def _on_event(self, event: Message) -> None:
        container_id = str(event.get("container_id", ""))
        if container_id in self._sandboxes:
            status = await self.sandbox_status(container_id)
            self._saw_sandbox(container_id, ready=status is not None and status.ready)
        elif event.get("container_event_type") != "CONTAINER_DELETED_EVENT":
            await self._see_container(container_id)

    async def _look(self, *, tell: bool = True) -> None:
        """Compare everything of this node with what is known."""
        sandboxes = {one["id"]: one for one in (await self._call("ListPodSandbox", {})).get("items", [])}
        containers = {one["id"]: one for one in (await self._call("ListContainers", {})).get("containers", [])}
        for sandbox_id, found in sandboxes.items():
            if sandbox_id not in self._sandboxes and (asked := self._doubts.find(found)) is not None:
                self._know_sandbox(sandbox_id, asked)
        self._doubts.drop_old()
        for sandbox_id in tuple(self._sandboxes):
            found = sandboxes.get(sandbox_id, {"state": "SANDBOX_NOTREADY"})
            ready = found.get("state", "SANDBOX_READY") == "SANDBOX_READY"
            if tell:
                self._saw_sandbox(sandbox_id, ready=ready)
            else:
                self._ready[sandbox_id] = ready
        for container_id, found in containers.items():
            sandbox_id = found.get("pod_sandbox_id", "")
            if sandbox_id in self._sandboxes:
                state = translate.STATES[found.get("state", "CONTAINER_CREATED")]
                if tell:
                    self._saw_container(container_id, sandbox_id, state)
                else:
                    self._states[container_id] = (state, sandbox_id)
        for container_id in self._states.keys() - containers.keys():
            self._forget_container(container_id)

    async def _see_container(self, container_id: str) -> None:
        if container_id in self._states:
            status = await self.container_status(container_id)
            if status is not None and container_id in self._states:
                self._saw_container(container_id, status.sandbox_id, status.state)

    def _saw_container(self, container_id: str, sandbox_id: str, state: State) -> None:
        before = self._states.get(container_id)
        if before is not None and (before[0] is state or before[0] is State.EXITED):
            return
        self._states[container_id] = (state, sandbox_id)
        self._tell(self._sandboxes[sandbox_id].pod_uid, sandbox_id, container_id, KINDS[state])

    def _forget_container(self, container_id: str) -> None:
        found = self._states.pop(container_id, None)
        self._exited.pop(container_id, None)
        if found is not None and found[1] in self._sandboxes:
            self._tell(self._sandboxes[found[1]].pod_uid, found[1], container_id, "deleted")

    def _saw_sandbox(self, sandbox_id: str, *, ready: bool) -> None:
        if self._ready.get(sandbox_id) is ready or sandbox_id not in self._sandboxes:
            return
        self._ready[sandbox_id] = ready
        self._tell(self._sandboxes[sandbox_id].pod_uid, sandbox_id, "", "started" if ready else "stopped")

    def _tell(self, pod_uid: str, sandbox_id: str, container_id: str, kind: str) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._events.put_nowait(runtime.ContainerEvent(pod_uid, sandbox_id, container_id, kind))

    # Small things

    async def _call(
        self,
        method: str,
        request: dict[str, Any],
        reason: str = "RuntimeError",
        *,
        seconds: float | None = CALL_SECONDS,
    ) -> Message:
        try:
            return await self._peer.call(SERVICE, method, request, seconds)
        except CallFailed as failed:
            raise RuntimeFailure(reason, failed.message) from failed

    def _containers_of(self, sandbox_id: str) -> list[str]:
        return [container_id for container_id, (_, owner) in self._states.items() if owner == sandbox_id]

    def _group(self, config: runtime.SandboxConfig) -> str:
        return os.path.join(self._cgroup_root, config.cgroup_parent.strip("/") or f"pod{config.pod_uid}")

    async def _remove_group_unless_shared(self, config: runtime.SandboxConfig) -> None:
        """Another attempt of the same pod lives in the same group."""
        group = self._group(config)
        if self._hierarchy.version and not any(self._group(one) == group for one in self._sandboxes.values()):
            await self._remove_group(group)

    async def _remove_group(self, group: str) -> None:
        for _ in range(GROUP_REMOVAL_TRIES_MAX):
            if cgroups.remove(self._hierarchy, group):
                return
            await self._clock.sleep(GROUP_REMOVAL_PAUSE_SECONDS)
        raise RuntimeFailure("KillPodSandboxError", f"the control group {group} stays busy")

    def _file(self, sandbox_id: str) -> Path:
        return self._state_dir / f"{sandbox_id}.json"


def _as_grpc_says(failed: Exception) -> str:
    """As Go's library prints an error, which is what users of other kubelets see."""
    if isinstance(failed, CallFailed):
        code, text = "".join(word.capitalize() for word in failed.code.split("_")), failed.message
    elif isinstance(failed, TimeoutError):
        code, text = "DeadlineExceeded", str(failed)
    else:
        return str(failed)
    return f"rpc error: code = {code} desc = {text}"
