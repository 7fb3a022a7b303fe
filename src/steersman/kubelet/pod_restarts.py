"""What follows the end of a container: nothing, a new instance at once, or one after the crash-loop backoff. Pure."""

import datetime

from steersman.containers import runtime
from steersman.kubelet import container_lifecycle, instructions
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import PodState
from steersman.meta import times

LOST = "The container could not be located when the pod was terminated"


def exited(
    pod: PodState, one: Container, status: runtime.ContainerStatus, shown: tuple[str, str] | None = None
) -> None:
    restart_asked = one.stop_is_restart
    one.attempted = True
    if one.current is None or one.current.id != status.id:
        begin_instance(pod, one, status)
    one.current = status
    one.move(Phase.EXITED)
    after_exit(pod, one, status, restart_asked=restart_asked, shown=shown)


def begin_instance(pod: PodState, one: Container, status: runtime.ContainerStatus) -> None:
    """A new instance has run: of the dead ones only the last is kept (upstream's MaxPerPodContainer), for its log and state."""
    is_new = one.current is not None and one.current.id != status.id
    dropped = one.previous if is_new else None
    one.run(status)
    if dropped is not None:
        pod.out.append(instructions.RemoveContainer(one.name, dropped.id, dropped.attempt))


def after_exit(
    pod: PodState,
    one: Container,
    status: runtime.ContainerStatus,
    *,
    restart_asked: bool = False,
    shown: tuple[str, str] | None = None,
) -> None:
    """Decide what follows an exit: nothing, a new instance at once, or one after the backoff."""
    if pod.is_ending or pod.restarting_all:
        return
    if container_lifecycle.rule_for(one.spec, status.exit_code) == container_lifecycle.RESTART_ALL:
        pod.restarting_all = True
        return
    if restart_asked:
        one.wait()
        return
    if one.role is Role.SIDECAR and pod.mains_are_over():
        return
    if container_lifecycle.should_restart(one, pod.restart_policy, status.exit_code):
        retry(pod, one, status.finished_at or pod.now, shown)


def retry(pod: PodState, one: Container, failed_at: datetime.datetime, shown: tuple[str, str] | None = None) -> None:
    seconds = one.crashes.failed(failed_at)
    if seconds == 0:
        if one.phase is Phase.EXITED and shown is None:
            one.wait()
        else:
            one.wait(*(shown or ("", "")))
        one.crashes.tried_again(pod.now)
        return
    meta = pod.pod["metadata"]
    full = f"{meta['name']}_{meta.get('namespace', '')}({pod.uid})"
    text = f"back-off {times.format_duration(seconds)} restarting failed container={one.name} pod={full}"
    one.wait("CrashLoopBackOff", text, failed_at + datetime.timedelta(seconds=seconds))
    pod.tell("Warning", "BackOff", f"Back-off restarting failed container {one.name} in pod {full}", one.name)


def advance_restart_all(pod: PodState) -> None:
    """A rule asked for it (KEP-5532): kill what runs, without its preStop hooks, then begin again with the first init
    container."""
    own = [one for one in pod.containers if one.role is not Role.EPHEMERAL]
    for one in own:
        if one.phase is Phase.RUNNING or (one.phase is Phase.STARTING and one.current and one.current.id == one.id):
            one.move(Phase.STOPPING)
            one.stop_by = pod.now
            text = f"Container {one.name} will be restarted: all containers of the pod are"
            pod.tell("Normal", "Killing", text, one.name)
            pod.out.append(instructions.StopContainer(one.name, one.id, 0.0, text, run_hook=False))
    if any(one.is_alive or one.phase is Phase.CREATING for one in own):
        return
    pod.restarting_all = False
    for one in own:
        if one.phase in (Phase.CREATED, Phase.PULLED, Phase.EXITED, Phase.WAITING):
            one.forget_start()


def lost(pod: PodState, one: Container) -> runtime.ContainerStatus:
    """What is shown of a container that the runtime lost: upstream's ContainerStatusUnknown, exit code 137."""
    was = one.current
    return runtime.ContainerStatus(
        id=one.id,
        sandbox_id=pod.sandbox_id,
        pod_uid=pod.uid,
        name=one.name,
        attempt=max(0, one.attempt - 1),
        state=runtime.State.EXITED,
        image=one.image,
        image_id=one.image_id,
        created_at=was.created_at if was else pod.now,
        started_at=was.started_at if was else None,
        finished_at=pod.now,
        exit_code=137,
        reason="ContainerStatusUnknown",
        message=LOST,
    )
