"""A pod's namespaces, pinned by bind mounts: no process holds them, so nothing of a pod runs but its containers.

A thread moves into new namespaces, pins them as files, and comes back. Small files that containers get
mounted (hostname, resolv.conf, hosts) and the pod's /dev/shm stand beside them.
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from typing import Any

from steersman.containers import runtime, syscalls

SHM_SIZE = "64m"  # what Docker and containerd give a pod
HOSTNAME_MAX = 64  # the kernel's limit
DEFAULT_SYSCTLS = {
    # As containerd: in its own network a pod may use any port and ping without a capability.
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
}
NAMESPACED_SYSCTLS = ("net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def make(folder: str, config: runtime.SandboxConfig) -> None:
    """Pins `ns/{net,uts,ipc}`, mounts `shm` and writes the files; in a thread. Raises OSError; the caller then calls `remove`."""
    pins = os.path.join(folder, "ns")
    os.makedirs(pins)
    _in_new_namespaces(_flags(config), lambda: _pin(pins, config))
    _write_files(folder, config)
    _mount_shm(folder, config)


def _in_new_namespaces(flags: int, work: Callable[[], None]) -> None:
    """The calling thread comes back from them; where it may not (rootless), a thread does it that ends in them."""
    home = os.pidfd_open(os.getpid())
    try:
        try:
            syscalls.setns(home, flags)  # it is there, and may say so
        except OSError:
            _in_thread(flags, work)
            return
        syscalls.unshare(flags)
        try:
            work()
        finally:
            try:
                syscalls.setns(home, flags)
            except OSError:
                os.abort()  # a thread left in a pod's namespaces would do damage with everything it does next
    finally:
        os.close(home)


def _in_thread(flags: int, work: Callable[[], None]) -> None:
    failure: list[BaseException] = []

    def run() -> None:
        try:
            syscalls.unshare(flags)
            work()
        except BaseException as failed:
            failure.append(failed)

    thread = threading.Thread(target=run, name="sandbox namespaces")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]


def _mount_shm(folder: str, config: runtime.SandboxConfig) -> None:
    shm = os.path.join(folder, "shm")
    os.mkdir(shm)
    if not config.host_ipc:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount("shm", shm, "tmpfs", flags, f"mode=1777,size={SHM_SIZE}")


def holder_order(config: runtime.SandboxConfig) -> dict[str, Any]:
    """For the shim (`shim_namespaces.start_holder`), where the pod has users of its own."""
    assert config.users is not None
    return {
        "host_id": config.users.host_id,
        "length": config.users.length,
        "flags": _flags(config),
        "hostname": config.hostname[:HOSTNAME_MAX],
        "sysctls": [(_sysctl_path(name), value) for name, value in _checked_sysctls(config).items()],
        "pause": config.share_process_namespace and not config.host_pid,
    }


def pin_held(folder: str, config: runtime.SandboxConfig, holder: int, pause: int) -> None:
    """Pin what the holder process stands in; it may end then."""
    os.makedirs(os.path.join(folder, "ns"), exist_ok=True)
    for kind in ("user", "net", "uts", "ipc"):
        _pin_one(f"/proc/{holder}/ns/{kind}", namespace_path(folder, kind))
    if pause:
        pin_process_namespace(folder, pause)
    _write_files(folder, config)
    _mount_shm(folder, config)


def remove(folder: str) -> None:
    """Succeeds also for what was made in part, and when it is gone."""
    for name in ("ns/user", "ns/net", "ns/uts", "ns/ipc", "ns/pid", "shm"):
        with contextlib.suppress(FileNotFoundError, OSError):  # EINVAL: not mounted
            syscalls.unmount(os.path.join(folder, name))
    shutil.rmtree(folder, ignore_errors=False) if os.path.exists(folder) else None


def namespace_path(folder: str, kind: str) -> str:
    return os.path.join(folder, "ns", kind)


def is_whole(folder: str) -> bool:
    """Whether the pins are still there (they are gone after a reboot)."""
    net = namespace_path(folder, "net")
    try:
        return os.stat(net).st_dev != os.stat(folder).st_dev
    except FileNotFoundError:
        return False


def pin_process_namespace(folder: str, pid: int) -> None:
    _pin_one(f"/proc/{pid}/ns/pid", namespace_path(folder, "pid"))


def _pin(folder: str, config: runtime.SandboxConfig) -> None:
    """The calling thread's."""
    if config.hostname:
        syscalls.set_hostname(config.hostname[:HOSTNAME_MAX])
    for kind in ("net", "uts", "ipc"):
        _pin_one(f"/proc/thread-self/ns/{kind}", os.path.join(folder, kind))
    _set_sysctls(config)


def _flags(config: runtime.SandboxConfig) -> int:
    flags = syscalls.CLONE_NEWUTS
    if not config.host_network:
        flags |= syscalls.CLONE_NEWNET
    if not config.host_ipc:
        flags |= syscalls.CLONE_NEWIPC
    return flags


def _pin_one(source: str, target: str) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    syscalls.mount(source, target, None, syscalls.MS_BIND)


def _set_sysctls(config: runtime.SandboxConfig) -> None:
    """The thread's own namespaces are the pod's: /proc/sys shows them."""
    if not config.host_network:
        for name, value in DEFAULT_SYSCTLS.items():
            if name not in config.sysctls:
                with contextlib.suppress(OSError):  # not in this kernel, or (rootless) a group that is not mapped
                    _set_sysctl(name, value)
    for name, value in _checked_sysctls(config).items():
        _set_sysctl(name, value)


def _checked_sysctls(config: runtime.SandboxConfig) -> Mapping[str, str]:
    for name in config.sysctls:
        if not name.replace("/", ".").startswith(NAMESPACED_SYSCTLS):
            raise PermissionError(f'sysctl "{name}" is not in a separate kernel namespace')
    return config.sysctls


def _set_sysctl(name: str, value: str) -> None:
    with open(_sysctl_path(name), "wb", buffering=0) as file:
        file.write(value.encode())


def _sysctl_path(name: str) -> str:
    """Of `a.b.c` or, as Kubernetes also allows, `a/b/c` (for interface names with dots)."""
    return os.path.join("/proc/sys", name if "/" in name else name.replace(".", "/"))


def _write_files(folder: str, config: runtime.SandboxConfig) -> None:
    files: Mapping[str, str] = {
        "hostname": config.hostname + "\n" if config.hostname else _host_text("/etc/hostname"),
        "resolv.conf": resolv_conf(config.dns) or _host_text("/etc/resolv.conf"),
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "wb", buffering=0) as file:
            file.write(text.encode())


def resolv_conf(dns: runtime.Dns) -> str:
    """Empty when nothing is asked for: then the node's own file is used."""
    lines = []
    if dns.searches:
        lines.append("search " + " ".join(dns.searches))
    lines += [f"nameserver {server}" for server in dns.servers]
    if dns.options:
        lines.append("options " + " ".join(dns.options))
    return "".join(line + "\n" for line in lines)


def _host_text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except FileNotFoundError:
        return ""
