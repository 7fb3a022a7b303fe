"""Which pods go so that a critical one fits that the node has no room for; pure.

The fewest pods, and of those the ones that ask for least; of a better class only what worse ones cannot free.
Source: upstream's kubelet/preemption/preemption.go.
"""

from collections.abc import Iterable, Mapping, Sequence

from steersman.kubelet import qos
from steersman.kubelet.eviction import conditions
from steersman.meta.objects import Object

REASON, MESSAGE = "Preempting", "Preempted in order to admit critical pod"


class NotPossible(Exception):
    """No set of pods would be enough; the text is upstream's."""


def choose(critical: Object, pods: Iterable[Object], missing: Mapping[str, int]) -> list[Object]:
    """The pods to end; `missing`: what lacks, as `qos.pod_requests` counts. Raises NotPossible."""
    classes: dict[str, list[Object]] = {"BestEffort": [], "Burstable": [], "Guaranteed": []}
    for pod in pods:
        if may_go(critical, pod):
            classes[qos.pod_class(pod)].append(pod)
    best_effort, burstable, guaranteed = classes.values()
    if left := _without(missing, [*best_effort, *burstable, *guaranteed]):
        raise NotPossible(f"no set of running pods found to reclaim resources: {_shown(left)}")
    first = _nearest(guaranteed, _without(missing, [*best_effort, *burstable]))
    second = _nearest(burstable, _without(missing, [*best_effort, *first]))
    third = _nearest(best_effort, _without(missing, [*second, *first]))
    return [*third, *second, *first]


def may_go(critical: Object, pod: Object) -> bool:
    """Whoever is critical yields only to a higher priority."""
    if not conditions.is_critical(pod):
        return True
    mine, theirs = critical["spec"].get("priority"), pod["spec"].get("priority")
    return mine is not None and theirs is not None and mine > theirs


def _nearest(pods: Sequence[Object], missing: Mapping[str, int]) -> list[Object]:
    """One after the other, each time the pod that frees most of what is still missing."""
    left, chosen = list(pods), []
    while missing:
        best = min(left, key=lambda pod: (_distance(pod, missing), *_size(pod)))
        left.remove(best)
        chosen.append(best)
        missing = _without(missing, [best])
    return chosen


def _distance(pod: Object, missing: Mapping[str, int]) -> float:
    """Each resource counts the same, however large its numbers are."""
    requests = qos.pod_requests(pod)
    shares = ((amount - requests.get(name, 0)) / amount for name, amount in missing.items())
    return sum(max(0.0, share) ** 2 for share in shares)


def _size(pod: Object) -> tuple[int, int]:
    requests = qos.pod_requests(pod)
    return requests.get("memory", 0), requests.get("cpu", 0)


def _without(missing: Mapping[str, int], pods: Sequence[Object]) -> dict[str, int]:
    requests = [qos.pod_requests(pod) for pod in pods]
    left = {name: amount - sum(one.get(name, 0) for one in requests) for name, amount in missing.items()}
    return {name: amount for name, amount in left.items() if amount > 0}


def _shown(missing: Mapping[str, int]) -> str:
    return "[" + "".join(f"(res: {name}, q: {amount}), " for name, amount in missing.items()) + "]"
