"""What a node asks of a container runtime: the shape of CRI v1 (RuntimeService and ImageService), in Python values.

Embedded (`containers.oci`), scripted (`containers.fake`), containerd and CRI-O (`containers.cri`) all answer to this. What is
wanted of them stands in `containers.wanted`, and is named from here.
Sizes are bytes, CPU is millicores, times are UTC datetimes, grace periods are seconds.
All operations are idempotent in CRI's sense: stopping what is stopped and removing what is gone succeed.
"""

import dataclasses
import datetime
import enum
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from steersman.containers.wanted import (
    ContainerConfig,
    Device,
    DeviceGrant,
    Dns,
    IdRange,
    MemoryGuard,
    Mount,
    PortMapping,
    Resources,
    SandboxConfig,
    Security,
)
from steersman.serving.messages import Duplex

__all__ = [
    "ContainerConfig",
    "ContainerEvent",
    "ContainerStatus",
    "Device",
    "DeviceGrant",
    "Dns",
    "ExecResult",
    "ExecSession",
    "Features",
    "FileSystems",
    "Group",
    "Handler",
    "IdRange",
    "ImageStatus",
    "Images",
    "InterfaceUsage",
    "MemoryGuard",
    "Mount",
    "PortMapping",
    "RegistryLogin",
    "Resources",
    "Runtime",
    "RuntimeFailure",
    "SandboxConfig",
    "SandboxNetwork",
    "SandboxStatus",
    "SandboxUsage",
    "ScriptedProbes",
    "Security",
    "State",
    "Usage",
    "User",
]


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
        self,
        sandbox_id: str,
        cpu_limit_millicores: int,
        cpu_shares: int,
        memory_limit_bytes: int,
        *,
        memory_guard: MemoryGuard | None = None,
    ) -> None:
        """The pod's own group; 0 leaves a limit as it is, None the guard."""

    async def shape_group(
        self,
        group: str,
        *,
        cpu_shares: int = 0,
        memory_limit_bytes: int = 0,
        pids_limit: int = 0,
        memory_guard: MemoryGuard | None = None,
    ) -> None:
        """A group above pods', as in `kubepods/burstable`; made when it is not there. 0 leaves a limit as it is, None the guard."""

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
