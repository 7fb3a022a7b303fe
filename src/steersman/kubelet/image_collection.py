"""Images that nobody uses go when the disk fills up, or when they are old; `decide` says which, and is pure.

Keeps true: the disk stays below the high threshold as far as unused images allow. Images of containers that are here, pinned
ones and young ones stay. Source: upstream's kubelet/images/image_gc_manager.go.
"""

import dataclasses
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from steersman.containers import runtime
from steersman.kubelet.eviction import observations
from steersman.kubelet.node_services import NodeServices
from steersman.meta.objects import Object

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """When it was first seen here and last seen in use, by the same clock as `Disk.now`."""

    id: str
    size_bytes: int
    seen_at: float
    used_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    high_percent: int
    low_percent: int
    age_least_seconds: float
    age_most_seconds: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True)
class Disk:
    capacity_bytes: int
    available_bytes: int
    now: float


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """`aged` and `surplus` are ids to remove, in order; `missing` what cannot be freed by that."""

    aged: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    wanted_bytes: int = 0
    missing_bytes: int = 0


def decide(unused: Sequence[Image], disk: Disk, limits: Limits) -> Decision:
    """Those not used for longest go first."""
    order = sorted(unused, key=lambda one: (one.used_at, one.seen_at))
    aged: list[Image] = []
    if limits.age_most_seconds:
        aged = [one for one in order if disk.now - max(one.used_at, one.seen_at) > limits.age_most_seconds]
    used_percent = 100 - disk.available_bytes * 100 // disk.capacity_bytes if disk.capacity_bytes else 0
    if used_percent < limits.high_percent:
        return Decision(tuple(one.id for one in aged))
    wanted = disk.capacity_bytes * (100 - limits.low_percent) // 100 - disk.available_bytes
    return dataclasses.replace(
        free(order, wanted - sum(one.size_bytes for one in aged), disk, limits, {one.id for one in aged}),
        aged=tuple(one.id for one in aged),
        wanted_bytes=wanted,
    )


def free(
    order: Sequence[Image], wanted_bytes: int, disk: Disk, limits: Limits, besides: set[str] | None = None
) -> Decision:
    chosen, freed = [], 0
    for one in order:
        if freed >= wanted_bytes:
            break
        if one.id in (besides or ()) or disk.now - one.seen_at < limits.age_least_seconds:
            continue
        chosen.append(one.id)
        freed += one.size_bytes
    return Decision((), tuple(chosen), wanted_bytes, max(0, wanted_bytes - freed))


class ImageCollection:
    """`about` is the Node, for events. `folder` is on the file system of images."""

    def __init__(self, node: NodeServices, about: Callable[[], Object], folder: Callable[[], Path]) -> None:
        self._node = node
        self._about = about
        self._folder = folder
        self._seen: dict[str, tuple[float, float]] = {}
        options = node.options
        self._limits = Limits(
            options.image_high_percent,
            options.image_low_percent,
            options.image_age_least_seconds,
            options.image_age_most_seconds,
        )

    def start(self) -> None:
        """Look now and then from now on."""
        seconds = self._node.options.image_collection_seconds
        self._node.alarms.set("images", seconds, self._begin)

    def _begin(self) -> None:
        self._node.tasks.start("image collection", self._look())

    async def _look(self) -> None:
        try:
            await self.collect()
        except (runtime.RuntimeFailure, OSError) as failure:
            _log.warning("images: %s", failure)
            self._node.recorder.event(self._about(), "Warning", "ImageGCFailed", str(failure))
        self.start()

    async def collect(self) -> None:
        """Raises RuntimeFailure when too little could be freed."""
        disk = self._disk()
        decision = decide(await self._unused(disk.now), disk, self._limits)
        await self._remove(decision.aged, "age")
        await self._remove(decision.surplus, "space")
        if decision.missing_bytes:
            found = decision.wanted_bytes - decision.missing_bytes
            text = (
                "Failed to garbage collect required amount of images. "
                f"Attempted to free {decision.wanted_bytes} bytes, but only found {found} bytes eligible to free."
            )
            self._node.recorder.event(self._about(), "Warning", "FreeDiskSpaceFailed", text)
            raise runtime.RuntimeFailure("ImageGCFailed", text)

    async def remove_unused(self) -> int:
        """All of them, young ones too: the node is short of disk. How many."""
        found = [one.id for one in await self._unused(self._node.clock.monotonic())]
        await self._remove(found, "space")
        return len(found)

    async def _unused(self, now: float) -> list[Image]:
        images = await self._node.runtime.images.list()
        containers = await self._node.runtime.list_containers()
        used = {name for one in containers for name in (one.image, one.image_id)}
        seen, unused = {}, []
        for one in images:
            in_use = bool(used & {one.id, *one.tags, *one.digests})
            first, last = self._seen.get(one.id, (now, 0.0))
            seen[one.id] = (first, now if in_use else last)
            if not in_use and not one.pinned:
                unused.append(Image(one.id, one.size_bytes, first, last))
        self._seen = seen
        self._node.images.pulled.keep_only(seen)
        return unused

    async def _remove(self, ids: Sequence[str], reason: str) -> None:
        for image_id in ids:
            await self._node.runtime.images.remove(image_id)
            self._node.metrics.count("kubelet_image_garbage_collected_total", reason=reason)

    def _disk(self) -> Disk:
        found = os.statvfs(observations.existing(self._folder()))
        return Disk(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, self._node.clock.monotonic())
