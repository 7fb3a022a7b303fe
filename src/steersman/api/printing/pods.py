"""How a pod prints: READY, STATUS and RESTARTS put together from its containers' states.

Source: upstream's printer of pods, whose texts (`Init:0/1`, `CrashLoopBackOff`, `3 (2m ago)`) people and scripts know.
"""

import datetime
from typing import Any

from steersman.api.kind import Column
from steersman.api.printing import cells
from steersman.meta import conditions, times
from steersman.meta.objects import Object

COLUMNS = (
    cells.NAME,
    Column("Ready", description="The aggregate readiness state of this pod for accepting traffic."),
    Column("Status", description="The aggregate status of the containers in this pod."),
    Column(
        "Restarts",
        description="The number of times the containers in this pod have been restarted and when the last container in "
        "this pod has restarted.",
    ),
    cells.AGE,
    Column("IP", priority=1, field="status.podIP"),
    Column("Node", priority=1, field="spec.nodeName"),
    Column("Nominated Node", priority=1, field="status.nominatedNodeName"),
    Column("Readiness Gates", priority=1, field="spec.readinessGates"),
)

NODE_LOST = "NodeLost"  # status.reason of pods on a node that cannot be reached


def row(pod: Object, now: datetime.datetime) -> list[Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    seen = _Summary(spec, status)
    pod_ips = status.get("podIPs") or ()
    return [
        cells.name(pod),
        f"{seen.ready}/{seen.total}",
        _reason(pod, seen.reason),
        _restarts(seen, now),
        cells.age(pod, now),
        (pod_ips[0].get("ip") if pod_ips else "") or cells.NONE,
        spec.get("nodeName") or cells.NONE,
        status.get("nominatedNodeName") or cells.NONE,
        _readiness_gates(pod, spec),
    ]


def row_conditions(pod: Object) -> list[Object]:
    match (pod.get("status") or {}).get("phase"):
        case "Succeeded":
            return [_completed("Succeeded", "The pod has completed successfully.")]
        case "Failed":
            return [_completed("Failed", "The pod failed.")]
    return []


def status_text(pod: Object) -> str:
    """The STATUS column alone."""
    return _reason(pod, _Summary(pod.get("spec") or {}, pod.get("status") or {}).reason)


def _completed(reason: str, message: str) -> Object:
    return {"type": "Completed", "status": "True", "reason": reason, "message": message}


class _Summary:
    """One walk over the container statuses."""

    def __init__(self, spec: Object, status: Object) -> None:
        self.total = len(spec.get("containers") or ())
        self.ready = 0
        self.restarts = 0
        self.last_restart = ""
        self.reason = str(status.get("reason") or status.get("phase") or "")
        scheduled = conditions.find(status.get("conditions") or (), "PodScheduled")
        if scheduled is not None and scheduled.get("reason") == "SchedulingGated":
            self.reason = "SchedulingGated"
        sidecar_restarts, sidecar_last, initializing = self._init_containers(spec, status)
        initialized = conditions.find(status.get("conditions") or (), "Initialized")
        if not initializing or (initialized is not None and initialized.get("status") == "True"):
            self.restarts, self.last_restart = sidecar_restarts, sidecar_last
            self._containers(status)

    def _init_containers(self, spec: Object, status: Object) -> tuple[int, str, bool]:
        declared = spec.get("initContainers") or ()
        sidecars = {one.get("name") for one in declared if one.get("restartPolicy") == "Always"}
        self.total += len(sidecars)
        sidecar_restarts, sidecar_last = 0, ""
        for index, container in enumerate(status.get("initContainerStatuses") or ()):
            self._count(container)
            is_sidecar = container.get("name") in sidecars
            if is_sidecar:
                sidecar_restarts += container.get("restartCount", 0)
                sidecar_last = max(sidecar_last, _finished_at(container))
            state = container.get("state") or {}
            terminated = state.get("terminated")
            if terminated is not None and terminated.get("exitCode", 0) == 0:
                continue
            if is_sidecar and container.get("started"):
                self.ready += bool(container.get("ready"))
                continue
            waiting = (state.get("waiting") or {}).get("reason", "")
            if terminated is not None:
                self.reason = "Init:" + _terminated_reason(terminated)
            elif waiting and waiting != "PodInitializing":
                self.reason = "Init:" + waiting
            else:
                self.reason = f"Init:{index}/{len(declared)}"
            return sidecar_restarts, sidecar_last, True
        return sidecar_restarts, sidecar_last, False

    def _containers(self, status: Object) -> None:
        running = False
        for container in reversed(status.get("containerStatuses") or ()):
            self._count(container)
            state = container.get("state") or {}
            waiting = (state.get("waiting") or {}).get("reason", "")
            if waiting:
                self.reason = waiting
            elif state.get("terminated") is not None:
                self.reason = _terminated_reason(state["terminated"])
            elif container.get("ready") and state.get("running") is not None:
                running = True
                self.ready += 1
        if self.reason == "Completed" and running:
            ready = conditions.find(status.get("conditions") or (), "Ready")
            self.reason = "Running" if ready is not None and ready.get("status") == "True" else "NotReady"

    def _count(self, container: Object) -> None:
        self.restarts += container.get("restartCount", 0)
        self.last_restart = max(self.last_restart, _finished_at(container))


def _finished_at(container: Object) -> str:
    """When the container's last run ended; RFC 3339 in UTC sorts as text."""
    return str(((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or "")


def _terminated_reason(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _reason(pod: Object, reason: str) -> str:
    if pod["metadata"].get("deletionTimestamp") is None:
        return reason
    status = pod.get("status") or {}
    if status.get("reason") == NODE_LOST:
        return "Unknown"
    return reason if status.get("phase") in ("Succeeded", "Failed") else "Terminating"


def _restarts(seen: _Summary, now: datetime.datetime) -> str:
    if seen.restarts and seen.last_restart:
        return f"{seen.restarts} ({times.age(seen.last_restart, now)} ago)"
    return str(seen.restarts)


def _readiness_gates(pod: Object, spec: Object) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return cells.NONE
    open_gates = sum(conditions.is_true(pod, gate.get("conditionType", "")) for gate in gates)
    return f"{open_gates}/{len(gates)}"
