"""How the command line talks to a running supervisor: one JSON line there, one JSON line back, over a Unix socket."""

import pathlib
import socket
from typing import Any

import msgspec

ANSWER_SECONDS_MAX = 60.0
LINE_BYTES_MAX = 1 << 20

Message = dict[str, Any]


class NotRunning(Exception):
    """Nobody listens at the control socket."""


def ask(path: pathlib.Path, message: Message) -> Message:
    """Send one request and wait for its answer. Raises NotRunning."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_SECONDS_MAX)
        try:
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(message) + b"\n")
            line = read_line(connection)
        except (FileNotFoundError, ConnectionError):
            raise NotRunning(str(path)) from None
    if not line:
        raise NotRunning(str(path))
    answer: Message = msgspec.json.decode(line)
    return answer


def read_line(connection: socket.socket) -> bytes:
    """One line without its end; b"" when the peer closed before finishing one."""
    received = b""
    while not received.endswith(b"\n"):
        piece = connection.recv(65536)
        if not piece or len(received) > LINE_BYTES_MAX:
            return b""
        received += piece
    return received[:-1]


def listen(path: pathlib.Path) -> socket.socket:
    """Take the socket's path; only the caller of this may do so (it holds the cluster's lock)."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(16)
    return listener
