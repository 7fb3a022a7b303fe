"""The shell of one pod's containers: image, configuration, start with its hook, stop with its hook, removal."""

import asyncio
import dataclasses
import logging

from steersman.containers import runtime
from steersman.containers.runtime import RuntimeFailure
from steersman.kubelet import (
    container_config,
    environment,
    instructions,
    log_links,
    pod_end,
    pod_events,
    pod_files,
    pod_resize,
    qos,
    references,
)
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.images import SECRETS_MISSING, Present
from steersman.kubelet.pod_shell import PodShell, text_of
from steersman.kubelet.volumes import mounting
from steersman.kubelet.volumes.volume import MountError
from steersman.meta import objects

_log = logging.getLogger(__name__)


CONTAINER_TYPES = {
    Role.INIT: "init_container",
    Role.SIDECAR: "init_container",
    Role.MAIN: "container",
    Role.EPHEMERAL: "ephemeral_container",
}


class PodContainers:
    def __init__(self, shell: PodShell) -> None:
        self._shell = shell
        self._images: dict[str, Present] = {}
        self._volume_images: dict[str, str] = {}

    def resources(self, one: Container) -> runtime.Resources:
        pod, memory = pod_resize.granted(self._shell.machine), self._shell.node.memory_quality
        return container_config.resources(pod, one.spec, self._share(one.name), memory)

    def _share(self, name: str) -> qos.Share:
        """Who has processors of its own may use them all the time."""
        node, uid = self._shell.node, self._shell.uid
        own = node.exclusive.is_exclusive(uid, name)
        return qos.Share(
            node.memory_capacity_bytes,
            node.swap_bytes,
            node.exclusive.cpus_of(uid, name),
            node.exclusive.memory_nodes_of(uid, name),
            0 if own else node.options.cpu_quota_period_us,
            not node.options.single_process_oom_kill,
        )

    def follow_processors(self) -> None:
        """Which processors are for everyone has changed."""
        self._shell.start("processors", self._move_to_processors())

    async def _move_to_processors(self) -> None:
        for one in self._shell.machine.containers:
            if one.phase is Phase.RUNNING and not self._shell.node.exclusive.is_exclusive(self._shell.uid, one.name):
                try:
                    await self._shell.node.runtime.update_resources(one.id, self.resources(one))
                except (RuntimeFailure, OSError) as failure:
                    _log.warning("%s: processors of %s: %s", objects.key(self._shell.pod), one.name, failure)

    def pull_image(self, instruction: instructions.PullImage) -> None:
        self._shell.start(f"image of {instruction.container}", self._pull(instruction.container))

    async def _pull(self, name: str) -> None:
        """The container's own image, and those it mounts as volumes."""
        one, node, pod = self._shell.container(name), self._shell.node, self._shell.pod

        def tell(type_: str, reason: str, message: str) -> None:
            node.tell(self._shell.pod, type_, reason, message, "" if reason == SECRETS_MISSING else name)

        try:
            present, volumes = await node.images.ensure(pod, one.spec, tell), dict[str, str]()
            for volume, source in mounting.images_of(pod, one.spec).items():
                wanted = {"image": source.get("reference", ""), "imagePullPolicy": source.get("pullPolicy")}
                found = await node.images.ensure(pod, wanted, tell)
                self._volume_images[volume] = volumes[volume] = found.image_id
        except RuntimeFailure as failure:
            self._shell.tell(pod_events.ImageFailed(name, failure.reason, failure.message))
            return
        self._images[name] = present
        self._shell.tell(pod_events.ImagePulled(name, present.image_id, volumes))

    def create_container(self, instruction: instructions.CreateContainer) -> None:
        self._shell.start(f"create {instruction.container}", self._create(instruction))

    async def _create(self, instruction: instructions.CreateContainer) -> None:
        name = instruction.container
        try:
            config = await self._config(self._shell.container(name), instruction.attempt)
        except (environment.ConfigError, references.Unavailable, MountError) as failure:
            self._shell.tell(pod_events.ContainerCreateFailed(name, "CreateContainerConfigError", str(failure)))
            return
        try:
            with self._shell.node.metrics.operation("create_container"):
                made = await self._shell.node.runtime.create_container(instruction.sandbox_id, config)
        except (RuntimeFailure, OSError, TimeoutError) as failure:
            if not (made := await self._made(instruction)):
                reason = failure.reason if isinstance(failure, RuntimeFailure) else "CreateContainerError"
                self._shell.tell(pod_events.ContainerCreateFailed(name, reason, text_of(failure)))
                return
        self._shell.tell(pod_events.ContainerCreated(name, made))

    async def _made(self, wanted: instructions.CreateContainer) -> str:
        """The runtime may have made it, and its answer have been lost."""
        found: list[str] = []

        async def look() -> None:
            for one in await self._shell.node.runtime.list_containers():
                if (one.sandbox_id, one.name, one.attempt) == (wanted.sandbox_id, wanted.container, wanted.attempt):
                    found.append(one.id)

        await self._shell.until_done("looking for a container", look)
        return found[0] if found else ""

    async def _config(self, one: Container, attempt: int) -> runtime.ContainerConfig:
        node, pod, spec = self._shell.node, self._shell.pod, one.spec
        if node.options.on_paper:
            log = pod_files.log_path(pod, one.name, attempt, node.options)
            return container_config.build(pod, spec, attempt, {}, container_config.Files(log))
        context = environment.Context(
            pod=pod,
            addresses=self._shell.addresses(),
            host_addresses=node.options.addresses,
            allocatable=node.allocatable,
            found=await node.references.texts(environment.references(spec), objects.namespace(pod)),
            services=node.services.list() if node.services is not None else (),
            files={
                one: node.volumes.read_file(self._shell.uid, one.volume, one.path) for one in environment.files(spec)
            },
        )
        variables = environment.build(spec, context)
        await node.volumes.mount_for(pod, spec)
        mounts = await node.volumes.mounts_of(pod, spec, variables, self._volume_images)
        mounts += tuple(
            await asyncio.to_thread(pod_files.make, pod, spec, attempt, self._shell.addresses(), node.options)
        )
        files = container_config.Files(pod_files.log_path(pod, one.name, attempt, node.options), mounts)
        user = self._images[one.name].user if one.name in self._images else ""
        target = self._shell.machine.container(spec.get("targetContainerName") or "")
        given = container_config.Given(
            image_user=user,
            share=self._share(one.name),
            memory=node.memory_quality,
            seccomp_default=node.options.seccomp_default,
            seccomp_dir=str(node.options.data_dir / "seccomp"),
            processes_of=target.id if target else "",
            devices=_with_devices(
                node.devices.grant_of(self._shell.uid, one.name),
                node.volumes.devices_of(pod, spec),
                node.claims.cdi_devices(self._shell.uid, spec),
            ),
        )
        return container_config.build(pod, spec, attempt, variables, files, given)

    def start_container(self, instruction: instructions.StartContainer) -> None:
        self._shell.start(f"start {instruction.container}", self._start_one(instruction.container, instruction.id))

    async def _start_one(self, name: str, container_id: str) -> None:
        failure: Exception | None = None
        try:
            await self._shell.node.devices.before_start(self._shell.uid, name)
            with self._shell.node.metrics.operation("start_container"):
                await self._shell.node.runtime.start_container(container_id)
        except (RuntimeFailure, OSError, TimeoutError) as failed:
            failure = failed
        found = await self._shell.status_of(container_id)
        if failure is not None and not _has_run(found):
            reason = failure.reason if isinstance(failure, RuntimeFailure) else "RunContainerError"
            kind = CONTAINER_TYPES[self._shell.container(name).role]
            self._shell.node.metrics.count("kubelet_started_containers_errors_total", container_type=kind, code=reason)
            self._shell.tell(pod_events.ContainerStartFailed(name, container_id, reason, text_of(failure), found))
            return
        if found is None:
            self._shell.tell(pod_events.ContainerGone(name, container_id))
            return
        kind = CONTAINER_TYPES[self._shell.container(name).role]
        self._shell.node.metrics.count("kubelet_started_containers_total", container_type=kind)
        if not self._shell.node.options.on_paper:
            log_links.make(self._shell.pod, name, found.attempt, container_id, self._shell.node.options)
        found = self._shell.with_message(found, self._shell.container(name).spec)
        self._shell.tell(pod_events.ContainerStarted(name, container_id, found))

    def run_post_start(self, instruction: instructions.RunPostStart) -> None:
        self._shell.start(f"postStart of {instruction.container}", self._post_start(instruction))

    async def _post_start(self, instruction: instructions.RunPostStart) -> None:
        one = self._shell.container(instruction.container)
        error = await self._shell.node.prober.run_hook(one.hook("postStart") or {}, self._shell.target(one))
        if error:
            _log.info("%s: postStart hook of %s failed: %s", objects.key(self._shell.pod), one.name, error)
        self._shell.tell(pod_events.PostStartEnded(one.name, instruction.id, error))

    def stop_container(self, instruction: instructions.StopContainer) -> None:
        self._shell.start(f"stop {instruction.container}", self._stop_one(instruction))

    def run_pre_stop(self, instruction: instructions.RunPreStop) -> None:
        self._shell.start(f"preStop of {instruction.container}", self._run_pre_stop(instruction))

    async def _run_pre_stop(self, instruction: instructions.RunPreStop) -> None:
        await self._pre_stop(self._shell.container(instruction.container), instruction.grace_seconds)
        self._shell.tell(pod_events.PreStopEnded(instruction.container, instruction.id))

    async def _stop_one(self, instruction: instructions.StopContainer) -> None:
        one = self._shell.container(instruction.container)
        grace = instruction.grace_seconds
        if instruction.run_hook:
            if one.hook("preStop") is not None and grace > 0:
                grace -= await self._pre_stop(one, grace)
            grace = max(grace, pod_end.GRACE_LEAST_SECONDS)
        node_runtime = self._shell.node.runtime
        with self._shell.node.metrics.operation("stop_container"):
            await self._shell.until_done(
                "stopping a container",
                lambda: node_runtime.stop_container(instruction.id, grace),
                ("KillContainer", one.name, "KillContainerError"),
            )
        found = await self._shell.status_of(instruction.id)
        if found is None:
            self._shell.tell(pod_events.ContainerGone(one.name, instruction.id))
        else:
            self._shell.tell_status(found)

    async def _pre_stop(self, one: Container, grace_seconds: float) -> float:
        """Seconds the hook took."""
        started = self._shell.node.clock.monotonic()
        try:
            async with self._shell.node.clock.timeout(grace_seconds):
                error = await self._shell.node.prober.run_hook(one.hook("preStop") or {}, self._shell.target(one))
        except TimeoutError:
            error = ""
            _log.info("%s: preStop hook of %s took the whole grace period", objects.key(self._shell.pod), one.name)
        if error:
            _log.info("%s: preStop hook of %s failed: %s", objects.key(self._shell.pod), one.name, error)
            self._shell.node.tell(self._shell.pod, "Warning", "FailedPreStopHook", "PreStopHook failed", one.name)
        return self._shell.node.clock.monotonic() - started

    def remove_container(self, instruction: instructions.RemoveContainer) -> None:
        self._shell.start("remove container", self._remove_one(instruction))

    async def _remove_one(self, instruction: instructions.RemoveContainer) -> None:
        node = self._shell.node
        await self._shell.until_done("removing a container", lambda: node.runtime.remove_container(instruction.id))
        pod_files.remove_log(self._shell.pod, instruction.container, instruction.attempt, node.options)
        log_links.remove(self._shell.pod, instruction.container, instruction.id, node.options)


def _has_run(found: runtime.ContainerStatus | None) -> bool:
    """The runtime may have gone away with its answer, and the container be up."""
    return found is not None and found.state is not runtime.State.CREATED and found.started_at is not None


def _with_devices(
    granted: runtime.DeviceGrant, more: tuple[runtime.Device, ...], cdi: tuple[str, ...]
) -> runtime.DeviceGrant:
    """What plugins gave, block volumes, and what claims hold."""
    if not more and not cdi:
        return granted
    whole = (*granted.devices, *more)
    return dataclasses.replace(granted, devices=whole, cdi_devices=(*granted.cdi_devices, *cdi))
