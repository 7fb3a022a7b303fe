"""The way down: main containers first, sidecars after them from the last, then sandbox, volumes and the object. Pure."""

from steersman.kubelet import instructions
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import PodState, Sandbox, Volumes

# Upstream's least grace for a container that has to stop because others took all the time.
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
            pod.out.append(instructions.StopContainer(one.name, one.id, max(grace_seconds, 0.0), "", run_hook=False))


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
    """Main and init containers together; sidecars after them, one by one from the last."""
    first = [one for one in pod.containers if one.role is not Role.SIDECAR]
    for one in first:
        _stop_for_end(pod, one)
    if all(one.is_over for one in first):
        for one in reversed(pod.containers):
            if not one.is_over:
                _stop_for_end(pod, one)
                return


def _stop_for_end(pod: PodState, one: Container) -> None:
    if one.phase is Phase.RUNNING or (one.phase is Phase.STARTING and one.current and one.current.id == one.id):
        left = (pod.end_by - pod.now).total_seconds() if pod.end_by else pod.grace_seconds()
        least = GRACE_LEAST_SECONDS if one.role is Role.SIDECAR else 0.0
        stop(pod, one, max(left, least), f"Stopping container {one.name}")


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
