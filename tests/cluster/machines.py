"""Machines for tests: namespaces of this one (network, mounts, processes, host name), joined by a bridge.

Each has its own /run, /var/lib/steersman, loopback and host name, and dies as a whole with its first process, as when its power is
cut. What it keeps on its disk is there when it is switched on again. Control groups are this machine's: names of clusters and nodes
must be the tests' own.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping

from steersman.network import namespaces, netlink

NETWORK = "192.168.77"
STEERSMAN = (sys.executable, "-P", "-m", "steersman.main")

# Run by the first process of a machine, which has its namespaces already.
_BOOT = """
set -e
hostname "$NAME"
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /var/lib/steersman
mount --bind "$DISK" /var/lib/steersman
echo booted
exec sleep infinity
"""


class Machine:
    """`number` from 1: its address is 192.168.77.NUMBER0."""

    def __init__(self, lab: "Lab", name: str, number: int) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}0"
        self._lab = lab
        self._number = number
        self._disk = lab.folder / name
        self._disk.mkdir()
        self._init: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        environment = {**os.environ, "NAME": self.name, "DISK": str(self._disk)}
        self._init = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "sh", "-c", _BOOT],
            env=environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert self._init.stdout is not None
        assert self._init.stdout.readline() == b"booted\n"
        self._lab.plug(f"lab{self._number}", f"/proc/{self.pid}/ns/net", f"{self.address}/24", self._number)

    @property
    def is_on(self) -> bool:
        return self._init is not None

    @property
    def pid(self) -> int:
        """Of its first process, as seen from outside."""
        assert self._init is not None, "it is switched off"
        children = pathlib.Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        return int(children[0])

    @property
    def disk(self) -> pathlib.Path:
        """Its /var/lib/steersman."""
        return self._disk

    def cut_power(self) -> None:
        if self._init is not None:
            with contextlib.suppress(IndexError, ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._init.kill()
            self._init.wait()
            assert self._init.stdout is not None
            self._init.stdout.close()
            self._init = None

    def run(
        self,
        *command: str,
        timeout: float = 60,
        environment: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A command on the machine, with what it says."""
        inside = ["nsenter", "-t", str(self.pid), "-n", "-m", "-p", "-u", "-i", "--", *command]
        env = {**os.environ, "HOME": "/run", "KUBECONFIG": "", **(environment or {})}
        return subprocess.run(
            inside, capture_output=True, text=True, timeout=timeout, check=False, env=env, input=stdin
        )

    def steersman(self, *arguments: str, timeout: float = 90) -> subprocess.CompletedProcess[str]:
        return self.run(*STEERSMAN, *arguments, timeout=timeout)


class Lab:
    """A link that machines hang on."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self._link = str(folder / "link")
        self._machines: list[Machine] = []

    def machine(self, name: str) -> Machine:
        made = Machine(self, name, len(self._machines) + 1)
        self._machines.append(made)
        made.boot()
        return made

    def running(self) -> list[Machine]:
        return [one for one in self._machines if one.is_on]

    def open(self) -> None:
        namespaces.pin({"net": self._link})
        with netlink.Netlink(self._link) as kernel:
            kernel.add_bridge("link")
            bridge = kernel.link("link")
            assert bridge is not None
            kernel.set_up(bridge.index)
            kernel.add_address(bridge.index, f"{NETWORK}.1/24")

    def close(self) -> None:
        for machine in self._machines:
            machine.cut_power()
        namespaces.unpin(self._link)

    def plug(self, name: str, namespace: str, address: str, number: int) -> None:
        with netlink.Netlink(self._link) as kernel, netlink.Netlink(namespace) as inside:
            bridge = kernel.link("link")
            assert bridge is not None
            kernel.remove_link(name)
            kernel.add_veth(
                name, f"02:77:00:00:01:{number:02x}", "ens1", f"02:77:00:00:00:{number:02x}",
                peer_namespace=namespace, mtu=1500, master=bridge.index,
            )  # fmt: skip
            for one in ("lo", "ens1"):
                link = inside.link(one)
                assert link is not None
                inside.set_up(link.index)
                if one == "ens1":
                    inside.add_address(link.index, address)
                    inside.replace_route("0.0.0.0/0", gateway=f"{NETWORK}.1", index=link.index)


@contextlib.contextmanager
def opened(folder: pathlib.Path) -> Iterator[Lab]:
    lab = Lab(folder)
    lab.open()
    try:
        yield lab
    finally:
        lab.close()
