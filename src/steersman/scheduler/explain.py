"""What the scheduler thinks of each node for one pod: a pure function of objects as the API server has them, or had them.

Keeps true: the same filters decide as when pods are scheduled.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.meta import objects
from steersman.meta.objects import Object
from steersman.scheduler import pods
from steersman.scheduler.decide import Evaluation
from steersman.scheduler.shape import Shapes
from steersman.scheduler.snapshot import Snapshot

# What `verdict` asks for.
READS = (
    *(kinds.NAMESPACE, kinds.NODE, kinds.POD),
    *(kinds.PERSISTENT_VOLUME_CLAIM, kinds.PERSISTENT_VOLUME, kinds.STORAGE_CLASS),
    *(kinds.CSI_NODE, kinds.CSI_DRIVER, kinds.CSI_STORAGE_CAPACITY),
    *(kinds.RESOURCE_CLAIM, kinds.RESOURCE_SLICE, kinds.DEVICE_CLASS, kinds.DEVICE_TAINT_RULE),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """Names of nodes that would do, and upstream's reasons for each that would not."""

    possible: list[str]
    refusals: Mapping[str, list[str]]


def verdict(pod: Object, found: Callable[[Kind], Iterable[Object]]) -> Verdict:
    """For `pod` as if it had no node; `found` gives all objects of a kind."""
    shapes, snapshot = Shapes(), Snapshot()
    for space in found(kinds.NAMESPACE):
        snapshot.set_namespace(objects.name(space), objects.labels(space))
    for node in found(kinds.NODE):
        snapshot.set_node(node)
    _set_claims(snapshot, found)
    for other in found(kinds.POD):
        if objects.uid(other) != objects.uid(pod) and pods.classify(other, "") is pods.Place.ASSIGNED:
            gone = objects.is_terminating(other)
            priority = other["spec"].get("priority") or 0
            where = other["spec"]["nodeName"]
            snapshot.set_pod(objects.key(other), shapes.of(other), where, terminating=gone, priority=priority)
    evaluation = Evaluation(shapes.of(pod), snapshot)
    return Verdict(evaluation.possible(), evaluation.refusals())


def _set_claims(snapshot: Snapshot, found: Callable[[Kind], Iterable[Object]]) -> None:
    """Volumes and devices, and what is said of them."""
    volumes, devices = snapshot.volumes, snapshot.devices
    for kind, put in (
        (kinds.PERSISTENT_VOLUME_CLAIM, volumes.set_claim),
        (kinds.PERSISTENT_VOLUME, volumes.set_volume),
        (kinds.RESOURCE_CLAIM, devices.set_claim),
        (kinds.RESOURCE_SLICE, devices.set_slice),
    ):
        for obj in found(kind):
            put(objects.key(obj), obj)
    for kind, kept in (
        (kinds.STORAGE_CLASS, volumes.classes),
        (kinds.CSI_NODE, volumes.csi_nodes),
        (kinds.CSI_DRIVER, volumes.drivers),
        (kinds.CSI_STORAGE_CAPACITY, volumes.capacities),
        (kinds.DEVICE_CLASS, devices.classes),
        (kinds.DEVICE_TAINT_RULE, devices.rules),
    ):
        kept.update((objects.key(obj), obj) for obj in found(kind))


def in_words(refusals: Mapping[str, Sequence[str]]) -> list[str]:
    """Nodes that would not do; those with the same reasons stand together."""
    same: dict[str, list[str]] = {}
    for node, reasons in refusals.items():
        same.setdefault("; ".join(reasons), []).append(node)
    return [f"not {_some(nodes)}: {reasons}" for reasons, nodes in same.items()]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 5 else f"{', '.join(names[:5])} and {len(names) - 5} more nodes"
