"""DaemonSets: rolled out, their pods deleted, themselves deleted and made again."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.workload.deployments import FAKE
from steersman.simulation.workload.step import Step


def plan(
    chance: Chance, user: str, namespace: str, name: str, replicas: int, changes: int, seconds: float
) -> Iterator[Step]:
    at = round(chance.uniform(0, min(20.0, seconds / 4)), 3)
    made = _daemon_set(chance, namespace, name)
    yield Step(at, user, "create", kinds.DAEMON_SET, namespace, name, made)
    for when in sorted(round(chance.uniform(at, seconds), 3) for _ in range(changes)):
        at = max(at, when)
        match chance.choice(["image", "image", "delete-pod", "delete"]):
            case "image":
                template = {"spec": {"containers": [_container(chance.randint(1, 4))]}}
                body = {"spec": {"template": template}}
                yield Step(at, user, "patch", kinds.DAEMON_SET, namespace, name, body)
            case "delete-pod":
                yield Step(at, user, "delete-pod", kinds.DAEMON_SET, namespace, name)
            case "delete":
                propagation = chance.choice(["Background", "Foreground"])
                yield Step(at, user, "delete", kinds.DAEMON_SET, namespace, name, {"propagation": propagation})
                at = round(at + chance.uniform(0, 5), 3)
                yield Step(at, user, "create", kinds.DAEMON_SET, namespace, name, made)


def _container(number: int) -> Object:
    asked = {"cpu": "20m", "memory": "20Mi"}
    return {"name": "main", "image": f"example.org/agent:{number}", "resources": {"requests": asked}}


def _daemon_set(chance: Chance, namespace: str, name: str) -> Object:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels, "annotations": {f"{FAKE}start-delay": str(round(chance.uniform(0, 2), 2))}},
        "spec": {"containers": [_container(1)], "terminationGracePeriodSeconds": chance.choice([0, 1, 5])},
    }
    spec = {"selector": {"matchLabels": labels}, "template": template}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta, "spec": spec}
