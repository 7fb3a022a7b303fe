"""Connections into a pod's network namespace, for port-forward."""

import asyncio
import functools
import os
import socket
import threading
from collections.abc import Callable

from steersman.containers import runtime, syscalls
from steersman.containers.connection import Connection
from steersman.containers.runtime import RuntimeFailure

CONNECT_SECONDS = 10.0


async def connect(namespace_path: str, port: int) -> Connection:
    """IPv4 loopback of the pod first, then IPv6. Raises RuntimeFailure (PortForwardError)."""
    failures = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            sock = await _in_thread(functools.partial(_connected, namespace_path, family, address, port))
        except OSError as refused:
            failures.append(f"dial {address}:{port}: {refused.strerror or refused}")
            continue
        try:
            return Connection(*await asyncio.open_connection(sock=sock))
        except BaseException:
            sock.close()
            raise
    raise RuntimeFailure("PortForwardError", f"failed to connect to port {port} inside the pod: {'; '.join(failures)}")


async def _in_thread(work: Callable[[], socket.socket]) -> socket.socket:
    """A thread cannot be called off: what it has connected when nobody waits any more is closed. It would keep the namespace."""
    making = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(_close)
        raise


def _close(made: "asyncio.Future[socket.socket]") -> None:
    if not made.cancelled() and made.exception() is None:
        made.result().close()


def _connected(namespace_path: str, family: int, address: str, port: int) -> socket.socket:
    """A socket belongs to the namespace it was made in, whoever uses it: make it in a thread that goes there and ends."""
    made: list[socket.socket] = []
    failure: list[OSError] = []

    def work() -> None:
        namespace = os.open(namespace_path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(namespace, syscalls.CLONE_NEWNET)
            made.append(socket.socket(family, socket.SOCK_STREAM))
        except OSError as failed:
            failure.append(failed)
        finally:
            os.close(namespace)

    thread = threading.Thread(target=work, name="pod socket")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    sock = made[0]
    try:
        sock.settimeout(CONNECT_SECONDS)
        sock.connect((address, port))
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


def interfaces_of(pid: int) -> tuple[runtime.InterfaceUsage, ...]:
    """What went through the interfaces that a process sees, but for loopback. Nothing when it has ended."""
    try:
        with open(f"/proc/{pid}/net/dev") as file:
            lines = file.read().splitlines()[2:]
    except (FileNotFoundError, ProcessLookupError, OSError):
        return ()
    found = []
    for line in lines:
        name, _, text = line.partition(":")
        counts = [int(word) for word in text.split()]
        if name.strip() != "lo":
            got, sent = counts[:8], counts[8:]  # bytes, packets, errors, dropped, …
            found.append(
                runtime.InterfaceUsage(name.strip(), got[0], got[2], sent[0], sent[2], got[1], got[3], sent[1], sent[3])
            )
    return tuple(found)
