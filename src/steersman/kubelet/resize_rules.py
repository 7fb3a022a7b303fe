"""Which resizes a node can never grant, and in which order it looks again at those that wait. Pure.

Source: upstream's kubelet/allocation (pod_resizes_admit_handler, sortPendingResizes).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from steersman.kubelet import qos, static_pods
from steersman.kubelet.options import Options
from steersman.meta.objects import Object


class Never(NamedTuple):
    """`detail`: as the metric kubelet_pod_infeasible_resizes_total names it."""

    message: str
    detail: str


def never(
    wanted: Object, granted: Object, options: Options, allocatable: Mapping[str, str], swap_bytes: int
) -> Never | None:
    """Why the node cannot do this, however much room comes."""
    if static_pods.is_static(wanted):
        return Never("In-place resize of static-pods is not supported", "static_pod")
    if swap_bytes and any(qos.may_swap(pod, one) for pod, one in _changed_without_restart(wanted, granted)):
        return Never("In-place resize of containers with swap is not supported.", "swap_limitation")
    if qos.pod_class(wanted) == "Guaranteed":
        if options.cpu_policy == "static" and _changes("cpu", wanted, granted):
            text = 'Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"'
            return Never(text, "guaranteed_pod_cpu_manager_static_policy")
        if options.memory_policy == "Static" and _changes("memory", wanted, granted):
            text = 'Resize is infeasible for Guaranteed Pods alongside Memory Manager policy "Static"'
            return Never(text, "guaranteed_pod_memory_manager_static_policy")
    requests = qos.pod_requests(wanted)
    for name in ("memory", "cpu"):
        capacity = qos.amount(name, allocatable.get(name, "0"))
        if requests.get(name, 0) > capacity:
            text = f"Node didn't have enough capacity: {name}, requested: {requests[name]}, capacity: {capacity}"
            return Never(text, "insufficient_node_allocatable")
    return None


class Waiting(NamedTuple):
    """A pod whose resize waits; `since` when it was first told that it has to."""

    uid: str
    wanted: Object
    granted: Object
    since: str = ""


def order(waiting: Iterable[Waiting]) -> list[str]:
    """Who asks for no more than it has; then by priority, by class, by how long it waits. By uid."""

    def rank(one: Waiting) -> tuple[bool, int, bool, bool, str]:
        priority = int(one.wanted["spec"].get("priority") or 0)
        return (
            grows(one.wanted, one.granted),
            -priority,
            qos.pod_class(one.wanted) != "Guaranteed",
            not one.since,
            one.since,
        )

    return [one.uid for one in sorted(waiting, key=rank)]


def grows(wanted: Object, granted: Object) -> bool:
    after, before = qos.pod_requests(wanted), qos.pod_requests(granted)
    return any(after.get(name, 0) > before.get(name, 0) for name in ("cpu", "memory"))


def since(status: Object) -> str:
    """When the pod was told that its resize waits."""
    found = (one for one in status.get("conditions") or () if one["type"] == "PodResizePending")
    return str(next((one.get("lastTransitionTime") or "" for one in found), ""))


def _pairs(wanted: Object, granted: Object) -> Iterator[tuple[Object, Object]]:
    for field in ("containers", "initContainers"):
        yield from zip(wanted["spec"].get(field) or (), granted["spec"].get(field) or (), strict=True)


def _changes(resource: str, wanted: Object, granted: Object) -> bool:
    return any(_request(resource, after) != _request(resource, before) for after, before in _pairs(wanted, granted))


def _changed_without_restart(wanted: Object, granted: Object) -> Iterator[tuple[Object, Object]]:
    """(pod, container), both of before and after, whose memory changes while they run."""
    for after, before in _pairs(wanted, granted):
        policies = {one["resourceName"]: one["restartPolicy"] for one in before.get("resizePolicy") or ()}
        if _request("memory", after) != _request("memory", before) and policies.get("memory") != "RestartContainer":
            yield wanted, after
            yield granted, before


def _request(resource: str, container: Object) -> int:
    return qos.amount(resource, ((container.get("resources") or {}).get("requests") or {}).get(resource, 0))
