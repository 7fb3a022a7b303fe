"""etcd from Debian, started on loopback for a test: one member, or a cluster of them that can be killed one by one."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence

from steersman.store.etcd.addresses import Address

# Fast elections: on loopback a heartbeat never takes long.
_QUICK = ("--heartbeat-interval=20", "--election-timeout=200", "--log-level=error", "--logger=zap")
START_SECONDS = 20.0


def is_installed() -> bool:
    return shutil.which("etcd") is not None


class Member:
    """One etcd, with a folder and ports of its own that it keeps over restarts."""

    def __init__(self, name: str, folder: pathlib.Path, tls: Sequence[str] = ()) -> None:
        self.name = name
        self.port, self.peer_port = free_ports(2)
        self._folder = folder / name
        self._scheme = "https" if tls else "http"
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    @property
    def peer(self) -> str:
        return f"{self.name}=http://127.0.0.1:{self.peer_port}"

    def start(self, peers: Sequence["Member"]) -> None:
        command = [
            "etcd",
            f"--name={self.name}",
            f"--data-dir={self._folder}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls=http://127.0.0.1:{self.peer_port}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{self.peer_port}",
            f"--initial-cluster={','.join(one.peer for one in peers)}",
            *_QUICK,
            *self._tls,
        ]
        # Debian's etcd wants to be asked on machines it was not tested on.
        environment = os.environ | {"ETCD_UNSUPPORTED_ARCH": os.uname().machine.replace("aarch64", "arm64")}
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)

    def wait_listening(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, "etcd ended"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.01)
        raise AssertionError("etcd does not listen")

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """As when the power fails."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


class Cluster:
    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members

    @property
    def address(self) -> Address:
        return Address(tuple(member.url for member in self.members))

    def start(self) -> None:
        for member in self.members:
            member.start(self.members)
        for member in self.members:
            member.wait_listening()


@contextlib.contextmanager
def running(folder: pathlib.Path, count: int = 1, tls: Sequence[str] = ()) -> Iterator[Cluster]:
    cluster = Cluster([Member(f"m{number}", folder, tls) for number in range(count)])
    try:
        cluster.start()
        yield cluster
    finally:
        for member in cluster.members:
            member.kill()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
