"""The life of one pod on its node, as a machine: events in, instructions out.

Keeps true: init containers run one after the other, sidecars stay up around the main ones, every container follows its
restart policy with upstream's backoffs, and an ending pod stops its main containers first, then its sidecars in reverse.
Pure: no clock, chance, network or log; `now` comes with every event. The shell that carries the instructions out is
`pod_worker`; what the API shows of it is built by `status`.
"""

import dataclasses
import datetime
import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from steersman.containers import runtime
from steersman.kubelet import container_lifecycle, instructions, pod_events
from steersman.kubelet.container_lifecycle import Backoff, Container, Phase, Role
from steersman.meta import objects, times
from steersman.meta.objects import Object

# ErrImagePull stands this long before it is called ImagePullBackOff: long enough that a watcher sees both.
PULL_ERROR_SHOWN_SECONDS = 2.0
# A sandbox that could not be made is tried again after 1 s, doubling to 30 s: the usual cause (network) heals by itself.
SANDBOX_RETRY_FIRST_SECONDS = 1.0
SANDBOX_RETRY_MOST_SECONDS = 30.0
# Upstream's least grace for a container that has to stop because others took all the time.
GRACE_LEAST_SECONDS = 2.0
# A pod removed from the API without a grace period of its own is still asked to stop, for this long (upstream's least).
REMOVED_GRACE_SECONDS = 1.0
GRACE_DEFAULT_SECONDS = 30.0


