"""Sandboxes: their namespaces, networks, groups and pause processes, from the first folder to the last unmount."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import Awaitable, Callable, Sequence

from steersman.containers import runtime
from steersman.containers.oci import pod_network, records, sandbox, shim_client, statuses
from steersman.containers.oci.groups import Groups
from steersman.containers.oci.home import Home
from steersman.containers.oci.live import LiveSandbox
from steersman.containers.runtime import RuntimeFailure

PAUSE = "pause.json"


class Sandboxes:
    """`stop_container` and `remove_container` are the containers' part."""

    def __init__(
        self,
        home: Home,
        groups: Groups,
        network: runtime.SandboxNetwork,
        stop_container: Callable[[str], Awaitable[None]],
        remove_container: Callable[[str], Awaitable[None]],
    ) -> None:
        self._home = home
        self._groups = groups
        self._network = network
        self._stop_container = stop_container
        self._remove_container = remove_container
        self.live: dict[str, LiveSandbox] = {}

    async def take_over(self) -> None:
        """What an earlier runtime left; what it was killed over is taken away."""
        for sandbox_id in sorted(os.listdir(os.path.join(self._home.run_dir, "sandboxes"))):
            folder = self._home.sandbox_folder(sandbox_id)
            record = statuses.read_sandbox(folder)
            if record is None:  # an earlier runtime was killed while it made this one
                await self._undo(sandbox_id)
                continue
            if record.ready and not sandbox.is_whole(folder):
                record = dataclasses.replace(record, ready=False)
            self.live[sandbox_id] = LiveSandbox(record)

    async def keep_networks(self) -> None:
        await self._network.keep_only([sandbox_id for sandbox_id, one in self.live.items() if one.record.ready])

    async def run(self, config: runtime.SandboxConfig) -> str:
        if config.handler not in ("", self._home.facts.handler):
            text = f'failed to get sandbox runtime: no runtime for "{config.handler}" is configured'
            raise RuntimeFailure("CreatePodSandboxError", text)
        sandbox_id = self._home.new_id()
        folder = self._home.sandbox_folder(sandbox_id)
        try:
            await self._make(folder, config)
            addresses: tuple[str, ...] = ()
            if not config.host_network:
                path = sandbox.namespace_path(folder, "net")
                addresses = await self._network.attach(sandbox_id, path, config)
            record = statuses.SandboxRecord(sandbox_id, config, self._home.clock.now(), addresses)
            statuses.write_sandbox(folder, record)
            self._groups.make(config)
        except BaseException as failed:
            await self._undo(sandbox_id, config)
            if isinstance(failed, OSError | shim_client.Refused):
                raise RuntimeFailure("CreatePodSandboxError", str(failed)) from failed
            raise
        self.live[sandbox_id] = LiveSandbox(record)
        self._home.tell(config.pod_uid, sandbox_id, "", "started")
        return sandbox_id

    async def stop(self, sandbox_id: str) -> None:
        owner = self.live.get(sandbox_id)
        if owner is None:
            return
        async with owner.busy:
            if not owner.record.ready:
                return
            await asyncio.gather(*(self._stop_container(container_id) for container_id in owner.containers))
            self._end_pause(sandbox_id)
            folder = self._home.sandbox_folder(sandbox_id)
            if not owner.config.host_network:
                await self._network.detach(sandbox_id, sandbox.namespace_path(folder, "net"))
            owner.record = dataclasses.replace(owner.record, ready=False)
            statuses.write_sandbox(folder, owner.record)
        self._home.tell(owner.config.pod_uid, sandbox_id, "", "stopped")

    async def remove(self, sandbox_id: str) -> None:
        owner = self.live.get(sandbox_id)
        if owner is None:
            return
        await self.stop(sandbox_id)
        for container_id in tuple(owner.containers):
            await self._remove_container(container_id)
        await self._undo(sandbox_id, owner.config)
        self.live.pop(sandbox_id, None)
        if not self.live:
            self._groups.remove_empty_above(owner.config)
        self._home.tell(owner.config.pod_uid, sandbox_id, "", "deleted")

    def status(self, sandbox_id: str) -> runtime.SandboxStatus | None:
        owner = self.live.get(sandbox_id)
        return statuses.sandbox_status(owner.record) if owner else None

    def statuses(self) -> Sequence[runtime.SandboxStatus]:
        return tuple(statuses.sandbox_status(one.record) for one in self.live.values())

    def ready(self, sandbox_id: str, reason: str, *, temporary: bool = True) -> LiveSandbox:
        """Raises RuntimeFailure."""
        owner = self.live.get(sandbox_id)
        if owner is None or not owner.record.ready:
            raise RuntimeFailure(reason, f'sandbox "{sandbox_id}" is not running', temporary=temporary)
        return owner

    def usage(self) -> Sequence[runtime.SandboxUsage]:
        """A pod's interfaces are seen through any process in it."""
        now, found = self._home.clock.now(), []
        for owner in self.live.values():
            pids = (one.status.pid for one in owner.containers.values() if one.is_running)
            pid = 0 if owner.config.host_network else next(pids, 0)
            interfaces = pod_network.interfaces_of(pid) if pid else ()
            found.append(runtime.SandboxUsage(owner.config.pod_uid, interfaces, now))
        return tuple(found)

    # Making and undoing

    async def _make(self, folder: str, config: runtime.SandboxConfig) -> None:
        if config.users is not None:
            await self._make_with_users(folder, config)
            return
        await asyncio.to_thread(sandbox.make, folder, config)
        if config.share_process_namespace and not config.host_pid:
            pause = (await self._home.shim.ask("pause"))["pid"]
            _record_pause(folder, pause)
            sandbox.pin_process_namespace(folder, pause)

    async def _make_with_users(self, folder: str, config: runtime.SandboxConfig) -> None:
        """The pod has a user namespace, which only a process without threads can make."""
        held = await self._home.shim.ask("hold", wanted=sandbox.holder_order(config))
        os.makedirs(folder)
        try:
            if held["pause"]:
                _record_pause(folder, held["pause"])
            sandbox.pin_held(folder, config, held["holder"], held["pause"])
        finally:
            os.kill(held["holder"], signal.SIGKILL)

    async def _undo(self, sandbox_id: str, config: runtime.SandboxConfig | None = None) -> None:
        folder = self._home.sandbox_folder(sandbox_id)
        self._end_pause(sandbox_id)
        await self._network.detach(sandbox_id, sandbox.namespace_path(folder, "net"))
        await asyncio.to_thread(sandbox.remove, folder)
        if config is not None and not self._shares_group(sandbox_id, config):
            await self._groups.remove(self._groups.of(config))

    def _shares_group(self, sandbox_id: str, config: runtime.SandboxConfig) -> bool:
        """Whether another attempt of the same pod is there: its containers live in the same group."""
        group = self._groups.of(config)
        return any(self._groups.of(one.config) == group for id_, one in self.live.items() if id_ != sandbox_id)

    def _end_pause(self, sandbox_id: str) -> None:
        pause = records.read(os.path.join(self._home.sandbox_folder(sandbox_id), PAUSE))
        if pause is not None and records.process_start_ticks(pause[0]) == pause[1]:
            os.kill(pause[0], signal.SIGKILL)


def _record_pause(folder: str, pid: int) -> None:
    records.write(os.path.join(folder, PAUSE), [pid, records.process_start_ticks(pid)])
