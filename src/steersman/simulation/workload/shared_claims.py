"""A claim for one pod at a time, and two pods that want it: whoever comes second waits until the first has gone."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.workload import claimed_sets
from steersman.simulation.workload.deployments import FAKE
from steersman.simulation.workload.step import Step


def plan(
    chance: Chance, user: str, namespace: str, name: str, replicas: int, changes: int, seconds: float
) -> Iterator[Step]:
    """One of the two is left in the end."""
    at = round(chance.uniform(0, seconds / 4), 3)
    made = claimed_sets.claim(name, "ReadWriteOncePod")
    yield Step(at, user, "create", kinds.PERSISTENT_VOLUME_CLAIM, namespace, name, made)
    here, there = f"{name}-a", f"{name}-b"
    yield Step(at, user, "create", kinds.POD, namespace, here, _pod(chance, namespace, name, here))
    for _ in range(changes):
        at = round(at + chance.uniform(0, seconds / changes), 3)
        yield Step(at, user, "create", kinds.POD, namespace, there, _pod(chance, namespace, name, there))
        at = round(at + chance.uniform(0, 8), 3)
        if chance.random() < 0.3:
            yield Step(at, user, "delete", kinds.PERSISTENT_VOLUME_CLAIM, namespace, name)
        yield Step(at, user, "delete", kinds.POD, namespace, here)
        at = round(at + chance.uniform(0, 8), 3)
        yield Step(at, user, "create", kinds.PERSISTENT_VOLUME_CLAIM, namespace, name, made)
        here, there = there, here


def _pod(chance: Chance, namespace: str, claim: str, name: str) -> Object:
    mounted = [{"name": "data", "mountPath": "/data"}]
    container = {"name": "main", "image": "example.org/alone:1", "volumeMounts": mounted}
    meta = {"name": name, "namespace": namespace, "annotations": {f"{FAKE}stop-seconds": "1"}}
    spec = {
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
        "terminationGracePeriodSeconds": chance.choice([1, 3]),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
