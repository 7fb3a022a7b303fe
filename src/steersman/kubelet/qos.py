"""A pod's quality-of-service class and what follows from it: cgroup parent, CPU shares, CPU quota, OOM score.

Pure. Source: the Kubernetes documentation "Pod Quality of Service Classes" and upstream's kubelet/qos/policy.go.
"""

import dataclasses
from typing import Any

from steersman.containers import runtime
from steersman.meta import quantities
from steersman.meta.objects import Object

OOM_GUARANTEED = -997
OOM_BEST_EFFORT = 1000
NODE_CRITICAL_PRIORITY = 2_000_001_000
CRITICAL_PRIORITY = 2_000_000_000
HUGE_PAGES = "hugepages-"
QUOTA_PERIOD_US = 100_000
QUOTA_LEAST_US = 1_000
SHARES_LEAST = 2
SHARES_MOST = 262_144


def pod_class(pod: Object) -> str:
    """Guaranteed, Burstable or BestEffort."""
    spec = pod["spec"]
    everyone = (
        [spec] if has_own_resources(pod) else [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    )
    pairs = [(_amounts(one, "requests"), _amounts(one, "limits")) for one in everyone]
    if not any(requests or limits for requests, limits in pairs):
        return "BestEffort"
    for requests, limits in pairs:
        if set(limits) != {"cpu", "memory"}:
            return "Burstable"
        if any(requests.get(name, limit) != limit for name, limit in limits.items()):
            return "Burstable"
    return "Guaranteed"


def has_own_resources(pod: Object) -> bool:
    """The pod itself, not only its containers, says what it needs (KEP-2837)."""
    own = pod["spec"].get("resources") or {}
    return bool(own.get("requests") or own.get("limits"))


def _amounts(container: Object, which: str) -> dict[str, int]:
    found = (container.get("resources") or {}).get(which) or {}
    amounts = {name: quantities.millis(str(found[name])) for name in ("cpu", "memory") if name in found}
    return {name: amount for name, amount in amounts.items() if amount}


def cgroup_parent(pod: Object) -> str:
    """Relative to the runtime's root, as cgroupfs has it upstream."""
    middle = {"Guaranteed": "", "Burstable": "burstable/", "BestEffort": "besteffort/"}[pod_class(pod)]
    return f"kubepods/{middle}pod{pod['metadata']['uid']}"


@dataclasses.dataclass(frozen=True, slots=True)
class Share:
    """What the node has for one container. `swap_bytes`: what it lets its pods have of it. `cpus` and `memory_nodes`: the only ones
    that it may use (empty: any). `quota_period_us` 0: processor time is not limited."""

    memory_capacity_bytes: int = 0
    swap_bytes: int = 0
    cpus: str = ""
    memory_nodes: str = ""
    quota_period_us: int = QUOTA_PERIOD_US
    killed_together: bool = True


def container_resources(pod: Object, container: Object, share: Share) -> runtime.Resources:
    """A container without a limit of its own shows that of its pod, for programs that size themselves by it."""
    found = container.get("resources") or {}
    requests, limits = found.get("requests") or {}, found.get("limits") or {}
    of_pod = (pod["spec"].get("resources") or {}).get("limits") or {}
    cpu_limit = _millicores(limits) or _millicores(of_pod)
    return runtime.Resources(
        cpu_shares=cpu_shares(_millicores(requests) if "cpu" in requests else _millicores(limits)),
        cpu_quota_us=cpu_quota_us(cpu_limit, share.quota_period_us),
        cpu_period_us=share.quota_period_us or QUOTA_PERIOD_US,
        memory_limit_bytes=_bytes(limits) or _bytes(of_pod),
        oom_score_adjust=oom_score(pod, container, share.memory_capacity_bytes),
        cpus=share.cpus,
        memory_nodes=share.memory_nodes,
        killed_together=share.killed_together,
        swap_bytes=_swap(pod, container, share.memory_capacity_bytes, share.swap_bytes),
        huge_pages=_huge_pages(limits),
    )


def _swap(pod: Object, container: Object, memory_capacity_bytes: int, swap_bytes: int) -> int:
    """Burstable containers may swap in proportion to the memory that they ask for (LimitedSwap, KEP-2400)."""
    if not swap_bytes or not memory_capacity_bytes or not may_swap(pod, container):
        return 0
    return _memory_request(container) * swap_bytes // memory_capacity_bytes


def may_swap(pod: Object, container: Object) -> bool:
    """On a node that lets pods swap: burstable ones, whose memory is not all promised, and that are not critical."""
    if pod_class(pod) != "Burstable" or int(pod["spec"].get("priority") or 0) >= CRITICAL_PRIORITY:
        return False
    return _memory_request(container) != _bytes((container.get("resources") or {}).get("limits") or {})


def _huge_pages(limits: dict[str, Any]) -> dict[str, int]:
    """By page size as control groups name it: hugepages-2Mi is 2MB."""
    found = {}
    for name, amount in limits.items():
        if name.startswith(HUGE_PAGES):
            size = int(quantities.whole(name.removeprefix(HUGE_PAGES)))
            found[f"{size >> 30}GB" if size >= 1 << 30 else f"{size >> 20}MB"] = int(quantities.whole(str(amount)))
    return found


def pod_resources(pod: Object) -> tuple[int, int, int]:
    """(CPU limit in millicores, CPU shares, memory limit in bytes) of the pod's own cgroup; 0: no limit.

    A limit stands only where every container has one: the sum of the main ones and sidecars, or the greatest init need.
    """
    limit_cpu = _pod_total(pod, "limits", "cpu", _millicores)
    limit_memory = _pod_total(pod, "limits", "memory", _bytes)
    request_cpu = _pod_total(pod, "requests", "cpu", _millicores, every=False)
    return limit_cpu, cpu_shares(request_cpu), limit_memory


def _pod_total(pod: Object, which: str, name: str, read: Any, *, every: bool = True) -> int:
    spec = pod["spec"]
    inits = spec.get("initContainers") or []
    mains = spec.get("containers") or []
    own = ((spec.get("resources") or {}).get(which)) or {}
    if name in own:
        return int(read(own))

    def amount(one: Object) -> int:
        return int(read((one.get("resources") or {}).get(which) or {}))

    if every and not all(amount(one) for one in [*inits, *mains]):
        return 0
    sidecars = peak = 0
    for one in inits:
        if one.get("restartPolicy") == "Always":
            sidecars += amount(one)
            peak = max(peak, sidecars)
        else:
            peak = max(peak, sidecars + amount(one))
    return max(peak, sidecars + sum(amount(one) for one in mains))


def amount(name: str, quantity: object) -> int:
    """CPU in millicores, anything else in units."""
    read = quantities.millis if name == "cpu" else quantities.whole
    return int(read(str(quantity)))


def pod_requests(pod: Object) -> dict[str, int]:
    """What the scheduler counts for a pod: the main containers and sidecars together or the greatest init need, the pod's
    own word where it has one, overhead, and one pod."""
    spec = pod["spec"]
    both = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    overhead = spec.get("overhead") or {}
    names = {name for one in both for name in (one.get("resources") or {}).get("requests") or {}}
    names |= ((spec.get("resources") or {}).get("requests") or {}).keys() | overhead.keys()
    found = {}
    for name in names:
        total = _pod_total(
            pod, "requests", name, lambda amounts, name=name: amount(name, amounts.get(name, 0)), every=False
        )
        found[name] = total + amount(name, overhead.get(name, 0))
    return {**found, "pods": 1}


def pod_limit(pod: Object, name: str) -> int:
    """What all containers together may use, where only some have a limit: the sum of those; 0: nobody has one."""
    total = _pod_total(pod, "limits", name, lambda amounts: amount(name, amounts.get(name, 0)), every=False)
    return total + amount(name, (pod["spec"].get("overhead") or {}).get(name, 0)) if total else 0


def cpu_shares(millicores: int) -> int:
    return max(SHARES_LEAST, min(millicores * 1024 // 1000, SHARES_MOST))


def cpu_quota_us(millicores: int, period_us: int = QUOTA_PERIOD_US) -> int:
    return max(QUOTA_LEAST_US, millicores * period_us // 1000) if millicores and period_us else 0


def oom_score(pod: Object, container: Object, memory_capacity_bytes: int) -> int:
    """How willingly the kernel kills it: the less memory it asked for, the sooner; a sidecar never before the containers it
    serves. What the pod asks for beyond its containers is theirs in equal parts."""
    found = pod_class(pod)
    if found == "Guaranteed" or int(pod["spec"].get("priority") or 0) >= NODE_CRITICAL_PRIORITY:
        return OOM_GUARANTEED
    if found == "BestEffort" or not memory_capacity_bytes:
        return OOM_BEST_EFFORT
    spec = pod["spec"]
    lasting = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    everyone = [*lasting, *spec["containers"]]
    of_pod = _memory_request(spec)
    share = max(0, of_pod - sum(map(_memory_request, everyone))) // len(everyone) if of_pod else 0

    def score(one: Object) -> int:
        found = 1000 - 1000 * (_memory_request(one) + share) // memory_capacity_bytes
        return min(max(found, 1000 + OOM_GUARANTEED), OOM_BEST_EFFORT - 1)

    if any(one["name"] == container["name"] for one in lasting):
        return min(score(container), *map(score, spec["containers"]))
    return score(container)


def _memory_request(one: Object) -> int:
    return _bytes((one.get("resources") or {}).get("requests") or {})


def _millicores(amounts: dict[str, Any]) -> int:
    return int(quantities.millis(str(amounts.get("cpu", "0"))))


def _bytes(amounts: dict[str, Any]) -> int:
    return int(quantities.whole(str(amounts.get("memory", "0"))))