# Not errors of a registry: looked at again now and then, without the words of a backoff.
HOPELESS_PULLS = frozenset({"ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})


class Sandbox(enum.Enum):
    NONE = "none"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    REMOVING = "removing"
    REMOVED = "removed"


class Volumes(enum.Enum):
    NONE = "none"
    MOUNTING = "mounting"
    MOUNTED = "mounted"
    UNMOUNTING = "unmounting"
    UNMOUNTED = "unmounted"


class PodMachine:
    """Created from the pod object (and, after a restart of the kubelet, from what the runtime still holds: `adopt`)."""

    def __init__(self, pod: Object) -> None:
        self.pod = pod
        self.uid = objects.uid(pod)
        self.containers = container_lifecycle.containers_of(pod)
        self._by_name = {one.name: one for one in self.containers}
        self.sandbox = Sandbox.NONE
        self.sandbox_id = ""
        self.sandbox_attempt = 0
        self.addresses: tuple[str, ...] = ()
        self.volumes = Volumes.NONE
        self.started_at: datetime.datetime | None = None
        self.deleting = False
        self.removed = False
        self.finishing = False
        self.failure: tuple[str, str] | None = None
        self.end_by: datetime.datetime | None = None
        self.gone = False
        self._sandbox_retry_at: datetime.datetime | None = None
        self._sandbox_retry_seconds = SANDBOX_RETRY_FIRST_SECONDS
        self._sandbox_needs_start = True
        self._out: list[instructions.Instruction] = []
        self._now = datetime.datetime.min.replace(tzinfo=datetime.UTC)

    # --- what others ask of it -------------------------------------------------------------------------------------

    @property
    def restart_policy(self) -> str:
        return str(self.pod["spec"].get("restartPolicy") or "Always")

    @property
    def is_ending(self) -> bool:
        return self.deleting or self.finishing

    @property
    def all_stopped(self) -> bool:
        return all(one.is_over for one in self.containers)

    def container(self, name: str) -> Container | None:
        return self._by_name.get(name)

    @property
    def initialized(self) -> bool:
        """Every init container is done and every sidecar has started (or main containers ran already)."""
        return all(self._lets_the_next_start(one) for one in self.containers if one.role is not Role.MAIN)

    def again_at(self) -> datetime.datetime | None:
        """When `TimerFired` is wanted, if nothing else happens before."""
        moments = [one.not_before for one in self.containers if one.phase is Phase.WAITING and one.not_before]
        if self._sandbox_retry_at is not None:
            moments.append(self._sandbox_retry_at)
        deadline = self._active_deadline()
        if deadline is not None and not self.is_ending:
            moments.append(deadline)
        return min(moments, default=None)

    # --- events ----------------------------------------------------------------------------------------------------

    def handle(self, event: pod_events.Event, now: datetime.datetime) -> list[instructions.Instruction]:
        self._now, self._out = now, []
        HANDLERS[type(event)](self, event)
        self._advance()
        out, self._out = self._out, []
        return out

    def adopt(
        self,
        sandboxes: Sequence[runtime.SandboxStatus],
        statuses: Iterable[runtime.ContainerStatus],
        now: datetime.datetime,
    ) -> list[instructions.Instruction]:
        """Take over what runs already, without restarting it: the state that the events so far would have led to."""
        self._now, self._out = now, []
        self._adopt_sandbox(sandboxes)
        by_name: dict[str, list[runtime.ContainerStatus]] = {}
        for status in statuses:
            by_name.setdefault(status.name, []).append(status)
        was = _reported_containers(self.pod)
        for one in self.containers:
            instances = sorted(by_name.get(one.name, ()), key=lambda status: (status.attempt, status.created_at))
            if instances:
                self._adopt_container(one, instances, was.get(one.name, {}))
            elif "containerID" in was.get(one.name, {}):
                self._adopt_reported(one, was[one.name])
        if any(one.current for one in self.containers if one.role is Role.MAIN):
            for one in self.containers:
                if one.role is Role.INIT and one.phase is Phase.WAITING and one.current is None:
                    one.move(Phase.EXITED)
        for one in self.containers:
            if one.phase is Phase.EXITED and one.current is not None:
                self._after_exit(one, one.current)
        self.started_at = _reported_start(self.pod) or now
        self._on_pod_changed(pod_events.PodChanged(self.pod))
        self._advance()
        out, self._out = self._out, []
        return out

    def _adopt_sandbox(self, sandboxes: Sequence[runtime.SandboxStatus]) -> None:
        if not sandboxes:
            return
        newest = max(sandboxes, key=lambda one: (one.attempt, one.created_at))
        self.sandbox_id, self.sandbox_attempt = newest.id, newest.attempt + 1
        self.sandbox, self.addresses = Sandbox.READY, newest.addresses
        if not newest.ready:
            self._stop_lost_sandbox()

    def _adopt_container(self, one: Container, instances: list[runtime.ContainerStatus], was: dict[str, Any]) -> None:
        newest = instances[-1]
        one.attempt = newest.attempt + 1
        one.attempted = True
        if len(instances) > 1:
            one.previous = instances[-2]
        one.image_id = newest.image_id
        if newest.state is runtime.State.CREATED:
            one.attempted = False
            one.current, one.previous = one.previous, None
            one.phase, one.id = (Phase.CREATED, newest.id)
            return
        one.id, one.current, one.has_started = newest.id, newest, True
        if newest.state is runtime.State.RUNNING:
            one.phase = Phase.STARTING
            one.mark_running()
            same = was.get("containerID", "").endswith(newest.id)
            one.started = one.started or (same and was.get("started") is True)
            one.ready = one.ready or (same and was.get("ready") is True and one.started)
        else:
            one.phase = Phase.EXITED

    def _adopt_reported(self, one: Container, was: dict[str, Any]) -> None:
        """The runtime knows nothing of a container that was reported: take how it ended, or call it lost."""
        one.id = was["containerID"].partition("://")[2]
        one.attempt = int(was.get("restartCount", 0)) + 1
        one.attempted = one.has_started = True
        one.image_id = was.get("imageID", "")
        lost = _lost(one, self.sandbox_id, self.uid, self._now)
        ended = (was.get("state") or {}).get("terminated") or (was.get("lastState") or {}).get("terminated")
        one.current = _ended(lost, ended) if ended and "running" not in (was.get("state") or {}) else lost
        one.phase = Phase.EXITED

    # --- handlers --------------------------------------------------------------------------------------------------

    def _on_pod_changed(self, event: pod_events.PodChanged) -> None:
        self.pod = event.pod
        if self.started_at is None:
            self.started_at = self._now
        meta, spec = event.pod["metadata"], event.pod["spec"]
        for spec_of_one in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
            one = self._by_name.get(spec_of_one["name"])
            if one is not None:
                self._on_spec(one, spec_of_one)
        if meta.get("deletionTimestamp") is not None:
            grace = meta.get("deletionGracePeriodSeconds")
            self._end(float(grace if grace is not None else self._grace_seconds()), deleting=True)
        elif (event.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") and not self.is_ending:
            self._adopt_terminal(event.pod["status"])

    def _adopt_terminal(self, status: dict[str, Any]) -> None:
        """The API says that the pod is over (also when another one, e.g. pod garbage collection, said so)."""
        if status["phase"] == "Failed":
            self.failure = (status.get("reason", ""), status.get("message", ""))
        self._end(self._grace_seconds(), deleting=False)

    def _on_spec(self, one: Container, spec: Object) -> None:
        changed = spec.get("image") != one.spec.get("image")
        one.spec = spec
        if not changed or self.is_ending:
            return
        if one.phase in (Phase.RUNNING, Phase.STARTING) and not one.hook_running:
            text = f"Container {one.name} definition changed, will be restarted"
            self._stop(one, self._grace_seconds(), text, restart=True)
        elif one.phase is Phase.WAITING and one.waiting_reason in ("ErrImagePull", "ImagePullBackOff"):
            one.pulls = Backoff()
            one.not_before = None

    def _on_pod_removed(self, _: pod_events.PodRemoved) -> None:
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds")
        self.removed = True
        self._end(max(float(grace or 0), REMOVED_GRACE_SECONDS), deleting=True)

    def _on_pod_failed(self, event: pod_events.PodFailed) -> None:
        if not self.is_ending:
            self.failure = (event.reason, event.message)
            self._end(self._grace_seconds(), deleting=False)

    def _on_volumes_mounted(self, _: pod_events.VolumesMounted) -> None:
        if self.volumes is Volumes.MOUNTING:
            self.volumes = Volumes.MOUNTED

    def _on_volumes_failed(self, event: pod_events.VolumesFailed) -> None:
        if self.volumes is Volumes.MOUNTING:  # the shell goes on trying: it alone knows how long
            self._tell("Warning", "FailedMount", event.message)

    def _on_volumes_unmounted(self, _: pod_events.VolumesUnmounted) -> None:
        self.volumes = Volumes.UNMOUNTED

    def _on_sandbox_ready(self, event: pod_events.SandboxReady) -> None:
        if self.sandbox is Sandbox.STARTING:
            self.sandbox, self.sandbox_id, self.addresses = Sandbox.READY, event.id, event.addresses
            self._sandbox_retry_seconds = SANDBOX_RETRY_FIRST_SECONDS

    def _on_sandbox_failed(self, event: pod_events.SandboxFailed) -> None:
        if self.sandbox is not Sandbox.STARTING:
            return
        self.sandbox = Sandbox.NONE
        self._tell("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {event.message}")
        self._sandbox_retry_at = self._now + datetime.timedelta(seconds=self._sandbox_retry_seconds)
        self._sandbox_retry_seconds = min(2 * self._sandbox_retry_seconds, SANDBOX_RETRY_MOST_SECONDS)

    def _on_sandbox_lost(self, event: pod_events.SandboxLost) -> None:
        if self.sandbox is Sandbox.READY and event.id == self.sandbox_id:
            self._stop_lost_sandbox()

    def _stop_lost_sandbox(self) -> None:
        """What is left of it has to end first: its containers' exits tell how each goes on."""
        self.sandbox, self.addresses = Sandbox.STOPPING, ()
        self._out.append(instructions.StopSandbox(self.sandbox_id))

    def _on_sandbox_stopped(self, event: pod_events.SandboxStopped) -> None:
        if self.sandbox is Sandbox.STOPPING and event.id == self.sandbox_id:
            self.sandbox = Sandbox.STOPPED

    def _on_sandbox_removed(self, _: pod_events.SandboxRemoved) -> None:
        self.sandbox, self.addresses = Sandbox.REMOVED, ()

    def _on_image_pulled(self, event: pod_events.ImagePulled) -> None:
        one = self._by_name[event.container]
        if one.phase is Phase.PULLING:
            one.pulls = Backoff()
            one.image_id = event.image_id
            one.move(Phase.PULLED)

    def _on_image_failed(self, event: pod_events.ImageFailed) -> None:
        one = self._by_name[event.container]
        if one.phase is not Phase.PULLING:
            return
        one.attempted = True
        self._tell("Warning", "Failed", f"Error: {event.reason}", one.name)
        if event.reason in HOPELESS_PULLS:
            one.wait(event.reason, event.message, self._in(container_lifecycle.CONFIG_RETRY_SECONDS))
        else:
            one.pulls.tried_again(self._now)
            one.wait(event.reason, event.message, self._in(PULL_ERROR_SHOWN_SECONDS))

    def _on_container_created(self, event: pod_events.ContainerCreated) -> None:
        one = self._by_name[event.container]
        if one.phase is not Phase.CREATING:
            return
        one.id = event.id
        one.attempt += 1
        self._tell("Normal", "Created", f"Created container: {one.name}", one.name)
        one.move(Phase.CREATED)
        if self.is_ending:
            one.move(Phase.EXITED)

    def _on_container_create_failed(self, event: pod_events.ContainerCreateFailed) -> None:
        one = self._by_name[event.container]
        if one.phase is not Phase.CREATING:
            return
        one.attempted = True
        self._tell("Warning", "Failed", f"Error: {event.message}", one.name)
        if self.is_ending:
            one.move(Phase.EXITED)
        else:
            one.wait(event.reason, event.message, self._in(container_lifecycle.CONFIG_RETRY_SECONDS))

    def _on_container_started(self, event: pod_events.ContainerStarted) -> None:
        one = self._by_name[event.container]
        if one.phase is not Phase.STARTING or one.id != event.id:
            return
        self._tell("Normal", "Started", f"Started container {one.name}", one.name)
        if event.status.state is runtime.State.EXITED:  # over before we could look
            self._exited(one, event.status)
            return
        one.run(event.status)
        if one.hook("postStart") is None or self.is_ending:
            one.mark_running()
        else:
            one.hook_running = True
            self._out.append(instructions.RunPostStart(one.name, one.id))

    def _on_container_start_failed(self, event: pod_events.ContainerStartFailed) -> None:
        one = self._by_name[event.container]
        if one.phase is not Phase.STARTING or one.id != event.id:
            return
        one.attempted = True
        self._tell("Warning", "Failed", f"Error: {event.message}", one.name)
        status = event.status
        if status is not None and status.state is runtime.State.EXITED:
            self._exited(one, status, shown=(event.reason, event.message))
        elif self.is_ending:
            one.move(Phase.EXITED)
        else:
            self._retry(one, self._now, (event.reason, event.message))

    def _on_post_start_ended(self, event: pod_events.PostStartEnded) -> None:
        one = self._by_name[event.container]
        if one.phase is not Phase.STARTING or one.id != event.id or not one.hook_running:
            return
        one.hook_running = False
        if event.error:
            one.attempted = True
            self._tell("Warning", "FailedPostStartHook", event.error, one.name)
            self._stop(one, self._grace_seconds(), "FailedPostStartHook")
        else:
            one.mark_running()

    def _on_container_changed(self, event: pod_events.ContainerChanged) -> None:
        one = self._by_name.get(event.status.name)
        if one is None or event.status.id != one.id or not one.is_alive:
            return
        if event.status.state is runtime.State.EXITED:
            self._exited(one, event.status)
        elif event.status.state is runtime.State.UNKNOWN:
            self._exited(one, _lost(one, self.sandbox_id, self.uid, self._now))

    def _on_container_gone(self, event: pod_events.ContainerGone) -> None:
        one = self._by_name[event.container]
        if one.is_alive and one.id == event.id:
            self._exited(one, _lost(one, self.sandbox_id, self.uid, self._now))

    def _on_probe_changed(self, event: pod_events.ProbeChanged) -> None:
        one = self._by_name[event.container]
        if one.phase not in (Phase.RUNNING, Phase.STOPPING) or one.id != event.id:
            return
        if event.kind == "readiness":
            one.ready = event.success and one.started
        elif one.phase is Phase.STOPPING:
            return
        elif event.kind == "startup" and event.success:
            one.started = True
            one.ready = one.probe("readiness") is None
        elif not event.success:
            text = f"Container {one.name} failed {event.kind} probe, will be restarted"
            own = (one.probe(event.kind) or {}).get("terminationGracePeriodSeconds")
            self._stop(one, float(own) if own is not None else self._grace_seconds(), text)

    def _on_timer_fired(self, _: pod_events.TimerFired) -> None:
        deadline = self._active_deadline()
        if deadline is not None and deadline <= self._now and not self.is_ending:
            text = "Pod was active on the node longer than the specified deadline"
            self._tell("Normal", "DeadlineExceeded", text)
            self.failure = ("DeadlineExceeded", text)
            self._end(self._grace_seconds(), deleting=False)
        if self._sandbox_retry_at is not None and self._sandbox_retry_at <= self._now:
            self._sandbox_retry_at = None

    # --- exits and restarts ------------------------------------------------------------------------------------------

    def _exited(self, one: Container, status: runtime.ContainerStatus, shown: tuple[str, str] | None = None) -> None:
        restart_asked = one.stop_is_restart
        one.attempted = True
        if one.current is None or one.current.id != status.id:
            one.run(status)
        one.current = status
        one.move(Phase.EXITED)
        self._after_exit(one, status, restart_asked=restart_asked, shown=shown)

    def _after_exit(
        self,
        one: Container,
        status: runtime.ContainerStatus,
        *,
        restart_asked: bool = False,
        shown: tuple[str, str] | None = None,
    ) -> None:
        """Decide what follows an exit: nothing, a new instance at once, or one after the backoff."""
        if self.is_ending:
            return
        if restart_asked:
            one.wait()
            return
        if one.role is Role.SIDECAR and self._mains_are_over():
            return
        if container_lifecycle.should_restart(one, self.restart_policy, status.exit_code):
            self._retry(one, status.finished_at or self._now, shown)

    def _retry(self, one: Container, failed_at: datetime.datetime, shown: tuple[str, str] | None = None) -> None:
        seconds = one.crashes.failed(failed_at)
        if seconds == 0:
            if one.phase is Phase.EXITED and shown is None:
                one.wait()
            else:
                one.wait(*(shown or ("", "")))
            one.crashes.tried_again(self._now)
            return
        meta = self.pod["metadata"]
        full = f"{meta['name']}_{meta.get('namespace', '')}({self.uid})"
        text = f"back-off {_duration(seconds)} restarting failed container={one.name} pod={full}"
        one.wait("CrashLoopBackOff", text, failed_at + datetime.timedelta(seconds=seconds))
        self._tell("Warning", "BackOff", f"Back-off restarting failed container {one.name} in pod {full}", one.name)

    # --- what to do next ---------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        if self.gone:
            return
        if not self.is_ending:
            self._finish_when_over()
        if self.is_ending:
            self._advance_end()
        else:
            self._advance_start()

    def _advance_start(self) -> None:
        if self.volumes is Volumes.NONE:
            self.volumes = Volumes.MOUNTING
            self._out.append(instructions.MountVolumes())
        self._advance_sandbox()
        blocked = False  # a container before this one has not been tried yet, so this one may be made, not started
        for one in self.containers:
            self._advance_container(one, blocked)
            if one.role is Role.MAIN:
                blocked = blocked or not _lets_its_neighbour_start(one)
            elif not self._lets_the_next_start(one):
                return

    def _advance_sandbox(self) -> None:
        in_the_old = any(one.is_alive or one.phase is Phase.CREATING for one in self.containers)
        if self.sandbox is Sandbox.STOPPED and not in_the_old:
            self._tell("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
            self._forget_instances()
            self.sandbox = Sandbox.NONE
        if self.sandbox is Sandbox.NONE and self._sandbox_retry_at is None:
            self.sandbox = Sandbox.STARTING
            self._out.append(instructions.RunSandbox(self.sandbox_attempt))
            self.sandbox_attempt += 1

    def _forget_instances(self) -> None:
        """A new sandbox: everything starts from the first init container, except what is over for good."""
        for one in self.containers:
            keeps = one.role is Role.MAIN and one.is_over
            if not keeps and one.phase in (Phase.CREATED, Phase.PULLED, Phase.EXITED):
                one.wait()
            if not keeps:
                one.attempted = one.has_started = False

    def _advance_container(self, one: Container, blocked: bool) -> None:
        if one.due(self._now):
            self._try(one)
        if one.phase is Phase.PULLED and self.sandbox is Sandbox.READY and self.volumes is Volumes.MOUNTED:
            one.move(Phase.CREATING)
            self._out.append(instructions.CreateContainer(one.name, self.sandbox_id, one.attempt))
        if one.phase is Phase.CREATED and not blocked:
            one.move(Phase.STARTING)
            self._out.append(instructions.StartContainer(one.name, one.id))

    def _try(self, one: Container) -> None:
        """A waiting container's time has come: to be tried, or to be told that it has to wait longer."""
        if one.waiting_reason in ("ErrImagePull", "RegistryUnavailable") and self._shows_pull_backoff(one):
            return
        if one.waiting_reason == "CrashLoopBackOff":
            one.crashes.tried_again(self._now)
        one.move(Phase.PULLING)
        self._out.append(instructions.PullImage(one.name))

    def _shows_pull_backoff(self, one: Container) -> bool:
        due = (one.pulls.since or self._now) + datetime.timedelta(seconds=one.pulls.seconds)
        if due <= self._now:
            return False
        text = f'Back-off pulling image "{one.image}"'
        one.waiting_message = f"{text}: {one.waiting_reason}: {one.waiting_message}"
        one.waiting_reason, one.not_before = "ImagePullBackOff", due
        self._tell("Normal", "BackOff", text, one.name)
        self._tell("Warning", "Failed", "Error: ImagePullBackOff", one.name)
        return True

    def _lets_the_next_start(self, one: Container) -> bool:
        """Whether the containers after this init container or sidecar may be started."""
        if one.role is Role.INIT:
            return one.succeeded or (one.is_over and one.current is None)
        if one.started:
            return True
        return any(other.has_started for other in self.containers if other.role is Role.MAIN)

    # --- the end -----------------------------------------------------------------------------------------------------

    def _finish_when_over(self) -> None:
        """All main containers are over for good, or an init container is: the pod ends by itself."""
        init_failed = any(one.role is Role.INIT and one.has_failed and one.current for one in self.containers)
        if init_failed or self._mains_are_over():
            self._end(self._grace_seconds(), deleting=False)

    def _mains_are_over(self) -> bool:
        return all(one.is_over for one in self.containers if one.role is Role.MAIN)

    def _end(self, grace_seconds: float, *, deleting: bool) -> None:
        self.deleting = self.deleting or deleting
        self.finishing = True
        end_by = self._in(grace_seconds)
        sooner = self.end_by is None or end_by < self.end_by
        if sooner:
            self.end_by = end_by
        for one in self.containers:
            if one.phase in (Phase.WAITING, Phase.PULLING, Phase.PULLED, Phase.CREATED):
                one.move(Phase.EXITED)
            elif one.phase is Phase.STOPPING and sooner and one.stop_by is not None and one.stop_by > end_by:
                one.stop_by = end_by
                self._out.append(
                    instructions.StopContainer(one.name, one.id, max(grace_seconds, 0.0), "", run_hook=False)
                )

    def _advance_end(self) -> None:
        self._stop_containers()
        if not self.all_stopped:
            return
        if self.sandbox is Sandbox.READY and not self.deleting:
            self.sandbox = Sandbox.STOPPING
            self._out.append(instructions.StopSandbox(self.sandbox_id))
        elif self.deleting and self.sandbox in (Sandbox.READY, Sandbox.STOPPED, Sandbox.NONE):
            self.sandbox = Sandbox.REMOVING
            self._sandbox_retry_at = None
            self._out.append(instructions.RemoveSandboxes())
        if self.sandbox in (Sandbox.STARTING, Sandbox.STOPPING, Sandbox.REMOVING):
            return
        if self.volumes in (Volumes.NONE, Volumes.MOUNTING, Volumes.MOUNTED):
            self.volumes = Volumes.UNMOUNTING
            self._out.append(instructions.UnmountVolumes())
        if self.deleting and self.volumes is Volumes.UNMOUNTED and self.sandbox is Sandbox.REMOVED:
            self.gone = True
            self._out.append(instructions.DeletePod())

    def _stop_containers(self) -> None:
        """Main and init containers together; sidecars after them, one by one from the last."""
        first = [one for one in self.containers if one.role is not Role.SIDECAR]
        for one in first:
            self._stop_for_end(one)
        if all(one.is_over for one in first):
            for one in reversed(self.containers):
                if not one.is_over:
                    self._stop_for_end(one)
                    return

    def _stop_for_end(self, one: Container) -> None:
        if one.phase is Phase.RUNNING or (one.phase is Phase.STARTING and one.current and one.current.id == one.id):
            left = (self.end_by - self._now).total_seconds() if self.end_by else self._grace_seconds()
            least = GRACE_LEAST_SECONDS if one.role is Role.SIDECAR else 0.0
            self._stop(one, max(left, least), f"Stopping container {one.name}")

    def _stop(self, one: Container, grace_seconds: float, message: str, *, restart: bool = False) -> None:
        one.move(Phase.STOPPING)
        one.stop_by = self._in(grace_seconds)
        one.stop_is_restart = restart
        self._tell("Normal", "Killing", message, one.name)
        self._out.append(instructions.StopContainer(one.name, one.id, grace_seconds, message))

    # --- small things ------------------------------------------------------------------------------------------------

    def _grace_seconds(self) -> float:
        found = self.pod["spec"].get("terminationGracePeriodSeconds")
        return GRACE_DEFAULT_SECONDS if found is None else float(found)

    def _active_deadline(self) -> datetime.datetime | None:
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        if seconds is None or self.started_at is None:
            return None
        return self.started_at + datetime.timedelta(seconds=float(seconds))

    def _in(self, seconds: float) -> datetime.datetime:
        return self._now + datetime.timedelta(seconds=seconds)

    def _tell(self, type_: str, reason: str, message: str, container: str = "") -> None:
        self._out.append(instructions.RecordEvent(type_, reason, message, container))

    def check_invariants(self) -> None:
        """Statements that hold after every event; broken ones are our own mistakes."""
        ids = [one.id for one in self.containers if one.is_alive]
        assert all(ids), "living containers have ids"
        assert len(ids) == len(set(ids)), "living containers have ids of their own"
        for one in self.containers:
            assert not one.ready or one.started, f"{one.name}: ready means started"
            assert not one.ready or one.phase in (Phase.RUNNING, Phase.STOPPING), f"{one.name}: ready means running"
            assert one.phase is not Phase.CREATING or self.sandbox is not Sandbox.NONE, f"{one.name}: needs a sandbox"
            if self.is_ending:
                assert one.phase not in (Phase.WAITING, Phase.PULLING, Phase.PULLED, Phase.CREATED), (
                    f"{one.name}: nothing starts in an ending pod"
                )
        if self.gone:
            assert self.all_stopped, "no container is left of a pod that is gone"
            assert self.sandbox is Sandbox.REMOVED, "no sandbox is left of a pod that is gone"


HANDLERS: dict[type, Callable[[PodMachine, Any], None]] = {
    pod_events.PodChanged: PodMachine._on_pod_changed,
    pod_events.PodRemoved: PodMachine._on_pod_removed,
    pod_events.PodFailed: PodMachine._on_pod_failed,
    pod_events.VolumesMounted: PodMachine._on_volumes_mounted,
    pod_events.VolumesFailed: PodMachine._on_volumes_failed,
    pod_events.VolumesUnmounted: PodMachine._on_volumes_unmounted,
    pod_events.SandboxReady: PodMachine._on_sandbox_ready,
    pod_events.SandboxFailed: PodMachine._on_sandbox_failed,
    pod_events.SandboxLost: PodMachine._on_sandbox_lost,
    pod_events.SandboxStopped: PodMachine._on_sandbox_stopped,
    pod_events.SandboxRemoved: PodMachine._on_sandbox_removed,
    pod_events.ImagePulled: PodMachine._on_image_pulled,
    pod_events.ImageFailed: PodMachine._on_image_failed,
    pod_events.ContainerCreated: PodMachine._on_container_created,
    pod_events.ContainerCreateFailed: PodMachine._on_container_create_failed,
    pod_events.ContainerStarted: PodMachine._on_container_started,
    pod_events.ContainerStartFailed: PodMachine._on_container_start_failed,
    pod_events.PostStartEnded: PodMachine._on_post_start_ended,
    pod_events.ContainerChanged: PodMachine._on_container_changed,
    pod_events.ContainerGone: PodMachine._on_container_gone,
    pod_events.ProbeChanged: PodMachine._on_probe_changed,
    pod_events.TimerFired: PodMachine._on_timer_fired,
}


def _lets_its_neighbour_start(one: Container) -> bool:
    """In order, but side by side: only a postStart hook makes the next main container wait, as upstream promises no more."""
    return one.attempted or (one.phase is Phase.STARTING and one.hook("postStart") is None)


def _lost(one: Container, sandbox_id: str, uid: str, now: datetime.datetime) -> runtime.ContainerStatus:
    """What is shown of a container that the runtime lost: upstream's ContainerStatusUnknown, exit code 137."""
    was = one.current
    return runtime.ContainerStatus(
        id=one.id,
        sandbox_id=sandbox_id,
        pod_uid=uid,
        name=one.name,
        attempt=max(0, one.attempt - 1),
        state=runtime.State.EXITED,
        image=one.image,
        image_id=one.image_id,
        created_at=was.created_at if was else now,
        started_at=was.started_at if was else None,
        finished_at=now,
        exit_code=137,
        reason="ContainerStatusUnknown",
        message="The container could not be located when the pod was terminated",
    )


def _ended(lost: runtime.ContainerStatus, shown: dict[str, Any]) -> runtime.ContainerStatus:
    return dataclasses.replace(
        lost,
        exit_code=int(shown.get("exitCode", 137)),
        signal=int(shown.get("signal", 0)),
        reason=shown.get("reason", ""),
        message=shown.get("message", ""),
        started_at=_time(shown.get("startedAt")),
        finished_at=_time(shown.get("finishedAt")) or lost.finished_at,
    )


def _time(text: str | None) -> datetime.datetime | None:
    return times.parse(text) if text else None


def _reported_containers(pod: Object) -> dict[str, dict[str, Any]]:
    status = pod.get("status") or {}
    both = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return {one["name"]: one for one in both}


def _reported_start(pod: Object) -> datetime.datetime | None:
    return _time((pod.get("status") or {}).get("startTime"))


def _duration(seconds: float) -> str:
    """Go's way of writing a duration: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
