"""config.json of a container, and process.json of an exec: pure.

Source: the OCI runtime specification; defaults (mounts, masked paths, capabilities) as Docker and containerd give them.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from steersman.containers import app_armor, runtime
from steersman.containers.images import users
from steersman.containers.oci import cgroups, devices, seccomp
from steersman.containers.oci.host import Facts

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OPEN_FILES = (
    1048576  # soft and hard limit in a container, as containerd's service gives it; less where the node has less
)

# Docker's default set; what `capabilities.add` and `drop` in a pod refer to.
DEFAULT_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
# In the order of their numbers.
ALL_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/scsi",
    "/proc/sched_debug",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
ALLOWED_DEVICES = (
    ("c", 1, 3),  # null
    ("c", 1, 5),  # zero
    ("c", 1, 7),  # full
    ("c", 1, 8),  # random
    ("c", 1, 9),  # urandom
    ("c", 5, 0),  # tty
    ("c", 5, 1),  # console
    ("c", 5, 2),  # ptmx
    ("c", 136, None),  # pts
)


class InvalidContainer(ValueError):
    """The container cannot be made as wanted; the text is for the user."""


@dataclasses.dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says about running it (the `config` of its configuration)."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    stop_signal: str = ""

    @classmethod
    def from_json(cls, config: Mapping[str, Any]) -> "ImageConfig":
        return cls(
            entrypoint=tuple(config.get("Entrypoint") or ()),
            cmd=tuple(config.get("Cmd") or ()),
            environment=tuple(config.get("Env") or ()),
            working_dir=config.get("WorkingDir") or "",
            user=config.get("User") or "",
            stop_signal=config.get("StopSignal") or "",
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """Where a container runs: its root filesystem, its pod's namespaces (kind → path; "" is a new one; a missing kind is
    the host's), and the pod's files."""

    root: str
    namespaces: Mapping[str, str]
    cgroup: str
    shm: str
    hostname_file: str
    resolv_conf_file: str
    hostname: str = ""


def container(
    config: runtime.ContainerConfig, image: ImageConfig, accounts: users.Accounts, place: Place, facts: Facts
) -> dict[str, Any]:
    """Raises InvalidContainer."""
    mounts = _mounts(config, place, facts)
    return {
        "ociVersion": "1.0.2",
        "process": _process(config, image, accounts, place, facts),
        "root": {"path": place.root, "readonly": config.security.read_only_root},
        "mounts": mounts,
        "linux": _linux(config, place, facts),
    }


def exec_process(process: Mapping[str, Any], command: Sequence[str], *, tty: bool) -> dict[str, Any]:
    """A further process in a container whose own is `process`."""
    environment = [item for item in process["env"] if not item.startswith("TERM=")]
    if tty:
        environment.append("TERM=xterm")
    return {**process, "args": list(command), "terminal": tty, "env": environment}


def command_line(config: runtime.ContainerConfig, image: ImageConfig) -> list[str]:
    """Kubernetes' table: command replaces entrypoint and drops cmd, args replace cmd."""
    if config.command:
        return [*config.command, *config.args]
    return [*image.entrypoint, *(config.args or image.cmd)]


def environment(config: runtime.ContainerConfig, image: ImageConfig, hostname: str) -> list[str]:
    """Later ones win: defaults, the image's, the container's."""
    values = dict([DEFAULT_PATH.split("=", 1)])
    if hostname:
        values["HOSTNAME"] = hostname
    if config.tty:
        values["TERM"] = "xterm"
    for item in image.environment:
        name, _, value = item.partition("=")
        values[name] = value
    values.update(config.environment)
    return [f"{name}={value}" for name, value in values.items()]


def capabilities(security: runtime.Security, facts: Facts) -> list[str]:
    """Nobody can be given what the node itself lacks: it is left out, as the kernel would refuse the whole container."""
    own = {name for bit, name in enumerate(ALL_CAPABILITIES) if facts.capabilities >> bit & 1}
    return [name for name in _wanted_capabilities(security) if name in own]


def _wanted_capabilities(security: runtime.Security) -> list[str]:
    if security.privileged:
        return list(ALL_CAPABILITIES)
    add, drop = _capability_names(security.add_capabilities), _capability_names(security.drop_capabilities)
    base = ALL_CAPABILITIES if "CAP_ALL" in add else (() if "CAP_ALL" in drop else DEFAULT_CAPABILITIES)
    wanted = dict.fromkeys(base)
    wanted.update(dict.fromkeys(name for name in ALL_CAPABILITIES if name in add))
    return [name for name in wanted if name not in drop]


