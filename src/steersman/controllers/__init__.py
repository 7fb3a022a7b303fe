"""Keep what is true what is wished for: one folder per controller, and the one loop that runs them all.

`run(client, caches, clock, options)` runs every controller until cancelled. It does not run the caches: whoever owns them
does, as the scheduler in the same process reads the same ones.
"""

import dataclasses
from collections.abc import Iterator

from steersman.aio import tasks
from steersman.aio.clock import Clock
from steersman.api import kinds
from steersman.api.kind import Kinds
from steersman.client.cache import Caches
from steersman.client.client import Client
from steersman.client.events import Recorder
from steersman.client.leader_election import LeaderElection
from steersman.controllers import figures
from steersman.controllers.attach_detach import controller as attach_detach
from steersman.controllers.bootstrap_signer import controller as bootstrap_signer
from steersman.controllers.clusterrole_aggregation import controller as clusterrole_aggregation
from steersman.controllers.cronjob import controller as cronjob
from steersman.controllers.csr_approving import controller as csr_approving
from steersman.controllers.csr_cleaner import controller as csr_cleaner
from steersman.controllers.csr_node_approving import controller as csr_node_approving
from steersman.controllers.csr_signing import controller as csr_signing
from steersman.controllers.custom_kinds import CustomKinds
from steersman.controllers.daemonset import controller as daemonset
from steersman.controllers.deployment import controller as deployment
from steersman.controllers.device_taint_eviction import controller as device_taint_eviction
from steersman.controllers.disruption import controller as disruption
from steersman.controllers.endpointslice import controller as endpointslice
from steersman.controllers.endpointslice_mirroring import controller as endpointslice_mirroring
from steersman.controllers.ephemeral_volume import controller as ephemeral_volume
from steersman.controllers.garbage_collector import controller as garbage_collector
from steersman.controllers.horizontal_pod_autoscaler import controller as horizontal_pod_autoscaler
from steersman.controllers.ip_address import controller as ip_address
from steersman.controllers.job import controller as job
from steersman.controllers.legacy_token_cleaner import controller as legacy_token_cleaner
from steersman.controllers.load_balancer import controller as load_balancer
from steersman.controllers.local_path import controller as local_path
from steersman.controllers.loop import Controller, Loop
from steersman.controllers.namespace import controller as namespace
from steersman.controllers.node_ipam import controller as node_ipam
from steersman.controllers.node_lifecycle import controller as node_lifecycle
from steersman.controllers.node_ttl import controller as node_ttl
from steersman.controllers.persistent_volume import controller as persistent_volume
from steersman.controllers.pod_certificate_cleaner import controller as pod_certificate_cleaner
from steersman.controllers.pod_gc import controller as pod_gc
from steersman.controllers.podgroup_protection import controller as podgroup_protection
from steersman.controllers.policy_status import controller as policy_status
from steersman.controllers.pv_protection import controller as pv_protection
from steersman.controllers.pvc_protection import controller as pvc_protection
from steersman.controllers.replicaset import controller as replicaset
from steersman.controllers.replicationcontroller import controller as replicationcontroller
from steersman.controllers.resource_claim import controller as resource_claim
from steersman.controllers.resource_quota import controller as resource_quota
from steersman.controllers.root_ca_publisher import controller as root_ca_publisher
from steersman.controllers.service_account import controller as service_account
from steersman.controllers.service_account_tokens import controller as service_account_tokens
from steersman.controllers.service_cidr import controller as service_cidr
from steersman.controllers.statefulset import controller as statefulset
from steersman.controllers.storage_version_migrator import controller as storage_version_migrator
from steersman.controllers.taint_eviction import controller as taint_eviction
from steersman.controllers.token_cleaner import controller as token_cleaner
from steersman.controllers.trust_bundle_publisher import controller as trust_bundle_publisher
from steersman.controllers.vac_protection import controller as vac_protection
from steersman.controllers.volume_expand import controller as volume_expand
from steersman.meta.exposition import Sample

