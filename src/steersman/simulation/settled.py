"""What is not yet as wished, in words: empty once the cluster has converged."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import conditions, objects
from steersman.meta.objects import Object
from steersman.simulation.cluster import SimulatedCluster
from steersman.simulation.history import World, node_of, pod_is_over

# Each: world → what is missing. Another kind is one more function.


def unfulfilled(cluster: SimulatedCluster) -> Iterator[str]:
    world = cluster.history.world
    if not cluster.is_whole():
        yield "a part is down"
    for check in CHECKS:
        yield from check(world)


def _nodes(world: World) -> Iterator[str]:
    for name, node in world.of(kinds.NODE).items():
        if not conditions.is_true(node, "Ready"):
            yield f"node {name} is not Ready"
        if node["spec"].get("taints"):
            yield f"node {name} has taints {node['spec']['taints']}"


def _deployments(world: World) -> Iterator[str]:
    for key, one in world.of(kinds.DEPLOYMENT).items():
        wanted, status = one["spec"]["replicas"], one.get("status") or {}
        if status.get("observedGeneration") != one["metadata"]["generation"]:
            yield f"deployment {key}: generation {one['metadata']['generation']} not observed"
        seen = [
            status.get(field) or 0 for field in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        ]
        if one["spec"].get("paused"):
            seen = seen[:1]
        if any(number != wanted for number in seen):
            yield f"deployment {key}: wants {wanted}, has {seen}"


def _replica_sets(world: World) -> Iterator[str]:
    for key, one in world.of(kinds.REPLICA_SET).items():
        wanted = one["spec"]["replicas"]
        pods = [pod for pod in world.owned_by(objects.uid(one), kinds.POD) if not pod_is_over(pod)]
        if len(pods) != wanted:
            yield f"replicaset {key}: wants {wanted} pods, has {len(pods)}"


def _pods(world: World) -> Iterator[str]:
    for key, pod in world.of(kinds.POD).items():
        if objects.is_terminating(pod):
            yield f"pod {key} is being deleted"
        elif not node_of(pod):
            yield f"pod {key} has no node"
        elif not pod_is_over(pod) and not conditions.is_true(pod, "Ready"):
            yield f"pod {key} is not Ready: {_containers(pod)}"


def _ending(world: World) -> Iterator[str]:
    for _, one in world.everything():
        if one["kind"] != "Pod" and objects.is_terminating(one):
            yield f"{one['kind']} {objects.key(one)} is being deleted, finalizers {one['metadata'].get('finalizers')}"


def _containers(pod: Object) -> list[Object]:
    return [one.get("state") or {} for one in (pod.get("status") or {}).get("containerStatuses") or []]


CHECKS = (_nodes, _deployments, _replica_sets, _pods, _ending)
