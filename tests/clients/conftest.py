"""A real cluster on this machine and a real kubectl, for the tests of this folder.

Each cluster has its own name, data directory, port and kubeconfig, so tests touch nobody else's cluster, and is taken
down with `--purge` whatever happens. With STEERSMAN_TEST_STORE=etcd in the environment each keeps its
objects in an etcd of its own.
"""

import contextlib
import dataclasses
import itertools
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from steersman.aio.clock import SystemClock
from tests.store import etcd_server

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
COMMAND_SECONDS_MAX = 90
CLOCK = SystemClock()


@dataclasses.dataclass
class RunningCluster:
    name: str
    folder: pathlib.Path
    port: int
    flags: tuple[str, ...] = ()
    kubectl_path: str = "kubectl"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig"), "HOME": str(self.folder)}

    def steersman(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        verb, *rest = arguments
        command = [sys.executable, "-m", "steersman.main", verb]
        if verb in ("net", "node", "image", "snapshot"):
            command.append(rest.pop(0))
        return self._run([*command, *rest, "--name", self.name, "--data-dir", str(self.folder / "data")], check)

    def up(self) -> None:
        self.steersman("up", "-d", "--port", str(self.port), "--example-images", *self.flags)

    def kubectl(self, *arguments: str, check: bool = True, stdin: str = "") -> str:
        return self._run([self.kubectl_path, *arguments], check, stdin).stdout

    def run_kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """However it ends."""
        return self._run([self.kubectl_path, *arguments], check=False, stdin=stdin)

    def kubectl_fails(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl says when it does not succeed."""
        done = self._run([self.kubectl_path, *arguments], check=False, stdin=stdin)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def wait_until_prints(self, expected: str, *arguments: str, seconds: float = 30) -> None:
        """Poll a kubectl command until what it prints contains `expected`."""
        deadline, printed = CLOCK.monotonic() + seconds, ""
        while CLOCK.monotonic() < deadline:
            printed = self.kubectl(*arguments, check=False)
            if expected in printed:
                return
            CLOCK.pause(0.1)
        pytest.fail(f"{' '.join(arguments)}: no {expected!r} within {seconds} s, but {printed}")

    def wait_for(self, what: str, expected: str, *query: str, seconds: float = 30) -> None:
        """Poll a kubectl query until it prints `expected`."""
        deadline = CLOCK.monotonic() + seconds
        seen = ""
        while CLOCK.monotonic() < deadline:
            seen = self.kubectl(*query, check=False).strip()
            if seen == expected:
                return
            CLOCK.pause(0.1)
        pytest.fail(f"{what}: wanted {expected!r}, last saw {seen!r}\n" + self.kubectl("get", "pods,events", "-A"))

    def jsonpath(self, path: str, *arguments: str) -> str:
        return self.kubectl("get", *arguments, "-o", f"jsonpath={path}")

    def _run(self, command: list[str], check: bool, stdin: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS_MAX,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


def kubectls() -> list[str]:
    """Every kubectl there is: the one on the PATH, and older ones (kubectl.1.27 …) beside it or in its package."""
    newest = shutil.which("kubectl")
    if newest is None:
        return []
    folders = {pathlib.Path(newest).parent, pathlib.Path(newest).resolve().parent}
    if shutil.which("dpkg"):
        listing = subprocess.run(["dpkg", "-L", "kubectl"], capture_output=True, text=True, check=False).stdout
        folders |= {pathlib.Path(line).parent for line in listing.splitlines() if line.endswith("/kubectl")}
    older = sorted({str(path) for folder in folders for path in folder.glob("kubectl.1.*")})
    return [newest, *older]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(folder: pathlib.Path, name: str, *flags: str) -> Iterator[RunningCluster]:
    """A cluster from up to purge. Skips without root or kubectl."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if shutil.which("kubectl") is None:
        pytest.skip("needs a real kubectl")
    with contextlib.ExitStack() as stack:
        if os.environ.get("STEERSMAN_TEST_STORE") == "etcd" and "--store" not in flags:
            etcd = stack.enter_context(etcd_server.running(folder / "etcd"))
            flags = (*flags, "--store", f"etcd:{etcd.members[0].url}")
        cluster = RunningCluster(f"{name}-{os.getpid()}", folder, free_port(), flags)
        try:
            cluster.up()
            yield cluster
        finally:
            cluster.steersman("down", "--purge", check=False)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """One node; shared by the tests that leave it as they found it."""
    yield from started(tmp_path_factory.mktemp("cluster"), "one")


_numbers = itertools.count(1)


@pytest.fixture
def space(cluster: RunningCluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of one's own, gone afterwards."""
    words = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    name = f"t{next(_numbers)}-{words[:40].strip('-')}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false", check=False)


def steersman_processes(cluster: RunningCluster) -> list[int]:
    """Every process whose command line or name tells that it is this cluster's: also shims, which status may not list."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if cluster.name in text and "steersman" in text and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def kill_everything(cluster: RunningCluster) -> None:
    """SIGKILL to every Steersman process of the cluster, its containers' parents included."""
    for pid in steersman_processes(cluster):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