def resources(
    wanted: runtime.Resources, *, privileged: bool, huge_pages: bool = False, version: int = 1
) -> dict[str, Any]:
    """`huge_pages`: this machine can count them. `version`: of control groups."""
    found: dict[str, Any] = {"devices": _devices(privileged=privileged)}
    cpu: dict[str, Any] = {"shares": wanted.cpu_shares}
    if wanted.cpus:
        cpu["cpus"] = wanted.cpus
    if wanted.memory_nodes:
        cpu["mems"] = wanted.memory_nodes
    if wanted.cpu_quota_us > 0:
        cpu |= {"quota": wanted.cpu_quota_us, "period": wanted.cpu_period_us}
    found["cpu"] = cpu
    if wanted.memory_limit_bytes:
        whole = wanted.memory_limit_bytes + wanted.swap_bytes
        found["memory"] = {"limit": wanted.memory_limit_bytes, "swap": whole}
    if wanted.huge_pages and huge_pages:
        found["hugepageLimits"] = [{"pageSize": size, "limit": limit} for size, limit in wanted.huge_pages.items()]
    own = cgroups.unified(wanted.memory_guard, killed_together=wanted.killed_together) if version == 2 else {}
    if own:
        found["unified"] = own
    if wanted.pids_limit > 0:
        found["pids"] = {"limit": wanted.pids_limit}
    return found


def _process(
    config: runtime.ContainerConfig, image: ImageConfig, accounts: users.Accounts, place: Place, facts: Facts
) -> dict[str, Any]:
    arguments = command_line(config, image)
    if not arguments:
        raise InvalidContainer("no command specified")
    user = accounts.find(config.security, image.user)
    for uid in (user.uid,):
        if not facts.has_uid(uid):
            raise InvalidContainer(f"user {uid} does not exist on this rootless node, which has only root")
    caps = capabilities(config.security, facts)
    is_root = user.uid == 0
    process: dict[str, Any] = {
        "terminal": config.tty,
        "user": {"uid": user.uid, "gid": user.gid, "umask": 0o022},
        "args": arguments,
        "env": environment(config, image, place.hostname),
        "cwd": config.working_dir or image.working_dir or "/",
        "capabilities": {
            "bounding": caps,
            "effective": caps if is_root else [],
            "permitted": caps if is_root else [],
        },
        "rlimits": _limits(facts),
        "noNewPrivileges": config.security.no_new_privileges,
    }
    try:
        confined_by = app_armor.profile(config.security, is_usable=facts.app_armor)
    except app_armor.NotUsable as refused:
        raise InvalidContainer(str(refused)) from refused
    if confined_by:
        process["apparmorProfile"] = confined_by
    groups = sorted({group for group in user.groups if facts.has_uid(group)})
    if groups and not facts.is_rootless:
        process["user"]["additionalGids"] = groups
    if user.home and not any(item.startswith("HOME=") for item in process["env"]):
        process["env"].append(f"HOME={user.home}")
    if not facts.is_rootless:
        process["oomScoreAdj"] = _oom_score(config.resources.oom_score_adjust, facts)
    return process


def _oom_score(wanted: int, facts: Facts) -> int:
    """Without CAP_SYS_RESOURCE a process may only make itself a likelier victim."""
    return wanted if facts.may_raise_limits else max(wanted, facts.own_oom_score_adjust)


def _limits(facts: Facts) -> list[dict[str, Any]]:
    limit = OPEN_FILES if facts.may_raise_limits else min(OPEN_FILES, facts.open_files_max)
    return [{"type": "RLIMIT_NOFILE", "soft": limit, "hard": limit}]


def _mounts(config: runtime.ContainerConfig, place: Place, facts: Facts) -> list[dict[str, Any]]:
    """Defaults first, then the wanted ones by depth, so that an inner one is not hidden by an outer one. A wanted mount
    replaces the default for the same path."""
    wanted = sorted((_bind(mount) for mount in config.mounts), key=lambda m: m["destination"].count("/"))
    taken = {mount["destination"] for mount in wanted}
    defaults = [m for m in _default_mounts(config, place, facts) if m["destination"] not in taken]
    return defaults + wanted


