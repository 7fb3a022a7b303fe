"""What a node asks of a container runtime: the shape of CRI v1 (RuntimeService and ImageService), in Python values.

Embedded (`containers.oci`), scripted (`containers.fake`) and, later, containerd or CRI-O all answer to this.
Sizes are bytes, CPU is millicores, times are UTC datetimes, grace periods are seconds.
All operations are idempotent in CRI's sense: stopping what is stopped and removing what is gone succeed.
"""

import dataclasses
import datetime
import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from steersman.serving.messages import Duplex


class RuntimeFailure(Exception):
    """An operation failed. `reason` is the word kubelet shows (CreateContainerError, RunContainerError, ErrImagePull,
    ErrImageNeverPull, InvalidImageName, …); the text is for the user; `temporary` says that trying again may help."""

    def __init__(self, reason: str, message: str, *, temporary: bool = True) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.temporary = temporary


class State(enum.Enum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"  # the runtime lost track: shown as ContainerStatusUnknown


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


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxStatus:
    id: str
    pod_uid: str
    name: str
    namespace: str
    attempt: int
    ready: bool
    created_at: datetime.datetime
    addresses: tuple[str, ...] = ()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)


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


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """Who a container's first process is."""

    uid: int
    gid: int
    supplemental_groups: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerStatus:
    """`stop_signal` is the one in force (its own, the image's, or SIGTERM); empty where the runtime does not say.
    `exit_code` is 128 + signal for a killed process; `reason`: "", Completed, Error, OOMKilled, ContainerCannotRun,
    ContainerStatusUnknown. `image_id` is the digest reference of the image that runs."""

    id: str
    sandbox_id: str
    pod_uid: str
    name: str
    attempt: int
    state: State
    image: str
    image_id: str
    created_at: datetime.datetime
    started_at: datetime.datetime | None = None
    finished_at: datetime.datetime | None = None
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    pid: int = 0
    log_path: str = ""
    user: User | None = None
    stop_signal: str = ""
    tty: bool = False
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    annotations: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerEvent:
    """Something changed with a container (or, with `container_id` empty, with a sandbox): look again."""

    pod_uid: str
    sandbox_id: str
    container_id: str
    kind: str  # created, started, stopped, deleted


@dataclasses.dataclass(frozen=True, slots=True)
class ExecResult:
    exit_code: int
    stdout: bytes
    stderr: bytes


class ExecSession(Protocol):
    """A process (exec) or the container's own streams (attach), as they run."""

    @property
    def tty(self) -> bool: ...

    async def read(self) -> tuple[int, bytes]:
        """Next output: (1, stdout bytes) or (2, stderr bytes); (0, b"") once both have ended."""

    async def write_stdin(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, width: int, height: int) -> None: ...

    async def wait(self) -> int:
        """The exit code (for attach: of the container)."""

    async def close(self) -> None:
        """Let go: an exec'ed process is killed, an attached container is not."""


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """One container's use now. `cpu_ns`, `page_faults` and `major_page_faults` are totals so far."""

    container_id: str
    pod_uid: str
    name: str
    cpu_ns: int
    memory_bytes: int
    memory_working_set_bytes: int
    at: datetime.datetime
    started_at: datetime.datetime | None = None
    memory_rss_bytes: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    swap_bytes: int = 0
    processes: int = 0


class Group(NamedTuple):
    """Where the files of a control group are: version 1 has a folder for each controller, version 2 one, at ""."""

    version: int
    folders: Mapping[str, str]

    def folder(self, controller: str) -> str:
        """Empty where nobody has it."""
        return self.folders.get("") or self.folders.get(controller, "")


@dataclasses.dataclass(frozen=True, slots=True)
class InterfaceUsage:
    """What has gone through one of a pod's network interfaces so far."""

    name: str
    received_bytes: int = 0
    received_errors: int = 0
    sent_bytes: int = 0
    sent_errors: int = 0
    received_packets: int = 0
    received_dropped: int = 0
    sent_packets: int = 0
    sent_dropped: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class SandboxUsage:
    """Of a whole pod: its interfaces (none with the host's network)."""

    pod_uid: str
    interfaces: tuple[InterfaceUsage, ...]
    at: datetime.datetime


@dataclasses.dataclass(frozen=True, slots=True)
class ImageStatus:
    """`id` is the config digest (`sha256:…`); `digests` are `name@sha256:…` references; `user` as the image says it.
    `pinned`: it could not be pulled again, and is never removed to make room."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size_bytes: int
    user: str = ""
    pinned: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class RegistryLogin:
    username: str = ""
    password: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Handler:
    """A way of running pods that a RuntimeClass may name; "" is the default."""

    name: str = ""
    recursive_read_only_mounts: bool = False
    user_namespaces: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """What this runtime can, as the Node shows it; known after `start`. `supplemental_groups_policy`: it keeps to
    `only_those_groups` and says who a container is."""

    handlers: tuple[Handler, ...] = ()
    supplemental_groups_policy: bool = False


class FileSystems(NamedTuple):
    """A folder on the file system of images, and one on that of what containers write; "": the kubelet's own."""

    images: str = ""
    containers: str = ""


