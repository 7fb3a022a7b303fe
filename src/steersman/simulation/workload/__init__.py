"""What users do, from a seed: one file per kind of thing they work with.

Another kind is one more file with `plan(chance, user, namespace, name, replicas, changes, seconds) -> Iterator[Step]`, and
a line in `APPS`.
"""

import dataclasses
from collections.abc import Iterable

from steersman.aio.clock import Chance
from steersman.simulation.workload import (
    budgets,
    claimed_sets,
    daemon_sets,
    deployments,
    jobs,
    namespaces,
    pods,
    quotas,
    shared_claims,
    stateful_sets,
    urgent,
)
from steersman.simulation.workload.step import Step

APPS = {
    "deployments": deployments,
    "statefulsets": stateful_sets,
    "daemonsets": daemon_sets,
    "jobs": jobs,
    "claimed": claimed_sets,
    "shared": shared_claims,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """How much users do: in so many virtual seconds, namespaces, apps in each, with so many replicas at most and so many changes;
    pods of their own (`alone`) in each namespace. `kinds` of apps; `quotas`: the share of namespaces that have one;
    `urgent` Jobs make room for themselves;
    `budgets`: the share of Deployments and StatefulSets that have one."""

    seconds: float
    namespaces: int
    apps: int
    replicas: int
    changes: int
    alone: int
    kinds: tuple[str, ...] = tuple(APPS)
    quotas: float = 0.0
    urgent: int = 0
    budgets: float = 0.0


def plan(seed: int, size: Size, nodes: int) -> list[Step]:
    """In order of time."""
    found: list[Step] = []
    chosen = [APPS[kind] for kind in size.kinds]
    for space in range(size.namespaces):
        namespace = f"team-{space + 1}"
        found += namespaces.plan(Chance(seed, "namespace", namespace), namespace, size.seconds)
        for number in range(size.apps):
            name = f"app-{number + 1}"
            chance = Chance(seed, "app", namespace, name)
            kind = chosen[chance.randrange(len(chosen))]
            user = f"{namespace}-{name}"
            found += kind.plan(chance, user, namespace, name, size.replicas, size.changes, size.seconds)
            mind = Chance(seed, "budget", namespace, name)
            if kind in (deployments, stateful_sets, claimed_sets) and mind.random() < size.budgets:
                found += budgets.plan(mind, f"{user}-budget", namespace, name, size.seconds)
        for number in range(size.alone):
            name = f"alone-{number + 1}"
            chance = Chance(seed, "alone", namespace, name)
            found += pods.plan(chance, f"{namespace}-{name}", namespace, name, size.seconds)
        found += _quota(seed, size, nodes, namespace)
    for number in range(size.urgent):
        found += urgent.plan(Chance(seed, "urgent", number), number, size.seconds)
    return sorted(found, key=lambda step: step.at)


def _quota(seed: int, size: Size, nodes: int, namespace: str) -> Iterable[Step]:
    chance = Chance(seed, "quota", namespace)
    if chance.random() >= size.quotas:
        return ()
    return quotas.plan(chance, namespace, size.apps * max(size.replicas, nodes) + size.alone, size.seconds)
