"""Between this project's values and CRI's messages. Pure."""

import datetime
from collections.abc import Mapping
from typing import Any

from steersman.containers import runtime
from steersman.containers.oci import cgroups
from steersman.containers.runtime import State
from steersman.serving.protobuf import Message

TTY = "steersman.dev/tty"  # whether a container has a terminal, which CRI does not tell again
STATES = {
    "CONTAINER_CREATED": State.CREATED,
    "CONTAINER_RUNNING": State.RUNNING,
    "CONTAINER_EXITED": State.EXITED,
    "CONTAINER_UNKNOWN": State.UNKNOWN,
}
PROPAGATIONS = {
    "private": "PROPAGATION_PRIVATE",
    "rslave": "PROPAGATION_HOST_TO_CONTAINER",
    "rshared": "PROPAGATION_BIDIRECTIONAL",
}


def sandbox(config: runtime.SandboxConfig, cgroup_parent: str) -> Message:
    """Logs are named by absolute paths: the folder that they are relative to is the root."""
    return {
        "metadata": {
            "name": config.name,
            "uid": config.pod_uid,
            "namespace": config.namespace,
            "attempt": config.attempt,
        },
        "hostname": "" if config.host_network else config.hostname,
        "log_directory": "/",
        "dns_config": {
            "servers": list(config.dns.servers),
            "searches": list(config.dns.searches),
            "options": list(config.dns.options),
        },
        "port_mappings": [
            {
                "protocol": one.protocol,
                "container_port": one.container_port,
                "host_port": one.host_port,
                "host_ip": one.host_address,
            }
            for one in config.port_mappings
        ],
        "labels": dict(config.labels),
        "annotations": dict(config.annotations),
        "linux": {
            "cgroup_parent": cgroup_parent,
            "sysctls": dict(config.sysctls),
            "security_context": {
                "namespace_options": namespaces(config),
                "seccomp": {"profile_type": "RuntimeDefault"},
                "privileged": config.privileged,
            },
        },
    }


def namespaces(config: runtime.SandboxConfig, target: str = "") -> Message:
    """`target`: the container whose processes are to be seen."""
    found: Message = {
        "network": "NODE" if config.host_network else "POD",
        "pid": "NODE" if config.host_pid else "POD" if config.share_process_namespace else "CONTAINER",
        "ipc": "NODE" if config.host_ipc else "POD",
    }
    if target:
        found |= {"pid": "TARGET", "target_id": target}
    if config.users is not None:
        found["userns_options"] = {"mode": "POD", "uids": _mappings(config.users), "gids": _mappings(config.users)}
    return found


def _mappings(users: runtime.IdRange) -> list[Message]:
    return [{"host_id": users.host_id, "container_id": 0, "length": users.length}]


def container(config: runtime.ContainerConfig, image: str, pod: runtime.SandboxConfig, version: int = 1) -> Message:
    """`image` is the id of the one to run; `version` that of control groups."""
    own = cgroups.unified(config.resources.memory_guard, killed_together=config.resources.killed_together)
    return {
        "metadata": {"name": config.name, "attempt": config.attempt},
        "image": {"image": image, "user_specified_image": config.image},
        "command": list(config.command),
        "args": list(config.args),
        "working_dir": config.working_dir,
        "envs": [{"key": key, "value": value} for key, value in config.environment],
        "mounts": [_mount(mount, pod.users) for mount in config.mounts],
        "devices": [
            {"container_path": one.container_path, "host_path": one.host_path, "permissions": one.permissions}
            for one in config.devices
        ],
        "CDI_devices": [{"name": name} for name in config.cdi_devices],
        "labels": dict(config.labels),
        "annotations": {**config.annotations, **({TTY: "true"} if config.tty else {})},
        "log_path": config.log_path.lstrip("/"),
        "stdin": config.stdin,
        "stdin_once": config.stdin_once,
        "tty": config.tty,
        "stop_signal": _signal(config.stop_signal),
        "linux": {
            "resources": {**resources(config.resources), **({"unified": own} if own and version == 2 else {})},
            "security_context": _security(config.security, namespaces(pod, config.processes_of)),
        },
    }


def _mount(mount: runtime.Mount, users: runtime.IdRange | None) -> Message:
    found: Message = {
        "container_path": mount.container_path,
        "host_path": mount.host_path,
        "readonly": mount.read_only,
        "propagation": PROPAGATIONS[mount.propagation],
        "recursive_read_only": mount.recursive_read_only,
    }
    if mount.image:
        found |= {"image": {"image": mount.image}, "image_sub_path": mount.image_sub_path}
    if users is not None:
        found |= {"uidMappings": _mappings(users), "gidMappings": _mappings(users)}
    return found


