"""Which volume a claim gets: the binder asks for any node, the scheduler for one.

Of all that will do, the volume with the fewest access modes, and of those the smallest: what is taken should be missed least.
Pure. Source: upstream's persistentvolume controller and component-helpers' FindMatchingVolume.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping

from steersman.api import volumes
from steersman.meta import node_selectors, objects, selectors
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """The node a pod is to be placed on."""

    name: str
    labels: Mapping[str, str]


def find(claim: Object, candidates: Iterable[Object], *, waits: bool = False) -> Object | None:
    """For the binder. A claim that `waits` for its first pod gets only what was set aside for it."""
    prebound, free = _classify(claim, candidates)
    if prebound or waits:
        return min(prebound, key=_rank, default=None)
    return min(free, key=_rank, default=None)


def fitting(claim: Object, candidates: Iterable[Object]) -> list[Object]:
    """All that would do, on whatever node: what was set aside for the claim, or else what is free."""
    prebound, free = _classify(claim, candidates)
    return prebound or free


def find_on_node(
    claim: Object, candidates: Iterable[Object], node: Node, taken: Collection[str] = frozenset()
) -> Object | None:
    """For the scheduler: a volume that can be used on this node, and that no other claim of the pod has `taken`."""
    prebound, free = _classify(claim, (one for one in candidates if objects.name(one) not in taken))
    if prebound:
        return min((one for one in prebound if is_usable_on(one, node)), key=_rank, default=None)
    return min((one for one in free if is_usable_on(one, node)), key=_rank, default=None)


def is_usable_on(volume: Object, node: Node) -> bool:
    affinity = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return node_selectors.matches(affinity, node.name, node.labels)


def mismatch(volume: Object, claim: Object) -> str:
    """Why a claim cannot have the volume it names; empty when it can. Upstream's words."""
    if objects.is_terminating(volume):
        return f'the volume is marked for deletion "{objects.name(volume)}"'
    if volumes.capacity_bytes(volume) < volumes.requested_bytes(claim):
        return "requested PV is too small"
    if volumes.class_of(volume) != volumes.class_of(claim):
        return "storageClassName does not match"
    if _attributes_class(volume) != _attributes_class(claim):
        return "VolumeAttributesClassName does not match"
    if volumes.mode_of(volume) != volumes.mode_of(claim):
        return "incompatible volumeMode"
    if not _has_modes(volume, claim):
        return "incompatible accessMode"
    return ""


def _classify(claim: Object, candidates: Iterable[Object]) -> tuple[list[Object], list[Object]]:
    """Those set aside for the claim, and those that are free and will do."""
    prebound: list[Object] = []
    free: list[Object] = []
    size, class_name = volumes.requested_bytes(claim), volumes.class_of(claim)
    selector = (claim.get("spec") or {}).get("selector")
    for volume in candidates:
        if objects.is_terminating(volume) or volumes.capacity_bytes(volume) < size:
            continue
        if volumes.mode_of(volume) != volumes.mode_of(claim) or _attributes_class(volume) != _attributes_class(claim):
            continue
        if volumes.claim_of(volume):
            if volumes.is_for(volume, claim) and _has_modes(volume, claim):
                prebound.append(volume)
        elif (
            (volume.get("status") or {}).get("phase") == "Available"
            and volumes.class_of(volume) == class_name
            and (selector is None or selectors.object_matches(selector, objects.labels(volume)))
            and _has_modes(volume, claim)
        ):
            free.append(volume)
    return prebound, free


def _rank(volume: Object) -> tuple[int, int, str]:
    return len(volumes.access_modes(volume)), volumes.capacity_bytes(volume), objects.name(volume)


def _has_modes(volume: Object, claim: Object) -> bool:
    return set(volumes.access_modes(claim)) <= set(volumes.access_modes(volume))


def _attributes_class(obj: Object) -> str:
    return str((obj.get("spec") or {}).get("volumeAttributesClassName") or "")
