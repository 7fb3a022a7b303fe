"""In-place resize: from resources that the API wants, over those that the node grants, to those that containers have. Pure.

Source: KEP-1287, KEP-5419. The shell decides about room (`admission.room`) and says so by `ResizeDecided`.
"""

import json

from steersman.kubelet import instructions, pod_end
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_state import PodState
from steersman.meta.objects import Object

FIELDS = ("containers", "initContainers")


def is_wanted(pod: PodState) -> bool:
    """The API asks for other resources than those granted."""
    return not pod.is_ending and _differs(pod)


def granted(pod: PodState) -> Object:
    """The pod as it would be with the resources that it has been granted."""
    if not _differs(pod):
        return pod.pod
    spec = {**pod.pod["spec"]}
    for field in FIELDS:
        if spec.get(field):
            spec[field] = [{**one, "resources": pod.by_name[one["name"]].resources} for one in spec[field]]
    if pod.own_resources or spec.get("resources"):
        spec["resources"] = pod.own_resources
    return {**pod.pod, "spec": spec}


def _differs(pod: PodState) -> bool:
    spec = pod.pod["spec"]
    return pod.own_resources != (spec.get("resources") or {}) or any(
        pod.by_name[one["name"]].resources != (one.get("resources") or {})
        for field in FIELDS
        for one in spec.get(field) or ()
        if pod.by_name[one["name"]].role is not Role.INIT
    )


def keep_granted(one: Container, spec: Object) -> Object:
    """A new spec from the API, but with the resources granted so far."""
    return {**spec, "resources": one.resources} if one.resources or spec.get("resources") else spec


def decided(pod: PodState, reason: str, message: str) -> None:
    if not is_wanted(pod):
        pod.resize_pending = None
        return
    if reason:
        if pod.resize_pending != (reason, message):
            pod.tell("Warning", f"Resize{reason}", _summary(f"Pod resize {reason}", pod.pod, message))
        pod.resize_pending = (reason, message)
        return
    before = granted(pod)
    pod.resize_pending = None
    for one, wanted in _changed(pod):
        one.spec = {**one.spec, "resources": wanted}
    pod.own_resources = pod.pod["spec"].get("resources") or {}
    pod.tell("Normal", "ResizeStarted", _summary("Pod resize started", granted(pod)))
    apply(pod, before)


def apply(pod: PodState, before: Object) -> None:
    """Restart the containers whose policy says so, update the others that run; what does not run yet comes with the new. Where the
    pod's own limits change, so do those of containers that have none."""
    of_pod = pod.own_applied != pod.own_resources
    changed = [one for one in pod.containers if one.phase is Phase.RUNNING and one.applied != one.resources]
    restarts = [one for one in changed if _needs_restart(one)]
    updated = _resizable(pod) if of_pod else changed
    names = tuple(one.name for one in updated if one.phase is Phase.RUNNING and one not in restarts)
    pod.resizing, pod.resize_error, pod.resize_shrinks = True, "", bool(restarts)
    pod.out.append(instructions.ResizePod(before, granted(pod), names, keeps_room=bool(restarts)))
    for one in restarts:
        pod_end.stop(pod, one, pod.grace_seconds(), f"Container {one.name} resize requires restart", restart=True)
    finish(pod)


def applied(pod: PodState, ids: tuple[str, ...], error: str) -> None:
    if error and error != pod.resize_error:
        pod.tell("Warning", "ResizeError", _summary("Pod resize error", granted(pod), error))
    pod.resize_error = error
    if not error:
        pod.own_applied = pod.own_resources
        for one in pod.containers:
            if one.id in ids:
                one.applied = one.resources
    finish(pod)


def _summary(head: str, pod: Object, error: str = "") -> str:
    """Of an Event: what the containers have, or should have, as upstream words it."""
    shown: Object = {}
    for field in ("initContainers", "containers"):
        if found := pod["spec"].get(field):
            shown[field] = [{"name": one["name"], "resources": _ordered(one.get("resources") or {})} for one in found]
    shown["generation"] = pod["metadata"].get("generation", 0)
    if error:
        shown["error"] = error
    return f"{head}: {json.dumps(shown, separators=(',', ':'))}"


def _ordered(resources: Object) -> Object:
    """As Go writes it."""
    parts = {name: resources[name] for name in ("limits", "requests", "claims") if resources.get(name)}
    return {name: dict(sorted(one.items())) if isinstance(one, dict) else one for name, one in parts.items()}


def finish(pod: PodState) -> None:
    """Over when every container that runs has what it was granted."""
    is_applied = pod.own_applied == pod.own_resources
    if pod.resizing and is_applied and all(one.applied == one.resources for one in _resizable(pod) if one.is_alive):
        if any(one.stop_is_restart for one in pod.containers):
            return
        pod.resizing, pod.resize_error = False, ""
        if pod.resize_shrinks:
            pod.resize_shrinks, after = False, granted(pod)
            pod.out.append(instructions.ResizePod(after, after, ()))
        pod.tell("Normal", "ResizeCompleted", _summary("Pod resize completed", granted(pod)))


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
