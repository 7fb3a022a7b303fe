"""What a kubelet wants of a container runtime: sandboxes, containers and what they are given.

Sizes are bytes, CPU is millicores.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple


@dataclasses.dataclass(frozen=True, slots=True)
class Dns:
    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class PortMapping:
    container_port: int
    host_port: int
    protocol: str = "TCP"
    host_address: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class IdRange:
    """Users and groups 0 … length - 1 of a user namespace are `host_id` and above outside of it."""

    host_id: int
    length: int = 65536


class MemoryGuard(NamedTuple):
    """Of version 2 of control groups: memory that the kernel does not take back, that it takes back last, and above which it slows
    the group down (0: it does not)."""

    min_bytes: int = 0
    low_bytes: int = 0
    high_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxConfig:
    """A pod's sandbox: network, IPC and UTS namespaces (unless the host's), one address, one cgroup parent; with `users`, a
    user namespace to which the others belong. `handler` is the RuntimeClass's; empty is the default.
    `privileged`: one of its containers will be.

    `attempt` counts re-creations for the same pod uid. `cgroup_parent` is relative to the runtime's root, as in
    `kubepods/burstable/pod<uid>`; the kubelet names it, the runtime creates and removes it.
    """

    pod_uid: str
    name: str
    namespace: str
    attempt: int = 0
    hostname: str = ""
    cgroup_parent: str = ""
    dns: Dns = Dns()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sysctls: Mapping[str, str] = dataclasses.field(default_factory=dict)
    port_mappings: tuple[PortMapping, ...] = ()
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_process_namespace: bool = False
    cpu_limit_millicores: int = 0
    cpu_shares: int = 0
    memory_limit_bytes: int = 0
    pids_limit: int = 0
    users: IdRange | None = None
    handler: str = ""
    privileged: bool = False
    memory_guard: MemoryGuard = MemoryGuard()


@dataclasses.dataclass(frozen=True, slots=True)
class Mount:
    """`propagation`: "private", "rslave" (HostToContainer) or "rshared" (Bidirectional). `image`: the content of an image that
    is present (or of `image_sub_path` in it) instead of a path, for reading and not for running."""

    container_path: str
    host_path: str
    read_only: bool = False
    recursive_read_only: bool = False
    propagation: str = "private"
    image: str = ""
    image_sub_path: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Device:
    """A device node of the host, and where the container sees it. `permissions`: of r, w and m."""

    host_path: str
    container_path: str
    permissions: str = "rwm"


@dataclasses.dataclass(frozen=True, slots=True)
class DeviceGrant:
    """What a device plugin gives a container."""

    devices: tuple[Device, ...] = ()
    mounts: tuple[Mount, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    cdi_devices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """0 means no limit. `cpu_shares` follows kubelet's millicores × 1024 / 1000, at least 2. `cpus` and
    `memory_nodes` as in `0-1,4` (empty: any). `killed_together`: all its processes, when one is killed for want of memory (only
    version 2 of control groups). `swap_bytes` may be used beyond a memory limit. `huge_pages`: bytes by page size, as in `2MB`."""

    cpu_shares: int = 2
    cpu_quota_us: int = 0
    cpu_period_us: int = 100_000
    memory_limit_bytes: int = 0
    pids_limit: int = 0
    oom_score_adjust: int = 0
    cpus: str = ""
    memory_nodes: str = ""
    killed_together: bool = False
    swap_bytes: int = 0
    huge_pages: Mapping[str, int] = dataclasses.field(default_factory=dict)
    memory_guard: MemoryGuard = MemoryGuard()


@dataclasses.dataclass(frozen=True, slots=True)
class Security:
    """None for `run_as_*` means what the image says; `only_those_groups` leaves out the groups that the image's /etc/group
    gives the user. `seccomp`: RuntimeDefault, Unconfined or Localhost/<path>. `app_armor` likewise, with the name of a loaded
    profile; empty: nothing was said, and the runtime's default holds."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_username: str = ""
    supplemental_groups: tuple[int, ...] = ()
    only_those_groups: bool = False
    privileged: bool = False
    read_only_root: bool = False
    no_new_privileges: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    seccomp: str = "Unconfined"
    app_armor: str = ""
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerConfig:
    """One container. `command` and `args` replace the image's entrypoint and cmd as in Kubernetes: command alone drops
    the image's cmd. `log_path` is absolute; lines are in CRI log format (`TIME stdout|stderr F|P TEXT`).
    `processes_of` is the id of a running container of the same sandbox whose process namespace this one joins.
    `stop_signal` replaces the image's, as in `SIGUSR1`."""

    name: str
    image: str
    attempt: int = 0
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    resources: Resources = Resources()
    security: Security = Security()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    processes_of: str = ""
    devices: tuple[Device, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    stop_signal: str = ""
