"""What a pod asks of a node: the sum of its containers' requests, as the scheduler and the kubelet both count it.

Source: "Resource requests and limits of Pod and container", KEP-753 (sidecar containers), KEP-688 (pod overhead),
KEP-2837 (pod-level resources).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from steersman.meta import conditions, quantities
from steersman.meta.objects import Object

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"

# Scores treat a container without a request as if it asked for this much, so that such pods spread out too.
# Source: upstream's pkg/scheduler/util, DefaultMilliCPURequest and DefaultMemoryRequest.
DEFAULT_CPU_MILLICORES = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024

Amounts = dict[str, int]

_CONTAINERS = ("containers", "initContainers")
_STATUSES = ("containerStatuses", "initContainerStatuses")


def amounts(resources: Mapping[str, Any] | None) -> Amounts:
    """A resource list as whole numbers, rounded up: millicores for cpu, units (bytes, pieces) for everything else."""
    return {name: _whole(name, quantity) for name, quantity in (resources or {}).items()}


def of_pod(pod: Object) -> Amounts:
    """The most the pod can ask for at any one time: all containers together, or an init container with what runs beside it."""
    return _of_pod(_as_it_runs(pod), {})


def of_pod_for_scores(pod: Object) -> tuple[int, int]:
    """(millicores, bytes), with the defaults for containers that ask for nothing."""
    asked = _of_pod(_as_it_runs(pod), {CPU: DEFAULT_CPU_MILLICORES, MEMORY: DEFAULT_MEMORY_BYTES})
    return asked.get(CPU, 0), asked.get(MEMORY, 0)


def resized(pod: Object) -> dict[str, Amounts]:
    """Containers that hold other requests than their spec says, while the pod is resized in place: what counts for each.

    Until a container has shrunk it holds what it had; what it cannot be given is not counted. Source: KEP-1287.
    """
    status = pod.get("status") or {}
    if not any(one.get("resources") for field in _STATUSES for one in status.get(field) or ()):
        return {}
    specs = {one["name"]: one for field in _CONTAINERS for one in pod["spec"].get(field) or ()}
    found = {}
    for field in _STATUSES:
        for one in status.get(field) or ():
            wanted = ((specs.get(one["name"]) or {}).get("resources") or {}).get("requests") or {}
            held = [(one.get("resources") or {}).get("requests") or {}, one.get("allocatedResources") or {}]
            if all(not has or has == wanted for has in held):
                continue
            counted: Amounts = {} if _is_infeasible(status) else amounts(wanted)
            for has in held:
                _raise(counted, amounts(has))
            if counted != amounts(wanted):
                found[one["name"]] = counted
    return found


def _as_it_runs(pod: Object) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = pod["spec"]
    other = resized(pod)
    if not other:
        return spec
    now = {}
    for field in _CONTAINERS:
        now[field] = [
            {**one, "resources": {"requests": _texts(other[one["name"]])}} if one["name"] in other else one
            for one in spec.get(field) or ()
        ]
    return {**spec, **now}


def _texts(counted: Amounts) -> dict[str, str]:
    return {name: f"{amount}m" if name == CPU else str(amount) for name, amount in counted.items()}


def _is_infeasible(status: Mapping[str, Any]) -> bool:
    condition = conditions.find(status.get("conditions") or (), "PodResizePending")
    return condition is not None and condition.get("reason") == "Infeasible"


def _of_pod(spec: Mapping[str, Any], defaults: Amounts) -> Amounts:
    total: Amounts = {}
    for container in spec.get("containers") or ():
        _add(total, _of_container(container, defaults))
    _include_init_containers(total, spec.get("initContainers") or (), defaults)
    total.update(amounts((spec.get("resources") or {}).get("requests")))
    _add(total, amounts(spec.get("overhead")))
    return total


def _include_init_containers(total: Amounts, containers: Iterable[Mapping[str, Any]], defaults: Amounts) -> None:
    """Sidecars (restartPolicy Always) keep running, so they add up; others only need room while they run."""
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in containers:
        asked = _of_container(container, defaults)
        if container.get("restartPolicy") == "Always":
            _add(sidecars, asked)
            _raise(peak, sidecars)
        else:
            _raise(peak, _sum(asked, sidecars))
    _add(total, sidecars)
    _raise(total, peak)


def _of_container(container: Mapping[str, Any], defaults: Amounts) -> Amounts:
    return {**defaults, **amounts((container.get("resources") or {}).get("requests"))}


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _sum(one: Amounts, other: Amounts) -> Amounts:
    total = dict(one)
    _add(total, other)
    return total


def _raise(total: Amounts, other: Amounts) -> None:
    for name, amount in other.items():
        total[name] = max(total.get(name, 0), amount)


def _whole(name: str, quantity: Any) -> int:
    return quantities.millis(quantity) if name == CPU else quantities.whole(quantity)
