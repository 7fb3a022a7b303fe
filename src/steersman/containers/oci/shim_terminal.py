"""Terminals of containers: received from crun, and kept open by a tiny process of their own while the shim is away.

When the master side of a terminal is closed, the container gets SIGHUP. So a forked keeper holds a copy until the container
ends; a new shim takes its copy from there (pidfd_getfd).
"""

import contextlib
import os
import select
import signal
import socket

from steersman.containers import syscalls
from steersman.containers.oci import protocol

RECEIVE_SECONDS = 5.0  # crun sends the terminal before it ends; this is only against a broken one
_KEPT = 3  # the keeper's descriptor number for the terminal


class Console:
    """The socket over which crun hands the terminal out."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, "console")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._sock = protocol.listen(self.path, socket.SOCK_STREAM, backlog=1)

    def receive(self) -> int:
        self._sock.settimeout(RECEIVE_SECONDS)
        connection, _ = self._sock.accept()
        with connection:
            connection.settimeout(RECEIVE_SECONDS)
            _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
        os.set_inheritable(descriptors[0], False)
        return descriptors[0]

    def close(self) -> None:
        self._sock.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def keep(terminal: int, container_pid: int) -> int:
    """Fork the keeper; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        for number in range(1, signal.NSIG):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.dup2(terminal, _KEPT) if terminal != _KEPT else None
        container = os.pidfd_open(container_pid)
        os.dup2(container, _KEPT + 1)
        os.closerange(_KEPT + 2, 1 << 16)
        for number in range(3):
            os.close(number)
        syscalls.set_process_name("steersman-tty")
        select.select([_KEPT + 1], [], [])
    finally:
        os._exit(0)


def take_back(keeper: int) -> int:
    """The terminal that a keeper holds; -1 when it is gone."""
    if not keeper:
        return -1
    try:
        process = os.pidfd_open(keeper)
    except ProcessLookupError:
        return -1
    try:
        return syscalls.take_descriptor(process, _KEPT)
    except OSError:
        return -1
    finally:
        os.close(process)
