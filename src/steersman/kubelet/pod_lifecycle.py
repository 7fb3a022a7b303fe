"""The life of one pod on its node, as a machine: events in, instructions out.

Keeps true: init containers run one after the other, sidecars stay up around the main ones, every container follows its
restart policy with upstream's backoffs, and an ending pod stops its main containers first, then its sidecars in reverse.
Pure: no clock, chance, network or log; `now` comes with every event. The shell that carries the instructions out is
`pod_worker`; what the API shows of it is built by `status`.
"""

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from steersman.containers import runtime
from steersman.kubelet import (
    container_lifecycle,
    instructions,
    pod_adoption,
    pod_end,
    pod_events,
    pod_resize,
    pod_restarts,
    pod_start,
    pod_state,
)
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import Sandbox, Volumes
from steersman.meta.objects import Object

# ErrImagePull stands this long before it is called ImagePullBackOff: long enough that a watcher sees both.
PULL_ERROR_SHOWN_SECONDS = 2.0
# A sandbox that could not be made is tried again after 1 s, doubling to 30 s: the usual cause (network) heals by itself.
SANDBOX_RETRY_MOST_SECONDS = 30.0
# A pod removed from the API without a grace period of its own is still asked to stop, for this long (upstream's least).
REMOVED_GRACE_SECONDS = 1.0
# Not errors of a registry: looked at again now and then, without the words of a backoff.
HOPELESS_PULLS = frozenset({"ErrImageNeverPull", "InvalidImageName", "ImageInspectError"})


ANOTHER_IMAGE_HELPS = pod_start.PULL_ERRORS | HOPELESS_PULLS | {"ImagePullBackOff", "CrashLoopBackOff"}


