"""What the node's runtime and its shim say to each other: one JSON object per packet, descriptors beside it.

A Unix SOCK_SEQPACKET socket keeps packets whole and carries descriptors. Requests have `id` and `do`, answers the same `id`
and `ok` or `error`; events have `event`. Small imports only: the shim uses this.
"""

import json
import os
import socket
from typing import Any

Message = dict[str, Any]

PACKET_BYTES_MAX = 128 * 1024  # below the kernel's default socket buffer, so that a packet always fits
DESCRIPTORS_MAX = 3


def send(sock: socket.socket, message: Message, descriptors: list[int] | None = None) -> None:
    """Raises BlockingIOError when a non-blocking peer is slow."""
    raw = json.dumps(message, separators=(",", ":")).encode()
    if len(raw) > PACKET_BYTES_MAX:
        raise ValueError(f"a packet of {len(raw)} bytes is too large")
    socket.send_fds(sock, [raw], descriptors or [])


def receive(sock: socket.socket) -> tuple[Message | None, list[int]]:
    """None at the end of the connection."""
    raw, descriptors, _flags, _address = socket.recv_fds(sock, PACKET_BYTES_MAX, DESCRIPTORS_MAX)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return (json.loads(raw) if raw else None), descriptors


def listen(path: str, kind: int, backlog: int = 16) -> socket.socket:
    """Bind also where the path is longer than the 107 bytes of a socket address: through the folder's descriptor."""
    sock = socket.socket(socket.AF_UNIX, kind)
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        sock.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(folder)
    return sock


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        try:
            sock.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)
    except BaseException:
        sock.close()
        raise
    return sock
