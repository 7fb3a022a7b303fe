"""The process of all nodes on paper: many kubelets, one cache of pods, one server for logs and exec."""

import pathlib
import socket

from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import kinds, releases
from steersman.client.cache import Cache, Caches
from steersman.client.client import Client
from steersman.client.events import Recorder
from steersman.cluster import node_process, pki, processes
from steersman.cluster.plan import FAKE_KUBELET, Node, Plan
from steersman.containers.fake import FakeRuntime
from steersman.kubelet import node_object
from steersman.kubelet.agent import Kubelet
from steersman.kubelet.local_paths import LocalPaths
from steersman.kubelet.options import Options
from steersman.kubelet.pods_by_node import PodsByNode

# All together renew this many Leases in a second at most, as kwok's do: a thousand nodes on paper say every 20 s that they
# are alive, and their Leases promise no more.
RENEWALS_PER_SECOND_MAX = 50.0
# Like a usual server, whatever this machine is: kwok's nodes have 32 CPUs and 256 Gi.
CAPACITY = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "110"}


async def run(plan: Plan, listener: socket.socket) -> None:
    """Until cancelled."""
    clock = SystemClock()
    client = processes.client(plan, pki.FAKE_NODES, "kubelet", clock)
    caches = Caches(client, clock)
    pods = PodsByNode(caches.of(kinds.POD))
    recorder = Recorder(client, clock, "kubelet")
    nodes = caches.of(kinds.NODE)
    clients = {node.name: _as_node(client, node.name) for node in plan.fake_nodes}
    twins = {node.name: node.capacity for node in plan.options.paper_nodes}
    agents = [
        _agent(plan, node, clients[node.name], pods, nodes, recorder, clock, twins.get(node.name))
        for node in plan.fake_nodes
    ]
    context = node_process.server_context(plan, FAKE_KUBELET)
    roots = {agent.node_name: None for agent in agents}
    folders = LocalPaths(lambda node: clients[node], nodes, clock, roots)
    async with Tasks("fake nodes") as running:
        running.start("events", recorder.run())
        for agent in agents:
            await agent.runtime.start()
            running.start(agent.node_name, agent.run())
        running.start("local paths", folders.run())
        running.start("kubelet server", node_process.serve(plan, context, agents, [listener], clock))
        running.start("caches", caches.run())
        await running.wait()


def _as_node(client: Client, name: str) -> Client:
    identity = pki.node_identity(name)
    return client.acting_as(identity.user, identity.groups[0])


def _agent(
    plan: Plan,
    node: Node,
    client: Client,
    pods: PodsByNode,
    nodes: Cache,
    recorder: Recorder,
    clock: SystemClock,
    twin: dict[str, str] | None,
) -> Kubelet:
    """`twin`: the capacity of the node that this one stands for in a fork."""
    capacity = twin or CAPACITY
    renew_seconds = max(plan.options.heartbeat_seconds, len(plan.fake_nodes) / RENEWALS_PER_SECOND_MAX)
    known = Options(
        data_dir=pathlib.Path(plan.paths.data / "fake-nodes"),
        address=plan.addresses_of(node)[0],
        hostname=node.name,
        labels={} if twin else {"type": "fake"},
        capacity=capacity,
        pods_max=int(capacity["pods"]),
        kubelet_version=f"v{releases.parse(plan.options.kubernetes_version)}",
        pod_cidr=next(iter(plan.pod_cidrs_of(node)), ""),
        second_address="".join(plan.addresses_of(node)[1:]),
        second_pod_cidr="".join(plan.pod_cidrs_of(node)[1:]),
        lease_renew_seconds=renew_seconds,
        lease_duration_seconds=max(1, round(renew_seconds * node_process.LEASES_IN_GRACE)),
        on_paper=True,
    )
    containers = FakeRuntime(clock, pod_cidr=node.pod_cidr or plan.pod_network)
    machine = node_object.Machine()
    return Kubelet(node.name, client, pods, containers, clock, recorder, known, nodes=nodes, machine=machine)
