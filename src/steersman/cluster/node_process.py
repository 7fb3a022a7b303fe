"""The process of one real node: kubelet, proxy and DNS, inside the node's network namespace."""

import asyncio
import dataclasses
import functools
import pathlib
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import kinds, local_path, releases
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.events import Pace, Recorder
from steersman.cluster import node_runtime, options, pki, processes
from steersman.cluster.paths import Paths
from steersman.cluster.plan import Member, Node
from steersman.dns import forwarder, metrics
from steersman.dns import server as dns
from steersman.kubelet import configuration_file, local_paths
from steersman.kubelet import server as kubelet_server
from steersman.kubelet.agent import Kubelet
from steersman.kubelet.eviction.thresholds import HARD_DEFAULTS, IMAGE_BYTES, NODE_BYTES, Settings
from steersman.kubelet.local_paths import LocalPaths
from steersman.kubelet.options import Options
from steersman.kubelet.pods_by_node import PodsByNode
from steersman.meta.objects import Object
from steersman.network import cluster_network, cni, libnftables, namespaces, node_network, pod_network
from steersman.network.policy import controller as policy
from steersman.proxy import controller as proxy
from steersman.proxy import layout, nftables, userspace
from steersman.proxy.health_checks import HealthChecks
from steersman.serving import http_server, listeners, tls, zpages

KUBELET_PORT = 10250
LEASES_IN_GRACE = 4  # heartbeats that may be lost before a node counts as lost
# "The power fails": pods end in good order, then the process; SIGTERM leaves them running.
SHUTDOWN_SIGNAL, CALL_OFF_SIGNAL = signal.SIGPWR, signal.SIGUSR2
RESOLV_CONF = pathlib.Path("/etc/resolv.conf")


def static_pods_dir(paths: Paths, node: Node) -> pathlib.Path:
    """Each file in it is a pod that this node runs."""
    return paths.node_data(node.name) / "manifests"


def local_path_dir(paths: Paths, node: Node) -> pathlib.Path:
    """Where the data of its `local-path` volumes is."""
    return paths.node_data(node.name) / "local-path"


@dataclasses.dataclass(frozen=True, slots=True)
class OwnMachine:
    """What is otherwise for a node that is a machine itself, not one behind a machine's bridge. `lead` keeps the ways to other
    nodes until it is cancelled; `keep` are further tasks by name, which may change the TLS of the kubelet's server."""

    mtu: int
    kubelet: Client
    proxy: Client
    labels: Mapping[str, str]
    taints: tuple[Object, ...]
    lead: Callable[[Caches], Coroutine[Any, Any, None]]
    keep: Callable[[ssl.SSLContext], Mapping[str, Coroutine[Any, Any, None]]]


