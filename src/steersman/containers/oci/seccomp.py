"""The seccomp profile `RuntimeDefault`: which system calls a container may not make. Pure.

A deny list: what changes the kernel, the host's time, other processes' memory or namespaces answers EPERM, unless a capability
that the container was given is what guards it. One architecture only: compiling for three costs crun four times as long.
"""

import json
import os
import platform
from typing import Any

from steersman.containers import runtime

_ERRNO_EPERM, _ERRNO_ENOSYS = 1, 38
_CLONE_NAMESPACES = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET

ARCHITECTURES = {
    "x86_64": "SCMP_ARCH_X86_64",
    "aarch64": "SCMP_ARCH_AARCH64",
    "ppc64le": "SCMP_ARCH_PPC64LE",
    "s390x": "SCMP_ARCH_S390X",
    "riscv64": "SCMP_ARCH_RISCV64",
}

# Denied to everyone: the kernel's keyring, old or dangerous interfaces, other processes' pages.
DENIED = [
    "add_key",
    "get_kernel_syms",
    "keyctl",
    "move_pages",
    "nfsservctl",
    "query_module",
    "request_key",
    "_sysctl",
    "sysfs",
    "uselib",
    "userfaultfd",
    "ustat",
    "vm86",
    "vm86old",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
]

# Denied unless the container has the capability.
GUARDED = {
    "CAP_SYS_ADMIN": [
        "fsconfig",
        "fsmount",
        "fsopen",
        "fspick",
        "lookup_dcookie",
        "mount",
        "mount_setattr",
        "move_mount",
        "open_tree",
        "perf_event_open",
        "pivot_root",
        "quotactl",
        "quotactl_fd",
        "setdomainname",
        "sethostname",
        "setns",
        "swapoff",
        "swapon",
        "umount",
        "umount2",
        "unshare",
        "bpf",
        "fanotify_init",
    ],
    "CAP_SYS_BOOT": ["reboot", "kexec_load", "kexec_file_load"],
    "CAP_SYS_MODULE": ["create_module", "delete_module", "finit_module", "init_module"],
    "CAP_SYS_TIME": ["clock_adjtime", "clock_settime", "settimeofday", "stime"],
    "CAP_SYS_PACCT": ["acct"],
    "CAP_SYS_PTRACE": ["kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev"],
    "CAP_SYS_RAWIO": ["ioperm", "iopl"],
    "CAP_SYS_NICE": ["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"],
    "CAP_SYS_TTY_CONFIG": ["vhangup"],
    "CAP_DAC_READ_SEARCH": ["open_by_handle_at", "name_to_handle_at"],
}


def profile(security: runtime.Security) -> dict[str, Any] | None:
    """None: no filter. `Localhost/PATH` is read from the file, as the one thing here that is not pure.
    Raises BadProfile."""
    if security.privileged or security.seccomp in ("", "Unconfined"):
        return None
    if security.seccomp.startswith("Localhost/"):
        return _from_file(security.seccomp.removeprefix("Localhost/"))
    return runtime_default(frozenset(name.upper().removeprefix("CAP_") for name in security.add_capabilities))


def runtime_default(capabilities: frozenset[str], machine: str = "") -> dict[str, Any] | None:
    architecture = ARCHITECTURES.get(machine or platform.machine())
    if architecture is None:
        return None
    denied = list(DENIED)
    for capability, names in GUARDED.items():
        if not capabilities & {capability.removeprefix("CAP_"), "ALL"}:
            denied += names
    calls: list[dict[str, Any]] = [{"names": denied, "action": "SCMP_ACT_ERRNO", "errnoRet": _ERRNO_EPERM}]
    if not capabilities & {"SYS_ADMIN", "ALL"}:
        calls += _no_new_namespaces()
    return {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [architecture], "syscalls": calls}


def _no_new_namespaces() -> list[dict[str, Any]]:
    """clone3 hides its flags from filters, so it answers ENOSYS and libraries fall back to clone."""
    clone = [
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": _ERRNO_EPERM,
            "args": [{"index": 0, "value": 1 << bit, "valueTwo": 1 << bit, "op": "SCMP_CMP_MASKED_EQ"}],
        }
        for bit in range(32)
        if _CLONE_NAMESPACES >> bit & 1
    ]
    return [*clone, {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ERRNO_ENOSYS}]


class BadProfile(ValueError):
    """A profile of the node's own that cannot be had; the text is containerd's."""


def _from_file(path: str) -> dict[str, Any]:
    try:
        with open(path) as file:
            found = json.load(file)
    except OSError as failure:
        why = os.strerror(failure.errno or 0).lower()
        raise BadProfile(f'cannot load seccomp profile "{path}": open {path}: {why}') from failure
    except ValueError as wrong:
        raise BadProfile(f'decoding seccomp profile failed "{path}": {wrong}') from wrong
    if not isinstance(found, dict):
        raise BadProfile(f'decoding seccomp profile failed "{path}": not an object')
    return found
