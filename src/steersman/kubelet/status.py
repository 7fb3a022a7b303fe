"""PodStatus as the API shows it, built from a pod's machine.

Pure. Source of phases, condition reasons and messages: upstream's kubelet_pods.go and status/generate.go. Conditions of
others (readiness gates, PodScheduled, DisruptionTarget unless this node evicts) are read, never written.
"""

import dataclasses
import datetime
from typing import Any

from steersman.containers import runtime
from steersman.kubelet import container_lifecycle, pod_restarts, qos, resource_health, static_pods
from steersman.kubelet.container_lifecycle import Container, Phase, Role
from steersman.kubelet.pod_lifecycle import PodMachine
from steersman.kubelet.pod_state import INITIAL, Sandbox, Volumes
from steersman.meta import conditions, times
from steersman.meta.objects import Object

RESTARTING = "AllContainersRestarting"
OWN_CONDITIONS = (RESTARTING, "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
RESIZE_CONDITIONS = ("PodResizePending", "PodResizeInProgress")
STATUS_FIELDS = {
    "initContainerStatuses": INITIAL,
    "containerStatuses": frozenset({Role.MAIN}),
    "ephemeralContainerStatuses": frozenset({Role.EPHEMERAL}),
}
READY_ROLES = frozenset({Role.MAIN, Role.SIDECAR})
_STILL_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """What of the node a pod's status shows. `runtime_name` is the scheme of container ids."""

    address: str = ""
    runtime_name: str = "steersman"
    second_address: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(one for one in (self.address, self.second_address) if one)


def build(
    machine: PodMachine,
    node: Node,
    was: Object,
    now: datetime.datetime,
    devices: resource_health.Statuses = resource_health.NONE,
) -> Object:
    """`was` is the status last known (for lastTransitionTime and the conditions of others)."""
    found_phase = phase(machine)
    shown = {one.name: _container_status(one, machine, node) for one in machine.containers}
    for one in machine.containers:
        if devices and one.role is Role.MAIN and devices.get(one.name):
            shown[one.name]["allocatedResourcesStatus"] = devices[one.name]
    statuses = {
        field: [shown[one.name] for one in machine.containers if one.role in roles]
        for field, roles in STATUS_FIELDS.items()
    }
    status: Object = {"phase": found_phase}
    generation = machine.pod["metadata"].get("generation")
    if generation:
        status["observedGeneration"] = generation
    status["conditions"] = _conditions(machine, found_phase, was, now)
    if machine.failure is not None:
        reason, message = machine.failure
        status.update({key: text for key, text in (("reason", reason), ("message", message)) if text})
    status.update(_addresses(machine, node))
    if machine.started_at is not None:
        status["startTime"] = times.format_seconds(machine.started_at)
    if not machine.is_refused:
        status.update({field: found for field, found in statuses.items() if found})
    status["qosClass"] = qos.pod_class(machine.pod)
    if qos.has_own_resources(machine.pod) and not machine.is_refused:
        status.update(_own_resources(machine))
    return status


def patch(was: Object, status: Object) -> Object:
    """The strategic merge patch of `status` from `was` to `status`; empty when nothing changed.

    Only own conditions are sent (the list merges by type), so that nobody else's is undone; null takes a field away.
    """
    changed = {key: value for key, value in status.items() if value != was.get(key)}
    gone = ("reason", "message", "podIP", "podIPs")
    changed.update({key: None for key in gone if key in was and key not in status})
    for field in ("podIPs", "hostIPs"):  # these merge by address: one that is no longer true must be taken out by name
        if changed.get(field):
            here = {one["ip"] for one in changed[field]}
            lost = [one["ip"] for one in was.get(field) or () if one["ip"] not in here]
            changed[field] = [*changed[field], *({"$patch": "delete", "ip": address} for address in lost)]
    if "conditions" in changed:
        old = was.get("conditions") or []
        pairs = [(conditions.find(old, one["type"]) or {}, one) for one in status["conditions"]]
        own = [{**dict.fromkeys(was_one.keys() - one.keys()), **one} for was_one, one in pairs if was_one != one]
        here = {one["type"] for one in status["conditions"]}
        past = [kind for kind in RESIZE_CONDITIONS if kind not in here and conditions.find(old, kind) is not None]
        own += [{"$patch": "delete", "type": kind} for kind in past]
        if own:
            changed["conditions"] = own
        else:
            del changed["conditions"]
    return changed


def is_starting(machine: PodMachine) -> bool:
    """The pod is on its way up and nothing has gone wrong: what there is to tell may wait a little for what follows."""
    if machine.is_ending or machine.failure is not None or phase(machine) != "Pending":
        return False
    return all(
        one.previous is None
        and (one.current is None or one.current.state is runtime.State.RUNNING)
        and one.waiting_reason in _STILL_STARTING
        for one in machine.containers
    )


# --- phase -----------------------------------------------------------------------------------------------------------


def phase(machine: PodMachine) -> str:
    """Of a deleted pod: terminal only when its volumes are gone too, so that who waits for it finds the node clean."""
    mains = [one for one in machine.containers if one.role is Role.MAIN]
    over_for_good = is_over(machine) and (not machine.deleting or machine.volumes is Volumes.UNMOUNTED)
    if machine.failure is not None:
        return "Failed" if over_for_good else _phase_by_containers(machine, mains)
    if over_for_good:
        inits_failed = any(one.role is Role.INIT and one.has_failed and one.current for one in machine.containers)
        if inits_failed or (not machine.deleting and any(one.has_failed for one in mains)):
            return "Failed"
        if machine.deleting and not any(one.current for one in mains) and static_pods.is_static(machine.pod):
            return "Pending"
        return "Succeeded" if all(one.succeeded for one in mains) else "Failed"
    return _phase_by_containers(machine, mains)


def is_over(machine: PodMachine) -> bool:
    """Nothing of it runs, and nothing will."""
    return machine.is_ending and machine.all_stopped


def is_leaving(machine: PodMachine) -> bool:
    """A deleted pod that is over is taken apart: what there is to tell comes in a moment."""
    return machine.deleting and is_over(machine) and not machine.gone


def _phase_by_containers(machine: PodMachine, mains: list[Container]) -> str:
    if not machine.initialized:
        return "Pending"
    if any(one.current is None for one in mains):
        return "Pending"
    return "Running"


# --- conditions ------------------------------------------------------------------------------------------------------


def _conditions(machine: PodMachine, found_phase: str, was: Object, now: datetime.datetime) -> list[Object]:
    generation = machine.pod["metadata"].get("generation")
    known = (machine.pod.get("status") or {}).get("conditions") or []
    result = list(was.get("conditions") or known)
    containers_ready = _containers_ready(machine, found_phase)
    for made in (
        conditions.make("PodReadyToStartContainers", "True" if machine.sandbox is Sandbox.READY else "False"),
        _initialized(machine, found_phase),
        _ready(machine, containers_ready, known),
        containers_ready,
        conditions.make("PodScheduled", "True"),
        *_restarting(machine, found_phase),
        *_resize(machine),
        *_disruption(machine),
    ):
        if generation:
            made["observedGeneration"] = generation
        result = conditions.set(result, made, now)
    own = {*OWN_CONDITIONS, *(one["type"] for one in (*_resize(machine), *_disruption(machine)))}
    return [one for one in result if one["type"] in own]


def _disruption(machine: PodMachine) -> list[Object]:
    if not machine.is_disrupted or machine.failure is None:
        return []
    return [conditions.make("DisruptionTarget", "True", "TerminationByKubelet", machine.failure[1])]


def _restarting(machine: PodMachine, found_phase: str) -> list[Object]:
    """Only where a restart rule may begin everything anew."""
    if not container_lifecycle.may_restart_all(machine.pod):
        return []
    if found_phase in ("Succeeded", "Failed"):
        return [conditions.make(RESTARTING, "False", "PodCompleted" if found_phase == "Succeeded" else "PodFailed")]
    if not machine.restarting_all:
        return [conditions.make(RESTARTING, "False")]
    text = "container exited with restart policy rule"
    return [conditions.make(RESTARTING, "True", "RestartAllContainersStarted", text)]


def _resize(machine: PodMachine) -> list[Object]:
    """They are there only while they say something."""
    found = []
    if machine.resize_pending is not None:
        found.append(conditions.make("PodResizePending", "True", *machine.resize_pending))
    if machine.resizing:
        why = ("Error", machine.resize_error) if machine.resize_error else ()
        found.append(conditions.make("PodResizeInProgress", "True", *why))
    return found


def _initialized(machine: PodMachine, found_phase: str) -> Object:
    if found_phase == "Succeeded":
        return conditions.make("Initialized", "True", "PodCompleted")
    missing = [one.name for one in machine.containers if one.role in INITIAL and not _is_initialized(one)]
    if not missing or machine.initialized:
        return conditions.make("Initialized", "True")
    text = f"containers with incomplete status: {_listed(missing)}"
    return conditions.make("Initialized", "False", "ContainersNotInitialized", text)


def _is_initialized(one: Container) -> bool:
    return one.started if one.role is Role.SIDECAR else one.succeeded


def _containers_ready(machine: PodMachine, found_phase: str) -> Object:
    if found_phase in ("Succeeded", "Failed"):
        reason = "PodCompleted" if found_phase == "Succeeded" else "PodFailed"
        return conditions.make("ContainersReady", "False", reason)
    unready = [one.name for one in machine.containers if one.role in READY_ROLES and not one.ready]
    if not unready:
        return conditions.make("ContainersReady", "True")
    text = f"containers with unready status: {_listed(unready)}"
    return conditions.make("ContainersReady", "False", "ContainersNotReady", text)


def _ready(machine: PodMachine, containers_ready: Object, known: list[Object]) -> Object:
    if containers_ready["status"] != "True":
        return {**containers_ready, "type": "Ready"}
    missing = []
    for gate in machine.pod["spec"].get("readinessGates") or []:
        found = conditions.find(known, gate["conditionType"])
        name = f'"{gate["conditionType"]}"'
        if found is None:
            missing.append(f"corresponding condition of pod readiness gate {name} does not exist.")
        elif found.get("status") != "True":
            missing.append(f'the status of pod readiness gate {name} is not "True", but {found.get("status")}')
    if missing:
        return conditions.make("Ready", "False", "ReadinessGatesNotReady", ", ".join(missing))
    return conditions.make("Ready", "True")


def _listed(names: list[str]) -> str:
    return "[" + " ".join(names) + "]"


# --- containers ------------------------------------------------------------------------------------------------------


def _container_status(one: Container, machine: PodMachine, node: Node) -> Object:
    state, last = _states(one, machine, node)
    current = one.current
    shown: Object = {
        "name": one.name,
        "state": state,
        "lastState": last,
        "ready": one.succeeded if one.role is Role.INIT else one.ready and one.role is not Role.EPHEMERAL,
        "restartCount": _restarts(one),
        "image": (current.image if current is not None else "") or one.image,
        "imageID": current.image_id if current is not None else "",
        "started": one.started and one.phase in (Phase.RUNNING, Phase.STOPPING),
    }
    if one.role is Role.EPHEMERAL:
        del shown["started"]
    if current is not None:
        shown["containerID"] = f"{node.runtime_name}://{current.id}"
        if one.role is not Role.EPHEMERAL:
            shown.update(_resources(one))
        if current.user is not None:
            shown["user"] = {"linux": _user(current.user)}
        if current.stop_signal and (machine.pod["spec"].get("os") or {}).get("name"):
            shown["stopSignal"] = current.stop_signal
    images = one.volume_images if current is not None else {}
    mounts = [_mount(mount, images.get(mount["name"], "")) for mount in one.spec.get("volumeMounts") or []]
    if mounts:
        shown["volumeMounts"] = mounts
    return shown


def _restarts(one: Container) -> int:
    if one.current is None:
        return max(0, one.attempt - 1)
    return one.current.attempt + (one.waiting_reason == container_lifecycle.BEGINS_ANEW)


def _states(one: Container, machine: PodMachine, node: Node) -> tuple[Object, Object]:
    """(state, lastState)"""
    current, previous = one.current, one.previous
    if current is None and is_over(machine) and _had_its_turn(one, machine):
        return {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": pod_restarts.LOST}}, {}
    last = {"terminated": _terminated(previous, node)} if previous is not None else {}
    if current is None:
        return {"waiting": _waiting(one, machine)}, last
    if current.state is runtime.State.RUNNING:
        started = current.started_at or current.created_at
        return {"running": {"startedAt": times.format_seconds(started)}}, last
    ended = {"terminated": _terminated(current, node)}
    if one.waiting_reason and one.phase is Phase.WAITING:
        return {"waiting": _waiting(one, machine)}, ended
    return ended, last


def _had_its_turn(one: Container, machine: PodMachine) -> bool:
    """Upstream: of a pod that is over nobody knows whether what has no state did well, where it could have been started."""
    if one.role is Role.EPHEMERAL or machine.is_refused:
        return False
    inits = [other for other in machine.containers if other.role in INITIAL]
    if one.role is Role.MAIN:
        done = all(other.succeeded if other.role is Role.INIT else other.current for other in inits)
        return done or any(other.current for other in machine.containers if other.role is Role.MAIN)
    return one is inits[0] or any(other.current for other in inits[inits.index(one) + 1 :])


def _waiting(one: Container, machine: PodMachine) -> Object:
    if one.waiting_reason:
        return {"reason": one.waiting_reason, "message": one.waiting_message}
    has_inits = one.role is not Role.EPHEMERAL and any(other.role in INITIAL for other in machine.containers)
    return {"reason": "PodInitializing" if has_inits else "ContainerCreating"}


def _terminated(status: runtime.ContainerStatus, node: Node) -> Object:
    shown: dict[str, Any] = {"exitCode": status.exit_code}
    if status.signal:
        shown["signal"] = status.signal
    shown["reason"] = status.reason or ("Completed" if status.exit_code == 0 else "Error")
    if status.message:
        shown["message"] = status.message
    shown["startedAt"] = _time(status.started_at)
    shown["finishedAt"] = _time(status.finished_at)
    shown["containerID"] = f"{node.runtime_name}://{status.id}"
    return shown


def _time(at: datetime.datetime | None) -> str | None:
    return times.format_seconds(at) if at is not None else None


def _own_resources(machine: PodMachine) -> Object:
    """Of a pod that has resources of its own."""
    applied, granted = machine.own_applied, machine.own_resources
    shown: Object = {"resources": {key: applied[key] for key in ("limits", "requests") if applied.get(key)}}
    if granted.get("requests"):
        shown["allocatedResources"] = granted["requests"]
    return shown


def _resources(one: Container) -> Object:
    shown: Object = {"resources": {key: one.applied[key] for key in ("limits", "requests") if key in one.applied}}
    if one.resources.get("requests"):
        shown["allocatedResources"] = one.resources["requests"]
    return shown


def _user(user: runtime.User) -> Object:
    shown: Object = {"uid": user.uid, "gid": user.gid}
    if user.supplemental_groups:
        shown["supplementalGroups"] = list(user.supplemental_groups)
    return shown


def _mount(mount: Object, image: str) -> Object:
    """`image`: what an image volume holds, once a container has seen it."""
    shown: Object = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if image:
        shown["volumeStatus"] = {"image": {"imageRef": image}}
    if mount.get("readOnly"):
        shown["readOnly"] = True
        shown["recursiveReadOnly"] = mount.get("recursiveReadOnly") or "Disabled"
    return shown


def _addresses(machine: PodMachine, node: Node) -> Object:
    shown: Object = {}
    if node.address:
        shown["hostIP"] = node.address
        shown["hostIPs"] = [{"ip": one} for one in node.addresses]
    host_network = bool(machine.pod["spec"].get("hostNetwork"))
    addresses = node.addresses if host_network and node.address else machine.addresses
    if addresses:
        shown["podIP"] = addresses[0]
        shown["podIPs"] = [{"ip": address} for address in addresses]
    return shown
