"""Pods that write more to the node's disk than they said they would: `decide` names what was exceeded, `measure` looks.

Source: upstream's local storage eviction (kubelet/eviction/eviction_manager.go). Memory-backed volumes are limited by the
kernel, and pods without any limit are not measured at all.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from steersman.meta import quantities
from steersman.meta.objects import Object

RESOURCE = "ephemeral-storage"
BLOCK_BYTES = 512  # the unit of st_blocks


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """Bytes on disk: of emptyDir volumes by name, and of containers (their changes and logs) by name; `logs` alone too."""

    volumes: Mapping[str, int]
    containers: Mapping[str, int]
    logs: Mapping[str, int] = dataclasses.field(default_factory=dict)


def decide(pod: Object, usage: Usage) -> str:
    """Why the pod has to go; empty when it keeps its limits. Upstream's order: volumes, the whole pod, containers."""
    for name, limit in volume_limits(pod).items():
        if usage.volumes.get(name, 0) > quantities.whole(limit):
            return f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". '
    limits = container_limits(pod)
    if limits and len(limits) == len(pod["spec"]["containers"]):
        total = sum(quantities.whole(limit) for limit in limits.values())
        if sum(usage.volumes.values()) + sum(usage.containers.values()) > total:
            text = quantities.of_bytes(total)
            return f"Pod ephemeral local storage usage exceeds the total limit of containers {text}. "
    for name, limit in limits.items():
        if usage.containers.get(name, 0) > quantities.whole(limit):
            return f'Container {name} exceeded its local ephemeral storage limit "{limit}". '
    return ""


def volume_limits(pod: Object) -> dict[str, str]:
    found = {}
    for volume in pod["spec"].get("volumes") or []:
        source = volume.get("emptyDir") or {}
        if source.get("sizeLimit") and source.get("medium") != "Memory":
            found[volume["name"]] = str(source["sizeLimit"])
    return {name: limit for name, limit in found.items() if quantities.whole(limit)}


def container_limits(pod: Object) -> dict[str, str]:
    both = {one["name"]: (one.get("resources") or {}).get("limits") or {} for one in pod["spec"]["containers"]}
    return {name: str(limits[RESOURCE]) for name, limits in both.items() if RESOURCE in limits}


def is_limited(pod: Object) -> bool:
    return bool(volume_limits(pod) or container_limits(pod))


def disk_volumes(pod: Object) -> list[str]:
    """The emptyDir volumes that count."""
    volumes = pod["spec"].get("volumes") or []
    return [one["name"] for one in volumes if "emptyDir" in one and (one["emptyDir"] or {}).get("medium") != "Memory"]


def measure(paths: Iterable[Path]) -> int:
    """Blocks in use below these paths; what vanishes meanwhile does not count."""
    return sum(_measure_one(path) for path in paths) * BLOCK_BYTES


def _measure_one(path: Path) -> int:
    blocks = _blocks(str(path))
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            blocks += _blocks(f"{folder}/{name}")
    return blocks


def _blocks(path: str) -> int:
    try:
        return os.lstat(path).st_blocks
    except OSError:  # removed between two looks, or not to be reached: it is not there to be counted
        return 0
