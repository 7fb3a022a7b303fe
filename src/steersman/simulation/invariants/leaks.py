"""Nothing is left behind once quiet: no objects in namespaces that are gone, no containers of pods that are gone."""

from collections.abc import Iterator

from steersman.api import kinds
from steersman.meta import objects
from steersman.simulation.cluster import SimulatedCluster


def check_end(cluster: SimulatedCluster) -> Iterator[str]:
    world = cluster.history.world
    spaces = world.of(kinds.NAMESPACE)
    for _, obj in world.everything():
        namespace = objects.namespace(obj)
        if namespace and namespace not in spaces:
            yield f"{obj['kind']} {objects.key(obj)} is in a namespace that is gone"
    pods = {objects.uid(pod): pod for pod in world.of(kinds.POD).values()}
    for node in cluster.nodes:
        for sandbox in node.runtime.sandboxes():
            pod = pods.get(sandbox.pod_uid)
            if pod is None or pod["spec"].get("nodeName") != node.name:
                yield f"{node.name} still has a sandbox of {sandbox.namespace}/{sandbox.name}, which is gone"
