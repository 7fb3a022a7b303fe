"""Namespaces come, and some go with all that is in them and come again."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.simulation.workload.step import Step


def plan(chance: Chance, namespace: str, seconds: float) -> Iterator[Step]:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    yield Step(0.0, namespace, "create", kinds.NAMESPACE, "", namespace, body)
    if chance.random() < 0.25:
        at = chance.uniform(0.5, 0.9) * seconds
        yield Step(round(at, 3), namespace, "delete", kinds.NAMESPACE, "", namespace)
        if chance.random() < 0.5:
            yield Step(round(at + 1.0, 3), namespace, "create", kinds.NAMESPACE, "", namespace, body)
