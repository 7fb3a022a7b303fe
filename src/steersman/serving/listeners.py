"""Sockets to listen on: TCP, Unix, or inherited from whoever started the process.

Leaves to others: accepting connections (`http_server`).
"""

import contextlib
import os
import pathlib
import socket
from collections.abc import Mapping

FIRST_INHERITED_FD = 3  # systemd's protocol: sd_listen_fds(3)
BACKLOG = 1024  # connections waiting to be accepted; a thousand nodes may reconnect at once


def tcp(host: str, port: int) -> socket.socket:
    """Listens on `host`:`port`; port 0 takes a free one (`getsockname()` tells which)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def unix(path: pathlib.Path) -> socket.socket:
    """Listens on a Unix socket at `path`, replacing one that a dead process left; only its owner may connect."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def inherited(environment: Mapping[str, str], pid: int | None = None) -> list[socket.socket]:
    """The listening sockets handed over in `LISTEN_FDS`, when they are meant for this process (`LISTEN_PID`)."""
    if environment.get("LISTEN_PID") != str(os.getpid() if pid is None else pid):
        return []
    count = int(environment.get("LISTEN_FDS", "0"))
    found = [socket.socket(fileno=fd) for fd in range(FIRST_INHERITED_FD, FIRST_INHERITED_FD + count)]
    for listener in found:
        listener.setblocking(False)
        listener.set_inheritable(False)
    return found
