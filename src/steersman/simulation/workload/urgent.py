"""Urgent Jobs: pods that nearly fill a node and are more important than the others, so that those have to make room."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.workload.deployments import FAKE
from steersman.simulation.workload.step import Step

NAMESPACE = "urgent"
CLASSES = {"urgent": 1000, "more-urgent": 2000}


def plan(chance: Chance, number: int, seconds: float) -> Iterator[Step]:
    name, user = f"urgent-{number + 1}", f"urgent-{number + 1}"
    body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    yield Step(0.0, user, "create", kinds.NAMESPACE, "", NAMESPACE, body)
    for priority, value in CLASSES.items():
        body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": priority}}
        yield Step(0.0, user, "create", kinds.PRIORITY_CLASS, "", priority, {**body, "value": value})
    at = round(chance.uniform(seconds / 5, seconds), 3)
    yield Step(at, user, "create", kinds.JOB, NAMESPACE, name, _job(chance, name))


def _job(chance: Chance, name: str) -> Object:
    container = {"name": "main", "image": "example.org/urgent:1", "resources": {"requests": {"cpu": "3800m"}}}
    template: Object = {
        "metadata": {"annotations": {f"{FAKE}run-seconds": str(round(chance.uniform(1, 15), 2))}},
        "spec": {
            "containers": [container],
            "restartPolicy": "OnFailure",
            "priorityClassName": chance.choice(sorted(CLASSES)),
        },
    }
    spec = {"completions": chance.randint(1, 3), "parallelism": chance.randint(1, 2), "template": template}
    meta = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}
