"""The way down: main containers first, sidecars after them from the last, then sandbox, volumes and the object. Pure.

All preStop hooks run at once, also those of sidecars; only the signals have an order (upstream's terminationOrdering).
"""

from steersman.kubelet import instructions
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import PodState, Sandbox, Volumes

# Upstream's least time between a container's signal and its kill, whatever grace it was given or others have left it.
GRACE_LEAST_SECONDS = 2.0


def finish_when_over(pod: PodState) -> None:
    """All main containers are over for good, or an init container is: the pod ends by itself."""
    init_failed = any(one.role is Role.INIT and one.has_failed and one.current for one in pod.containers)
    if init_failed or pod.mains_are_over():
        begin(pod, pod.grace_seconds(), deleting=False)


def begin(pod: PodState, grace_seconds: float, *, deleting: bool) -> None:
    pod.deleting = pod.deleting or deleting
    pod.finishing = True
    end_by = pod.after(grace_seconds)
    sooner = pod.end_by is None or end_by < pod.end_by
    if sooner:
        pod.end_by = end_by
    for one in pod.containers:
        if one.phase in (Phase.WAITING, Phase.PULLING, Phase.PULLED, Phase.CREATED):
            one.move(Phase.EXITED)
        elif one.phase is Phase.STOPPING and sooner and one.stop_by is not None and one.stop_by > end_by:
            one.stop_by = end_by
            if not one.holds:
                _signal(pod, one, grace_seconds)


def advance(pod: PodState) -> None:
    _stop_containers(pod)
    if not pod.all_stopped:
        return
    if pod.sandbox is Sandbox.READY and not pod.deleting:
        pod.sandbox = Sandbox.STOPPING
        pod.out.append(instructions.StopSandbox(pod.sandbox_id))
    elif pod.deleting and pod.sandbox in (Sandbox.READY, Sandbox.STOPPED, Sandbox.NONE):
        pod.sandbox = Sandbox.REMOVING
        pod.sandbox_retry_at = None
        pod.out.append(instructions.RemoveSandboxes())
    if pod.sandbox in (Sandbox.STARTING, Sandbox.STOPPING, Sandbox.REMOVING):
        return
    if pod.volumes in (Volumes.NONE, Volumes.MOUNTING, Volumes.MOUNTED):
        pod.volumes = Volumes.UNMOUNTING
        pod.out.append(instructions.UnmountVolumes())
    if pod.deleting and pod.volumes is Volumes.UNMOUNTED and pod.sandbox is Sandbox.REMOVED:
        pod.gone = True
        pod.out.append(instructions.DeletePod())


def _stop_containers(pod: PodState) -> None:
    """Main and init containers together. A sidecar is signalled when those and the sidecars after it are over, or when all
    the grace is used up."""
    first = [one for one in pod.containers if one.role is not Role.SIDECAR]
    sidecars = [one for one in reversed(pod.containers) if one.role is Role.SIDECAR]
    for one in (*first, *sidecars):
        if one.phase is Phase.RUNNING or (one.phase is Phase.STARTING and one.current and one.current.id == one.id):
            (_hold if one.role is Role.SIDECAR else _stop_for_end)(pod, one)
    has_turn = all(one.is_over for one in first)
    for one in sidecars:
        left = (one.stop_by - pod.now).total_seconds() if one.stop_by else 0.0
        if one.holds and (left <= 0 or (has_turn and not one.hook_running)):
            one.holds = False
            _signal(pod, one, left)
        has_turn = has_turn and one.is_over


def _stop_for_end(pod: PodState, one: Container) -> None:
    stop(pod, one, _seconds_left(pod), f"Stopping container {one.name}")


def _hold(pod: PodState, one: Container) -> None:
    left = _seconds_left(pod)
    one.move(Phase.STOPPING)
    one.stop_by, one.holds = pod.after(left), True
    one.hook_running = one.hook("preStop") is not None and left > 0
    pod.tell("Normal", "Killing", f"Stopping container {one.name}", one.name)
    if one.hook_running:
        pod.out.append(instructions.RunPreStop(one.name, one.id, left))


def _seconds_left(pod: PodState) -> float:
    return (pod.end_by - pod.now).total_seconds() if pod.end_by else pod.grace_seconds()


def _signal(pod: PodState, one: Container, grace_seconds: float) -> None:
    """Its hook has run, or has no time to."""
    grace = max(grace_seconds, GRACE_LEAST_SECONDS)
    pod.out.append(instructions.StopContainer(one.name, one.id, grace, "", run_hook=False))


def stop(pod: PodState, one: Container, grace_seconds: float, message: str, *, restart: bool = False) -> None:
    one.move(Phase.STOPPING)
    one.stop_by = pod.after(grace_seconds)
    one.stop_is_restart = restart
    pod.tell("Normal", "Killing", message, one.name)
    pod.out.append(instructions.StopContainer(one.name, one.id, grace_seconds, message))


def stop_lost_sandbox(pod: PodState) -> None:
    """What is left of it has to end first: its containers' exits tell how each goes on."""
    pod.sandbox, pod.addresses = Sandbox.STOPPING, ()
    pod.out.append(instructions.StopSandbox(pod.sandbox_id))
