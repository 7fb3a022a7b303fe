"""The process of a machine that joined: it takes its place in the cluster, gets what certificates it lacks, and is a node then.

Keeps true: the Node has the machine's address; every certificate is renewed before it ends.
Reads: ConfigMap kube-system/steersman-config, Node.  Writes: Node (creates it; its addresses), CertificateSigningRequests.
Leaves to others: everything else of a node (`node_process`).
"""

import contextlib
import dataclasses
import functools
import logging
import pathlib
import ssl
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from steersman.aio.clock import Clock, SystemClock
from steersman.api import kinds
from steersman.apiserver import joining
from steersman.client.cache import Caches
from steersman.client.client import Client, Unreachable
from steersman.client.transport import HttpTransport
from steersman.cluster import node_process, pki, processes
from steersman.cluster.join import certificates, configuration, membership
from steersman.cluster.join.certificates import Wish
from steersman.cluster.join.membership import Membership
from steersman.cluster.paths import Paths
from steersman.cluster.plan import Member, Node
from steersman.controllers.node_ipam.decide import ranges_of
from steersman.kubelet import node_object
from steersman.meta.errors import StatusError
from steersman.meta.objects import Object
from steersman.network import machine_network, namespaces
from steersman.network.node_network import internal_address

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
LOOK_SECONDS = 0.1


async def run(where: Paths, of: Membership) -> None:
    """Until cancelled; containers go on running."""
    clock = SystemClock()
    machine_network.prepare()
    of = await _with_news(where, of, clock)
    member = membership.member(where, of)
    node = Node(of.node, 0, of.address, "")
    kubelet = _Identity(member, pki.node_identity(of.node), "kubelet", clock)
    range_ = await take_place(kubelet.client, await _wanted_node(member, node, of), of.address, clock)
    node = dataclasses.replace(node, pod_cidr=range_)
    serving = certificates.of_kubelet(of.node, (of.node, of.address), of.certificate_seconds)
    proxying = certificates.of_proxy(of.certificate_seconds)
    files = {one: _file(where, of, one) for one in (serving, proxying)}
    for wish, file in files.items():
        if not certificates.is_good(file, clock.now(), wish.names):
            await certificates.insist(
                functools.partial(certificates.obtain, kubelet.client, wish, file, clock), wish, clock
            )
    proxy = _Identity(member, pki.PROXY, "kube-proxy", clock)

    def keep(context: ssl.SSLContext) -> Mapping[str, Coroutine[Any, Any, None]]:
        own = certificates.of_node(of.node, of.certificate_seconds)
        renewed: dict[Wish, Callable[[], None]] = {
            own: kubelet.renewed,
            serving: lambda: context.load_cert_chain(files[serving]),
            proxying: proxy.renewed,
        }
        return {
            f"certificate {wish.signer}": certificates.keep(kubelet.client, wish, _file(where, of, wish), clock, told)
            for wish, told in renewed.items()
        }

    source = range_.partition("/")[0]
    here = machine_network.Machine(
        of.cluster.network_number, of.address, source, f"steersman:{of.cluster.name}", (member.service_network,)
    )

    async def lead(caches: Caches) -> None:
        await machine_network.run(caches, here, of.cluster.server, clock)

    mtu = machine_network.mtu_of_pods(of.address)
    machine = node_process.OwnMachine(mtu, kubelet.client, proxy.client, of.labels, of.taints, lead, keep)
    await node_process.run(member, node, namespaces.OWN, machine)


async def take_place(client: Client, wanted: Object, address: str, clock: Clock) -> str:
    """The Node is there, at this machine's address; answers its range of pod addresses, as soon as the cluster gave it one."""
    name = wanted["metadata"]["name"]
    while True:
        try:
            try:
                node = await client.get(kinds.NODE, name)
            except StatusError as refused:
                if refused.code != 404:
                    raise
                node = await client.create(kinds.NODE, wanted)
            if internal_address(node) != address:
                at = [*wanted["status"]["addresses"], {"$patch": "replace"}]
                patch = {"status": {"addresses": at}}
                node = await client.patch(kinds.NODE, name, "", patch, type="strategic", subresource="status")
            if ranges_of(node):
                return ranges_of(node)[0]
            await clock.sleep(LOOK_SECONDS)
        except (StatusError, Unreachable) as refused:
            log.warning("node %s has no place in the cluster yet: %s", name, refused)
            await clock.sleep(RETRY_SECONDS)


async def _wanted_node(member: Member, node: Node, of: Membership) -> Object:
    told = node_process.kubelet_options(member, node)
    told.data_dir.mkdir(parents=True, exist_ok=True)
    told = dataclasses.replace(told, labels=of.labels, taints=of.taints)
    wanted = node_object.build(of.node, told, node_object.of_machine(told.data_dir))
    return {**wanted, "status": {"addresses": node_object.addresses(of.node, told)}}


async def _with_news(where: Paths, of: Membership, clock: Clock) -> Membership:
    """What the cluster says of itself by now; as it was, where it cannot be asked."""
    kubelet = _Identity(membership.member(where, of), pki.node_identity(of.node), "kubelet", clock)
    with contextlib.suppress(StatusError, Unreachable, configuration.Unusable):
        told = await kubelet.client.get(kinds.CONFIG_MAP, joining.CONFIGURATION, "kube-system")
        now = dataclasses.replace(of, cluster=configuration.parse(told.get("data") or {}))
        if now != of:
            membership.save(where, now)
        of = now
    await kubelet.transport.close()
    return of


def _file(where: Paths, of: Membership, wish: Wish) -> pathlib.Path:
    if wish.names:
        return membership.serving_certificate(where, of)
    return membership.certificate(where, pki.PROXY if wish.user == pki.PROXY.user else pki.node_identity(of.node))


class _Identity:
    """A way to the API server whose certificate changes now and then."""

    def __init__(self, member: Member, identity: pki.Identity, agent: str, clock: Clock) -> None:
        self._member = member
        self._identity = identity
        self.transport = HttpTransport(processes.access(member, identity), clock=clock)
        self.client = Client(self.transport, user_agent=agent, clock=clock)

    def renewed(self) -> None:
        self.transport.become(processes.access(self._member, self._identity))
