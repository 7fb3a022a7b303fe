"""StatefulSets and their headless Services: scaled and rolled out in the middle of it all, their pods deleted, also by force."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.workload.deployments import FAKE, container, service
from steersman.simulation.workload.step import Step

CHANGES = ("scale", "scale", "image", "image", "delete-pod", "delete-pod", "force-delete-pod", "delete")

# Never 0: such pods are gone from the API before they have ended. Upstream warns of it for StatefulSets, and so it is (found).
GRACE_SECONDS = (1, 5)


def plan(
    chance: Chance, user: str, namespace: str, name: str, replicas: int, changes: int, seconds: float
) -> Iterator[Step]:
    at = round(chance.uniform(0, min(20.0, seconds / 4)), 3)
    made = stateful_set(chance, namespace, name, replicas)
    yield from created(at, user, namespace, name, made)
    for when in sorted(round(chance.uniform(at, seconds), 3) for _ in range(changes)):
        at = max(at, when)
        match chance.choice(CHANGES):
            case "scale":
                yield patch(at, user, namespace, name, {"replicas": chance.randint(0, replicas)})
            case "image":
                template = {"spec": {"containers": [container(chance.randint(1, 4))]}}
                yield patch(at, user, namespace, name, {"template": template})
            case "delete":
                gone, again = made_anew(chance, at, user, namespace, name, made)
                at = again.at
                yield from (gone, again)
            case verb:
                yield Step(at, user, verb, kinds.STATEFUL_SET, namespace, name)


def created(at: float, user: str, namespace: str, name: str, made: Object) -> Iterator[Step]:
    """With the headless Service that names its pods."""
    headless = service(namespace, name)
    headless["spec"] |= {"clusterIP": "None"}
    yield Step(at, user, "create", kinds.SERVICE, namespace, name, headless)
    yield Step(at, user, "create", kinds.STATEFUL_SET, namespace, name, made)


def made_anew(chance: Chance, at: float, user: str, namespace: str, name: str, made: Object) -> tuple[Step, Step]:
    propagation = chance.choice(["Background", "Foreground"])
    gone = Step(at, user, "delete", kinds.STATEFUL_SET, namespace, name, {"propagation": propagation})
    at = round(at + chance.uniform(0, 5), 3)
    return gone, Step(at, user, "create", kinds.STATEFUL_SET, namespace, name, made)


def patch(at: float, user: str, namespace: str, name: str, spec: Object) -> Step:
    return Step(at, user, "patch", kinds.STATEFUL_SET, namespace, name, {"spec": spec})


def stateful_set(chance: Chance, namespace: str, name: str, replicas: int) -> Object:
    labels = {"app": name}
    behaviour = {f"{FAKE}stop-seconds": chance.choice(["0", "1", "4", "never"])}
    spec: Object = {
        "replicas": chance.randint(1, replicas),
        "serviceName": name,
        "selector": {"matchLabels": labels},
        "podManagementPolicy": chance.choice(["OrderedReady", "OrderedReady", "Parallel"]),
        "updateStrategy": {"type": chance.choice(["RollingUpdate", "RollingUpdate", "OnDelete"])},
        "template": {
            "metadata": {"labels": labels, "annotations": behaviour},
            "spec": {"containers": [container(1)], "terminationGracePeriodSeconds": chance.choice(GRACE_SECONDS)},
        },
    }
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": spec}
