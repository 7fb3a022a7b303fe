"""The way up: volumes, sandbox and images at once, containers as their turn comes. Pure."""

import datetime

from steersman.kubelet import instructions
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import PodState, Sandbox, Volumes

# containerd tells every failed pull as the first, CRI-O knows the others.
PULL_ERRORS = frozenset({"ErrImagePull", "RegistryUnavailable", "SignatureValidationFailed"})


def advance(pod: PodState) -> None:
    if pod.volumes is Volumes.NONE:
        pod.volumes = Volumes.MOUNTING
        pod.out.append(instructions.MountVolumes())
    _advance_sandbox(pod)
    _advance_ephemeral(pod)
    if pod.is_stopping_one:
        return
    blocked = False  # a container before this one has not been tried yet, so this one may be made, not started
    for one in pod.containers:
        if one.role is Role.EPHEMERAL:
            continue
        _advance_container(pod, one, blocked)
        if one.role is Role.MAIN:
            blocked = blocked or not _lets_its_neighbour_start(one)
        elif not pod.lets_the_next_start(one):
            return


def _advance_ephemeral(pod: PodState) -> None:
    """Nothing waits for them, and they wait only for the container whose processes they want to see."""
    for one in pod.containers:
        if one.role is Role.EPHEMERAL:
            target = pod.container(one.spec.get("targetContainerName") or "")
            if target is None or target.phase in (Phase.RUNNING, Phase.STOPPING):
                _advance_container(pod, one, blocked=False)


def _advance_sandbox(pod: PodState) -> None:
    in_the_old = any(one.is_alive or one.phase is Phase.CREATING for one in pod.containers)
    if pod.sandbox is Sandbox.STOPPED and not in_the_old:
        pod.tell("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        _forget_instances(pod)
        pod.sandbox = Sandbox.NONE
    if pod.sandbox is Sandbox.NONE and pod.sandbox_retry_at is None:
        pod.sandbox = Sandbox.STARTING
        pod.out.append(instructions.RunSandbox(pod.sandbox_attempt))
        pod.sandbox_attempt += 1


def _forget_instances(pod: PodState) -> None:
    """A new sandbox: everything starts from the first init container, except what is over for good."""
    for one in pod.containers:
        keeps = one.role in (Role.MAIN, Role.EPHEMERAL) and one.is_over
        if not keeps and one.phase in (Phase.CREATED, Phase.PULLED, Phase.EXITED):
            one.wait()
        if not keeps:
            one.attempted = one.has_started = False


def _advance_container(pod: PodState, one: Container, blocked: bool) -> None:
    if one.due(pod.now):
        _try(pod, one)
    if one.phase is Phase.PULLED and pod.sandbox is Sandbox.READY and pod.volumes is Volumes.MOUNTED:
        one.move(Phase.CREATING)
        pod.out.append(instructions.CreateContainer(one.name, pod.sandbox_id, one.attempt))
    if one.phase is Phase.CREATED and not blocked:
        one.move(Phase.STARTING)
        pod.out.append(instructions.StartContainer(one.name, one.id))


def _try(pod: PodState, one: Container) -> None:
    """A waiting container's time has come: to be tried, or to be told that it has to wait longer."""
    if one.waiting_reason in PULL_ERRORS and _shows_pull_backoff(pod, one):
        return
    if one.waiting_reason == "CrashLoopBackOff":
        one.crashes.tried_again(pod.now)
    one.move(Phase.PULLING)
    pod.out.append(instructions.PullImage(one.name))


def _shows_pull_backoff(pod: PodState, one: Container) -> bool:
    due = (one.pulls.since or pod.now) + datetime.timedelta(seconds=one.pulls.seconds)
    if due <= pod.now:
        return False
    text = f'Back-off pulling image "{one.image}"'
    one.waiting_message = f"{text}: {one.waiting_reason}: {one.waiting_message}"
    one.waiting_reason, one.not_before = "ImagePullBackOff", due
    pod.tell("Normal", "BackOff", text, one.name)
    pod.tell("Warning", "Failed", "Error: ImagePullBackOff", one.name)
    return True


def _lets_its_neighbour_start(one: Container) -> bool:
    """In order, but side by side: only a postStart hook makes the next main container wait, as upstream promises no more."""
    return one.attempted or (one.phase is Phase.STARTING and one.hook("postStart") is None)
