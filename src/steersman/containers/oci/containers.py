"""Containers: written to disk, started and signalled through the shim, found again after either was killed, taken away."""

import asyncio
import contextlib
import dataclasses
import datetime
import hashlib
import os
import signal
from collections.abc import Sequence
from typing import Any

from steersman.containers import runtime, trees
from steersman.containers.images.store import Image, ImageStore
from steersman.containers.oci import bundles, records, shim_client, shim_mounts, statuses
from steersman.containers.oci.groups import Groups
from steersman.containers.oci.home import Home
from steersman.containers.oci.live import LiveContainer, LiveSandbox
from steersman.containers.runtime import RuntimeFailure, State

UNTHROTTLED_AFTER_SECONDS = 1.0  # whoever is not dead by then may be many
KILL_SECONDS = 10.0  # SIGKILL takes effect in milliseconds, except for processes stuck in the kernel
LAUNCHES_MOST = 3  # of one container, while its shims are killed
START_ERROR_EXIT_CODE = 128  # what containerd reports for a container that could not be started


class Containers:
    def __init__(self, home: Home, groups: Groups, images: ImageStore) -> None:
        self._home = home
        self._groups = groups
        self._images = images
        # Several runtimes may share the images: names that tell this one's containers from others'.
        self._hold_prefix = hashlib.sha256(home.run_dir.encode()).hexdigest()[:16] + "-"
        self.live: dict[str, LiveContainer] = {}

    # Taking over, and endings

    async def take_over(self, sandboxes: dict[str, LiveSandbox]) -> None:
        """What an earlier runtime left; what has no sandbox, or was half made, is taken away."""
        for container_id in sorted(os.listdir(os.path.join(self._home.run_dir, "containers"))):
            await self._take_over_one(container_id, sandboxes)
        known = set(self.live)
        self._images.release_all_but(self._hold_prefix, {self._hold_name(name) for name in known})
        for name in os.listdir(os.path.join(self._home.root_dir, "containers")):
            if name not in known:
                await asyncio.to_thread(trees.remove, self._home.changes_folder(name))

    async def _take_over_one(self, container_id: str, sandboxes: dict[str, LiveSandbox]) -> None:
        folder = self._home.container_folder(container_id)
        record = statuses.read_container(folder)
        if record is None or record.sandbox_id not in sandboxes:
            await self._undo(container_id, "")
            return
        owner = sandboxes[record.sandbox_id]
        container = LiveContainer(owner, record, statuses.container_status(folder, record), folder)
        self.live[container_id] = owner.containers[container_id] = container
        if container.status.state is State.EXITED:
            container.ended.set()
        elif container.is_running:
            container.hold()

    def look_again(self) -> None:
        """A new shim is there: what ended while none was stands on disk."""
        for container in tuple(self.live.values()):
            if container.is_running:
                self._look_at_end(container)

    def _look_at_end(self, container: LiveContainer) -> None:
        ending = records.read(os.path.join(container.folder, records.EXIT))
        if ending is not None:
            self._ended(container, ending)

    def exited(self, container_id: str, ending: dict[str, Any]) -> None:
        """The shim says so."""
        if (container := self.live.get(container_id)) is not None:
            self._ended(container, ending)

    def _ended(self, container: LiveContainer, ending: dict[str, Any]) -> None:
        if container.finish(ending):
            self._tell(container, "stopped")

    def close(self) -> None:
        for container in self.live.values():
            container.let_go()

    # Life

    async def create(self, owner: LiveSandbox, config: runtime.ContainerConfig) -> str:
        image = self._images.find(config.image)
        if image is None:
            raise RuntimeFailure("CreateContainerError", f'image "{config.image}" is not present')
        container_id = self._home.new_id()
        try:
            record = await asyncio.to_thread(self._write, container_id, owner, config, image)
            if not owner.record.ready:
                raise RuntimeFailure("CreateContainerError", f'sandbox "{owner.record.id}" was stopped')
        except BaseException as failed:
            await self._undo(container_id, "")
            if isinstance(failed, bundles.InvalidContainer | OSError):
                raise RuntimeFailure("CreateContainerError", str(failed)) from failed
            raise
        folder = self._home.container_folder(container_id)
        container = LiveContainer(owner, record, statuses.container_status(folder, record), folder)
        self.live[container_id] = owner.containers[container_id] = container
        self._tell(container, "created")
        return container_id

    def _write(
        self, container_id: str, owner: LiveSandbox, config: runtime.ContainerConfig, image: Image
    ) -> statuses.ContainerRecord:
        """Slow where the disk is busy: in a thread."""
        mounted = self._mounted_images(config)
        layers = dict.fromkeys(layer for one in (image, *mounted.values()) for layer in one.layers)
        if not self._images.hold(self._hold_name(container_id), dataclasses.replace(image, layers=tuple(layers))):
            raise RuntimeFailure("CreateContainerError", f'image "{config.image}" was removed')
        pod = owner.record
        place = bundles.Place(
            folder=self._home.container_folder(container_id),
            data_folder=self._home.changes_folder(container_id),
            sandbox_folder=self._home.sandbox_folder(pod.id),
            root=os.path.join(self._home.run_dir, shim_mounts.ROOTS, container_id),
            group=os.path.join(self._groups.of(pod.config), container_id),
            layers_dir=self._images.layers_dir,
        )
        origin = bundles.Origin(container_id, pod, self._home.clock.now())
        joined = f"/proc/{self.running(config.processes_of).status.pid}/ns/pid" if config.processes_of else ""
        accounts = self._images.accounts(image)
        return bundles.write(place, origin, config, image, accounts, self._home.facts, joined, mounted)

    def _mounted_images(self, config: runtime.ContainerConfig) -> dict[str, Image]:
        """Those that are volumes, by the names that the mounts have for them."""
        found = {}
        for name in {mount.image for mount in config.mounts if mount.image}:
            image = self._images.find(name)
            if image is None:
                raise RuntimeFailure("CreateContainerError", f'image "{name}" is not present')
            found[name] = image
        return found

    async def start(self, container_id: str) -> None:
        container = self.one(container_id)
        if container.status.state is not State.CREATED or container.is_starting:
            raise RuntimeFailure("RunContainerError", f"container {container_id} was started before", temporary=False)
        container.is_starting = True
        try:
            answer = await self._launch(container)
        except shim_client.Refused as refused:
            self._start_failed(container, str(refused))
            raise RuntimeFailure("RunContainerError", str(refused)) from refused
        except shim_client.ShimGone as gone:
            raise RuntimeFailure("RunContainerError", str(gone)) from gone
        finally:
            container.is_starting = False
        if container.status.state is State.CREATED:
            container.began(answer)
            self._tell(container, "started")
            self._look_at_end(container)  # where the shim was killed meanwhile, it may stand on disk already

    async def _launch(self, container: LiveContainer) -> dict[str, Any]:
        """The shim may be killed on the way. What it had begun goes on, and its successor writes that down before it answers
        anybody; what it had not begun is begun again. Raises shim_client.Refused, shim_client.ShimGone."""
        for tries_left in reversed(range(LAUNCHES_MOST)):
            try:
                return dict(await self._home.shim.ask("start", container=container.record.id))
            except shim_client.ShimGone:
                if not tries_left:
                    raise
            await self._home.meet_shim()
            begun = records.read(os.path.join(container.folder, records.STARTED))
            if begun is not None:
                return dict(begun)
        raise AssertionError("the last try returns or raises")

    def _start_failed(self, container: LiveContainer, message: str) -> None:
        known = {"code": START_ERROR_EXIT_CODE, "signal": 0, "oom": False, "unknown": False}
        ending = {**known, "at": self._home.clock.now().isoformat(), "message": message}
        records.write(os.path.join(container.folder, records.EXIT), ending)
        self._ended(container, ending)

    async def stop(self, container_id: str, grace_seconds: float) -> None:
        container = self.live.get(container_id)
        if container is None or not container.is_running:
            return
        if grace_seconds > 0:
            await self._signal(container, statuses.signal_number(container.record.stop_signal))
            await self._ends_within(container, grace_seconds)
        if not container.ended.is_set():
            await self._signal(container, signal.SIGKILL)
            if not await self._ends_within(container, UNTHROTTLED_AFTER_SECONDS):
                with self._groups.unthrottled(container.record.cgroup):
                    if not await self._ends_within(container, KILL_SECONDS):
                        raise RuntimeFailure("KillContainerError", f"container {container_id} does not end")

    async def _ends_within(self, container: LiveContainer, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with self._home.clock.timeout(seconds):
                await container.ended.wait()
        return container.ended.is_set()

    async def _signal(self, container: LiveContainer, number: int) -> None:
        await self._home.ask("KillContainerError", "signal", container=container.record.id, signal=int(number))

    async def remove(self, container_id: str) -> None:
        container = self.live.get(container_id)
        if container is None:
            return
        await self.stop(container_id, 0)
        await self._home.ask("RemoveContainerError", "forget", container=container_id)
        await self._undo(container_id, container.record.cgroup)
        self.live.pop(container_id, None)
        container.sandbox.containers.pop(container_id, None)
        container.let_go()
        self._tell(container, "deleted")

    async def _undo(self, container_id: str, group: str) -> None:
        if group:
            await self._groups.remove(group)
        await asyncio.to_thread(self._remove_files, container_id)
        self._images.release(self._hold_name(container_id))

    def _remove_files(self, container_id: str) -> None:
        """The record goes last: with it a removal that was cut short is found again."""
        for folder in (
            self._home.changes_folder(container_id),
            os.path.join(self._home.run_dir, "crun", container_id),
            self._home.container_folder(container_id),
        ):
            with contextlib.suppress(FileNotFoundError):
                trees.remove(folder)

    # Questions

    def one(self, container_id: str) -> LiveContainer:
        """Raises RuntimeFailure."""
        container = self.live.get(container_id)
        if container is None:
            raise RuntimeFailure("NotFound", f'container "{container_id}" not found', temporary=False)
        return container

    def running(self, container_id: str) -> LiveContainer:
        """Raises RuntimeFailure."""
        container = self.one(container_id)
        if not container.is_running:
            raise RuntimeFailure("NotRunning", f'container "{container_id}" is not running', temporary=False)
        return container

    def usage(self) -> Sequence[runtime.Usage]:
        now = self._home.clock.now()
        return tuple(self._use_of(one, now) for one in self.live.values() if one.is_running)

    def _use_of(self, container: LiveContainer, now: datetime.datetime) -> runtime.Usage:
        record, use = container.record, self._groups.use(container.record.cgroup)
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

    def _tell(self, container: LiveContainer, kind: str) -> None:
        owner = container.sandbox
        self._home.tell(owner.config.pod_uid, owner.record.id, container.record.id, kind)

    def _hold_name(self, container_id: str) -> str:
        return f"{self._hold_prefix}{container_id}"
