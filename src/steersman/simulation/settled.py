"""What is not yet as wished, in words: empty once the cluster has converged."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.api import volumes as storage
from steersman.meta import conditions, objects, owners
from steersman.meta.objects import Object
from steersman.simulation import volumes
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


def _stateful_sets(world: World) -> Iterator[str]:
    for key, one in world.of(kinds.STATEFUL_SET).items():
        wanted, status = one["spec"]["replicas"], one.get("status") or {}
        if status.get("observedGeneration") != one["metadata"]["generation"]:
            yield f"statefulset {key}: generation {one['metadata']['generation']} not observed"
        fields = ["replicas", "readyReplicas", "availableReplicas"]
        if one["spec"]["updateStrategy"]["type"] == "RollingUpdate":
            fields.append("updatedReplicas")
        seen = [status.get(field) or 0 for field in fields]
        if any(number != wanted for number in seen):
            yield f"statefulset {key}: wants {wanted}, has {seen}"


def _daemon_sets(world: World) -> Iterator[str]:
    wanted = len(world.of(kinds.NODE))
    for key, one in world.of(kinds.DAEMON_SET).items():
        status = one.get("status") or {}
        if status.get("observedGeneration") != one["metadata"]["generation"]:
            yield f"daemonset {key}: generation {one['metadata']['generation']} not observed"
        seen = [
            status.get(field) or 0 for field in ("desiredNumberScheduled", "numberAvailable", "updatedNumberScheduled")
        ]
        if any(number != wanted for number in seen):
            yield f"daemonset {key}: {wanted} nodes, has {seen}"


def _jobs(world: World) -> Iterator[str]:
    for key, one in world.of(kinds.JOB).items():
        status = one.get("status") or {}
        if one["spec"].get("suspend"):  # a late copy of that wish is a wish
            continue
        if not conditions.is_true(one, "Complete") and not conditions.is_true(one, "Failed"):
            yield f"job {key} has not ended: {status}"
        elif conditions.is_true(one, "Complete") and (status.get("succeeded") or 0) < one["spec"]["completions"]:
            yield f"job {key} is complete with {status.get('succeeded')} of {one['spec']['completions']}"
        elif any((status.get("uncountedTerminatedPods") or {}).values()) or status.get("active"):
            yield f"job {key} has ended and still counts: {status}"


def _quotas(world: World) -> Iterator[str]:
    for key, quota in world.of(kinds.RESOURCE_QUOTA).items():
        space = objects.namespace(quota)
        have = sum(not pod_is_over(pod) for pod in world.of(kinds.POD).values() if objects.namespace(pod) == space)
        used = (quota.get("status") or {}).get("used", {}).get("pods")
        if used != str(have):
            yield f"quota {key} counts {used} pods, there are {have}"


def _pods(world: World) -> Iterator[str]:
    for key, pod in world.of(kinds.POD).items():
        if objects.is_terminating(pod):
            yield f"pod {key} is being deleted"
        elif not node_of(pod) and not _waits_for_its_claim(world, pod):
            yield f"pod {key} has no node"
        elif node_of(pod) and not pod_is_over(pod) and not conditions.is_true(pod, "Ready"):
            yield f"pod {key} is not Ready: {_containers(pod)}"


def _waits_for_its_claim(world: World, pod: Object) -> bool:
    """Somebody else's turn, or nobody has made the claim (people give up): that is as wished."""
    there = volumes.claims(world, pod)
    if len(there) < len(storage.claim_names(pod)) and owners.controller_of(pod) is None:
        return True
    return any(volumes.is_for_one_pod(claim) and volumes.users(world, claim) for claim in there)


def _volumes(world: World) -> Iterator[str]:
    for name, volume in world.of(kinds.PERSISTENT_VOLUME).items():
        if (volume.get("status") or {}).get("phase") != "Bound":
            yield f"volume {name} is {(volume.get('status') or {}).get('phase')}"
    for key, pod in world.of(kinds.POD).items():
        for claim in volumes.claims(world, pod) if node_of(pod) else ():
            if (claim.get("status") or {}).get("phase") != "Bound":
                yield f"pod {key} runs without its claim {objects.key(claim)} being bound"


def _ending(world: World) -> Iterator[str]:
    """A claim that is being deleted stays as long as a pod uses it."""
    for _, one in world.everything():
        if one["kind"] == "PersistentVolumeClaim" and volumes.users(world, one):
            continue
        if one["kind"] != "Pod" and objects.is_terminating(one):
            yield f"{one['kind']} {objects.key(one)} is being deleted, finalizers {one['metadata'].get('finalizers')}"


def _containers(pod: Object) -> list[Object]:
    return [one.get("state") or {} for one in (pod.get("status") or {}).get("containerStatuses") or []]


CHECKS = (_nodes, _deployments, _replica_sets, _stateful_sets, _daemon_sets, _jobs, _quotas, _pods, _volumes, _ending)