class PodMachine(pod_state.PodState):
    """Created from the pod object; begins with `adopt` (what the runtime still holds, mostly nothing) or a PodChanged."""

    def handle(self, event: pod_events.Event, now: datetime.datetime) -> list[instructions.Instruction]:
        self.now, self.out = now, []
        HANDLERS[type(event)](self, event)
        return self._advance()

    def adopt(
        self,
        sandboxes: Sequence[runtime.SandboxStatus],
        statuses: Iterable[runtime.ContainerStatus],
        now: datetime.datetime,
    ) -> list[instructions.Instruction]:
        """Take over what runs already, without restarting it."""
        self.now, self.out = now, []
        pod_adoption.adopt(self, sandboxes, statuses)
        self._on_pod_changed(pod_events.PodChanged(self.pod))
        return self._advance()

    def refuse(self, reason: str, message: str, now: datetime.datetime) -> list[instructions.Instruction]:
        """The node does not take the pod: it fails, and nothing of it is ever made."""
        self.now, self.out = now, []
        self.started_at, self.is_refused = now, True
        self.tell("Warning", reason, message)
        self._on_pod_failed(pod_events.PodFailed(reason, f"Pod was rejected: {message}"))
        return self._advance()

    def _advance(self) -> list[instructions.Instruction]:
        """What follows from the event: the instructions so far, and those for whatever is possible now."""
        if not self.gone:
            if self.restarting_all and not self.is_ending:
                pod_restarts.advance_restart_all(self)
            if not self.is_ending and not self.restarting_all:
                pod_end.finish_when_over(self)
            if self.is_ending:
                pod_end.advance(self)
            elif not self.restarting_all:
                pod_start.advance(self)
        out, self.out = self.out, []
        return out

    def _on_pod_changed(self, event: pod_events.PodChanged) -> None:
        self.pod = event.pod
        if self.started_at is None:
            self.started_at = self.now
        meta, spec = event.pod["metadata"], event.pod["spec"]
        self._add_ephemeral(spec.get("ephemeralContainers") or [])
        for spec_of_one in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
            one = self.by_name.get(spec_of_one["name"])
            if one is not None:
                self._on_spec(one, spec_of_one)
        if meta.get("deletionTimestamp") is not None:
            grace = meta.get("deletionGracePeriodSeconds")
            pod_end.begin(self, float(grace if grace is not None else self.grace_seconds()), deleting=True)
        elif (event.pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") and not self.is_ending:
            self._adopt_terminal(event.pod["status"])

    def _add_ephemeral(self, wanted: Sequence[Object]) -> None:
        """The only containers that come later; in a pod that ends they never start."""
        for spec in wanted:
            if spec["name"] not in self.by_name:
                one = self.by_name[spec["name"]] = Container(spec, Role.EPHEMERAL)
                self.containers.append(one)
                if self.is_ending:
                    one.move(Phase.EXITED)

    def _adopt_terminal(self, status: dict[str, Any]) -> None:
        """The API says that the pod is over (also when another one, e.g. pod garbage collection, said so)."""
        if status["phase"] == "Failed":
            self.failure = (status.get("reason", ""), status.get("message", ""))
        pod_end.begin(self, self.grace_seconds(), deleting=False)

    def _on_spec(self, one: Container, spec: Object) -> None:
        changed = spec.get("image") != one.spec.get("image")
        if changed:
            one.crashes.forget()
        one.spec = pod_resize.keep_granted(one, spec)
        if not changed or self.is_ending:
            return
        if one.role is Role.INIT and one.is_alive:
            return  # what it does counts; its new image is for the next time, if there is one
        if one.phase in (Phase.RUNNING, Phase.STARTING) and not one.hook_running:
            text = f"Container {one.name} definition changed, will be restarted"
            pod_end.stop(self, one, self.grace_seconds(), text, restart=True)
        elif one.phase is Phase.WAITING and one.waiting_reason in ANOTHER_IMAGE_HELPS:
            one.pulls.forget()
            one.not_before = None

    def _on_pod_removed(self, _: pod_events.PodRemoved) -> None:
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds")
        self.removed = True
        pod_end.begin(self, max(float(grace or 0), REMOVED_GRACE_SECONDS), deleting=True)

    def _on_pod_failed(self, event: pod_events.PodFailed) -> None:
        if not self.is_ending:
            self.failure, self.is_disrupted = (event.reason, event.message), event.disrupts
            grace = self.grace_seconds() if event.grace_seconds is None else event.grace_seconds
            pod_end.begin(self, grace, deleting=False)

    def _on_volumes_mounted(self, _: pod_events.VolumesMounted) -> None:
        if self.volumes is Volumes.MOUNTING:
            self.volumes = Volumes.MOUNTED

    def _on_volumes_failed(self, event: pod_events.VolumesFailed) -> None:
        if self.volumes is Volumes.MOUNTING:  # the shell goes on trying: it alone knows how long
            self.tell("Warning", "FailedMount", event.message)

    def _on_volumes_unmounted(self, _: pod_events.VolumesUnmounted) -> None:
        self.volumes = Volumes.UNMOUNTED

    def _on_sandbox_ready(self, event: pod_events.SandboxReady) -> None:
        if self.sandbox is Sandbox.STARTING:
            self.sandbox, self.sandbox_id, self.addresses = Sandbox.READY, event.id, event.addresses
            self.sandbox_retry_seconds = pod_state.SANDBOX_RETRY_FIRST_SECONDS

    def _on_sandbox_failed(self, event: pod_events.SandboxFailed) -> None:
        if self.sandbox is not Sandbox.STARTING:
            return
        self.sandbox = Sandbox.NONE
        self.tell("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {event.message}")
        self.sandbox_retry_at = self.now + datetime.timedelta(seconds=self.sandbox_retry_seconds)
        self.sandbox_retry_seconds = min(2 * self.sandbox_retry_seconds, SANDBOX_RETRY_MOST_SECONDS)

    def _on_sandbox_lost(self, event: pod_events.SandboxLost) -> None:
        if self.sandbox is Sandbox.READY and event.id == self.sandbox_id:
            pod_end.stop_lost_sandbox(self)

    def _on_sandbox_stopped(self, event: pod_events.SandboxStopped) -> None:
        if self.sandbox is Sandbox.STOPPING and event.id == self.sandbox_id:
            self.sandbox = Sandbox.STOPPED

    def _on_sandbox_removed(self, _: pod_events.SandboxRemoved) -> None:
        self.sandbox, self.addresses = Sandbox.REMOVED, ()

    def _on_image_pulled(self, event: pod_events.ImagePulled) -> None:
        one = self.by_name[event.container]
        if one.phase is Phase.PULLING:
            one.pulls.forget()
            one.image_id, one.volume_images = event.image_id, event.volumes
            one.move(Phase.PULLED)

    def _on_image_failed(self, event: pod_events.ImageFailed) -> None:
        one = self.by_name[event.container]
        if one.phase is not Phase.PULLING:
            return
        one.attempted = True
        self.tell("Warning", "Failed", f"Error: {event.reason}", one.name)
        if event.reason in HOPELESS_PULLS:
            one.wait(event.reason, event.message, self.after(container_lifecycle.CONFIG_RETRY_SECONDS))
        else:
            one.pulls.tried_again(self.now)
            one.wait(event.reason, event.message, self.after(PULL_ERROR_SHOWN_SECONDS))

    def _on_container_created(self, event: pod_events.ContainerCreated) -> None:
        one = self.by_name[event.container]
        if one.phase is not Phase.CREATING:
            return
        one.id = event.id
        one.applied = one.resources
        one.attempt += 1
        self.tell("Normal", "Created", "Container created", one.name)
        one.move(Phase.CREATED)
        if self.is_ending:
            one.move(Phase.EXITED)

    def _on_container_create_failed(self, event: pod_events.ContainerCreateFailed) -> None:
        one = self.by_name[event.container]
        if one.phase is not Phase.CREATING:
            return
        one.attempted = True
        self.tell("Warning", "Failed", f"Error: {event.message}", one.name)
        if self.is_ending:
            one.move(Phase.EXITED)
        else:
            one.wait(event.reason, event.message, self.after(container_lifecycle.CONFIG_RETRY_SECONDS))

    def _on_container_started(self, event: pod_events.ContainerStarted) -> None:
        one = self.by_name[event.container]
        if one.phase is not Phase.STARTING or one.id != event.id:
            return
        self.tell("Normal", "Started", "Container started", one.name)
        if event.status.state is runtime.State.EXITED:  # over before we could look
            pod_restarts.exited(self, one, event.status)
            return
        pod_restarts.begin_instance(self, one, event.status)
        pod_resize.finish(self)
        if one.hook("postStart") is None or self.is_ending:
            one.mark_running()
        else:
            one.hook_running = True
            self.out.append(instructions.RunPostStart(one.name, one.id))

    def _on_container_start_failed(self, event: pod_events.ContainerStartFailed) -> None:
        one = self.by_name[event.container]
        if one.phase is not Phase.STARTING or one.id != event.id:
            return
        one.attempted = True
        self.tell("Warning", "Failed", f"Error: {event.message}", one.name)
        status = event.status
        if status is not None and status.state is runtime.State.CREATED and not self.is_ending:
            self.out.append(instructions.RemoveContainer(one.name, one.id, status.attempt))  # another one will be made
        if status is not None and status.state is runtime.State.EXITED:
            pod_restarts.exited(self, one, status, shown=(event.reason, event.message))
        elif self.is_ending:
            one.move(Phase.EXITED)
        else:
            pod_restarts.retry(self, one, self.now, (event.reason, event.message))

    def _on_post_start_ended(self, event: pod_events.PostStartEnded) -> None:
        one = self.by_name[event.container]
        if one.phase is not Phase.STARTING or one.id != event.id or not one.hook_running:
            return
        one.hook_running = False
        if event.error:
            one.attempted = True
            self.tell("Warning", "FailedPostStartHook", "PostStartHook failed", one.name)  # why may be a secret
            pod_end.stop(self, one, self.grace_seconds(), "FailedPostStartHook")
        else:
            one.mark_running()

    def _on_pre_stop_ended(self, event: pod_events.PreStopEnded) -> None:
        one = self.by_name[event.container]
        if one.holds and one.id == event.id:
            one.hook_running = False

    def _on_container_changed(self, event: pod_events.ContainerChanged) -> None:
        one = self.by_name.get(event.status.name)
        if one is None or event.status.id != one.id or not one.is_alive:
            return
        if event.status.state is runtime.State.EXITED:
            pod_restarts.exited(self, one, event.status)
        elif event.status.state is runtime.State.UNKNOWN:
            pod_restarts.exited(self, one, pod_restarts.lost(self, one))

    def _on_container_gone(self, event: pod_events.ContainerGone) -> None:
        one = self.by_name[event.container]
        if one.is_alive and one.id == event.id:
            pod_restarts.exited(self, one, pod_restarts.lost(self, one))

    def _on_probe_changed(self, event: pod_events.ProbeChanged) -> None:
        one = self.by_name[event.container]
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
            pod_end.stop(self, one, float(own) if own is not None else self.grace_seconds(), text)

    def _on_resize_decided(self, event: pod_events.ResizeDecided) -> None:
        pod_resize.decided(self, event.reason, event.message)

    def _on_pod_resized(self, event: pod_events.PodResized) -> None:
        pod_resize.applied(self, event.containers, event.error)

    def _on_timer_fired(self, _: pod_events.TimerFired) -> None:
        deadline = self.active_deadline()
        if deadline is not None and deadline <= self.now and not self.is_ending:
            text = "Pod was active on the node longer than the specified deadline"
            self.tell("Normal", "DeadlineExceeded", text)
            self.failure = ("DeadlineExceeded", text)
            pod_end.begin(self, self.grace_seconds(), deleting=False)
        if self.sandbox_retry_at is not None and self.sandbox_retry_at <= self.now:
            self.sandbox_retry_at = None


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
    pod_events.PreStopEnded: PodMachine._on_pre_stop_ended,
    pod_events.ContainerChanged: PodMachine._on_container_changed,
    pod_events.ContainerGone: PodMachine._on_container_gone,
    pod_events.ProbeChanged: PodMachine._on_probe_changed,
    pod_events.ResizeDecided: PodMachine._on_resize_decided,
    pod_events.PodResized: PodMachine._on_pod_resized,
    pod_events.TimerFired: PodMachine._on_timer_fired,
}
