"""Pods of their own, with names that stay: deleted and made again at once, so that old decisions meet new pods of that name."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.workload.deployments import FAKE
from steersman.simulation.workload.step import Step

ROUNDS_MAX = 5


def plan(chance: Chance, user: str, namespace: str, name: str, seconds: float) -> Iterator[Step]:
    at = chance.uniform(0, seconds / 4)
    grace = chance.choice([0, 0, 1, 3])
    yield Step(round(at, 3), user, "create", kinds.POD, namespace, name, _pod(namespace, name, grace))
    for _ in range(chance.randint(1, ROUNDS_MAX)):
        at += chance.uniform(0, seconds / ROUNDS_MAX)
        yield Step(round(at, 3), user, "delete", kinds.POD, namespace, name)
        at += chance.uniform(0, 2)
        yield Step(round(at, 3), user, "create", kinds.POD, namespace, name, _pod(namespace, name, grace))


def _pod(namespace: str, name: str, grace: int) -> Object:
    asked = {"cpu": "50m", "memory": "50Mi"}
    container = {"name": "main", "image": "example.org/alone:1", "resources": {"requests": asked}}
    meta = {"name": name, "namespace": namespace, "annotations": {f"{FAKE}stop-seconds": "0.3"}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": grace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
