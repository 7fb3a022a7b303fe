"""Namespaces that need a process of their own to be made: a pod's user namespace, and those that belong to it.

A thread cannot enter a new user namespace, so the shim forks. The child lives until the kubelet has pinned what it made.
"""

import os
import signal
from collections.abc import Callable
from typing import Any

from steersman.containers import syscalls


def start_holder(wanted: dict[str, Any]) -> tuple[int, int]:
    """(holder, pause process or 0). `wanted`: `host_id` and `length` of the mapping, `flags` of the other namespaces, `hostname`,
    `sysctls`, `pause`. Raises OSError with the child's words."""
    to_parent, from_parent = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _be_holder(wanted, to_parent[1], from_parent[0])
    os.close(to_parent[1])
    os.close(from_parent[0])
    try:
        with open(to_parent[0], "rb", buffering=0) as answers, open(from_parent[1], "wb", buffering=0) as orders:
            _expect(answers.read(4096))
            for kind in ("uid_map", "gid_map"):
                with open(f"/proc/{pid}/{kind}", "w") as file:
                    file.write(f"0 {wanted['host_id']} {wanted['length']}\n")
            orders.write(b"go")
            return pid, int(_expect(answers.read(4096)))
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise


def _expect(answer: bytes) -> bytes:
    if not answer.startswith(b"ok "):
        raise OSError(f"cannot make a user namespace: {answer.decode(errors='replace') or 'no answer'}")
    return answer[3:]


def _be_holder(wanted: dict[str, Any], to_parent: int, from_parent: int) -> None:
    """Never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _tell(to_parent, lambda: _enter(syscalls.CLONE_NEWUSER))
        os.read(from_parent, 2)
        _tell(to_parent, lambda: _set_up(wanted))
        signal.pause()
    finally:
        os._exit(1)


def _tell(to_parent: int, work: Callable[[], int]) -> None:
    try:
        answer = f"ok {work()}"
    except OSError as failed:
        answer = str(failed)
    os.write(to_parent, answer.encode())


def _enter(flags: int) -> int:
    syscalls.unshare(flags)
    return 0


def _set_up(wanted: dict[str, Any]) -> int:
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    syscalls.unshare(wanted["flags"])
    if wanted["hostname"]:
        syscalls.set_hostname(wanted["hostname"])
    for path, value in wanted["sysctls"]:
        with open(path, "w") as file:
            file.write(value)
    return _start_pause() if wanted["pause"] else 0


def _start_pause() -> int:
    """Its number as the shim sees it: the child tells, by the parent's view of the fork."""
    syscalls.unshare(syscalls.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        become_pause()
    return pid


def become_pause() -> None:
    """PID 1 of a process namespace that sleeps; ignoring SIGCHLD makes the kernel reap for it. Never returns."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        null = os.open("/dev/null", os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        os.execv("/bin/sleep", ["/pause", "infinity"])
    finally:
        os._exit(1)
