"""What a kubelet is told about its node."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from steersman.kubelet.eviction.thresholds import Settings
from steersman.kubelet.topology import scopes
from steersman.kubelet.topology.cpu_policy import Options as CpuOptions
from steersman.meta.objects import Object


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """`data_dir` holds pods' volumes and small files, `log_dir` their logs (default: `data_dir/logs`).

    `second_address` and `second_pod_cidr` are those of the other address family, "" with one only.
    `static_pods` is the folder whose files are pods (upstream's staticPodPath).
    `device_plugins` is the folder of their sockets.
    `system_logs` is shown at /logs/ (upstream's enableSystemLogHandler), None: nothing is.
    A container's log is renamed away when it has reached `log_most_bytes` (negative: never), looked at every `log_look_seconds`
    (upstream's 10 s are enough to write 5 GB) for `log_workers` containers at a time; `logs_most` files are kept, the one that is
    written included.
    `eviction`: when the node counts as short, looked at every `eviction_seconds`.
    `unsafe_sysctls` are allowed beside the safe ones; `kernel.msg*` means all that begin so.
    `system_reserved` and `kube_reserved` (quantities) are kept from pods; `enforced`: whose control groups are
    held to that (`node_allocatable.CHOICES`). `pod_pids_max` 0: no limit. `cpu_policy`: none or static,
    `memory_policy`: None or Static; `reserved_cpus` (empty: those that suit best) and `reserved_memory` (node → resource → bytes)
    are then the system's. `cpu_quota_period_us` 0: limits of processor time are not enforced.
    `single_process_oom_kill`: a container's other processes live on, where the kernel kills one for want of memory.
    `swap_behaviour`: NoSwap or LimitedSwap. Images that nobody uses go when the disk is fuller than `image_high_percent`, until it
    is not fuller than `image_low_percent`, but none younger than `image_age_least_seconds`; and, unless 0, all that were not used
    for `image_age_most_seconds`.
    Not more than `events_per_second` Events are written, `events_burst` at once after a pause (0 a second: no limit).
    A shutdown takes `shutdown_grace_seconds`, the last `shutdown_grace_critical_seconds` of them for critical pods; or, where
    `shutdown_by_priority` says so, (least priority, seconds) for each group of pods.
    `pulls_at_once` 0: any number. Not more than `pulls_per_second` are begun (0: no limit, as so few run at once; upstream's
    default is 5), `pulls_burst` after a pause. `credential_providers`: a CredentialProviderConfig, whose programs are in the folder
    `credential_programs`. `pull_policy` (upstream's imagePullCredentialsVerificationPolicy) says whose images on the node
    must not be used by pods that could not pull them; `preloaded_images` are named where it is NeverVerifyAllowlistedImages.
    `memory_throttling`, `memory_reservation`: `memory_quality.Settings`.
    `seccomp_default`: containers that name no profile have the runtime's.
    A container that ends again and again waits `crash_first_seconds` at first, then doubling to `crash_most_seconds`.
    `capacity` is in the API's quantities (cpu, memory, ephemeral-storage, pods); empty: what the machine has. `on_paper`:
    pods have no files and no network (the fake runtime): nothing is mounted, nothing is probed, environments stay empty.
    """

    data_dir: Path
    address: str = ""
    second_address: str = ""
    hostname: str = ""
    port: int = 10250
    log_dir: Path | None = None
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taints: tuple[Object, ...] = ()
    capacity: Mapping[str, str] = dataclasses.field(default_factory=dict)
    system_reserved: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kube_reserved: Mapping[str, str] = dataclasses.field(default_factory=dict)
    enforced: tuple[str, ...] = ("pods",)
    kube_reserved_group: str = ""
    system_reserved_group: str = ""
    pod_pids_max: int = 0
    cpu_policy: str = "none"
    cpu_options: CpuOptions = CpuOptions()
    reserved_cpus: frozenset[int] = frozenset()
    cpu_quota_period_us: int = 100_000
    single_process_oom_kill: bool = False
    memory_policy: str = "None"
    reserved_memory: Mapping[int, Mapping[str, int]] = dataclasses.field(default_factory=dict)
    topology: scopes.Settings = scopes.Settings()
    swap_behaviour: str = "NoSwap"
    image_high_percent: int = 85
    image_low_percent: int = 80
    image_age_least_seconds: float = 120.0
    image_age_most_seconds: float = 0.0
    image_collection_seconds: float = 300.0
    pods_max: int = 110
    pod_cidr: str = ""
    second_pod_cidr: str = ""
    provider_id: str = ""
    cluster_dns: tuple[str, ...] = ("10.96.0.10",)
    cluster_domain: str = "cluster.local"
    resolv_conf: Path = Path("/etc/resolv.conf")
    lease_renew_seconds: float = 10.0
    lease_duration_seconds: int = 40
    node_status_seconds: float = 300.0
    node_check_seconds: float = 10.0  # upstream's nodeStatusUpdateFrequency
    relist_seconds: float = 30.0
    volume_refresh_seconds: float = 60.0
    kubelet_version: str = "v1.37.0"
    on_paper: bool = False
    unsafe_sysctls: tuple[str, ...] = ()
    static_pods: Path | None = None
    static_pods_seconds: float = 1.0
    device_plugins: Path | None = None
    system_logs: Path | None = Path("/var/log")
    log_most_bytes: int = 10 * 1024 * 1024
    logs_most: int = 5
    log_look_seconds: float = 2.0
    log_workers: int = 1
    events_per_second: int = 50
    events_burst: int = 100
    eviction: Settings = Settings()
    eviction_seconds: float = 10.0
    shutdown_grace_seconds: float = 30.0
    shutdown_grace_critical_seconds: float = 10.0
    shutdown_by_priority: tuple[tuple[int, float], ...] = ()
    pulls_at_once: int = 4
    pulls_per_second: int = 0
    pulls_burst: int = 10
    credential_providers: str = ""
    credential_programs: str = ""
    pull_policy: str = "NeverVerifyPreloadedImages"
    preloaded_images: tuple[str, ...] = ()
    seccomp_default: bool = False
    memory_throttling: float = 0.0
    memory_reservation: str = "None"
    crash_first_seconds: float = 10.0
    crash_most_seconds: float = 300.0

    @property
    def addresses(self) -> tuple[str, ...]:
        """The node's, the first family's first."""
        return tuple(one for one in (self.address, self.second_address) if one)

    @property
    def pods_dir(self) -> Path:
        return self.data_dir / "pods"

    @property
    def logs(self) -> Path:
        return self.log_dir or self.data_dir / "logs"
