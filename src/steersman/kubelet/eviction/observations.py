"""What is left of what a node may run short of, by signal.

Source: upstream's kubelet/eviction/helpers.go (makeSignalObservations) and kubelet/stats/pidlimit.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from steersman.kubelet.eviction import thresholds


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    available: int
    capacity: int


Observations = Mapping[str, Observation]


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """Folders on the file systems of the node (volumes, logs), of images, and of what containers write."""

    node: Path
    images: Path
    containers: Path

    @property
    def images_are_apart(self) -> bool:
        return _device(self.images) != _device(self.node)

    @property
    def containers_are_with_images(self) -> bool:
        return _device(self.containers) == _device(self.images)


def observe(places: Places, of_pods: Observation | None = None) -> dict[str, Observation]:
    """Of the machine as it is now; `of_pods`: memory that all pods together may use, where somebody knows."""
    found = {thresholds.MEMORY: _memory(), thresholds.PROCESSES: _processes()}
    if of_pods is not None:
        found[thresholds.ALLOCATABLE_MEMORY] = of_pods
    for folder, of_bytes, of_inodes in (
        (places.node, thresholds.NODE_BYTES, thresholds.NODE_INODES),
        (places.images, thresholds.IMAGE_BYTES, thresholds.IMAGE_INODES),
        (places.containers, thresholds.CONTAINER_BYTES, thresholds.CONTAINER_INODES),
    ):
        seen = os.statvfs(existing(folder))
        found[of_bytes] = Observation(seen.f_bavail * seen.f_frsize, seen.f_blocks * seen.f_frsize)
        if seen.f_files:  # some file systems (btrfs) have as many as they like
            found[of_inodes] = Observation(seen.f_favail, seen.f_files)
    return found


def existing(folder: Path) -> Path:
    """It, or what it will be made in."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def processes_most() -> int:
    return min(int(Path(f"/proc/sys/kernel/{name}").read_text()) for name in ("pid_max", "threads-max"))


def processes() -> int:
    """Of the machine, threads too: the fourth word of /proc/loadavg is running/all."""
    return int(Path("/proc/loadavg").read_text().split()[3].partition("/")[2])


def _processes() -> Observation:
    most = processes_most()
    return Observation(most - processes(), most)


def _memory() -> Observation:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    amounts = {words[0]: int(words[1]) * 1024 for words in lines}
    return Observation(amounts["MemAvailable:"], amounts["MemTotal:"])


def _device(folder: Path) -> int:
    return existing(folder).stat().st_dev
