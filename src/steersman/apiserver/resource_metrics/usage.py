"""From what kubelets count (`/stats/summary`) to what is used per second. Pure."""

import dataclasses
import datetime
from collections.abc import Mapping

from steersman.meta import quantities, times
from steersman.meta.objects import Object
from steersman.meta.quantities import Quantity

NANOS = 10**9

# A container younger than this has run evenly enough for its whole life to be the window. metrics-server does the same.
YOUNG_SECONDS = 60.0
# Two looks that are closer tell nothing (counters move in steps), and farther apart tell of the past.
WINDOW_SECONDS_MIN, WINDOW_SECONDS_MAX = 0.5, 60.0

Key = tuple[str, str, str]  # namespace, pod, container; ("", "", NAME) for what is of the node itself


@dataclasses.dataclass(frozen=True, slots=True)
class Counter:
    """Of one container: nanoseconds of processors since it started, and memory in use."""

    cpu_ns: int
    memory_bytes: int
    started_at: str


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """One look at a node."""

    at: datetime.datetime
    counters: Mapping[Key, Counter]


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """`cores` in billionths, over a window."""

    cores: int
    memory_bytes: int
    window_seconds: float

    def amounts(self) -> dict[str, str]:
        """As metrics.k8s.io writes them."""
        return {"cpu": str(Quantity(self.cores)), "memory": quantities.of_bytes(self.memory_bytes // 1024 * 1024)}


def read(summary: Object, at: datetime.datetime) -> Reading:
    found: dict[Key, Counter] = {}
    for one in (summary.get("node") or {}).get("systemContainers") or ():
        if one.get("name") == "kubelet":
            found["", "", "kubelet"] = _counter(one)
    for pod in summary.get("pods") or ():
        reference = pod["podRef"]
        for container in pod.get("containers") or ():
            found[reference["namespace"], reference["name"], container["name"]] = _counter(container)
    return Reading(at, found)


def uses(before: Reading | None, after: Reading) -> dict[Key, Use]:
    """Of every container that was seen twice, or is young."""
    found = {}
    for key, counter in after.counters.items():
        old = before.counters.get(key) if before is not None else None
        use = _use(before, old, counter, after.at) or _since_start(counter, after.at)
        if use is not None:
            found[key] = use
    return found


def needs_another_look(before: Reading | None, after: Reading) -> bool:
    """Whether some container cannot be told about yet, which it could in a moment."""
    return len(uses(before, after)) < len(after.counters)


def is_old(reading: Reading, now: datetime.datetime) -> bool:
    return (now - reading.at).total_seconds() > WINDOW_SECONDS_MAX


def _counter(found: Object) -> Counter:
    return Counter(
        int((found.get("cpu") or {}).get("usageCoreNanoSeconds") or 0),
        int((found.get("memory") or {}).get("workingSetBytes") or 0),
        str(found.get("startTime") or ""),
    )


def _use(before: Reading | None, old: Counter | None, new: Counter, at: datetime.datetime) -> Use | None:
    if before is None or old is None or old.started_at != new.started_at or new.cpu_ns < old.cpu_ns:
        return None
    window = (at - before.at).total_seconds()
    if not WINDOW_SECONDS_MIN <= window <= WINDOW_SECONDS_MAX:
        return None
    return Use(int((new.cpu_ns - old.cpu_ns) / window), new.memory_bytes, window)


def _since_start(new: Counter, at: datetime.datetime) -> Use | None:
    if not new.started_at:
        return None
    age = times.seconds_since(new.started_at, at)
    if not WINDOW_SECONDS_MIN <= age <= YOUNG_SECONDS:
        return None
    return Use(int(new.cpu_ns / age), new.memory_bytes, age)
