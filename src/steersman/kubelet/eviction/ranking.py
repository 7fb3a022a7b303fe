"""Which pod costs a node most of what it is short of, and what its owner is told. Pure.

Source: upstream's kubelet/eviction/helpers.go (rank functions, evictionMessage).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from steersman.kubelet import qos
from steersman.kubelet.eviction.observations import Observations
from steersman.kubelet.eviction.thresholds import (
    CONTAINER_BYTES,
    CONTAINER_INODES,
    IMAGE_BYTES,
    IMAGE_INODES,
    NODE_BYTES,
    NODE_INODES,
    RESOURCES,
    Threshold,
)
from steersman.kubelet.storage_limits import Disk, Usage
from steersman.meta import objects, quantities
from steersman.meta.objects import Object

STORAGE = "ephemeral-storage"
GRACE_SECONDS = 1.0  # for a pod that fills the disk or memory right now
ON_IMAGES_FILE_SYSTEM = (IMAGE_BYTES, IMAGE_INODES)
ON_CONTAINERS_FILE_SYSTEM = (CONTAINER_BYTES, CONTAINER_INODES)


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """A pod and what it takes; `memory` and `processes` by container that runs. `disk` is None where nobody measured."""

    pod: Object
    memory: Mapping[str, int] = dataclasses.field(default_factory=dict)
    processes: int = 0
    disk: Usage | None = None


class Layout(NamedTuple):
    """Where file systems are several: whether images are on one of their own, and whether containers write to that one."""

    images_apart: bool = False
    containers_with_images: bool = True


class Message(NamedTuple):
    text: str
    annotations: dict[str, str]


ONE_FILE_SYSTEM = Layout()


def order(threshold: Threshold, costs: Sequence[Cost], layout: Layout = ONE_FILE_SYSTEM) -> list[Cost]:
    """The one to go first, first. Memory and disk: who is above its request, then by priority, then by how far above it;
    processes: by priority, then by number."""
    if threshold.resource == "pids":
        return sorted(costs, key=lambda cost: (_priority(cost.pod), -cost.processes))
    resource = STORAGE if threshold.resource == "inodes" else threshold.resource

    def rank(cost: Cost) -> tuple[bool, int, int]:
        requests = qos.pod_requests(cost.pod)
        used = _used(threshold, cost, layout)
        exceeds = used > requests.get(threshold.resource, 0)
        return not exceeds, _priority(cost.pod), requests.get(resource, 0) - used

    return sorted(costs, key=rank)


def reclaims(signal: str, layout: Layout) -> tuple[bool, bool]:
    """Whether removing dead containers, and unused images, may help against this shortage."""
    resource = RESOURCES[signal]
    if resource not in (STORAGE, "inodes"):
        return False, False
    if not layout.images_apart:
        return True, True
    of_images = signal in ON_IMAGES_FILE_SYSTEM
    if not layout.containers_with_images:
        return not of_images, of_images
    helps = of_images or signal in ON_CONTAINERS_FILE_SYSTEM
    return helps, helps


def grace_seconds(threshold: Threshold, pod: Object, most_seconds: int) -> float:
    """A soft threshold leaves pods their own grace, `most_seconds` of it."""
    if threshold.is_hard:
        return GRACE_SECONDS
    own = pod["spec"].get("terminationGracePeriodSeconds")
    return float(most_seconds if own is None else min(most_seconds, int(own)))


def message(threshold: Threshold, due: Sequence[Threshold], seen: Observations, cost: Cost) -> Message:
    """What the pod's status and its Event say, and the annotations of that Event."""
    resource = threshold.resource
    text = f"The node was low on resource: {resource}. "
    told = next((one for one in due if RESOURCES[one.signal] == resource and one.signal in seen), None)
    if told is not None:
        found = seen[told.signal]
        text += (
            f"Threshold quantity: {told.least.text(found.capacity)}, available: {_shown(resource, found.available)}. "
        )
    blamed = {}
    spec = cost.pod["spec"]
    own = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    annotations = {}
    if resource == "memory" and own is not None:
        used = quantities.of_bytes(sum(cost.memory.values()))
        name = objects.name(cost.pod)
        text += f"Pod {name} was using {used}, request is {_canonical(own)}, has larger consumption of {resource}. "
        annotations = {"offending_pod": name, "offending_pod_usage": used}
    for one in [*spec["containers"], *(spec.get("initContainers") or [])]:
        request = str(((one.get("resources") or {}).get("requests") or {}).get(resource, "0"))
        taken = _of_container(resource, cost, one["name"])
        if taken is not None and taken > quantities.whole(request):
            blamed[one["name"]] = shown = quantities.of_bytes(taken)
            text += (
                f"Container {one['name']} was using {shown}, request is {_canonical(request)}, "
                f"has larger consumption of {resource}. "
            )
    annotations |= {
        "offending_containers": ",".join(blamed),
        "offending_containers_usage": ",".join(blamed.values()),
        "starved_resource": resource,
    }
    return Message(text, annotations)


def _used(threshold: Threshold, cost: Cost, layout: Layout) -> int:
    if threshold.resource == "memory":
        return sum(cost.memory.values())
    if cost.disk is None:
        return 0
    parts = [*_measured(threshold.signal, cost.disk, layout)]
    return sum(one.inodes if threshold.resource == "inodes" else one.bytes for one in parts)


def _measured(signal: str, disk: Usage, layout: Layout) -> list[Disk]:
    """What of a pod is on the file system that is short."""
    of_node, of_roots = [*disk.logs.values(), *disk.volumes.values()], [*disk.roots.values()]
    if not layout.images_apart:
        return [*of_node, *of_roots]
    if not layout.containers_with_images:
        return [] if signal in ON_IMAGES_FILE_SYSTEM else [*of_node, *of_roots]
    return of_node if signal in (NODE_BYTES, NODE_INODES) else of_roots


def _of_container(resource: str, cost: Cost, name: str) -> int | None:
    if resource == "memory":
        return cost.memory.get(name)
    if resource == STORAGE and cost.disk is not None and name in cost.disk.roots:
        return cost.disk.of_container(name).bytes
    return None


def _shown(resource: str, available: int) -> str:
    """Bytes in binary units, counts in decimal ones."""
    if resource in ("memory", STORAGE):
        return quantities.of_bytes(available)
    return quantities.format(quantities.Quantity(available * quantities.NANOS))


def _canonical(text: object) -> str:
    return quantities.canonical(str(text))


def _priority(pod: Object) -> int:
    return int(pod["spec"].get("priority") or 0)
