"""What a KubeletConfiguration says in several fields together: how many images are pulled at once, how long
crashes wait, how memory is kept. Pure.

Source: upstream's kubelet/apis/config/validation and newCrashLoopBackOff.
"""

from typing import Any

from steersman.kubelet import memory_quality
from steersman.kubelet.container_lifecycle import BACKOFF_FIRST_SECONDS, BACKOFF_MOST_SECONDS
from steersman.kubelet.eviction.thresholds import Malformed
from steersman.meta import times
from steersman.meta.objects import Object

FIELDS = (
    "serializeImagePulls",
    "maxParallelImagePulls",
    "crashLoopBackOff",
    "memoryThrottlingFactor",
    "memoryReservationPolicy",
)
MEMORY_QUALITY, FORMER_FACTOR = "MemoryQoS", 0.9
REDUCED_CRASHES, REDUCED_CRASH_SECONDS = "ReduceDefaultCrashLoopBackOffDecay", (1.0, 60.0)
CRASH_LEAST_SECONDS = 1.0


def read(found: Object) -> dict[str, Any]:
    """Options by name. Raises Malformed."""
    try:
        return _pulls(found) | _crashes(found) | _memory(found)
    except (ValueError, TypeError, AttributeError) as problem:
        raise Malformed(f"{', '.join(name for name in FIELDS if name in found)}: {problem}") from problem


def _pulls(found: Object) -> dict[str, Any]:
    one_by_one, most = found.get("serializeImagePulls"), found.get("maxParallelImagePulls")
    if most is None:
        return {} if one_by_one is None else {"pulls_at_once": 1 if one_by_one else 0}
    if isinstance(most, bool) or int(most) < 1:
        raise Malformed(f"invalid configuration: maxParallelImagePulls {most} must be a positive number")
    if int(most) > 1 and one_by_one is not False:
        raise Malformed(
            "invalid configuration: maxParallelImagePulls cannot be larger than 1 unless SerializeImagePulls "
            "(--serialize-image-pulls) is set to false"
        )
    return {"pulls_at_once": int(most)}


def _crashes(found: Object) -> dict[str, Any]:
    reduced = bool((found.get("featureGates") or {}).get(REDUCED_CRASHES))
    chosen = (found.get("crashLoopBackOff") or {}).get("maxContainerRestartPeriod")
    if not reduced and chosen is None:
        return {}
    first, most = REDUCED_CRASH_SECONDS if reduced else (BACKOFF_FIRST_SECONDS, BACKOFF_MOST_SECONDS)
    if chosen is not None:
        most = times.parse_duration(str(chosen))
        if not CRASH_LEAST_SECONDS <= most <= BACKOFF_MOST_SECONDS:
            raise Malformed(
                f"invalid configuration: CrashLoopBackOff.MaxContainerRestartPeriod (got: {most:g} seconds) must be set between "
                f"{CRASH_LEAST_SECONDS:g}s and {BACKOFF_MOST_SECONDS:g}s"
            )
    return {"crash_first_seconds": min(first, most), "crash_most_seconds": most}


def _memory(found: Object) -> dict[str, Any]:
    """Where the gate is closed, upstream lets only the former default stand."""
    factor, policy = found.get("memoryThrottlingFactor"), found.get("memoryReservationPolicy") or memory_quality.NONE
    if (found.get("featureGates") or {}).get(MEMORY_QUALITY) is False:
        if factor not in (None, FORMER_FACTOR):
            text = "memoryThrottlingFactor is specified but MemoryQoS feature gate is disabled"
            raise Malformed(f"invalid configuration: {text}")
        if policy != memory_quality.NONE:
            text = "memoryReservationPolicy is specified but MemoryQoS feature gate is disabled"
            raise Malformed(f"invalid configuration: {text}")
        return {}
    if policy not in memory_quality.POLICIES:
        raise Malformed(
            f"invalid configuration: memoryReservationPolicy {policy!r} must be one of {list(memory_quality.POLICIES)}"
        )
    if factor is None:
        return {"memory_reservation": policy}
    if isinstance(factor, bool) or not 0 < float(factor) <= 1:
        raise Malformed(
            f"invalid configuration: memoryThrottlingFactor {factor} must be greater than 0 and less than or equal to 1.0"
        )
    return {"memory_throttling": float(factor), "memory_reservation": policy}
