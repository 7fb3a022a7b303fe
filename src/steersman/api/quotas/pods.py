"""What a pod uses: requests and limits while it has not ended, and which scopes it is in."""

import datetime
from collections.abc import Collection

from steersman.api import strategies
from steersman.api.quotas import lists, scopes
from steersman.api.quotas.lists import Amounts
from steersman.meta import times
from steersman.meta.objects import Object

COUNT = "count/pods"
REQUESTS, LIMITS = "requests.", "limits."
HUGE_PAGES = "hugepages-"

_COMPUTE = ("cpu", "memory", "ephemeral-storage")
_NAMES = frozenset(
    (COUNT, "pods", *_COMPUTE, *(REQUESTS + name for name in _COMPUTE), *(LIMITS + name for name in _COMPUTE))
)
# Where one of these is limited, every container must say how much of it it wants: upstream calls this a mistake it must keep.
_DEMANDED = frozenset((
    "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory",
))  # fmt: skip


def covers(name: str) -> bool:
    """Extended resources cannot be overcommitted, so only their requests are counted."""
    if name in _NAMES or name.startswith((HUGE_PAGES, REQUESTS + HUGE_PAGES)):
        return True
    return name.startswith(REQUESTS) and not is_native(name)


def is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    return not is_native(name) and not name.startswith(REQUESTS)


def usage(pod: Object, now: datetime.datetime) -> Amounts:
    """A pod that has ended is still an object, but uses nothing else."""
    found = {COUNT: lists.ONE}
    if _has_ended(pod, now):
        return found
    return {**found, **_named(resources(pod, "requests"), resources(pod, "limits"))}


def missing(names: Collection[str], pod: Object) -> str:
    """Which of the limited resources its containers say nothing about."""
    spec = pod.get("spec") or {}
    without: dict[str, set[str]] = {}
    for container in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        said = container.get("resources") or {}
        has = _named(lists.parse(said.get("requests")), lists.parse(said.get("limits")))
        for name in _DEMANDED.intersection(names) - has.keys():
            without.setdefault(name, set()).add(container.get("name", ""))
    if not without:
        return ""
    return "must specify " + "; ".join(f"{name} for: {','.join(sorted(who))}" for name, who in sorted(without.items()))


def is_in(requirement: Object, pod: Object) -> bool:
    spec = pod.get("spec") or {}
    match requirement.get("scopeName"):
        case "Terminating":
            return _ends_by_itself(spec)
        case "NotTerminating":
            return not _ends_by_itself(spec)
        case "BestEffort":
            return strategies.qos_class(spec) == "BestEffort"
        case "NotBestEffort":
            return strategies.qos_class(spec) != "BestEffort"
        case "PriorityClass":
            name = spec.get("priorityClassName")
            return scopes.matches(requirement, (name,) if name else ())
        case "CrossNamespacePodAffinity":
            return _names_other_namespaces(spec.get("affinity") or {})
    return False


def resources(pod: Object, which: str) -> Amounts:
    """Requests or limits of the whole pod: containers and sidecars together, or an init container with what runs beside it;
    what the pod itself says goes before that. Overhead comes on top, to limits only where there is one."""
    spec = pod.get("spec") or {}
    found = lists.total(_of(one, which) for one in spec.get("containers") or ())
    found = _with_init_containers(found, spec.get("initContainers") or (), which)
    found = {**found, **_of(spec, which)}
    overhead = lists.parse(spec.get("overhead"))
    if which == "limits":
        overhead = lists.only(overhead, [name for name, amount in found.items() if amount.nanos])
    return lists.add(found, overhead)


def _with_init_containers(found: Amounts, containers: Collection[Object], which: str) -> Amounts:
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in containers:
        wanted = _of(container, which)
        if container.get("restartPolicy") == "Always":
            found, sidecars = lists.add(found, wanted), lists.add(sidecars, wanted)
            wanted = sidecars
        else:
            wanted = lists.add(wanted, sidecars)
        peak = lists.greatest(peak, wanted)
    return lists.greatest(found, peak)


def _of(owner: Object, which: str) -> Amounts:
    return lists.parse((owner.get("resources") or {}).get(which))


def _named(requests: Amounts, limits: Amounts) -> Amounts:
    """By the names quotas use."""
    found = {"pods": lists.ONE}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith(HUGE_PAGES):
            found[name] = found[REQUESTS + name] = amount
        elif is_extended(name):
            found[REQUESTS + name] = amount
    found |= {LIMITS + name: amount for name, amount in limits.items() if name in _COMPUTE}
    return found


def _has_ended(pod: Object, now: datetime.datetime) -> bool:
    """Finished, or its kubelet does not answer any more: its time to end is long over."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return True
    deleted, grace = pod["metadata"].get("deletionTimestamp"), pod["metadata"].get("deletionGracePeriodSeconds")
    return bool(deleted) and grace is not None and times.seconds_since(deleted, now) > grace


def _ends_by_itself(spec: Object) -> bool:
    return (spec.get("activeDeadlineSeconds") or 0) >= 0 and spec.get("activeDeadlineSeconds") is not None


def _names_other_namespaces(affinity: Object) -> bool:
    for field in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(field) or {}
        required = terms.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = terms.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        for term in (*required, *((one.get("podAffinityTerm") or {}) for one in preferred)):
            if term.get("namespaces") or term.get("namespaceSelector") is not None:
                return True
    return False
