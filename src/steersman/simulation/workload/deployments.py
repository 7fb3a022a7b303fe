"""Deployments and their Services: scaled, rolled out, rolled back, paused, deleted and made again, in the middle of rollouts."""

from collections.abc import Iterator
from typing import Any

from steersman.aio.clock import Chance
from steersman.api import kinds
from steersman.meta.objects import Object
from steersman.simulation.workload.step import Step

FAKE = "fake.steersman.dev/"


def plan(
    chance: Chance, user: str, namespace: str, name: str, replicas: int, changes: int, seconds: float
) -> Iterator[Step]:
    at = round(chance.uniform(0, min(20.0, seconds / 4)), 3)
    made = _deployment(chance, namespace, name, replicas)
    exposed = service(namespace, name)
    exposed["spec"] |= {"type": "NodePort"}
    yield Step(at, user, "create", kinds.SERVICE, namespace, name, exposed)
    yield Step(at, user, "create", kinds.DEPLOYMENT, namespace, name, made)
    paused = False
    times = sorted(round(chance.uniform(at, seconds), 3) for _ in range(changes))
    for when in times:
        if chance.random() < 0.3:  # a change of mind: hardly after the one before
            when = round(at + chance.uniform(0, 3), 3)
        at = max(at, when)
        what = chance.choice(
            ["scale", "scale", "image", "image", "image", "back", "pause", "delete-pod", "delete", "service"]
        )
        match what:
            case "scale":
                yield _patch(at, user, namespace, name, {"replicas": chance.randint(0, replicas)})
            case "image":
                yield _patch(at, user, namespace, name, _template(chance.randint(1, 4)))
            case "back":
                yield _patch(at, user, namespace, name, _template(1))
            case "pause":
                paused = not paused
                yield _patch(at, user, namespace, name, {"paused": paused})
            case "delete-pod":
                yield Step(at, user, "delete-pod", kinds.DEPLOYMENT, namespace, name)
            case "service":
                yield Step(at, user, "delete", kinds.SERVICE, namespace, name)
                at = round(at + chance.uniform(0, 5), 3)
                yield Step(at, user, "create", kinds.SERVICE, namespace, name, exposed)
            case "delete":
                propagation = chance.choice(["", "Background", "Foreground"])
                yield Step(at, user, "delete", kinds.DEPLOYMENT, namespace, name, {"propagation": propagation})
                at = round(at + chance.uniform(0, 5), 3)
                yield Step(at, user, "create", kinds.DEPLOYMENT, namespace, name, made)
                paused = False
    if paused:
        yield _patch(seconds, user, namespace, name, {"paused": False})


def _patch(at: float, user: str, namespace: str, name: str, spec: Object) -> Step:
    return Step(at, user, "patch", kinds.DEPLOYMENT, namespace, name, {"spec": spec})


def _template(number: int) -> Object:
    return {"template": {"spec": {"containers": [container(number)]}}}


def container(number: int) -> Object:
    asked = {"cpu": "100m", "memory": "100Mi"}
    return {"name": "main", "image": f"example.org/app:{number}", "resources": {"requests": asked}}


def service(namespace: str, name: str) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _deployment(chance: Chance, namespace: str, name: str, replicas: int) -> Object:
    labels = {"app": name}
    behaviour = {}
    if chance.random() < 0.5:
        behaviour[f"{FAKE}start-delay"] = str(round(chance.uniform(0, 3), 2))
    if chance.random() < 0.4:
        behaviour[f"{FAKE}stop-seconds"] = chance.choice(["0.5", "3", "never"])
    pod: Object = {"containers": [container(1)], "terminationGracePeriodSeconds": chance.choice([0, 1, 5, 10])}
    if chance.random() < 0.25:
        pod["affinity"] = _apart(name)
    spec: Object = {
        "replicas": chance.randint(1, replicas),
        "selector": {"matchLabels": labels},
        "strategy": _strategy(chance),
        "minReadySeconds": chance.choice([0, 0, 2]),
        "template": {"metadata": {"labels": labels, "annotations": behaviour}, "spec": pod},
    }
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _apart(name: str) -> Object:
    """No two of its pods on one node if it can be helped."""
    term = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }


def _strategy(chance: Chance) -> dict[str, Any]:
    if chance.random() < 0.2:
        return {"type": "Recreate"}
    surge, unavailable = chance.choice([(1, 0), (0, 1), (1, 1), ("25%", "25%"), (2, 0)])
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
