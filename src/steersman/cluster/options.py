"""What a cluster was asked to be: the flags of `steersman up`, kept in the data directory for the next start.

A flag that is not given on a later start keeps its value; one that is given replaces it.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any

import msgspec

from steersman.cluster.paths import Paths

CLUSTER_DOMAIN = "cluster.local"
DEFAULT_NAME = "steersman"
DEFAULT_PORT = 6443
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
CONTROL_PLANE = (
    "node-role.kubernetes.io/control-plane"  # the label of the node that stands for this machine's control plane
)

# Flags whose names are upstream's, where what is kept says its unit.
_FLAGS = {
    "eviction_seconds": "default-not-ready-toleration-seconds",
    "heartbeat_seconds": "node-status-update-frequency",
    "node_monitor_grace_seconds": "node-monitor-grace-period",
}


@dataclasses.dataclass(frozen=True, slots=True)
class PaperNode:
    """A node on paper that stands for one of another cluster."""

    name: str
    capacity: dict[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """`runtime`: auto, oci or fake. `store`: sqlite, memory, or etcd:URL[,URL], with the files that TLS to it needs.
    Delays are seconds.

    A node is NotReady after `node_monitor_grace_seconds` without a heartbeat; its pods are evicted
    `eviction_seconds` later (the default tolerations that admission adds to pods). Upstream waits 40 and 300: it has
    hundreds of machines and flaky networks between them; here a lost node is a lost process.
    `network_number` tells apart the addresses of several clusters of one machine; chosen at the first start.
    `load_balancer_pool`: addresses for Services of type LoadBalancer (`meta.address_pools`); "": those of the nodes.
    `ip_families`: those of pods and Services, the default one first, with a comma between.
    `cni_conf_dir`: where CNI configurations are, if plugins shall connect pods instead of our own network.
    `kubelet_config`: a KubeletConfiguration file for real nodes, read at each start of one.
    `registry_hosts_dir`: where hosts.toml files say which hosts images of a registry are asked of, read at each pull.
    `image_credential_provider_config`: a CredentialProviderConfig for real nodes, read at each start of one; its programs are in
    `image_credential_provider_bin_dir`.
    `snapshotter`: how the embedded runtime makes root filesystems (`containers/oci/snapshots.py`).
    `enable_admission_plugins`, `disable_admission_plugins`: names with commas between (`apiserver.admission.switches`);
    `admission_control_config_file`: what they are told.
    `authentication_config`: a file that says whose tokens are good beside our own (`apiserver.jwt_issuers`).
    `authorization_mode`: modes with commas between (`apiserver.authorization`).
    `audit_…`: which requests are written down, and where (`apiserver.audit`); sizes as in their flags: MiB, bytes of an event.
    `kubeconfig` is the user's file that the context was merged into.
    `paper_nodes`: those of a fork (`fork.py`), beside `fake_nodes`.
    `listen` is the address that other machines reach the API server at, 0.0.0.0 for all that this one has, 127.0.0.1 for none;
    `advertise_address` the one that they are told ("": follows from it); `tls_sans` are further names in its certificate.
    """

    name: str = DEFAULT_NAME
    port: int = DEFAULT_PORT
    listen: str = LOOPBACK
    advertise_address: str = ""
    tls_sans: tuple[str, ...] = ()
    nodes: int = 1
    fake_nodes: int = 0
    runtime: str = "auto"
    store: str = "sqlite"
    gateway_api: bool = False
    etcd_cafile: str = ""
    etcd_certfile: str = ""
    etcd_keyfile: str = ""
    etcd_prefix: str = "/steersman"
    kubernetes_version: str = "1.37"
    heartbeat_seconds: float = 1.0
    node_monitor_grace_seconds: float = 4.0
    eviction_seconds: int = 2
    network_number: int | None = None
    load_balancer_pool: str = ""
    ip_families: str = "IPv4"
    cni_conf_dir: str = ""
    kubelet_config: str = ""
    registry_hosts_dir: str = ""
    image_credential_provider_config: str = ""
    image_credential_provider_bin_dir: str = ""
    snapshotter: str = "auto"
    enable_admission_plugins: str = ""
    disable_admission_plugins: str = ""
    admission_control_config_file: str = ""
    authentication_config: str = ""
    authorization_mode: str = "Node,RBAC"
    audit_policy_file: str = ""
    audit_log_path: str = ""
    audit_webhook_config_file: str = ""
    audit_log_format: str = "json"
    audit_log_maxsize: int = 0
    audit_log_maxbackup: int = 0
    audit_log_maxage: int = 0
    audit_log_truncate_max_event_size: int = 0
    kubeconfig: str = ""
    paper_nodes: tuple[PaperNode, ...] = ()

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self.ip_families.split(","))

    def node_names(self) -> tuple[str, ...]:
        return tuple(f"node{number}" for number in range(1, self.nodes + 1)) if self.has_real_nodes() else ()

    def flags(self) -> dict[str, str]:
        """As the command line has them: what each process of the cluster was started with."""
        values = {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "paper_nodes"
        }
        return {
            _FLAGS.get(name, name.replace("_", "-")): _shown(value)
            for name, value in values.items()
            if value is not None
        }

    def control_plane_node(self) -> str:
        """The node that stands for it; "" where none does: all are on paper."""
        return next(iter(self.node_names()), "")

    def has_real_nodes(self) -> bool:
        return self.nodes > 0 and self.runtime != "fake"

    def is_open(self) -> bool:
        """Whether other machines can join."""
        return self.listen != LOOPBACK

    def has_network(self) -> bool:
        """Whether this machine is part of the pods' network."""
        return self.has_real_nodes() or self.is_open()

    def fake_node_names(self) -> tuple[str, ...]:
        """With `--runtime fake` the nodes asked for are on paper, too."""
        count = self.fake_nodes + (0 if self.has_real_nodes() else self.nodes)
        return (*(node.name for node in self.paper_nodes), *(f"fake{number}" for number in range(1, count + 1)))


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def load(path: pathlib.Path) -> Options | None:
    """The options of an earlier start, None where there was none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Options)
    except FileNotFoundError:
        return None


def network_numbers(clusters: Iterable[Paths]) -> set[int]:
    """Those that they have, also while they are stopped."""
    numbers = set()
    for one in clusters:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            known = load(one.options)
            if known is not None and known.network_number is not None:
                numbers.add(known.network_number)
    return numbers


def save(path: pathlib.Path, options: Options) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(options)) + b"\n")


def merged(earlier: Options | None, given: dict[str, Any]) -> Options:
    """Earlier values (or the defaults), replaced by the flags that were given (None: not given)."""
    return dataclasses.replace(
        earlier or Options(), **{key: value for key, value in given.items() if value is not None}
    )
