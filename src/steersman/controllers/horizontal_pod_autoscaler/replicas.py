"""How many replicas a metric asks for: pure arithmetic over pods and what was measured of them.

Pods that are missing in the measurements, or not ready yet, must not make the number jump: they are counted as using exactly the
target when it would go down, and nothing when it would go up. Source: upstream's replica calculator.
"""

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from steersman.controllers import pods as of_pods
from steersman.meta import conditions, objects, quantities, times
from steersman.meta.objects import Object

# Upstream's flags: --horizontal-pod-autoscaler-cpu-initialization-period and -initial-readiness-delay.
CPU_INITIALIZATION_SECONDS = 300.0
INITIAL_READINESS_SECONDS = 30.0


class Unknown(Exception):
    """The number cannot be told; the text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Measured:
    """Of one pod, in thousandths."""

    value: int
    at: datetime.datetime
    window_seconds: float = 60.0


@dataclasses.dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from the target counts as on it."""

    up: float = 0.1
    down: float = 0.1

    def covers(self, ratio: float) -> bool:
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """`replicas` by this metric; `value` (thousandths) and `percent` are what is used now."""

    replicas: int
    value: int
    percent: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """Of whom: `current` is how many replicas are wanted now, `pods` are those there are."""

    namespace: str
    current: int
    pods: Sequence[Object]
    tolerance: Tolerance
    now: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Groups:
    """Names of pods. `ignored` are going or have failed."""

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


def by_utilization(
    target: Target, measured: Mapping[str, Measured], resource: str, percent: int, container: str = ""
) -> Asked:
    """The share of what is requested. Raises Unknown."""
    groups, known = _known(target, measured, resource)
    requests = _requests(target.pods, resource, container)
    if not known:
        raise Unknown("did not receive metrics for targeted pods (pods might be unready)")
    used, value = _share(known, requests)
    fallback = {name: requests[name] * max(100, percent) // 100 for name in groups.missing}

    def ratio(found: Mapping[str, int]) -> float:
        return _share(found, requests)[0] / percent

    return Asked(_count(target, groups, known, fallback, ratio), value, used)


def by_average(target: Target, measured: Mapping[str, Measured], wanted: int, resource: str = "") -> Asked:
    """An amount for each pod, in thousandths. Raises Unknown."""
    groups, known = _known(target, measured, resource)
    if not known:
        raise Unknown("did not receive metrics for targeted pods (pods might be unready)")

    def ratio(found: Mapping[str, int]) -> float:
        return (sum(found.values()) // len(found)) / wanted

    value = sum(known.values()) // len(known)
    return Asked(_count(target, groups, known, dict.fromkeys(groups.missing, wanted), ratio), value)


def by_value(target: Target, value: int, wanted: int) -> Asked:
    """One amount for all. Raises Unknown."""
    ratio = value / wanted
    if target.current == 0:
        return Asked(math.ceil(ratio), value)
    if target.tolerance.covers(ratio):
        return Asked(target.current, value)
    if not target.pods:
        raise Unknown("unable to calculate ready pods: no pods returned by selector while calculating replica count")
    ready = sum(of_pods.phase(pod) == "Running" and of_pods.is_ready(pod) for pod in target.pods)
    return Asked(math.ceil(ratio * ready), value)


def by_value_per_pod(target: Target, running: int, value: int, wanted: int) -> Asked:
    """One amount for all, divided by the replicas there are (`running`)."""
    ratio = value / (wanted * running) if running else math.inf
    replicas = running if target.tolerance.covers(ratio) else math.ceil(value / wanted)
    return Asked(replicas, math.ceil(value / running) if running else 0)


def classify(target: Target, measured: Mapping[str, Measured], resource: str) -> Groups:
    unready, missing, ignored = set(), set(), set()
    ready = 0
    for pod in target.pods:
        name = objects.name(pod)
        if of_pods.is_terminating(pod) or of_pods.phase(pod) == "Failed":
            ignored.add(name)
        elif of_pods.phase(pod) == "Pending":
            unready.add(name)
        elif name not in measured:
            missing.add(name)
        elif resource == "cpu" and _is_starting(pod, measured[name], target.now):
            unready.add(name)
        else:
            ready += 1
    return Groups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _is_starting(pod: Object, measured: Measured, now: datetime.datetime) -> bool:
    """Its use of CPU tells of its start, not of its work."""
    ready, started = conditions.get(pod, "Ready"), (pod.get("status") or {}).get("startTime")
    changed = ready.get("lastTransitionTime") if ready else None
    if ready is None or not started or not changed:
        return True
    is_unready = ready.get("status") == "False"
    if times.seconds_since(started, now) < CPU_INITIALIZATION_SECONDS:
        window = datetime.timedelta(seconds=measured.window_seconds)
        return is_unready or measured.at < times.parse(changed) + window
    never_ready = (times.parse(changed) - times.parse(started)).total_seconds() < INITIAL_READINESS_SECONDS
    return is_unready and never_ready


def _known(target: Target, measured: Mapping[str, Measured], resource: str) -> tuple[Groups, dict[str, int]]:
    if not target.pods:
        raise Unknown("no pods returned by selector while calculating replica count")
    groups = classify(target, measured, resource)
    out = groups.ignored | groups.unready
    return groups, {name: one.value for name, one in measured.items() if name not in out}


def _requests(pods: Sequence[Object], resource: str, container: str) -> dict[str, int]:
    """Thousandths by pod. Raises Unknown where a container asks for none."""
    found = {}
    for pod in pods:
        spec = pod["spec"]
        sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
        total = 0
        for one in (*(spec.get("containers") or ()), *sidecars):
            if container and one.get("name") != container:
                continue
            request = ((one.get("resources") or {}).get("requests") or {}).get(resource)
            if request is None:
                raise Unknown(
                    f"missing request for {resource} in container {one.get('name')} of Pod {objects.name(pod)}"
                )
            total += quantities.millis(request)
        found[objects.name(pod)] = total
    return found


def _share(used: Mapping[str, int], requests: Mapping[str, int]) -> tuple[int, int]:
    """Percent of the requests, and the average use. Raises Unknown."""
    known = [name for name in used if name in requests]
    requested = sum(requests[name] for name in known)
    if not requested:
        raise Unknown("no metrics returned matched known pods")
    total = sum(used[name] for name in known)
    return total * 100 // requested, total // len(known)


def _count(
    target: Target, groups: Groups, known: Mapping[str, int], fallback: Mapping[str, int], ratio: "_Ratio"
) -> int:
    """Never turns around because of pods that are only assumed to use something."""
    current, first = target.current, ratio(known)
    counts_unready = bool(groups.unready) and first > 1.0
    if not counts_unready and not groups.missing:
        return current if target.tolerance.covers(first) else math.ceil(first * groups.ready)
    assumed = dict(known)
    if first < 1.0:
        assumed |= fallback
    elif first > 1.0:
        assumed |= dict.fromkeys(groups.missing, 0)
    if counts_unready:
        assumed |= dict.fromkeys(groups.unready, 0)
    second = ratio(assumed)
    if target.tolerance.covers(second) or (first < 1.0 < second) or (second < 1.0 < first):
        return current
    wanted = math.ceil(second * len(assumed))
    turns = (second < 1.0 and wanted > current) or (second > 1.0 and wanted < current)
    return current if turns else wanted


class _Ratio(Protocol):
    def __call__(self, found: Mapping[str, int]) -> float: ...
