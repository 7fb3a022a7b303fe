"""In-place resize: from resources that the API wants, over those that the node grants, to those that containers have. Pure.

Source: KEP-1287. The shell decides about room (`admission.room`) and says so by `ResizeDecided`.
"""

import json

from steersman.kubelet import instructions, pod_end
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import PodState
from steersman.meta.objects import Object

FIELDS = ("containers", "initContainers")


def is_wanted(pod: PodState) -> bool:
    """The API asks for other resources than those granted."""
    return not pod.is_ending and any(
        pod.by_name[spec["name"]].resources != (spec.get("resources") or {})
        for field in FIELDS
        for spec in pod.pod["spec"].get(field) or ()
        if pod.by_name[spec["name"]].role is not Role.INIT
    )


def granted(pod: PodState) -> Object:
    """The pod as it would be with the resources that it has been granted."""
    spec = {**pod.pod["spec"]}
    for field in FIELDS:
        if spec.get(field):
            spec[field] = [{**one, "resources": pod.by_name[one["name"]].resources} for one in spec[field]]
    return {**pod.pod, "spec": spec}


def keep_granted(one: Container, spec: Object) -> Object:
    """A new spec from the API, but with the resources granted so far."""
    return {**spec, "resources": one.resources} if one.resources or spec.get("resources") else spec


def decided(pod: PodState, reason: str, message: str) -> None:
    if not is_wanted(pod):
        pod.resize_pending = None
        return
    if reason:
        if pod.resize_pending != (reason, message):
            pod.tell("Warning", f"Resize{reason}", f"Pod resize {reason}: {message}")
        pod.resize_pending = (reason, message)
        return
    before = granted(pod)
    pod.resize_pending = None
    for one, wanted in _changed(pod):
        one.spec = {**one.spec, "resources": wanted}
    apply(pod, before)


def apply(pod: PodState, before: Object) -> None:
    """Restart the containers whose policy says so, update the others that run; what does not run yet comes with the new."""
    changed = [one for one in pod.containers if one.phase is Phase.RUNNING and one.applied != one.resources]
    restarts = [one for one in changed if _needs_restart(one)]
    names = tuple(one.name for one in changed if one not in restarts)
    pod.resizing, pod.resize_shrinks = True, bool(restarts)
    pod.out.append(instructions.ResizePod(before, granted(pod), names, keeps_room=bool(restarts)))
    for one in restarts:
        pod_end.stop(pod, one, pod.grace_seconds(), f"Container {one.name} resize requires restart", restart=True)
    finish(pod)


def applied(pod: PodState, ids: tuple[str, ...], error: str) -> None:
    pod.resize_error = error
    if not error:
        for one in pod.containers:
            if one.id in ids:
                one.applied = one.resources
    finish(pod)


def finish(pod: PodState) -> None:
    """Over when every container that runs has what it was granted."""
    if pod.resizing and all(one.applied == one.resources for one in _resizable(pod) if one.is_alive):
        if any(one.stop_is_restart for one in pod.containers):
            return
        pod.resizing, pod.resize_error = False, ""
        if pod.resize_shrinks:
            pod.resize_shrinks, after = False, granted(pod)
            pod.out.append(instructions.ResizePod(after, after, ()))
        shown = {"containers": [{"name": one.name, "resources": one.resources} for one in _resizable(pod)]}
        pod.tell("Normal", "ResizeCompleted", f"Pod resize completed: {json.dumps(shown, separators=(',', ':'))}")


def _changed(pod: PodState) -> list[tuple[Container, Object]]:
    both = [one for field in FIELDS for one in pod.pod["spec"].get(field) or []]
    pairs = [(pod.by_name[spec["name"]], spec.get("resources") or {}) for spec in both]
    return [(one, wanted) for one, wanted in pairs if one.role is not Role.INIT and one.resources != wanted]


def _resizable(pod: PodState) -> list[Container]:
    return [one for one in pod.containers if one.role in (Role.MAIN, Role.SIDECAR)]


def _needs_restart(one: Container) -> bool:
    changed = {
        name
        for which in ("requests", "limits")
        for name in ("cpu", "memory")
        if (one.applied.get(which) or {}).get(name) != (one.resources.get(which) or {}).get(name)
    }
    policies = {rule["resourceName"]: rule["restartPolicy"] for rule in one.spec.get("resizePolicy") or []}
    return any(policies.get(name) == "RestartContainer" for name in changed)
