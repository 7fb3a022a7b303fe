"""StatefulSets whose pods have claims, under every retention policy; claims are deleted under their pods' feet."""

from collections.abc import Iterator

from steersman.aio.clock import Chance
from steersman.api import kinds, local_path
from steersman.meta.objects import Object
from steersman.simulation.workload import stateful_sets
from steersman.simulation.workload.deployments import container
from steersman.simulation.workload.step import Step

TEMPLATE = "data"
CHANGES = ("scale", "scale", "scale", "image", "delete-pod", "delete-claim", "delete-claim", "delete")
POLICIES = ("Retain", "Delete")


def plan(
    chance: Chance, user: str, namespace: str, name: str, replicas: int, changes: int, seconds: float
) -> Iterator[Step]:
    at = round(chance.uniform(0, min(10.0, seconds / 8)), 3)
    made = _claimed(chance, stateful_sets.stateful_set(chance, namespace, name, replicas))
    yield from stateful_sets.created(at, user, namespace, name, made)
    for when in sorted(round(chance.uniform(at, seconds), 3) for _ in range(changes)):
        at = max(at, when)
        match chance.choice(CHANGES):
            case "scale":
                yield stateful_sets.patch(at, user, namespace, name, {"replicas": chance.randint(0, replicas)})
            case "image":
                template = {"spec": {"containers": [container(chance.randint(1, 4))]}}
                yield stateful_sets.patch(at, user, namespace, name, {"template": template})
            case "delete-claim":
                ordinal = chance.randrange(replicas)
                claim, pod = f"{TEMPLATE}-{name}-{ordinal}", f"{name}-{ordinal}"
                yield Step(at, user, "delete", kinds.PERSISTENT_VOLUME_CLAIM, namespace, claim)
                at = round(at + chance.uniform(0, 5), 3)
                yield Step(at, user, "delete", kinds.POD, namespace, pod)
            case "delete":
                gone, again = stateful_sets.made_anew(chance, at, user, namespace, name, made)
                at = again.at
                yield from (gone, again)
            case verb:
                yield Step(at, user, verb, kinds.STATEFUL_SET, namespace, name)


def claim(name: str, mode: str) -> Object:
    spec = {
        "accessModes": [mode],
        "storageClassName": local_path.CLASS,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def _claimed(chance: Chance, made: Object) -> Object:
    """One policy as long as it lives: those that went before a change are not looked at again, upstream's neither."""
    policy = {"whenDeleted": chance.choice(POLICIES), "whenScaled": chance.choice(POLICIES)}
    template = claim(TEMPLATE, chance.choice(["ReadWriteOnce", "ReadWriteOncePod"]))
    made["spec"] |= {"persistentVolumeClaimRetentionPolicy": policy, "volumeClaimTemplates": [template]}
    return made