def _signal(name: str) -> str:
    return name.replace("+", "PLUS").replace("-", "MINUS") if name else "RUNTIME_DEFAULT"


def resources(wanted: runtime.Resources) -> Message:
    found: Message = {
        "cpu_shares": wanted.cpu_shares,
        "oom_score_adj": wanted.oom_score_adjust,
        "cpuset_cpus": wanted.cpus,
        "cpuset_mems": wanted.memory_nodes,
        "hugepage_limits": [{"page_size": size, "limit": limit} for size, limit in wanted.huge_pages.items()],
    }
    if wanted.cpu_quota_us:
        found |= {"cpu_quota": wanted.cpu_quota_us, "cpu_period": wanted.cpu_period_us}
    if wanted.memory_limit_bytes:
        whole = wanted.memory_limit_bytes + wanted.swap_bytes
        found |= {"memory_limit_in_bytes": wanted.memory_limit_bytes, "memory_swap_limit_in_bytes": whole}
    return found


def _security(wanted: runtime.Security, namespace_options: Message) -> Message:
    found: Message = {
        "namespace_options": namespace_options,
        "privileged": wanted.privileged,
        "readonly_rootfs": wanted.read_only_root,
        "no_new_privs": wanted.no_new_privileges,
        "run_as_username": wanted.run_as_username,
        "supplemental_groups": list(wanted.supplemental_groups),
        "supplemental_groups_policy": "Strict" if wanted.only_those_groups else "Merge",
        "seccomp": _profile(wanted.seccomp),
        "capabilities": {
            "add_capabilities": [name.removeprefix("CAP_") for name in wanted.add_capabilities],
            "drop_capabilities": [name.removeprefix("CAP_") for name in wanted.drop_capabilities],
        },
        "masked_paths": list(MASKED_PATHS if wanted.masked_paths is None else wanted.masked_paths),
        "readonly_paths": list(READONLY_PATHS if wanted.readonly_paths is None else wanted.readonly_paths),
    }
    if wanted.app_armor:
        found |= {"apparmor": _profile(wanted.app_armor), "apparmor_profile": _older_profile(wanted.app_armor)}
    if wanted.run_as_user is not None:
        found["run_as_user"] = {"value": wanted.run_as_user}
    if wanted.run_as_group is not None:
        found["run_as_group"] = {"value": wanted.run_as_group}
        found.setdefault("run_as_user", {"value": wanted.run_as_user or 0})
    return found


def _profile(name: str) -> Message:
    kind, _, path = name.partition("/")
    return {"profile_type": kind, "localhost_ref": path} if kind == "Localhost" else {"profile_type": kind}


def _older_profile(name: str) -> str:
    """As runtimes before CRI's SecurityProfile want to hear it."""
    kind, _, rest = name.partition("/")
    return {"RuntimeDefault": "runtime/default", "Unconfined": "unconfined"}.get(kind, f"localhost/{rest}")


# Upstream's kubelet names them; a runtime masks nothing by itself.
MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


# --- from the runtime ---


def sandbox_status(found: Message) -> runtime.SandboxStatus:
    """Of a PodSandboxStatus."""
    meta, network = found.get("metadata", {}), found.get("network", {})
    others = (one.get("ip", "") for one in network.get("additional_ips", []))
    return runtime.SandboxStatus(
        id=found.get("id", ""),
        pod_uid=meta.get("uid", ""),
        name=meta.get("name", ""),
        namespace=meta.get("namespace", ""),
        attempt=meta.get("attempt", 0),
        ready=found.get("state", "SANDBOX_READY") == "SANDBOX_READY",
        created_at=_time(found, "created_at") or datetime.datetime.fromtimestamp(0, datetime.UTC),
        addresses=tuple(ip for ip in (network.get("ip", ""), *others) if ip),
        labels=found.get("labels", {}),
        annotations=found.get("annotations", {}),
    )


