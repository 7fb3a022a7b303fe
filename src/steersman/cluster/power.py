"""Switching nodes off: with `down` in good order, with `node stop` as if the power went."""

import asyncio
import logging
import pathlib

from steersman.aio.clock import SystemClock
from steersman.cluster import node_runtime
from steersman.cluster.paths import Paths
from steersman.cluster.plan import Node
from steersman.containers import runtime
from steersman.containers.oci import cgroups, power
from steersman.network import cluster_network, cni, namespaces, pod_network

log = logging.getLogger(__name__)

GRACE_SECONDS = 2.0  # for containers to end by themselves when the whole cluster stops


def cut(paths: Paths, cluster: str, node: Node, kind: str) -> None:
    """Every process of the node's containers is killed, and their parent, before anyone can react."""
    if kind == "cri":
        node_runtime.daemon(paths, node, SystemClock()).cut(f"steersman/{cluster}/{node.name}")
    else:
        power.cut(paths.node_run(node.name) / "containers")


def shut_down(paths: Paths, cluster: str, nodes: tuple[Node, ...], kind: str) -> None:
    """End all containers, and leave no mount, namespace or control group of theirs. Nothing else may use the nodes."""
    asyncio.run(_shut_down_all(paths, cluster, nodes, kind))


def shut_down_machine(paths: Paths, cluster: str, node: Node, kind: str) -> None:
    """The same for the node that this machine is itself."""
    asyncio.run(_shut_down(paths, cluster, node, kind, namespaces.OWN))


async def _shut_down_all(paths: Paths, cluster: str, nodes: tuple[Node, ...], kind: str) -> None:
    """One node that cannot be shut down does not keep the others from it."""
    places = cluster_network.ClusterNetwork(cluster, paths.run)
    work = [_shut_down(paths, cluster, node, kind, str(places.namespace_path(node.name))) for node in nodes]
    failures = [one for one in await asyncio.gather(*work, return_exceptions=True) if isinstance(one, Exception)]
    if failures:
        raise ExceptionGroup("nodes that did not shut down", failures)


async def _shut_down(paths: Paths, cluster: str, node: Node, kind: str, path: str) -> None:
    """`path` is the node's network namespace."""
    state = paths.node_data(node.name)
    network: pod_network.PodNetwork | cni.CniNetwork
    if cni.was_used(state):
        network = cni.CniNetwork("", state_dir=state, namespace=path)
    else:
        network = pod_network.PodNetwork(state_dir=state, namespace=path)
    containers = node_runtime.make(paths, cluster, node, kind, network, SystemClock(), namespace=path)
    await containers.start()
    running = [one.id for one in await containers.list_containers() if one.state is runtime.State.RUNNING]
    async with asyncio.TaskGroup() as group:
        for container_id in running:
            group.create_task(containers.stop_container(container_id, GRACE_SECONDS))
    await containers.destroy()
    network.close()
    hierarchy = cgroups.detect(pathlib.Path("/proc/self/mountinfo").read_text())
    cgroups.remove_empty_parents(hierarchy, f"steersman/{cluster}", "steersman")