def _default_mounts(config: runtime.ContainerConfig, place: Place, facts: Facts) -> list[dict[str, Any]]:
    privileged = config.security.privileged
    usual = ["nosuid", "noexec", "nodev"]
    pts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
    if not facts.is_rootless:
        pts.append("gid=5")
    mounts: list[dict[str, Any]] = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": usual},
        {
            "destination": "/dev",
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
        },
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": pts},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": usual},
        {
            "destination": "/sys",
            "type": "sysfs",
            "source": "sysfs",
            "options": [*usual, "rw" if privileged else "ro"],
        },
    ]
    if facts.hierarchy.version:
        access = "rw" if privileged else "ro"
        mounts.append(
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": [*usual, "relatime", access],
            }
        )
    mounts.append(_file_mount(place.shm, "/dev/shm", ["rbind", "nosuid", "noexec", "nodev", "rw"]))
    root_access = "ro" if config.security.read_only_root else "rw"
    mounts.append(_file_mount(place.hostname_file, "/etc/hostname", ["rbind", "rprivate", root_access]))
    mounts.append(_file_mount(place.resolv_conf_file, "/etc/resolv.conf", ["rbind", "rprivate", root_access]))
    return mounts


def _file_mount(source: str, destination: str, options: list[str]) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": source, "options": options}


def _bind(mount: runtime.Mount) -> dict[str, Any]:
    options = ["rbind", {"private": "rprivate", "rslave": "rslave", "rshared": "rshared"}[mount.propagation]]
    if mount.recursive_read_only:
        options.append("rro")
    options.append("ro" if mount.read_only else "rw")
    if mount.image:
        options.append("noexec")
    destination = "/" + mount.container_path.strip("/")
    return {"destination": destination, "type": "bind", "source": mount.host_path, "options": options}


def _linux(config: runtime.ContainerConfig, place: Place, facts: Facts) -> dict[str, Any]:
    security = config.security
    linux: dict[str, Any] = {
        "namespaces": [
            {"type": kind, "path": path} if path else {"type": kind} for kind, path in place.namespaces.items()
        ],
        "maskedPaths": _paths(security.masked_paths, MASKED_PATHS, security),
        "readonlyPaths": _paths(security.readonly_paths, READONLY_PATHS, security),
    }
    if security.privileged and not facts.is_rootless and "user" not in place.namespaces:
        linux["devices"] = devices.of_host()
    elif config.devices:
        linux["devices"] = [_device(one) for one in config.devices]
    if not facts.is_rootless:
        linux["cgroupsPath"] = "/" + place.cgroup.strip("/")
        linux["resources"] = resources(
            config.resources,
            privileged=security.privileged,
            huge_pages=facts.hierarchy.counts_huge_pages,
            version=facts.hierarchy.version,
        )
        linux["resources"]["devices"] += [
            {"allow": True, "access": wanted.permissions, **{key: made[key] for key in ("type", "major", "minor")}}
            for wanted, made in zip(
                config.devices, linux.get("devices", ()) if not security.privileged else (), strict=False
            )
        ]
    propagation = {mount.propagation for mount in config.mounts}
    if "rshared" in propagation:
        linux["rootfsPropagation"] = "shared"
    elif "rslave" in propagation:
        linux["rootfsPropagation"] = "rslave"
    if profile := seccomp.profile(security):
        linux["seccomp"] = profile
    return linux


def _device(wanted: runtime.Device) -> dict[str, Any]:
    found = devices.describe(wanted.host_path, wanted.container_path)
    if found is None:
        raise InvalidContainer(
            f"error gathering device information while adding custom device {wanted.host_path!r}: no such device"
        )
    return found


def _paths(wanted: Sequence[str] | None, default: Sequence[str], security: runtime.Security) -> list[str]:
    """A privileged container sees everything, unless it names paths itself."""
    if wanted is None:
        return [] if security.privileged else list(default)
    return list(wanted)


def _devices(*, privileged: bool) -> list[dict[str, Any]]:
    if privileged:
        return [{"allow": True, "access": "rwm"}]
    allowed: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    for kind in "cb":
        allowed.append({"allow": True, "type": kind, "access": "m"})  # making a node is not using it
    for kind, major, minor in ALLOWED_DEVICES:
        rule: dict[str, Any] = {"allow": True, "type": kind, "major": major, "access": "rwm"}
        if minor is not None:
            rule["minor"] = minor
        allowed.append(rule)
    return allowed


def _capability_names(names: Sequence[str]) -> set[str]:
    """`NET_ADMIN` and `CAP_NET_ADMIN` are the same."""
    return {name if name.startswith("CAP_") else "CAP_" + name for name in (n.upper() for n in names)}
