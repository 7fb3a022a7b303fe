"""The shim's parent: it takes over what a killed shim leaves, and writes down how each of those containers ends.

Containers are children of their shim. Is it killed, the kernel gives them to the nearest ancestor that asked for orphans; were
that the machine's init, how they end would be known to nobody but holders of a pidfd (Linux 6.15 and newer), and the kubelet, which
holds some, may have been killed, too. This process does nothing but wait, and ends when nothing is left to wait for.
"""

import contextlib
import os
import signal

from steersman.containers import syscalls
from steersman.containers.oci import records

ALIVE = "reapers"  # a folder: the pid of each reaper as a file's name, with its start in ticks


def fork(run_dir: str, close: tuple[int, ...]) -> None:
    """Returns in a child, which is to be the shim; this process goes on as its reaper, without the descriptors `close`."""
    syscalls.become_subreaper()
    shim = os.fork()
    if shim == 0:
        return
    try:
        for fd in close:  # the lock above all: another shim must get it once this one is dead
            os.close(fd)
        _wait(run_dir, shim)
    finally:
        os._exit(0)


def _wait(run_dir: str, shim: int) -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        syscalls.set_process_name("steersman-reap")
    alive = os.path.join(run_dir, ALIVE, str(os.getpid()))
    os.makedirs(os.path.dirname(alive), exist_ok=True)
    records.write(alive, records.process_start_ticks(os.getpid()))
    try:
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)) is not None:
            if found.si_pid != shim:
                with contextlib.suppress(
                    OSError, ValueError
                ):  # it is being removed, or the disk is full: it stays unknown
                    _write(run_dir, found)
            os.waitpid(found.si_pid, 0)
    except ChildProcessError:
        pass  # nobody is left
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(alive)


def _write(run_dir: str, found: os.waitid_result) -> None:
    """Into the folder of the container whose first process it was; of others nobody asks."""
    folder = os.path.join(run_dir, "containers")
    for name in os.listdir(folder):
        if records.read(os.path.join(folder, name, records.PID)) == found.si_pid:
            status = found.si_status << 8 if found.si_code == os.CLD_EXITED else found.si_status
            ticks = records.process_start_ticks(found.si_pid, ended_too=True)
            records.write(os.path.join(folder, name, records.REAPED), {"ticks": ticks, "status": status})


def status_of(folder: str, ticks: int) -> int | None:
    """How the process of a container's folder ended, as `os.waitpid` tells it; None: no reaper saw it. `ticks`: when it had
    started, 0 where nobody wrote that down."""
    found = records.read(os.path.join(folder, records.REAPED))
    return int(found["status"]) if found and ticks in (0, found["ticks"]) else None


def living(run_dir: str) -> list[int]:
    """Every reaper of this node."""
    found, folder = [], os.path.join(run_dir, ALIVE)
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        ticks = records.read(os.path.join(folder, name)) if name.isdigit() else None
        if ticks and records.process_start_ticks(int(name)) == ticks:
            found.append(int(name))
    return found
