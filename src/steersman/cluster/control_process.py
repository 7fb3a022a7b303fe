"""The process of controllers and scheduler; as root also of what the host itself needs to reach pods and Services."""

import os
import pwd
import resource
from collections.abc import Callable, Iterable

from steersman import controllers
from steersman.aio.clock import SystemClock
from steersman.aio.tasks import Tasks
from steersman.api import kinds, releases
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.events import Recorder
from steersman.cluster import component_server, control_plane, pki, processes, rootless
from steersman.cluster.plan import RESERVED_RANGES, Plan
from steersman.csi import roles as csi_roles
from steersman.ingress import controller as ingress
from steersman.ingress import haproxy
from steersman.ingress.haproxy_config import Listen
from steersman.meta.exposition import Sample
from steersman.network import announcements, cluster_network, libnftables, machine_network, node_network
from steersman.proxy import controller as proxy
from steersman.proxy import layout
from steersman.proxy.nftables import Nftables
from steersman.scheduler import controller as scheduler
from steersman.scheduler import pods
from steersman.serving import tls, zpages

_FILES_OF_THE_PROXY = 500  # its own, generously


async def run(plan: Plan, bridge: str, machine: machine_network.Machine | None) -> None:
    """Until cancelled. `bridge` is the link to the nodes, "" when there are none to reach; `machine` this one among several."""
    clock = SystemClock()
    wanted = controllers.Options(
        node_grace_seconds=plan.options.node_monitor_grace_seconds,
        cluster_cidrs=plan.pod_networks,
        node_mask_bits=tuple(64 if ":" in cidr else 24 for cidr in plan.pod_networks),
        reserved_ranges=RESERVED_RANGES if plan.outside else 0,
        guarded=(*plan.api_server_names, *plan.service_networks, *plan.pod_networks),
        root_ca=plan.authority.read_text(),
        load_balancer_pool=plan.options.load_balancer_pool,
        signing_ca=(plan.authority.read_bytes(), plan.authority.with_suffix(".key").read_bytes()),
    )
    client = processes.client(plan, pki.CONTROLLERS, "kube-controller-manager", clock)
    caches = Caches(client, clock)
    scheduling = processes.client(plan, pki.SCHEDULER, "kube-scheduler", clock)
    async with Tasks("control plane") as running:
        loops = controllers.Controllers(client, caches, clock, wanted)
        running.start("controllers", loops.run())
        running.start("csi", csi_roles.run(client, caches, clock))
        told = Recorder(scheduling, clock, pods.DEFAULT_SCHEDULER)
        placing = scheduler.Scheduler(scheduling, caches, clock, told, pods.DEFAULT_SCHEDULER)
        running.start("scheduler", scheduler.run_one(placing, told))
        for name, own, port, samples in (
            ("kube-controller-manager", client, component_server.CONTROLLERS_PORT, loops.samples),
            ("kube-scheduler", scheduling, component_server.SCHEDULER_PORT, placing.samples),
        ):
            running.start(f"{name} server", _tell(plan, name, own, port, clock, samples))
        of_here = plan.options.control_plane_node()
        if of_here:
            admin = processes.client(plan, pki.ADMIN, "steersman", clock)
            running.start("control plane's node", control_plane.mark(caches.of(kinds.NODE), of_here, admin, clock))
        if bridge:
            if libnftables.is_available():
                running.start("host proxy", proxy.run(caches, "", _rules(plan, bridge), clock))
            else:
                node_network.lead_services(plan.service_network, plan.nodes[0].address, bridge)
            running.start("announcements", announcements.run(caches, clock, bridge=bridge))
            running.start("host routes", node_network.run(caches, "", plan.pod_networks, clock, device=bridge))
            if machine is not None:
                server = machine_network.Server(
                    plan.outside, cluster_network.node_cidr(machine.number), plan.pod_network
                )
                running.start("machines", machine_network.run(caches, machine, server, clock))
            if haproxy.is_installed():
                recorder = Recorder(client, clock, "ingress-controller")
                running.start("ingress events", recorder.run())
                proxied = haproxy.Haproxy(plan.paths.ingress, clock)
                running.start("ingress", ingress.run(caches, client, recorder, proxied, _ingress(plan), clock))
        running.start("caches", caches.run())
        await running.wait()


async def _tell(
    plan: Plan, name: str, client: Client, port: int, clock: SystemClock, samples: Callable[[], Iterable[Sample]]
) -> None:
    """The component's own server, on the host's address in the cluster's network where there is one."""
    release = releases.parse(plan.options.kubernetes_version)
    component = zpages.Component(name, release, clock.now(), plan.options.flags())
    context = tls.server_context(plan.api_server.certificate, plan.api_server.key, plan.authority)
    server = component_server.ComponentServer(component, client, clock, samples, plan.server.removeprefix("https://"))
    await component_server.serve(server, plan.address or "127.0.0.1", port, context, clock)


def _ingress(plan: Plan) -> ingress.Options:
    """On the host's address in the cluster's network: there it is in nobody's way."""
    user, group = ("haproxy", "haproxy") if _may_become("haproxy") else ("", "")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)  # a connection takes two, one to each side
    connections_max = min(Listen.connections_max, (files - _FILES_OF_THE_PROXY) // 2)
    listen = Listen((plan.address,), connections_max=connections_max, user=user, group=group)
    return ingress.Options(
        plan.paths.ingress, plan.paths.ingress_certificate, listen, plan.address, plan.options.gateway_api
    )


def _may_become(user: str) -> bool:
    """Inside a user namespace other users mostly do not exist."""
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return os.geteuid() == 0 and not rootless.is_inside()


def _rules(plan: Plan, bridge: str) -> dict[str, Nftables]:
    """A table of the cluster's own: several clusters share the host's network namespace."""
    name = cluster_network.services_table(bridge)
    return {
        family: Nftables(table=layout.Table(name, pods, family))
        for family, pods in zip(plan.options.families, plan.pod_networks, strict=True)
    }
