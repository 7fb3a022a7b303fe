"""A PodDisruptionBudget for an app, and somebody who evicts its pods as `kubectl drain` does, several at a time."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.simulation.workload.step import Step

# Evictions within this come together: one of them has to be refused.
TOGETHER_SECONDS = 0.2


def plan(chance: Chance, user: str, namespace: str, name: str, seconds: float) -> Iterator[Step]:
    body = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}},
    }
    at = round(chance.uniform(0, seconds / 4), 3)
    yield Step(at, user, "create", kinds.POD_DISRUPTION_BUDGET, namespace, name, body)
    for _ in range(chance.randint(1, 4)):
        when = round(chance.uniform(at, seconds), 3)
        for number in range(chance.randint(1, 3)):
            later = round(when + chance.uniform(0, TOGETHER_SECONDS), 3)
            # Each is somebody of his own: they do not wait for each other.
            yield Step(later, f"{user}-evicts-{number}", "evict-pod", kinds.POD, namespace, name, {"choose": number})
