"""Pods that write more to the node's disk than they said they would: `decide` names what was exceeded, `measure` looks.

Source: upstream's local storage eviction (kubelet/eviction/eviction_manager.go). Memory-backed volumes are limited by the
kernel, and pods without any limit are not measured at all.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from steersman.containers import trees
from steersman.kubelet import qos
from steersman.meta import quantities
from steersman.meta.objects import Object

RESOURCE = "ephemeral-storage"
BLOCK_BYTES = 512  # the unit of st_blocks


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    """What something takes of a file system."""

    bytes: int = 0
    inodes: int = 0

    def __add__(self, other: "Disk") -> "Disk":
        return Disk(self.bytes + other.bytes, self.inodes + other.inodes)


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """On disk: local volumes by name; what containers have changed of their root (`roots`) and their logs, by container. `beside`:
    the kubelet's own files for the pod."""

    volumes: Mapping[str, Disk] = dataclasses.field(default_factory=dict)
    roots: Mapping[str, Disk] = dataclasses.field(default_factory=dict)
    logs: Mapping[str, Disk] = dataclasses.field(default_factory=dict)
    beside: Disk = Disk()

    def of_container(self, name: str) -> Disk:
        return self.roots.get(name, Disk()) + self.logs.get(name, Disk())

    @property
    def total(self) -> Disk:
        return sum([*self.volumes.values(), *self.roots.values(), *self.logs.values()], self.beside)


class Excess(NamedTuple):
    """`signal` is what metrics call it."""

    signal: str
    message: str


def decide(pod: Object, usage: Usage) -> Excess | None:
    """None when the pod keeps its limits. Upstream's order: volumes, the whole pod, containers."""
    for name, limit in volume_limits(pod).items():
        if usage.volumes.get(name, Disk()).bytes > quantities.whole(limit):
            shown = quantities.canonical(limit)
            return Excess("emptydirfs.limit", f'Usage of EmptyDir volume "{name}" exceeds the limit "{shown}". ')
    total = qos.pod_limit(pod, RESOURCE)
    if total and usage.total.bytes > total:
        shown = quantities.of_bytes(total)
        text = f"Pod ephemeral local storage usage exceeds the total limit of containers {shown}. "
        return Excess("ephemeralpodfs.limit", text)
    for name, limit in container_limits(pod).items():
        if usage.of_container(name).bytes > quantities.whole(limit):
            shown = quantities.canonical(limit)
            text = f'Container {name} exceeded its local ephemeral storage limit "{shown}". '
            return Excess("ephemeralcontainerfs.limit", text)
    return None


def volume_limits(pod: Object) -> dict[str, str]:
    found = {}
    for volume in pod["spec"].get("volumes") or []:
        source = volume.get("emptyDir") or {}
        if source.get("sizeLimit") and source.get("medium") != "Memory":
            found[volume["name"]] = str(source["sizeLimit"])
    return {name: limit for name, limit in found.items() if quantities.whole(limit)}


def container_limits(pod: Object) -> dict[str, str]:
    both = {one["name"]: (one.get("resources") or {}).get("limits") or {} for one in pod["spec"]["containers"]}
    found = {name: str(limits[RESOURCE]) for name, limits in both.items() if RESOURCE in limits}
    return {name: limit for name, limit in found.items() if quantities.whole(limit)}


def is_limited(pod: Object) -> bool:
    return bool(volume_limits(pod) or qos.pod_limit(pod, RESOURCE))


def disk_volumes(pod: Object) -> list[str]:
    """The volumes that count against limits: emptyDir on disk, and ConfigMaps' files."""

    def counts(volume: Object) -> bool:
        return "configMap" in volume or ("emptyDir" in volume and not (volume["emptyDir"] or {}).get("medium"))

    return [one["name"] for one in pod["spec"].get("volumes") or [] if counts(one)]


def measure(paths: Iterable[Path]) -> Disk:
    """Blocks and inodes in use below these paths; what vanishes meanwhile does not count."""
    return sum((_measure_one(path) for path in paths), Disk())


def _measure_one(top: Path) -> Disk:
    """A file with several names counts once, what is mounted below counts there where it lies."""
    try:
        own = os.lstat(top)
    except OSError:  # removed between two looks, or not to be reached: it is not there to be counted
        return Disk()
    blocks, seen = own.st_blocks, {own.st_ino}
    for _, _, found in trees.walk(top):
        if found.st_ino not in seen:
            seen.add(found.st_ino)
            blocks += found.st_blocks
    return Disk(blocks * BLOCK_BYTES, len(seen))
