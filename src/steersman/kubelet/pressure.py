"""A node that runs short of memory, disk or process numbers: says so, takes no more, and gives up the pods that cost most.

`decide` is pure: signals and pods in, conditions and a victim out; `observe` reads the machine. One pod goes at a time, and
the next look shows whether that was enough. Source: upstream's kubelet/eviction (defaults of evictionHard, ranking, texts).
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from steersman.kubelet import qos, static_pods
from steersman.meta import objects, quantities
from steersman.meta.objects import Object

MEMORY, DISK, PROCESSES = "MemoryPressure", "DiskPressure", "PIDPressure"
# Upstream's defaults; it has none for process numbers.
MEMORY_LEAST_BYTES = 100 << 20
DISK_LEAST_SHARE = 0.10
INODES_LEAST_SHARE = 0.05
# How long a condition stays after its signal has gone (evictionPressureTransitionPeriod): no swinging to and fro.
STAYS_SECONDS = 300.0
CRITICAL_PRIORITY = 2_000_000_000


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """One thing that may run short. `resource` is what pods ask of it."""

    condition: str
    resource: str
    available: int
    least: int

    @property
    def name(self) -> str:
        """Upstream's name of the signal."""
        names = {"memory": "memory.available", "inodes": "nodefs.inodesFree", "pids": "pid.available"}
        return names.get(self.resource, "nodefs.available")

    @property
    def is_short(self) -> bool:
        return self.available < self.least


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """A pod and what it takes: bytes by resource (memory, ephemeral-storage), and by container."""

    pod: Object
    used: Mapping[str, int]
    by_container: Mapping[str, Mapping[str, int]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Victim:
    uid: str
    message: str


def observe(folder: Path) -> list[Signal]:
    """Of the machine, and of the file system that `folder` is on."""
    disk = os.statvfs(folder)
    memory = _memory_available()
    return [
        Signal(MEMORY, "memory", memory, MEMORY_LEAST_BYTES),
        Signal(
            DISK,
            "ephemeral-storage",
            disk.f_bavail * disk.f_frsize,
            int(disk.f_blocks * disk.f_frsize * DISK_LEAST_SHARE),
        ),
        Signal(DISK, "inodes", disk.f_favail, int(disk.f_files * INODES_LEAST_SHARE)),
    ]


def _memory_available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("every kernel since 3.14 says how much memory is available")


def cost(pod: Object, by_container: Mapping[str, Mapping[str, int]], beside: Mapping[str, int] | None = None) -> Cost:
    """`beside` is what the pod takes outside its containers."""
    used = dict(beside or {})
    for one in by_container.values():
        for name, amount in one.items():
            used[name] = used.get(name, 0) + amount
    return Cost(pod, used, by_container)


def shortest(signals: Iterable[Signal]) -> Signal | None:
    """Which shortage to act on: memory first, as it kills soonest."""
    return next((one for one in sorted(signals, key=lambda one: one.condition != MEMORY) if one.is_short), None)


def choose(signal: Signal, costs: Sequence[Cost]) -> Victim | None:
    """Pods above their requests first, then by priority, then by what they take above their requests."""
    candidates = [one for one in costs if not is_critical(one.pod)]
    if not candidates:
        return None
    resource = "ephemeral-storage" if signal.resource == "inodes" else signal.resource

    def rank(cost: Cost) -> tuple[bool, int, int]:
        above = cost.used.get(resource, 0) - qos.pod_requests(cost.pod).get(resource, 0)
        return above <= 0, int(cost.pod["spec"].get("priority") or 0), -above

    worst = min(candidates, key=rank)
    return Victim(objects.uid(worst.pod), _text(signal, resource, worst))


def _text(signal: Signal, resource: str, cost: Cost) -> str:
    least, available = quantities.of_bytes(signal.least), quantities.of_bytes(signal.available)
    text = f"The node was low on resource: {signal.resource}. Threshold quantity: {least}, available: {available}. "
    for one in cost.pod["spec"]["containers"]:
        used = cost.by_container.get(one["name"], {}).get(resource, 0)
        request = str(((one.get("resources") or {}).get("requests") or {}).get(resource, "0"))
        if used > quantities.whole(request):
            shown = f"{used // 1024}Ki"
            text += f"Container {one['name']} was using {shown}, request is {request}, has larger consumption of {resource}. "
    return text


def is_critical(pod: Object) -> bool:
    if static_pods.is_static(pod):
        return True
    return int(pod["spec"].get("priority") or 0) >= CRITICAL_PRIORITY


def thresholds() -> dict[str, str]:
    """Upstream's evictionHard."""
    return {
        "memory.available": quantities.of_bytes(MEMORY_LEAST_BYTES),
        "nodefs.available": f"{DISK_LEAST_SHARE:.0%}",
        "nodefs.inodesFree": f"{INODES_LEAST_SHARE:.0%}",
    }


class Conditions:
    """Which conditions stand, and since when their signals are gone."""

    def __init__(self) -> None:
        self._last_short: dict[str, float] = {}

    def update(self, signals: Iterable[Signal], now_seconds: float) -> frozenset[str]:
        for one in signals:
            if one.is_short:
                self._last_short[one.condition] = now_seconds
        return frozenset(name for name, at in self._last_short.items() if now_seconds - at < STAYS_SECONDS)


WORDS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    MEMORY: (
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ),
    DISK: (
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ),
    PROCESSES: (
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ),
}


def words(condition: str, standing: Iterable[str]) -> tuple[str, str, str]:
    """(status, reason, message) of a node's condition."""
    yes, no = WORDS[condition]
    return ("True", *yes) if condition in standing else ("False", *no)


def refuses(pod: Object, standing: Iterable[str]) -> str:
    """Why a node under pressure does not take this pod; empty when it does. Disk: nobody; memory: no best effort."""
    against: list[Any] = [name for name in standing if name != MEMORY or qos.pod_class(pod) == "BestEffort"]
    if not against or is_critical(pod):
        return ""
    return f"The node had condition: [{', '.join(sorted(standing))}]. "