async def run(plan: Member, node: Node, host_namespace: str, machine: OwnMachine | None = None) -> None:
    """Until cancelled; containers go on running. The process must be in the node's network namespace; `host_namespace` is a
    path to the host's, where registries and the machine's own resolvers can be reached."""
    task = asyncio.current_task()
    assert task is not None
    clock = SystemClock()
    directory = node_runtime.kubelet_dir(plan.paths, node)
    directory.mkdir(parents=True, exist_ok=True)
    static_pods_dir(plan.paths, node).mkdir(exist_ok=True)
    network = _pod_network(plan, node, machine.mtu if machine else 0)
    proxying = machine.proxy if machine else processes.client(plan, pki.PROXY, "kube-proxy", clock)
    proxy_caches = Caches(proxying, clock)
    versions = [6 if family == "IPv6" else 4 for family in plan.options.families]
    always = [one for one in (plan.address, *plan.gateway_six) if one]
    policies = policy.Policies(proxy_caches, node.name, clock, versions=versions, always=always)
    policed = policy.PolicedNetwork(network, policies)
    containers = node_runtime.make(
        plan.paths,
        plan.options.name,
        node,
        plan.options.runtime,
        policed,
        clock,
        host_namespace=host_namespace,
        registry_hosts=plan.options.registry_hosts_dir,
        snapshotter=plan.options.snapshotter,
    )
    client = machine.kubelet if machine else processes.client(plan, pki.node_identity(node.name), "kubelet", clock)
    caches = Caches(client, clock)
    pods = PodsByNode(caches.of(kinds.POD, field_selector=f"spec.nodeName={node.name}"))
    told = kubelet_options(plan, node)
    if machine is not None:
        told = dataclasses.replace(told, labels=machine.labels, taints=machine.taints)
    pace = Pace(told.events_per_second, told.events_burst)
    recorder = Recorder(client, clock, "kubelet", node.name, pace)
    agent = Kubelet(
        node.name,
        client,
        pods,
        containers,
        clock,
        recorder,
        told,
        services=caches.of(kinds.SERVICE),
        nodes=local_paths.cache_of(caches, node.name),
    )
    recorder.give_way(lambda: agent.is_starting_pods)
    roots = {node.name: local_path_dir(plan.paths, node)}
    folders = LocalPaths(lambda _: client, local_paths.cache_of(caches, node.name), clock, roots)
    context = server_context(plan, node.name)
    node_network.bind_dns_address(plan.dns_address)
    await containers.start()
    if plan.options.runtime == "cri":
        await node_runtime.load_examples(containers, node_runtime.daemon(plan.paths, node, clock))
    try:
        async with Tasks(node.name) as running:
            running.start("events", recorder.run())
            running.start("kubelet", agent.run())
            running.start("local paths", folders.run())
            running.start(
                "kubelet server",
                serve(
                    plan,
                    context,
                    [agent],
                    [listeners.tcp(one, KUBELET_PORT) for one in plan.addresses_of(node)],
                    clock,
                ),
            )
            running.start("proxy", _proxy(plan, node, proxy_caches, clock))
            running.start("network policies", policies.run())
            lead = (
                node_network.run(proxy_caches, node.name, plan.pod_networks, clock)
                if machine is None
                else machine.lead(proxy_caches)
            )
            running.start("routes", lead)
            for name, keeping in machine.keep(context).items() if machine is not None else ():
                running.start(name, keeping)
            running.start("dns", _dns(plan, node, proxy_caches, clock, host_namespace))
            running.start("caches", caches.run())
            running.start("proxy caches", proxy_caches.run())
            loop = asyncio.get_running_loop()
            shut_down = lambda: running.start("shutdown", _shut_down(agent, recorder, task))  # noqa: E731
            call_off = lambda: running.start("call off", agent.call_off_shutdown())  # noqa: E731
            loop.add_signal_handler(SHUTDOWN_SIGNAL, shut_down)
            loop.add_signal_handler(CALL_OFF_SIGNAL, call_off)
            await running.wait()
    finally:
        await containers.close()
        network.close()


async def _proxy(plan: Member, node: Node, caches: Caches, clock: SystemClock) -> None:
    release, flags = releases.parse(plan.options.kubernetes_version), plan.options.flags()
    health = HealthChecks(node.name, clock, zpages.Component("kube-proxy", release, clock.now(), flags))
    await health.start()
    try:
        if libnftables.is_available():
            backends = {
                family: nftables.Nftables(table=layout.Table(nftables.TABLE, pods, family, own=True))
                for family, pods in zip(plan.options.families, plan.pod_networks, strict=True)
            }
            await proxy.run(caches, node.name, backends, clock, health=health)
        else:
            take, give = (functools.partial(node_network.own_address, wanted=wanted) for wanted in (True, False))
            carried = {family: userspace.Userspace(clock, take, give, family) for family in plan.options.families}
            await proxy.run(caches, node.name, carried, clock, offload=userspace.at_once, health=health)
    finally:
        await health.close()


async def _shut_down(agent: Kubelet, recorder: Recorder, process: asyncio.Task[None]) -> None:
    """End the node's pods in good order, then the process, unless somebody thought better of it."""
    if await agent.shut_down():
        await recorder.flush()
        process.cancel()


