"""The shell around one pod's machine: carries its instructions out and tells it how they ended.

No task of its own: events come by call, each instruction is a short task, waking up is an alarm. So a node on paper may
have thousands of pods.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from steersman.api import kinds
from steersman.client.client import Unreachable
from steersman.containers import runtime
from steersman.containers.runtime import RuntimeFailure
from steersman.kubelet import (
    container_config,
    environment,
    instructions,
    pod_events,
    pod_files,
    pod_resize,
    pressure,
    qos,
    references,
    sandbox_config,
    static_pods,
    status,
    storage_limits,
    user_namespaces,
)
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.container_probes import ContainerProbes
from steersman.kubelet.images import Present
from steersman.kubelet.instructions import Instruction
from steersman.kubelet.node_services import NodeServices
from steersman.kubelet.pod_lifecycle import PodMachine
from steersman.kubelet.pod_state import Volumes
from steersman.kubelet.prober import Target
from steersman.kubelet.volumes import mounting
from steersman.kubelet.volumes.volume import MountError
from steersman.meta import objects, times
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)

# Between two tries of something that has to succeed in the end (mount, stop, remove, delete): upstream's own order.
RETRY_FIRST_SECONDS = 0.5
RETRY_MOST_SECONDS = 30.0
# A preStop hook may use the whole grace period; the container then still gets this much (upstream).
GRACE_AFTER_HOOK_SECONDS = 2.0
# What upstream gives a pod that fills the disk or memory right now.
EVICTION_GRACE_SECONDS = 1.0


# Why a sandbox cannot even be asked for.
NO_SANDBOX = (sandbox_config.NameTooLong, user_namespaces.NoneLeft, references.Unavailable)


CONTAINER_TYPES = {
    Role.INIT: "init_container",
    Role.SIDECAR: "init_container",
    Role.MAIN: "container",
    Role.EPHEMERAL: "ephemeral_container",
}


class PodWorker:
    """`ended` is called once, when nothing of the pod is left. `room` says whether the node could give a pod (by uid) these
    requests: ("", "") or (Deferred or Infeasible, why)."""

    def __init__(
        self,
        pod: Object,
        node: NodeServices,
        ended: Callable[[str], None],
        room: Callable[[str, Mapping[str, int]], tuple[str, str]] = lambda uid, wanted: ("", ""),
    ) -> None:
        self._room = room
        self.machine = PodMachine(pod)
        self.uid = self.machine.uid
        self._node = node
        self._ended = ended
        self._reported: Object = {}
        self._images: dict[str, Present] = {}
        self._volume_images: dict[str, str] = {}
        self._volumes_lock = asyncio.Lock()
        self._probes = ContainerProbes(self.machine, node, self.tell)
        self._requests: tuple[tuple[Object, list[int]], dict[str, int]] = (({}, []), {})
        self._was_over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")

    @property
    def pod(self) -> Object:
        return self.machine.pod

    @property
    def requests(self) -> dict[str, int]:
        """What it asks of the node (`qos.pod_requests`); counted once for each spec."""
        key = (self.pod["spec"], [id(one.spec) for one in self.machine.containers])
        if self._requests[0][0] is not key[0] or self._requests[0][1] != key[1]:
            self._requests = (key, qos.pod_requests(pod_resize.granted(self.machine)))
        return self._requests[1]

    def shown_pod(self) -> Object:
        """As this kubelet has it: with the status that it would tell the API."""
        return {**self.pod, "status": self._reported or self.pod.get("status") or {}}

    def adopt(self, sandboxes: Sequence[runtime.SandboxStatus], containers: Sequence[runtime.ContainerStatus]) -> None:
        """Begin: with what the runtime already has of this pod (mostly nothing)."""
        self._observe(self.pod)
        specs = {one.name: one.spec for one in self.machine.containers}
        known = [self._with_message(one, specs[one.name]) for one in containers if one.name in specs]
        self._carry_out(self.machine.adopt(sandboxes, known, self._node.clock.now()))
        self.consider_resize()

    def refuse(self, reason: str, message: str) -> None:
        """Instead of `adopt`: this node does not take the pod."""
        self._observe(self.pod)
        self._carry_out(self.machine.refuse(reason, message, self._node.clock.now()))

    def change(self, pod: Object) -> None:
        self._observe(pod)
        was = self.pod["metadata"]
        self.tell(pod_events.PodChanged(pod))
        self.consider_resize()
        if any(was.get(field) != pod["metadata"].get(field) for field in ("labels", "annotations")):
            self._refresh_now()

    def shown_by(self, mirror: Object) -> None:
        """A static pod: its status is the mirror's."""
        self._node.writer.observe(mirror, self.uid)
        self._reported = {}
        self._report()

    def _observe(self, pod: Object) -> None:
        if not static_pods.is_static(pod):
            self._node.writer.observe(pod)

    def consider_resize(self) -> None:
        """Also called when room may have come."""
        if self.machine.resize_pending is not None or pod_resize.is_wanted(self.machine):
            self.tell(pod_events.ResizeDecided(*self._room(self.uid, qos.pod_requests(self.pod))))

    def tell(self, event: pod_events.Event) -> None:
        self._carry_out(self.machine.handle(event, self._node.clock.now()))

    def knows(self, found: runtime.ContainerStatus) -> bool:
        """There is nothing new in it."""
        one = self.machine.container(found.name)
        return one is not None and one.current == found

    def tell_status(self, found: runtime.ContainerStatus) -> None:
        one = self.machine.container(found.name)
        if one is not None:
            self.tell(pod_events.ContainerChanged(self._with_message(found, one.spec)))

    # --- eviction ------------------------------------------------------------------------------------------------------

    async def enforce_storage_limits(self) -> None:
        why = storage_limits.decide(self.pod, await self.storage_use())
        if why and not self.machine.is_ending:
            self.evict(why, EVICTION_GRACE_SECONDS, "ephemeralcontainerfs.limit")

    async def disk_cost(self) -> pressure.Cost:
        use = await self.storage_use()
        name = storage_limits.RESOURCE
        by_container = {one: {name: used} for one, used in use.containers.items()}
        return pressure.cost(self.pod, by_container, {name: sum(use.volumes.values())})

    def evict(self, message: str, grace_seconds: float, signal: str) -> None:
        """For the node's sake: the pod fails, and is not started again here."""
        self._node.tell(self.pod, "Warning", "Evicted", message)
        self._node.metrics.count("kubelet_evictions", eviction_signal=signal)
        self.tell(pod_events.PodFailed("Evicted", message, grace_seconds, disrupts=True))

    async def storage_use(self) -> storage_limits.Usage:
        """Measured now, in a thread."""
        node, logs = self._node, pod_files.log_folder(self.pod, self._node.options)
        paths = node.volumes.paths_of(self.uid)
        volumes = {name: [paths[name]] for name in storage_limits.disk_volumes(self.pod) if name in paths}
        alive = [one for one in self.machine.containers if one.is_alive]
        changes = {one.name: [Path(at)] for one in alive if (at := node.runtime.changes_folder(one.id))}
        texts = {one.name: [logs / one.name] for one in alive}
        of_volumes, of_changes, of_logs = await asyncio.to_thread(
            lambda: [
                {name: storage_limits.measure(folders) for name, folders in one.items()}
                for one in (volumes, changes, texts)
            ]
        )
        both = {one.name: of_changes.get(one.name, 0) + of_logs[one.name] for one in alive}
        return storage_limits.Usage(of_volumes, both, of_logs)

    # --- after every event -----------------------------------------------------------------------------------------

    def _carry_out(self, out: list[Instruction]) -> None:
        for instruction in out:
            SHELLS[type(instruction)](self, instruction)
        self._probes.follow()
        self._set_alarm()
        self._report()

    def _set_alarm(self) -> None:
        at = self.machine.again_at()
        if at is None or self.machine.gone:
            self._node.alarms.cancel(("pod", self.uid))
        else:
            seconds = (at - self._node.clock.now()).total_seconds()
            self._node.alarms.set(("pod", self.uid), seconds, lambda: self.tell(pod_events.TimerFired()))

    def _report(self) -> None:
        """What was over before this kubelet came is told better by its old status than by what is left of it."""
        if self.machine.removed or self._was_over:
            return
        was = self._reported or self._node.writer.confirmed(self.uid)
        now = status.build(self.machine, self._node.shown_as, was, self._node.clock.now())
        if now["phase"] == "Running" and was.get("phase") not in ("Running", "Succeeded", "Failed"):
            self._count_start()
        if now != self._reported:
            self._reported = now
            self._node.writer.report(self.uid, now)

    def _count_start(self) -> None:
        """The pod runs: how long that took since it was made, and since this kubelet saw it."""
        metrics, now = self._node.metrics, self._node.clock.now()
        metrics.count("kubelet_started_pods_total")
        if self.machine.started_at is not None:
            took = (now - self.machine.started_at).total_seconds()
            metrics.observe("kubelet_pod_start_duration_seconds", took)
        if created := self.pod["metadata"].get("creationTimestamp"):
            took = (now - times.parse(created)).total_seconds()
            metrics.observe("kubelet_pod_start_sli_duration_seconds", took)

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._node.tasks.start(f"{objects.key(self.pod)} {name}", self._guard(name, work))
        task.add_done_callback(lambda _: work.close())  # cancelled before its first step, it would never be awaited

    async def _guard(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """A mistake of ours that one pod brings out ends that pod, visibly, and not the node."""
        try:
            await work
        except Exception as error:
            _log.exception("%s: %s crashed", objects.key(self.pod), name)
            text = f"{name}: {type(error).__name__}: {error}"
            self._node.tell(self.pod, "Warning", "FailedSync", f"Error syncing pod: {text}")
            self.tell(pod_events.PodFailed("InternalError", text))

    async def _until_done(self, what: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Try until it succeeds: there is no other way on."""
        pause = RETRY_FIRST_SECONDS
        while True:
            try:
                await work()
                return
            except (RuntimeFailure, OSError, TimeoutError) as failure:
                _log.warning("%s: %s: %s", objects.key(self.pod), what, failure)
            await self._node.clock.sleep(pause)
            pause = min(pause * 2, RETRY_MOST_SECONDS)

    # --- volumes -----------------------------------------------------------------------------------------------------

    def _mount_volumes(self, _: instructions.MountVolumes) -> None:
        if self._node.options.on_paper or not self.pod["spec"].get("volumes"):
            self._start("volumes", self._say(pod_events.VolumesMounted()))
        else:
            self._start("volumes", self._mount())

    async def _say(self, event: pod_events.Event) -> None:
        self.tell(event)

    async def _mount(self) -> None:
        pause = RETRY_FIRST_SECONDS
        while True:
            try:
                async with self._volumes_lock:
                    if self.machine.is_ending:
                        return
                    await self._node.volumes.mount(self.pod)
            except MountError as failure:
                self.tell(pod_events.VolumesFailed(str(failure)))
            else:
                self._node.watches.hold(self.uid, self.pod, self._refresh_now)
                self.tell(pod_events.VolumesMounted())
                self._refresh_later()
                return
            await self._node.clock.sleep(pause)
            pause = min(pause * 2, RETRY_MOST_SECONDS)

    def _refresh_later(self) -> None:
        if self._node.volumes.has_refreshed(self.pod) and not self.machine.is_ending:
            seconds = self._node.clock.jitter(self._node.volumes.refresh_seconds(self.pod), 0.5)
            self._node.alarms.set(("volumes", self.uid), seconds, lambda: self._start("refresh", self._refresh()))

    def _refresh_now(self) -> None:
        """Something that the volumes show has changed; several changes at once are one."""
        if self.machine.volumes is Volumes.MOUNTED and self._node.volumes.has_refreshed(self.pod):
            self._node.alarms.set(("volumes", self.uid), 0.0, lambda: self._start("refresh", self._refresh()))

    async def _refresh(self) -> None:
        try:
            async with self._volumes_lock:
                if self.machine.is_ending:
                    return
                await self._node.volumes.refresh(self.pod)
        except MountError as failure:
            self._node.tell(self.pod, "Warning", "FailedMount", str(failure))
        self._refresh_later()

    def _unmount_volumes(self, _: instructions.UnmountVolumes) -> None:
        self._node.alarms.cancel(("volumes", self.uid))
        self._node.watches.release(self.uid)
        self._start("unmount", self._unmount())

    async def _unmount(self) -> None:
        if not self._node.options.on_paper:
            async with self._volumes_lock:  # what is being mounted would come back
                await self._until_done("unmounting volumes", lambda: self._node.volumes.unmount(self.uid))
            self._node.users.release(self.uid)
        self.tell(pod_events.VolumesUnmounted())

    # --- sandbox -----------------------------------------------------------------------------------------------------

    def _run_sandbox(self, instruction: instructions.RunSandbox) -> None:
        self._start("sandbox", self._sandbox(instruction.attempt))

    async def _sandbox(self, attempt: int) -> None:
        try:
            config = sandbox_config.build(
                self.pod,
                attempt,
                self._node.options,
                self._node.dns,
                users=self._node.users.range_of(self.pod),
                handler=await self._node.references.runtime_handler(self.pod),
            )
            with self._node.metrics.operation("run_podsandbox"):
                made = await self._node.runtime.run_sandbox(config)
            found = await self._node.runtime.sandbox_status(made)
        except (RuntimeFailure, OSError, TimeoutError, *NO_SANDBOX) as failure:
            self._node.metrics.count("kubelet_started_pods_errors_total")
            self.tell(pod_events.SandboxFailed(str(failure) or type(failure).__name__))
            return
        if found is not None:
            self.tell(pod_events.SandboxReady(made, found.addresses))
        else:
            self.tell(pod_events.SandboxFailed(f"sandbox {made} vanished"))

    def _stop_sandbox(self, instruction: instructions.StopSandbox) -> None:
        self._start("stop sandbox", self._stop_one_sandbox(instruction.id))

    async def _stop_one_sandbox(self, sandbox_id: str) -> None:
        await self._until_done("stopping the sandbox", lambda: self._node.runtime.stop_sandbox(sandbox_id))
        self.tell(pod_events.SandboxStopped(sandbox_id))
        for one in await self._node.runtime.list_containers():
            if one.sandbox_id == sandbox_id and one.state is runtime.State.EXITED:
                self.tell_status(one)

    def _remove_sandboxes(self, _: instructions.RemoveSandboxes) -> None:
        self._start("remove sandboxes", self._remove_all_sandboxes())

    async def _remove_all_sandboxes(self) -> None:
        await self._until_done("removing the sandbox", self._remove_own_sandboxes)
        self.tell(pod_events.SandboxRemoved())

    async def _remove_own_sandboxes(self) -> None:
        for one in await self._node.runtime.list_sandboxes():
            if one.pod_uid == self.uid:
                await self._node.runtime.stop_sandbox(one.id)
                await self._node.runtime.remove_sandbox(one.id)

    def _resize_pod(self, instruction: instructions.ResizePod) -> None:
        self._start("resize", self._resize(instruction))

    async def _resize(self, instruction: instructions.ResizePod) -> None:
        """The pod's group first grows to what both need and shrinks at the end: no container may be larger than it."""
        node, sandbox_id = self._node, self.machine.sandbox_id
        ids = tuple(self._container(name).id for name in instruction.containers)
        before, after = qos.pod_resources(instruction.before), qos.pod_resources(instruction.after)
        widest = tuple(max(pair) if all(pair) else 0 for pair in zip(before, after, strict=True))
        try:
            await node.runtime.update_sandbox_resources(sandbox_id, *widest)
            for name, container_id in zip(instruction.containers, ids, strict=True):
                await node.runtime.update_resources(container_id, self._resources(self._container(name)))
            if not instruction.keeps_room:
                await node.runtime.update_sandbox_resources(sandbox_id, *after)
        except (RuntimeFailure, OSError, TimeoutError) as failure:
            self._node.tell(self.pod, "Warning", "ResizeError", str(failure))
            self.tell(pod_events.PodResized(ids, str(failure)))
            return
        self.tell(pod_events.PodResized(ids))

    def _resources(self, one: Container) -> runtime.Resources:
        node = self._node
        cpus = node.processors.cpus_of(self.uid, one.name)
        return qos.container_resources(self.pod, one.spec, node.memory_capacity_bytes, node.swap_bytes, cpus)

    def follow_processors(self) -> None:
        """Which processors are for everyone has changed."""
        self._start("processors", self._move_to_processors())

    async def _move_to_processors(self) -> None:
        for one in self.machine.containers:
            if one.phase is Phase.RUNNING and not self._node.processors.is_exclusive(self.uid, one.name):
                try:
                    await self._node.runtime.update_resources(one.id, self._resources(one))
                except (RuntimeFailure, OSError) as failure:
                    _log.warning("%s: processors of %s: %s", objects.key(self.pod), one.name, failure)

    # --- starting containers -------------------------------------------------------------------------------------------

    def _pull_image(self, instruction: instructions.PullImage) -> None:
        self._start(f"image of {instruction.container}", self._pull(instruction.container))

    async def _pull(self, name: str) -> None:
        """The container's own image, and those it mounts as volumes."""
        one = self._container(name)

        def tell(type_: str, reason: str, message: str) -> None:
            self._node.tell(self.pod, type_, reason, message, name)

        try:
            present = await self._node.images.ensure(self.pod, one.spec, tell)
            for volume, source in mounting.images_of(self.pod, one.spec).items():
                wanted = {"image": source.get("reference", ""), "imagePullPolicy": source.get("pullPolicy")}
                found = await self._node.images.ensure(self.pod, wanted, tell)
                self._volume_images[volume] = found.image_id
        except RuntimeFailure as failure:
            self.tell(pod_events.ImageFailed(name, failure.reason, failure.message))
            return
        self._images[name] = present
        self.tell(pod_events.ImagePulled(name, present.image_id))

    def _create_container(self, instruction: instructions.CreateContainer) -> None:
        self._start(f"create {instruction.container}", self._create(instruction))

    async def _create(self, instruction: instructions.CreateContainer) -> None:
        name = instruction.container
        try:
            config = await self._config(self._container(name), instruction.attempt)
        except (environment.ConfigError, references.Unavailable, MountError) as failure:
            self.tell(pod_events.ContainerCreateFailed(name, "CreateContainerConfigError", str(failure)))
            return
        try:
            with self._node.metrics.operation("create_container"):
                made = await self._node.runtime.create_container(instruction.sandbox_id, config)
        except (RuntimeFailure, OSError, TimeoutError) as failure:
            reason = failure.reason if isinstance(failure, RuntimeFailure) else "CreateContainerError"
            self.tell(pod_events.ContainerCreateFailed(name, reason, str(failure)))
            return
        self.tell(pod_events.ContainerCreated(name, made))

    async def _config(self, one: Container, attempt: int) -> runtime.ContainerConfig:
        node, pod, spec = self._node, self.pod, one.spec
        if node.options.on_paper:
            log = pod_files.log_path(pod, one.name, attempt, node.options)
            return container_config.build(pod, spec, attempt, {}, container_config.Files(log))
        context = environment.Context(
            pod=pod,
            addresses=self._addresses(),
            host_addresses=node.options.addresses,
            allocatable=node.allocatable,
            found=await node.references.texts(environment.references(spec), objects.namespace(pod)),
            services=node.services.list() if node.services is not None else (),
            files={one: node.volumes.read_file(self.uid, one.volume, one.path) for one in environment.files(spec)},
        )
        variables = environment.build(spec, context)
        mounts = node.volumes.mounts_of(pod, spec, variables, self._volume_images)
        mounts += tuple(await asyncio.to_thread(pod_files.make, pod, spec, attempt, self._addresses(), node.options))
        files = container_config.Files(pod_files.log_path(pod, one.name, attempt, node.options), mounts)
        user = self._images[one.name].user if one.name in self._images else ""
        target = self.machine.container(spec.get("targetContainerName") or "")
        given = container_config.Given(
            image_user=user,
            memory_capacity_bytes=node.memory_capacity_bytes,
            swap_bytes=node.swap_bytes,
            cpus=node.processors.cpus_of(self.uid, one.name),
            processes_of=target.id if target else "",
            devices=_with_devices(node.devices.grant_of(self.uid, one.name), node.volumes.devices_of(pod, spec)),
        )
        return container_config.build(pod, spec, attempt, variables, files, given)

    def _start_container(self, instruction: instructions.StartContainer) -> None:
        self._start(f"start {instruction.container}", self._start_one(instruction.container, instruction.id))

    async def _start_one(self, name: str, container_id: str) -> None:
        try:
            await self._node.devices.before_start(self.uid, name)
            with self._node.metrics.operation("start_container"):
                await self._node.runtime.start_container(container_id)
            found = await self._node.runtime.container_status(container_id)
        except (RuntimeFailure, OSError, TimeoutError) as failure:
            found = await self._node.runtime.container_status(container_id)
            reason = failure.reason if isinstance(failure, RuntimeFailure) else "RunContainerError"
            kind = CONTAINER_TYPES[self._container(name).role]
            self._node.metrics.count("kubelet_started_containers_errors_total", container_type=kind, code=reason)
            self.tell(pod_events.ContainerStartFailed(name, container_id, reason, str(failure), found))
            return
        if found is None:
            self.tell(pod_events.ContainerGone(name, container_id))
            return
        kind = CONTAINER_TYPES[self._container(name).role]
        self._node.metrics.count("kubelet_started_containers_total", container_type=kind)
        found = self._with_message(found, self._container(name).spec)
        self.tell(pod_events.ContainerStarted(name, container_id, found))

    def _run_post_start(self, instruction: instructions.RunPostStart) -> None:
        self._start(f"postStart of {instruction.container}", self._post_start(instruction))

    async def _post_start(self, instruction: instructions.RunPostStart) -> None:
        one = self._container(instruction.container)
        error = await self._node.prober.run_hook(one.hook("postStart") or {}, self._target(one))
        text = f"PostStartHook failed: {error}" if error else ""
        self.tell(pod_events.PostStartEnded(one.name, instruction.id, text))

    # --- stopping containers -------------------------------------------------------------------------------------------

    def _stop_container(self, instruction: instructions.StopContainer) -> None:
        self._start(f"stop {instruction.container}", self._stop_one(instruction))

    async def _stop_one(self, instruction: instructions.StopContainer) -> None:
        one = self._container(instruction.container)
        grace = instruction.grace_seconds
        if instruction.run_hook and one.hook("preStop") is not None and grace > 0:
            grace = max(grace - await self._pre_stop(one, grace), GRACE_AFTER_HOOK_SECONDS)
        node_runtime = self._node.runtime
        with self._node.metrics.operation("stop_container"):
            await self._until_done("stopping a container", lambda: node_runtime.stop_container(instruction.id, grace))
        found = await node_runtime.container_status(instruction.id)
        if found is None:
            self.tell(pod_events.ContainerGone(one.name, instruction.id))
        else:
            self.tell_status(found)

    async def _pre_stop(self, one: Container, grace_seconds: float) -> float:
        """Seconds the hook took."""
        started = self._node.clock.monotonic()
        try:
            async with self._node.clock.timeout(grace_seconds):
                error = await self._node.prober.run_hook(one.hook("preStop") or {}, self._target(one))
        except TimeoutError:
            error = ""
            _log.info("%s: preStop hook of %s took the whole grace period", objects.key(self.pod), one.name)
        if error:
            text = f"PreStopHook failed: {error}"
            self._node.tell(self.pod, "Warning", "FailedPreStopHook", text, one.name)
        return self._node.clock.monotonic() - started

    def _remove_container(self, instruction: instructions.RemoveContainer) -> None:
        self._start("remove container", self._remove_one(instruction))

    async def _remove_one(self, instruction: instructions.RemoveContainer) -> None:
        node = self._node
        await self._until_done("removing a container", lambda: node.runtime.remove_container(instruction.id))
        pod_files.remove_log(self.pod, instruction.container, instruction.attempt, node.options)

    # --- the end ---------------------------------------------------------------------------------------------------------

    def _record_event(self, instruction: instructions.RecordEvent) -> None:
        self._node.tell(self.pod, instruction.type, instruction.reason, instruction.message, instruction.container)

    def _delete_pod(self, _: instructions.DeletePod) -> None:
        self._start("delete", self._delete())

    async def _delete(self) -> None:
        await self._node.writer.flush(self.uid)
        pause = RETRY_FIRST_SECONDS
        while not self.machine.removed and not static_pods.is_static(self.pod):
            try:
                await self._node.client.delete(
                    kinds.POD, objects.name(self.pod), objects.namespace(self.pod), uid=self.uid, grace_seconds=0
                )
                break
            except StatusError as refused:
                if refused.code in (404, 409):
                    break
                _log.warning("%s: cannot be deleted: %s", objects.key(self.pod), refused)
            except Unreachable as lost:
                _log.warning("%s: cannot be deleted: %s", objects.key(self.pod), lost)
            await self._node.clock.sleep(pause)
            pause = min(pause * 2, RETRY_MOST_SECONDS)
        pod_files.remove_logs(self.pod, self._node.options)
        self._node.writer.forget(self.uid)
        self._probes.close()
        self._node.alarms.cancel(("pod", self.uid))
        self._ended(self.uid)

    # --- small things ----------------------------------------------------------------------------------------------------

    def _container(self, name: str) -> Container:
        found = self.machine.container(name)
        assert found is not None, f"instructions name the pod's own containers, not {name}"
        return found

    def _target(self, one: Container) -> Target:
        addresses = self._addresses()
        return Target(one.spec, one.id, addresses[0] if addresses else "")

    def _addresses(self) -> tuple[str, ...]:
        if self.pod["spec"].get("hostNetwork"):
            return self._node.options.addresses
        return self.machine.addresses

    def _with_message(self, found: runtime.ContainerStatus, spec: Object) -> runtime.ContainerStatus:
        if self._node.options.on_paper:
            return found
        return pod_files.with_message(found, spec, self.uid, self._node.options)


def _with_devices(granted: runtime.DeviceGrant, more: tuple[runtime.Device, ...]) -> runtime.DeviceGrant:
    return dataclasses.replace(granted, devices=(*granted.devices, *more)) if more else granted


SHELLS: dict[type, Callable[[PodWorker, Any], None]] = {
    instructions.MountVolumes: PodWorker._mount_volumes,
    instructions.UnmountVolumes: PodWorker._unmount_volumes,
    instructions.RunSandbox: PodWorker._run_sandbox,
    instructions.StopSandbox: PodWorker._stop_sandbox,
    instructions.RemoveSandboxes: PodWorker._remove_sandboxes,
    instructions.PullImage: PodWorker._pull_image,
    instructions.CreateContainer: PodWorker._create_container,
    instructions.StartContainer: PodWorker._start_container,
    instructions.RunPostStart: PodWorker._run_post_start,
    instructions.StopContainer: PodWorker._stop_container,
    instructions.RemoveContainer: PodWorker._remove_container,
    instructions.ResizePod: PodWorker._resize_pod,
    instructions.RecordEvent: PodWorker._record_event,
    instructions.DeletePod: PodWorker._delete_pod,
}