class Runtime(Protocol):
    """RuntimeService."""

    @property
    def features(self) -> Features: ...

    @property
    def name(self) -> str:
        """For nodeInfo.containerRuntimeVersion, e.g. `steersman-oci://0.1.0`."""

    @property
    def images(self) -> "Images": ...

    @property
    def file_systems(self) -> FileSystems:
        """Known after `start`."""

    async def start(self) -> None:
        """Take over whatever already runs; called once before anything else."""

    async def close(self) -> None:
        """Let go of everything; containers keep running."""

    async def not_ready(self) -> str:
        """Why pods cannot be run now, in upstream's words; empty when they can."""

    async def run_sandbox(self, config: SandboxConfig) -> str: ...

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what still runs in it and give its address back."""

    async def remove_sandbox(self, sandbox_id: str) -> None: ...

    async def list_sandboxes(self) -> Sequence[SandboxStatus]: ...

    async def sandbox_status(self, sandbox_id: str) -> SandboxStatus | None: ...

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str: ...

    async def start_container(self, container_id: str) -> None: ...

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """SIGTERM (or the image's stop signal), and SIGKILL after `grace_seconds`; returns when it is dead."""

    async def remove_container(self, container_id: str) -> None: ...

    async def list_containers(self) -> Sequence[ContainerStatus]: ...

    async def container_status(self, container_id: str) -> ContainerStatus | None: ...

    async def update_resources(self, container_id: str, resources: Resources) -> None: ...

    async def update_sandbox_resources(
        self, sandbox_id: str, cpu_limit_millicores: int, cpu_shares: int, memory_limit_bytes: int
    ) -> None:
        """The pod's own group; 0 leaves a limit as it is."""

    async def shape_group(
        self, group: str, *, cpu_shares: int = 0, memory_limit_bytes: int = 0, pids_limit: int = 0
    ) -> None:
        """A group above pods', as in `kubepods/burstable`; made when it is not there. 0 leaves a limit as it is."""

    async def exec_sync(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> ExecResult:
        """Raises TimeoutError (the process is killed)."""

    async def exec(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> ExecSession: ...

    async def attach(self, container_id: str, *, stdin: bool) -> ExecSession: ...

    async def port_forward(self, sandbox_id: str, port: int) -> Duplex:
        """A connection to a TCP port inside the sandbox."""

    async def reopen_log(self, container_id: str) -> None: ...

    async def usage(self) -> Sequence[Usage]: ...

    async def sandbox_usage(self) -> Sequence[SandboxUsage]: ...

    def group_of(self, container_id: str) -> Group | None:
        """A container's control group; None where nobody can tell."""

    async def own_processes(self) -> Sequence[int]:
        """Of the runtime itself, where they are on this machine."""

    def changes_folder(self, container_id: str) -> str:
        """Where a container's changes to its root filesystem lie on disk; empty where nobody can tell."""

    def events(self) -> AsyncIterator[ContainerEvent]:
        """One reader; events after `start`. A lost event is possible: list again now and then."""


@runtime_checkable
class ScriptedProbes(Protocol):
    """A runtime whose containers are on paper, so that nothing can be asked of them, answers probes itself."""

    def probe_result(self, container_id: str, kind: str) -> bool | None:
        """Whether the probe (startup, readiness, liveness) succeeds now; None: nothing is said of it."""


class Images(Protocol):
    """ImageService. References are normalised: `busybox` is `docker.io/library/busybox:latest`."""

    async def pull(self, reference: str, login: RegistryLogin | None = None) -> str:
        """Returns the image id. Raises RuntimeFailure (ErrImagePull, InvalidImageName, RegistryUnavailable)."""

    async def status(self, reference: str) -> ImageStatus | None: ...

    async def list(self) -> Sequence[ImageStatus]: ...

    async def remove(self, reference: str) -> None: ...


class SandboxNetwork(Protocol):
    """What a runtime needs of the pod network (`steersman.network` answers to it; CNI's ADD, DEL and CHECK)."""

    async def attach(self, sandbox_id: str, namespace_path: str, config: SandboxConfig) -> tuple[str, ...]:
        """Give the network namespace at `namespace_path` its links and addresses (first is the primary); idempotent."""

    async def detach(self, sandbox_id: str, namespace_path: str) -> None:
        """Take them back; succeeds also when the namespace is gone."""

    async def keep_only(self, sandbox_ids: Sequence[str]) -> None:
        """At start: forget links and addresses of every other sandbox."""