async def _dns(plan: Member, node: Node, caches: Caches, clock: SystemClock, host_namespace: str) -> None:
    names = caches.of(kinds.CONFIG_MAP, namespace="kube-system", field_selector="metadata.name=kube-dns")
    counted = metrics.Metrics()
    sockets = [listeners.tcp(node.address, metrics.PORT)]
    async with await http_server.serve(counted.handle, sockets=sockets, clock=clock):
        await dns.run(
            caches,
            [plan.dns_address],
            clock,
            forwarder.resolvers_of(str(RESOLV_CONF)),
            domain=options.CLUSTER_DOMAIN,
            reverse_networks=(*plan.service_networks, *plan.pod_networks),
            open_socket=functools.partial(namespaces.open_socket, host_namespace),
            custom=names,
            counted=counted,
        )


def _pod_network(plan: Member, node: Node, mtu: int) -> pod_network.PodNetwork | cni.CniNetwork:
    state = plan.paths.node_data(node.name)
    if plan.options.cni_conf_dir:
        return cni.CniNetwork(plan.options.cni_conf_dir, state_dir=state, node_addresses=plan.addresses_of(node))
    return pod_network.PodNetwork(
        node.pod_cidr,
        state_dir=state,
        node_address=node.address,
        cluster_cidr=plan.pod_network,
        mtu=mtu,
        six=_six(plan, node),
    )


def _six(plan: Member, node: Node) -> pod_network.Six | None:
    address, cidr = node.six
    if not address:
        return None
    pods = cluster_network.pod_cidr_six(plan.options.network_number or 0)
    return pod_network.Six(cidr, address, pods, first=plan.options.families[0] == "IPv6")


# The disk is shared with whatever else is on the machine: upstream's 10 and 15 % of a large one would stop a cluster for
# want of tens of gigabytes that it does not need. k3s chooses the same.
DISK_LEAST = {NODE_BYTES: "5%", IMAGE_BYTES: "5%"}


def server_context(plan: Member, server: str) -> ssl.SSLContext:
    pair = plan.kubelet_servers[server]
    return tls.server_context(pair.certificate, pair.key, plan.authority)


async def serve(
    plan: Member, context: ssl.SSLContext, agents: list[Kubelet], sockets: list[socket.socket], clock: SystemClock
) -> None:
    """The kubelet's HTTPS API for one or many agents, until cancelled."""
    handler = kubelet_server.KubeletServer(agents, clock, plan.options.flags()).handle
    async with await http_server.serve(handler, sockets=sockets, ssl_context=context, clock=clock):
        await asyncio.get_running_loop().create_future()


def kubelet_options(plan: Member, node: Node) -> Options:
    made = Options(
        data_dir=node_runtime.kubelet_dir(plan.paths, node),
        address=plan.addresses_of(node)[0],
        second_address="".join(plan.addresses_of(node)[1:]),
        hostname=node.name,
        port=KUBELET_PORT,
        annotations={local_path.ROOT: str(local_path_dir(plan.paths, node))},
        kubelet_version=f"v{releases.parse(plan.options.kubernetes_version)}",
        pod_cidr=next(iter(plan.pod_cidrs_of(node)), ""),
        second_pod_cidr="".join(plan.pod_cidrs_of(node)[1:]),
        cluster_dns=(plan.dns_address,),
        cluster_domain=options.CLUSTER_DOMAIN,
        resolv_conf=RESOLV_CONF,
        static_pods=static_pods_dir(plan.paths, node),
        device_plugins=node_runtime.kubelet_dir(plan.paths, node) / "device-plugins",
        credential_providers=plan.options.image_credential_provider_config,
        credential_programs=plan.options.image_credential_provider_bin_dir,
        eviction=Settings(hard={**HARD_DEFAULTS, **DISK_LEAST}),
        lease_renew_seconds=plan.options.heartbeat_seconds,
        lease_duration_seconds=max(1, round(plan.options.heartbeat_seconds * LEASES_IN_GRACE)),
    )
    file = plan.options.kubelet_config
    return configuration_file.with_configuration(made, configuration_file.read(file)) if file else made
