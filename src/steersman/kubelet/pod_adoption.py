"""Take over what runs already: the state that the events so far would have led to. Pure."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from steersman.containers import runtime
from steersman.kubelet import pod_end, pod_restarts
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import PodState, Sandbox
from steersman.meta import conditions, times
from steersman.meta.objects import Object


def adopt(
    pod: PodState, sandboxes: Sequence[runtime.SandboxStatus], statuses: Iterable[runtime.ContainerStatus]
) -> None:
    _adopt_sandbox(pod, sandboxes)
    by_name: dict[str, list[runtime.ContainerStatus]] = {}
    for status in statuses:
        by_name.setdefault(status.name, []).append(status)
    was = _reported_containers(pod.pod)
    for one in pod.containers:
        instances = sorted(by_name.get(one.name, ()), key=lambda status: (status.attempt, status.created_at))
        if instances:
            _adopt_container(pod, one, instances, was.get(one.name, {}))
        elif "containerID" in was.get(one.name, {}):
            _adopt_reported(pod, one, was[one.name])
    pod.restarting_all = conditions.is_true(pod.pod, "AllContainersRestarting")
    if any(one.current for one in pod.containers if one.role is Role.MAIN):
        for one in pod.containers:
            if one.role is Role.INIT and one.phase is Phase.WAITING and one.current is None:
                one.move(Phase.EXITED)
    for one in pod.containers:
        if one.phase is Phase.EXITED and one.current is not None:
            pod_restarts.after_exit(pod, one, one.current)
    if not sandboxes and any(one.id for one in pod.containers):
        pod.sandbox = Sandbox.STOPPED  # gone with all that ran in it: the pod begins anew, as upstream's after a boot
    pod.started_at = _reported_start(pod.pod) or pod.now
    own = (pod.pod.get("status") or {}).get("resources")
    if own and pod.pod["spec"].get("resources"):  # what an earlier kubelet had granted the pod itself
        pod.own_resources = pod.own_applied = own


def _adopt_sandbox(pod: PodState, sandboxes: Sequence[runtime.SandboxStatus]) -> None:
    if not sandboxes:
        return
    newest = max(sandboxes, key=lambda one: (one.attempt, one.created_at))
    pod.sandbox_id, pod.sandbox_attempt = newest.id, newest.attempt + 1
    pod.sandbox, pod.addresses = Sandbox.READY, newest.addresses
    if not newest.ready:
        pod_end.stop_lost_sandbox(pod)


def _adopt_container(
    pod: PodState, one: Container, instances: list[runtime.ContainerStatus], was: dict[str, Any]
) -> None:
    newest = instances[-1]
    one.attempt = newest.attempt + 1
    one.attempted = True
    if len(instances) > 1:
        one.previous = instances[-2]
    one.image_id = newest.image_id
    one.volume_images = _reported_images(was)
    if newest.state is runtime.State.CREATED:
        one.attempted = False
        one.current, one.previous = one.previous, None
        one.phase, one.id = (Phase.CREATED, newest.id)
        return
    one.id, one.current, one.has_started = newest.id, newest, True
    one.applied = one.resources
    if was.get("containerID", "").endswith(newest.id) and "resources" in was:  # what an earlier kubelet had granted
        one.applied = was["resources"]
        one.spec = {**one.spec, "resources": was["resources"]}
    if newest.state is runtime.State.RUNNING:
        one.phase = Phase.STARTING
        one.mark_running()
        same = was.get("containerID", "").endswith(newest.id)
        one.started = one.started or (same and was.get("started") is True)
        one.ready = one.ready or (same and was.get("ready") is True and one.started)
    else:
        one.phase = Phase.EXITED


def _adopt_reported(pod: PodState, one: Container, was: dict[str, Any]) -> None:
    """The runtime knows nothing of a container that was reported: take how it ended, or call it lost."""
    one.id = was["containerID"].partition("://")[2]
    one.attempt = int(was.get("restartCount", 0)) + 1
    one.attempted = one.has_started = True
    one.image_id = was.get("imageID", "")
    one.volume_images = _reported_images(was)
    lost = pod_restarts.lost(pod, one)
    ended = (was.get("state") or {}).get("terminated") or (was.get("lastState") or {}).get("terminated")
    one.current = _ended(lost, ended) if ended and "running" not in (was.get("state") or {}) else lost
    one.phase = Phase.EXITED


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
    fields = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    return {one["name"]: one for field in fields for one in status.get(field) or []}


def _reported_start(pod: Object) -> datetime.datetime | None:
    return _time((pod.get("status") or {}).get("startTime"))


def _reported_images(was: dict[str, Any]) -> dict[str, str]:
    """What image volumes hold, by volume."""
    mounts = was.get("volumeMounts") or []
    found = {one["name"]: ((one.get("volumeStatus") or {}).get("image") or {}).get("imageRef", "") for one in mounts}
    return {name: image for name, image in found.items() if image}
