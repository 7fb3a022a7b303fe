"""A ResourceQuota that just holds what a namespace wants in peace, so that rollouts race for what is left of it."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.simulation.workload.step import Step

# The largest surge of a rollout beside what is wanted: with less, two of them could wait for each other for ever.
SPARE_PODS = 2
MILLICORES_OF_A_POD = 100


def plan(chance: Chance, namespace: str, pods: int, seconds: float) -> Iterator[Step]:
    """`pods` are wanted at most. A quota that comes later meets what is there already."""
    most = pods + chance.randint(SPARE_PODS, 2 * SPARE_PODS)
    hard = {"pods": str(most), "requests.cpu": f"{most * MILLICORES_OF_A_POD}m", "count/services": "20"}
    body = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "quota", "namespace": namespace},
        "spec": {"hard": hard},
    }
    at = round(chance.uniform(0, seconds / 4), 3)
    yield Step(at, f"{namespace}-quota", "create", kinds.RESOURCE_QUOTA, namespace, "quota", body)
