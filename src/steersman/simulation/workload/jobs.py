"""Jobs: counted by number or by index, with pods that fail, are deleted, and Jobs that are suspended, widened and made again."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.workload.deployments import FAKE, container
from steersman.simulation.workload.step import Step


def plan(
    chance: Chance, user: str, namespace: str, name: str, replicas: int, changes: int, seconds: float
) -> Iterator[Step]:
    at = round(chance.uniform(0, min(20.0, seconds / 4)), 3)
    made = _job(chance, namespace, name, replicas)
    yield Step(at, user, "create", kinds.JOB, namespace, name, made)
    suspended = False
    for when in sorted(round(chance.uniform(at, seconds), 3) for _ in range(changes)):
        at = max(at, when)
        match chance.choice(["suspend", "parallelism", "parallelism", "delete-pod", "again", "again"]):
            case "suspend":
                suspended = not suspended
                yield _patch(at, user, namespace, name, {"suspend": suspended})
            case "parallelism":
                yield _patch(at, user, namespace, name, {"parallelism": chance.randint(1, replicas)})
            case "delete-pod":
                yield Step(at, user, "delete-pod", kinds.JOB, namespace, name)
            case "again":
                yield Step(at, user, "delete", kinds.JOB, namespace, name, {"propagation": "Background"})
                at = round(at + chance.uniform(0, 5), 3)
                yield Step(at, user, "create", kinds.JOB, namespace, name, made)
                suspended = False
    if suspended:
        yield _patch(seconds, user, namespace, name, {"suspend": False})


def _patch(at: float, user: str, namespace: str, name: str, spec: Object) -> Step:
    return Step(at, user, "patch", kinds.JOB, namespace, name, {"spec": spec})


def _job(chance: Chance, namespace: str, name: str, replicas: int) -> Object:
    behaviour = {
        f"{FAKE}run-seconds": str(round(chance.uniform(0.1, 8), 2)),
        f"{FAKE}exit-code": chance.choice(["0", "0", "0", "1,0", "1"]),
    }
    spec: Object = {
        "completions": chance.randint(1, 2 * replicas),
        "parallelism": chance.randint(1, replicas),
        "completionMode": chance.choice(["NonIndexed", "Indexed"]),
        "backoffLimit": chance.choice([1, 3]),
        "template": {
            "metadata": {"labels": {"app": name}, "annotations": behaviour},
            "spec": {
                "containers": [container(1)],
                "restartPolicy": chance.choice(["Never", "OnFailure"]),
                "terminationGracePeriodSeconds": chance.choice([0, 1]),
            },
        },
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
