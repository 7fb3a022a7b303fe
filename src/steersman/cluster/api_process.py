"""The process of the API server and its store."""

import asyncio
import socket
from collections.abc import Sequence

from steersman.aio.clock import Clock, SystemClock
from steersman.api import releases
from steersman.apiserver import authorization, joining, tokens
from steersman.apiserver.admission import settings, switches
from steersman.apiserver.aggregation import identity
from steersman.apiserver.audit import auditor, log_file, policy, webhook
from steersman.apiserver.jwt_issuers import configuration as jwt_configuration
from steersman.apiserver.server import ApiServer
from steersman.apiserver.server import Options as ServerOptions
from steersman.client import kubeconfig
from steersman.client.transport import HttpTransport, Transport
from steersman.cluster import pki, processes, stores
from steersman.cluster.join import configuration
from steersman.cluster.options import Options
from steersman.cluster.plan import Plan
from steersman.serving import http_server, tls


async def run(plan: Plan, sockets: Sequence[socket.socket], fake_kubelet_port: int) -> None:
    """Serve on `sockets` until cancelled."""
    clock = SystemClock()
    file = plan.options.admission_control_config_file
    audit = _auditor(plan.options, clock)
    store = await stores.open_store(plan.options, plan.paths, clock)
    server = ApiServer(
        store,
        clock=clock,
        options=ServerOptions(
            service_cidrs=plan.service_networks,
            dns_address=plan.dns_address if plan.nodes or plan.outside else "",
            advertise=(plan.advertised, plan.options.port) if plan.address else None,
            unreachable_seconds=plan.options.eviction_seconds,
            token_key_pem=plan.service_account_key.read_bytes(),
            release=releases.parse(plan.options.kubernetes_version),
            front_proxy=_front_proxy(plan),
            fake_nodes=plan.options.fake_node_names(),
            flags=plan.options.flags(),
            authentication=_issuers(plan.options),
            authorization_modes=authorization.parse_modes(plan.options.authorization_mode),
            admission=switches.of(plan.options.enable_admission_plugins, plan.options.disable_admission_plugins),
            admission_settings=settings.read(file) if file else settings.DEFAULT,
            cluster_info=joining.ClusterInfo(
                plan.public_server, plan.authority.read_bytes(), configuration.of_plan(plan)
            ),
        ),
        kubelets=_Kubelets(plan, clock, fake_kubelet_port).transport,
        pod_connector=_Pods(clock).transport if plan.address else None,
        audit=audit,
    )
    try:
        await server.start()
        context = tls.server_context(plan.api_server.certificate, plan.api_server.key, plan.authority)
        async with await http_server.serve(server.handle, sockets=list(sockets), ssl_context=context, clock=clock):
            await asyncio.get_running_loop().create_future()
    finally:
        await server.close()
        await store.close()


def _issuers(options: Options) -> jwt_configuration.Configuration:
    path = options.authentication_config
    return jwt_configuration.read(path, tokens.ISSUER) if path else jwt_configuration.Configuration()


def _auditor(options: Options, clock: Clock) -> auditor.Auditor | None:
    """Without a policy nothing is written down."""
    sinks: list[auditor.Sink] = []
    if not options.audit_policy_file:
        return None
    if options.audit_webhook_config_file:
        sinks.append(webhook.Webhook(webhook.access(options.audit_webhook_config_file), clock))
    log = log_file.Options(
        options.audit_log_path,
        options.audit_log_format,
        max_bytes=options.audit_log_maxsize * 2**20,
        backups_max=options.audit_log_maxbackup,
        age_days_max=options.audit_log_maxage,
        event_bytes_max=options.audit_log_truncate_max_event_size,
    )
    if options.audit_log_path:
        sinks.append(log_file.LogFile(log, clock))
    return auditor.Auditor(policy.read(options.audit_policy_file), sinks, clock)


def _front_proxy(plan: Plan) -> identity.FrontProxy:
    return identity.FrontProxy(
        certificate=plan.front_proxy.certificate.read_bytes(),
        key=plan.front_proxy.key.read_bytes(),
        authority=plan.front_proxy_authority.read_bytes(),
        client_authority=plan.authority.read_bytes(),
    )


class _Kubelets:
    """Ways to the kubelets, kept for reuse. All nodes on paper are behind one server on this machine."""

    def __init__(self, plan: Plan, clock: Clock, fake_port: int) -> None:
        self._access = processes.access(plan, pki.API_TO_KUBELET)
        self._clock = clock
        self._fake_port = fake_port
        self._fake_names = {node.name for node in plan.fake_nodes}
        self._known: dict[tuple[str, int], Transport] = {}

    def transport(self, node: str, address: str, port: int) -> Transport:
        if node in self._fake_names:
            address, port = "127.0.0.1", self._fake_port
        if (address, port) not in self._known:
            access = kubeconfig.Access(
                server=f"https://{f'[{address}]' if ':' in address else address}:{port}",
                authority=self._access.authority,
                certificate=self._access.certificate,
                key=self._access.key,
            )
            self._known[address, port] = HttpTransport(access, clock=self._clock)
        return self._known[address, port]


class _Pods:
    """Ways to pods for their proxy: as upstream, certificates of pods are not checked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def transport(self, scheme: str, address: str, port: int) -> Transport:
        access = kubeconfig.Access(server=f"{scheme or 'http'}://{address}:{port}", insecure=True)
        return HttpTransport(access, clock=self._clock)
