"""Memory that the kernel keeps for those who asked for it, and above which it slows containers down (KEP-2570). Pure.

Only version 2 of control groups can. Source: upstream's generateLinuxContainerResources, ResourceConfigForPod and setMemoryQoS.
"""

import resource
from collections.abc import Iterable
from typing import NamedTuple

from steersman.containers.runtime import MemoryGuard
from steersman.kubelet import qos
from steersman.meta.objects import Object

NONE, TIERED = "None", "TieredReservation"
POLICIES = (NONE, TIERED)
PAGE_BYTES = resource.getpagesize()


class Settings(NamedTuple):
    """Of a KubeletConfiguration: `throttling` is its memoryThrottlingFactor (0: nobody is slowed down), `reservation` its
    memoryReservationPolicy. `allocatable_bytes`: the node's, for who has no limit."""

    throttling: float = 0.0
    reservation: str = NONE
    allocatable_bytes: int = 0


OFF = Settings()


def of_container(pod: Object, container: Object, settings: Settings) -> MemoryGuard:
    found = container.get("resources") or {}
    request, limit = (qos.amount("memory", (found.get(one) or {}).get("memory", 0)) for one in ("requests", "limits"))
    guard = _guard(pod, request, settings)
    return guard._replace(high_bytes=high(request, limit, settings))


def high(request_bytes: int, limit_bytes: int, settings: Settings) -> int:
    """A share of the way from what was asked for to the limit, in whole pages. 0 for those that may have all they asked for."""
    most = limit_bytes or settings.allocatable_bytes
    if not settings.throttling or not most or (request_bytes and request_bytes == limit_bytes):
        return 0
    wanted = request_bytes + (most - request_bytes) * settings.throttling
    found = int(wanted // PAGE_BYTES) * PAGE_BYTES
    return found if found > request_bytes else 0


def of_pod(pod: Object, settings: Settings) -> MemoryGuard:
    return _guard(pod, qos.pod_requests(pod).get("memory", 0), settings)


def of_groups(pods: Iterable[Object], settings: Settings) -> tuple[MemoryGuard, MemoryGuard]:
    """Of the group of all pods, and of the burstable ones: what is kept for a pod is kept for those above it, too."""
    found = [of_pod(pod, settings) for pod in pods]
    low = sum(one.low_bytes for one in found)
    return MemoryGuard(sum(one.min_bytes for one in found), low), MemoryGuard(0, low)


def _guard(pod: Object, request_bytes: int, settings: Settings) -> MemoryGuard:
    """Guaranteed: the kernel never takes it; burstable: last of all; best effort: asked for nothing."""
    if settings.reservation != TIERED:
        return MemoryGuard()
    found = qos.pod_class(pod)
    if found == "Guaranteed":
        return MemoryGuard(min_bytes=request_bytes)
    return MemoryGuard(low_bytes=request_bytes if found == "Burstable" else 0)
