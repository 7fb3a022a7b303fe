"""When a node counts as short of something: thresholds by signal, as a KubeletConfiguration writes them. Pure.

Hard thresholds act at once, soft ones after their grace period. Source: upstream's kubelet/eviction/helpers.go (texts of
refusals), defaults_linux.go and eviction/api/types.go.
"""

import dataclasses
import struct
from collections.abc import Iterable, Mapping

from steersman.meta import quantities, times

MEMORY, ALLOCATABLE_MEMORY = "memory.available", "allocatableMemory.available"
NODE_BYTES, NODE_INODES = "nodefs.available", "nodefs.inodesFree"
IMAGE_BYTES, IMAGE_INODES = "imagefs.available", "imagefs.inodesFree"
CONTAINER_BYTES, CONTAINER_INODES = "containerfs.available", "containerfs.inodesFree"
PROCESSES = "pid.available"

# Signal → the resource that is reclaimed.
RESOURCES = {
    MEMORY: "memory",
    ALLOCATABLE_MEMORY: "memory",
    NODE_BYTES: "ephemeral-storage",
    NODE_INODES: "inodes",
    IMAGE_BYTES: "ephemeral-storage",
    IMAGE_INODES: "inodes",
    CONTAINER_BYTES: "ephemeral-storage",
    CONTAINER_INODES: "inodes",
    PROCESSES: "pids",
}
HARD_DEFAULTS = {
    MEMORY: "100Mi",
    NODE_BYTES: "10%",
    NODE_INODES: "5%",
    IMAGE_BYTES: "15%",
    IMAGE_INODES: "5%",
}


class Malformed(ValueError):
    """The configuration cannot be meant so; the text is for whoever wrote it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Amount:
    """So much, or a share of the capacity; `form` is how it was written."""

    units: int = 0
    share: float = 0.0
    form: quantities.Form = dataclasses.field(default="BinarySI", compare=False)

    def of(self, capacity: int) -> int:
        return int(capacity * self.share) if self.share else self.units

    def text(self, capacity: int) -> str:
        return quantities.format(quantities.Quantity(self.of(capacity) * quantities.NANOS, self.form))


@dataclasses.dataclass(frozen=True, slots=True)
class Threshold:
    """Short is what has less than `least`; short no more, once it acted, what has `reclaim` beyond that."""

    signal: str
    least: Amount
    grace_seconds: float = 0.0
    reclaim: Amount = Amount()

    @property
    def is_hard(self) -> bool:
        return not self.grace_seconds

    @property
    def resource(self) -> str:
        return RESOURCES[self.signal]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """Of a KubeletConfiguration, each by signal: evictionHard, evictionSoft, evictionSoftGracePeriod, evictionMinimumReclaim;
    evictionMaxPodGracePeriod; and how long a condition stays after its signal has gone (evictionPressureTransitionPeriod).
    """

    hard: Mapping[str, str] = dataclasses.field(default_factory=lambda: HARD_DEFAULTS)
    soft: Mapping[str, str] = dataclasses.field(default_factory=dict)
    soft_grace_periods: Mapping[str, str] = dataclasses.field(default_factory=dict)
    minimum_reclaims: Mapping[str, str] = dataclasses.field(default_factory=dict)
    pod_grace_most_seconds: int = 0
    transition_seconds: float = 300.0

    def thresholds(self) -> tuple[Threshold, ...]:
        """Raises Malformed."""
        periods = {_known(signal): _period(text) for signal, text in self.soft_grace_periods.items()}
        reclaims = {_known(signal): _reclaim(signal, text) for signal, text in self.minimum_reclaims.items()}
        hard, soft = list(_parse(self.hard)), []
        for signal, least in _parse(self.soft):
            if signal not in periods:
                raise Malformed(f"grace period must be specified for the soft eviction threshold {signal}")
            soft.append((signal, least, periods[signal]))
        # What pods may use together is watched by the same threshold as the machine's memory.
        of_pods = [(ALLOCATABLE_MEMORY, least) for signal, least in hard if signal == MEMORY]
        whole = [*((signal, least, 0.0) for signal, least in hard), *soft, *((*one, 0.0) for one in of_pods)]
        return tuple(
            Threshold(signal, least, grace, reclaims.get(MEMORY if signal == ALLOCATABLE_MEMORY else signal, Amount()))
            for signal, least, grace in whole
        )

    def reserved(self, signal: str, capacity: int) -> int:
        """What pods cannot be promised, as the node would evict them for it."""
        found = (one for one in self.thresholds() if one.signal == signal and one.is_hard)
        return next((one.least.of(capacity) for one in found), 0)


def with_container_fs(
    thresholds: Iterable[Threshold], *, images_apart: bool, containers_with_images: bool
) -> tuple[Threshold, ...]:
    """The file system of containers has the thresholds of the one it is on; its own are not obeyed (upstream)."""
    kept = [one for one in thresholds if one.signal not in (CONTAINER_BYTES, CONTAINER_INODES)]
    same_as = (IMAGE_BYTES, IMAGE_INODES) if images_apart and containers_with_images else (NODE_BYTES, NODE_INODES)
    names = dict(zip(same_as, (CONTAINER_BYTES, CONTAINER_INODES), strict=True))
    return (*kept, *(dataclasses.replace(one, signal=names[one.signal]) for one in kept if one.signal in names))


def _parse(statements: Mapping[str, str]) -> Iterable[tuple[str, Amount]]:
    for signal, text in statements.items():
        _known(signal)
        if text in ("0%", "100%"):  # the way to switch a default off
            continue
        if text.endswith("%"):
            share = _share(text)
            if share < 0:
                raise Malformed(f"eviction percentage threshold {signal} must be >= 0%: {text}")
            if share > 1:
                raise Malformed(f"eviction percentage threshold {signal} must be <= 100%: {text}")
            yield signal, Amount(share=share)
            continue
        units = _units(text)
        if units <= 0:
            raise Malformed(f"eviction threshold {signal} must be positive: {text}")
        yield signal, Amount(units, form=quantities.parse(text).form)


def _reclaim(signal: str, text: str) -> Amount:
    if text.endswith("%"):
        if _share(text) <= 0:
            raise Malformed(f"eviction percentage minimum reclaim {signal} must be positive: {text}")
        return Amount(share=_share(text))
    if _units(text) < 0:
        raise Malformed(f"negative eviction minimum reclaim specified for {signal}")
    return Amount(_units(text))


def _known(signal: str) -> str:
    if signal not in RESOURCES:
        raise Malformed(f"unsupported eviction signal {signal}")
    return signal


def _share(text: str) -> float:
    """In single precision, as upstream: what is told to users is computed from it."""
    try:
        (percent,) = struct.unpack("f", struct.pack("f", float(text.rstrip("%"))))
    except ValueError as problem:
        raise Malformed(f"not a percentage: {text}") from problem
    return float(struct.unpack("f", struct.pack("f", percent / 100))[0])


def _units(text: str) -> int:
    try:
        return int(quantities.whole(text))
    except ValueError as problem:
        raise Malformed(str(problem)) from problem


def _period(text: str) -> float:
    try:
        seconds = times.parse_duration(text)
    except ValueError as problem:
        raise Malformed(str(problem)) from problem
    if seconds < 0:
        raise Malformed(f"invalid eviction grace period specified: {text}, must be a positive value")
    return seconds
