"""Which containers the shim can make by itself, without crun, and what it has to do for one: pure.

Ordinary containers are alike: their own mounts and processes, their pod's network, the usual devices and control groups. What is
not in this file is crun's to do: terminals, users of their own, seccomp, devices, mounts that spread, shared processes.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from steersman.containers import mount_trees, syscalls
from steersman.containers.oci import cgroups, snapshots, spec
from steersman.containers.oci.host import Facts

_KEYS = {"ociVersion", "process", "root", "mounts", "linux"}
_PROCESS_KEYS = {
    "terminal",
    "user",
    "args",
    "env",
    "cwd",
    "capabilities",
    "rlimits",
    "noNewPrivileges",
    "oomScoreAdj",
}
_LINUX_KEYS = {"namespaces", "maskedPaths", "readonlyPaths", "cgroupsPath", "resources"}
_RESOURCE_KEYS = {"devices", "cpu", "memory", "pids"}
_JOINED = {"network", "uts", "ipc"}
_FILE_SYSTEMS = {"proc", "tmpfs", "devpts", "mqueue", "sysfs"}
_KERNELS_OWN = ("/proc", "/sys")  # nothing else is mounted below these here
_FLAGS = {
    "nosuid": (syscalls.MS_NOSUID, mount_trees.NOSUID),
    "nodev": (syscalls.MS_NODEV, mount_trees.NODEV),
    "noexec": (syscalls.MS_NOEXEC, mount_trees.NOEXEC),
    "ro": (0, mount_trees.RDONLY),  # given afterwards: the file system itself may be shared with others
    "strictatime": (syscalls.MS_STRICTATIME, 0),
    "relatime": (0, 0),  # the kernel's own choice
    "rw": (0, 0),
    "rprivate": (0, 0),
}


def plan(specification: Mapping[str, Any], facts: Facts) -> dict[str, Any] | None:
    """For `quick_start`, as JSON; None: this one is for crun."""
    process, linux = specification["process"], specification["linux"]
    mounts = _mounts(specification["mounts"])
    joined = _joined(linux["namespaces"])
    usual = (
        facts.is_crun
        and facts.hierarchy.version == 1
        and not facts.is_rootless
        and facts.snapshotter == snapshots.OVERLAY
        and specification.keys() <= _KEYS
        and process.keys() <= _PROCESS_KEYS
        and not process["terminal"]
        and linux.keys() <= _LINUX_KEYS
        and linux["resources"].keys() <= _RESOURCE_KEYS
    )
    if not usual or mounts is None or joined is None:
        return None
    return {
        **joined,
        "mounts": mounts,
        "hidden": linux["maskedPaths"],
        "read_only": linux["readonlyPaths"],
        "read_only_root": specification["root"]["readonly"],
        "group": linux["cgroupsPath"].strip("/"),
        "limits": _limits(linux["resources"]),
        "devices": _rules(linux["resources"]["devices"]),
        "process": {
            **{
                key: process[key] for key in ("user", "args", "env", "cwd", "rlimits", "noNewPrivileges", "oomScoreAdj")
            },
            "capabilities": _bits(process["capabilities"]["bounding"]),
        },
    }


def _bits(capabilities: Sequence[str]) -> int:
    return sum(1 << spec.ALL_CAPABILITIES.index(name) for name in capabilities)


def _joined(namespaces: Sequence[Mapping[str, str]]) -> dict[str, Any] | None:
    """`namespaces` that are there already, and whether there is a new one for processes."""
    paths = {one["type"]: one.get("path", "") for one in namespaces}
    own_mounts, pid = paths.pop("mount", None), paths.pop("pid", None)
    if own_mounts != "" or pid or not paths.keys() <= _JOINED or not all(paths.values()):
        return None
    return {"namespaces": list(paths.values()), "own_processes": pid == ""}


def _mounts(wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    planned = []
    for one in wanted:
        kind, target = one["type"], one["destination"]
        flags = attributes = 0
        data, recursive = [], False
        for option in one["options"]:
            if option in _FLAGS:
                flags |= _FLAGS[option][0]
                attributes |= _FLAGS[option][1]
            elif kind == "bind" and option in ("bind", "rbind"):
                recursive = option == "rbind"
            elif kind in _FILE_SYSTEMS:
                data.append(option)
            else:
                return None
        if kind == "bind":
            if target.startswith(_KERNELS_OWN) or target in ("/", "/dev") or os.path.normpath(target) != target:
                return None
        elif kind != "cgroup" and kind not in _FILE_SYSTEMS:
            return None
        planned.append(
            {
                "type": kind,
                "source": one["source"],
                "target": target.strip("/"),
                "flags": flags,
                "attributes": attributes,
                "data": ",".join(data),
                "recursive": recursive,
            }
        )
    return planned


def _limits(resources: Mapping[str, Any]) -> dict[str, str]:
    cpu, memory = resources.get("cpu", {}), resources.get("memory", {})
    files = cgroups.limit_files(
        1,
        cpu_shares=cpu.get("shares", 0),
        cpu_quota_us=cpu.get("quota", 0),
        cpu_period_us=cpu.get("period", 0),
        memory_bytes=memory.get("limit", 0),
        pids=resources.get("pids", {}).get("limit", 0),
        cpus=cpu.get("cpus", ""),
        memory_nodes=cpu.get("mems", ""),
    )
    if "swap" in memory:
        files[cgroups.WITH_SWAP] = str(memory["swap"])
    return files


def _rules(devices: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """File of the group and what to write, in this order."""
    rules: list[tuple[str, list[str]]] = []
    for one in devices:
        file = "devices.allow" if one["allow"] else "devices.deny"
        everything = "type" not in one and "major" not in one
        major, minor = (one.get(key, "*") for key in ("major", "minor"))
        rule = "a" if everything else f"{one.get('type', 'a')} {major}:{minor} {one['access']}"
        if not rules or rules[-1][0] != file:
            rules.append((file, []))
        rules[-1][1].append(rule)
    return rules