LEASE = "kube-controller-manager"  # upstream's, in kube-system: ours and upstream's never lead at the same time


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """The flags of the controllers. Delays are short, for a cluster on one machine; upstream's stand in brackets.

    `node_grace_seconds` [40]: silence after which a node counts as lost, but at least what its lease promises
    (`leaseDurationSeconds`), so kubelets must renew at least three times in it.
    `node_startup_grace_seconds` [60]: the same for a node that has never reported.
    `node_missing_seconds` [40]: how long a node must be gone before its pods are removed.
    `terminated_pods_max` [12,500]: ended pods that may stay; 0: all.
    `cluster_cidrs`, `node_mask_bits`: the pod network and each node's share of it; () leaves it to someone else. The first
    `reserved_ranges` shares are never given: nodes that somebody else starts have them.
    `root_ca`: the certificate (PEM) that pods check the API server by; "" publishes none.
    `load_balancer_pool`: addresses for Services of type LoadBalancer (`meta.address_pools`); "": those of the nodes.
    `signing_ca`: certificate and key (PEM) of the authority that signs for the `kubernetes.io/…` signers; None leaves requests
    unsigned.
    `guarded`: names, addresses and ranges of the control plane and of Services, for which no node gets a serving certificate.
    `local_path`: make volumes of the built-in class `local-path`, which is then there, as the default.
    `leader_identity`: take part in leader election under this name; "" is for the only one.
    """

    node_grace_seconds: float = 8.0
    node_startup_grace_seconds: float = 30.0
    node_missing_seconds: float = 5.0
    terminated_pods_max: int = 12_500
    cluster_cidrs: tuple[str, ...] = ("10.244.0.0/16",)
    node_mask_bits: tuple[int, ...] = (24,)
    reserved_ranges: int = 0
    root_ca: str = ""
    load_balancer_pool: str = ""
    signing_ca: tuple[bytes, bytes] | None = None
    guarded: tuple[str, ...] = ()
    local_path: bool = True
    leader_identity: str = ""


def all_controllers(clock: Clock, options: Options = Options(), served: Kinds = kinds.BUILTIN) -> list[Controller]:
    """Every controller, in the order of the run of a deployment."""
    found = [
        deployment.controller(),
        replicaset.controller(),
        statefulset.controller(),
        daemonset.controller(),
        job.controller(),
        cronjob.controller(),
        replicationcontroller.controller(),
        endpointslice.controller(),
        endpointslice_mirroring.controller(),
        garbage_collector.controller(served),
        namespace.controller(served),
        node_lifecycle.controller(clock, options.node_grace_seconds, options.node_startup_grace_seconds),
        taint_eviction.controller(),
        device_taint_eviction.controller(),
        pod_gc.controller(options.terminated_pods_max, options.node_missing_seconds),
        service_account.controller(),
        resource_quota.controller(served),
        service_cidr.controller(),
        load_balancer.controller(options.load_balancer_pool),
        ip_address.controller(),
        storage_version_migrator.controller(),
        disruption.controller(served),
        horizontal_pod_autoscaler.controller(served),
        persistent_volume.controller(),
        pvc_protection.controller(),
        podgroup_protection.controller(),
        policy_status.controller(),
        pv_protection.controller(),
        vac_protection.controller(),
        ephemeral_volume.controller(),
        resource_claim.controller(),
        volume_expand.controller(),
        attach_detach.controller(),
        clusterrole_aggregation.controller(),
        csr_approving.controller(),
        csr_node_approving.controller(options.guarded),
        csr_cleaner.controller(),
        pod_certificate_cleaner.controller(),
        service_account_tokens.controller(options.root_ca),
        legacy_token_cleaner.controller(),
        token_cleaner.controller(),
        bootstrap_signer.controller(),
        node_ttl.controller(),
    ]
    if options.cluster_cidrs:
        found.append(node_ipam.controller(options.cluster_cidrs, options.node_mask_bits, options.reserved_ranges))
    if options.signing_ca is not None:
        found.append(csr_signing.controller(*options.signing_ca))
    if options.local_path:
        found.append(local_path.controller())
    if options.root_ca:
        found.append(root_ca_publisher.controller(options.root_ca))
        found.append(trust_bundle_publisher.controller(options.root_ca))
    return found


async def run(client: Client, caches: Caches, clock: Clock, options: Options = Options()) -> None:
    """Until cancelled; the crash of one controller's loop ends all and is raised."""
    controllers = Controllers(client, caches, clock, options)
    if not options.leader_identity:
        await controllers.run()
        return
    election = LeaderElection(client, clock, name=LEASE, identity=options.leader_identity)
    await election.run(controllers.run)


class Controllers:
    """All loops of one process."""

    def __init__(self, client: Client, caches: Caches, clock: Clock, options: Options = Options()) -> None:
        self._recorders: list[Recorder] = []
        self.loops: list[Loop] = []
        self._custom = CustomKinds(caches, self.loops)
        for controller in all_controllers(clock, options, client.kinds):
            recorder = Recorder(client, clock, controller.name)
            self._recorders.append(recorder)
            self.loops.append(Loop(controller, caches, client, clock, recorder))

    async def run(self) -> None:
        running = tasks.Tasks("controllers")
        try:
            for recorder in self._recorders:
                running.start("events", recorder.run())
            for loop in self.loops:
                running.start(loop.controller.name, loop.run())
            running.start("custom kinds", self._custom.run())
            await running.wait()
        finally:
            await running.close()

    def is_idle(self) -> bool:
        """No controller has anything to do now (some may look again later)."""
        return all(loop.is_idle() for loop in self.loops)

    def samples(self) -> Iterator[Sample]:
        """For monitoring."""
        return figures.samples(self.loops)

    def statistics(self) -> dict[str, dict[str, float]]:
        return {loop.controller.name: dataclasses.asdict(loop.statistics) for loop in self.loops}