def container_status(found: Message, sandbox_id: str, pod_uid: str) -> runtime.ContainerStatus:
    meta, state = found.get("metadata", {}), STATES.get(found.get("state", "CONTAINER_CREATED"), State.UNKNOWN)
    is_over = state is State.EXITED
    code = found.get("exit_code", 0)
    return runtime.ContainerStatus(
        id=found.get("id", ""),
        sandbox_id=sandbox_id,
        pod_uid=pod_uid,
        name=meta.get("name", ""),
        attempt=meta.get("attempt", 0),
        state=state,
        image=found.get("image", {}).get("user_specified_image") or found.get("image", {}).get("image", ""),
        image_id=found.get("image_ref", ""),
        created_at=_time(found, "created_at") or datetime.datetime.fromtimestamp(0, datetime.UTC),
        started_at=_time(found, "started_at"),
        finished_at=_time(found, "finished_at") if is_over else None,
        exit_code=code if is_over else 0,
        reason=(found.get("reason") or ("Error" if code else "Completed")) if is_over else "",
        message=found.get("message", "") if is_over else "",
        log_path=found.get("log_path", ""),
        labels=found.get("labels", {}),
        annotations={key: value for key, value in found.get("annotations", {}).items() if key != TTY},
        tty=found.get("annotations", {}).get(TTY) == "true",
        user=_user(found.get("user", {}).get("linux")),
        stop_signal=_signal_name(found.get("stop_signal", "")),
    )


def _signal_name(shown: str) -> str:
    return "" if shown == "RUNTIME_DEFAULT" else shown.replace("PLUS", "+").replace("MINUS", "-")


def _user(found: Message | None) -> runtime.User | None:
    if found is None:
        return None
    return runtime.User(found.get("uid", 0), found.get("gid", 0), tuple(found.get("supplemental_groups", ())))


def image_status(found: Message) -> runtime.ImageStatus:
    uid = found.get("uid")
    return runtime.ImageStatus(
        id=found.get("id", ""),
        tags=tuple(found.get("repo_tags", ())),
        digests=tuple(found.get("repo_digests", ())),
        size_bytes=found.get("size", 0),
        user=str(uid.get("value", 0)) if uid is not None else found.get("username", ""),
        pinned=bool(found.get("pinned")),
    )


def usage(found: Message, status: runtime.ContainerStatus, now: datetime.datetime) -> runtime.Usage:
    memory = found.get("memory", {})
    return runtime.Usage(
        container_id=status.id,
        pod_uid=status.pod_uid,
        name=status.name,
        cpu_ns=_number(found.get("cpu", {}), "usage_core_nano_seconds"),
        memory_bytes=_number(memory, "usage_bytes") or _number(memory, "working_set_bytes"),
        memory_working_set_bytes=_number(memory, "working_set_bytes"),
        at=_time(found.get("cpu", {}), "timestamp") or now,
        started_at=status.started_at,
        memory_rss_bytes=_number(memory, "rss_bytes"),
        page_faults=_number(memory, "page_faults"),
        major_page_faults=_number(memory, "major_page_faults"),
        swap_bytes=_number(found.get("swap", {}), "swap_usage_bytes"),
    )


def sandbox_usage(found: Message, now: datetime.datetime) -> runtime.SandboxUsage:
    network = found.get("linux", {}).get("network", {})
    interfaces = [
        *([network["default_interface"]] if "default_interface" in network else ()),
        *network.get("interfaces", ()),
    ]
    return runtime.SandboxUsage(
        found.get("attributes", {}).get("metadata", {}).get("uid", ""),
        tuple(
            runtime.InterfaceUsage(
                one.get("name", ""),
                _number(one, "rx_bytes"),
                _number(one, "rx_errors"),
                _number(one, "tx_bytes"),
                _number(one, "tx_errors"),
            )
            for one in interfaces
        ),
        now,
    )


def features(status: Message) -> runtime.Features:
    """Of a StatusResponse; older runtimes say nothing of it."""
    handlers = tuple(
        runtime.Handler(
            one.get("name", ""),
            bool(one.get("features", {}).get("recursive_read_only_mounts")),
            bool(one.get("features", {}).get("user_namespaces")),
        )
        for one in status.get("runtime_handlers", [])
    )
    return runtime.Features(handlers, bool(status.get("features", {}).get("supplemental_groups_policy")))


def not_ready(status: Message) -> str:
    """Why the runtime cannot run pods; empty when it can. In upstream's words."""
    shown = {one.get("type", ""): one for one in status.get("status", {}).get("conditions", [])}
    for kind, text in (
        ("RuntimeReady", "container runtime not ready"),
        ("NetworkReady", "container runtime network not ready"),
    ):
        one = shown.get(kind, {})
        if not one.get("status"):
            return f"{text}: {kind}=false reason:{one.get('reason', '')} message:{one.get('message', '')}"
    return ""


def _number(found: Mapping[str, Any], field: str) -> int:
    return int(found.get(field, {}).get("value", 0))


def _time(found: Mapping[str, Any], field: str) -> datetime.datetime | None:
    nanos = found.get(field, 0)
    return datetime.datetime.fromtimestamp(nanos / 1e9, datetime.UTC) if nanos > 0 else None
