"""What users do, from a seed: one file per kind of thing they work with.

Another kind is one more file with `plan(chance, user, namespace, name, replicas, changes, seconds) -> Iterator[Step]`, and
a line in `APPS`.
"""

from steersman.aio.clock import Chance
from steersman.simulation.workload import deployments, namespaces, pods
from steersman.simulation.workload.step import Step

APPS = (deployments,)


def plan(seed: int, spaces: int, apps: int, replicas: int, changes: int, seconds: float, alone: int) -> list[Step]:
    """In order of time."""
    found: list[Step] = []
    for space in range(spaces):
        namespace = f"team-{space + 1}"
        found += namespaces.plan(Chance(seed, "namespace", namespace), namespace, seconds)
        for number in range(apps):
            name = f"app-{number + 1}"
            chance = Chance(seed, "app", namespace, name)
            kind = APPS[chance.randrange(len(APPS))]
            found += kind.plan(chance, f"{namespace}-{name}", namespace, name, replicas, changes, seconds)
        for number in range(alone):
            name = f"alone-{number + 1}"
            chance = Chance(seed, "alone", namespace, name)
            found += pods.plan(chance, f"{namespace}-{name}", namespace, name, seconds)
    return sorted(found, key=lambda step: step.at)
