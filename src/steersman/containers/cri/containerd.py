"""A containerd of a node's own: its configuration, its process, its images.

It runs in the network namespace of whoever starts it, and in a mount namespace of its own where cgroup version 2 is hidden on
hybrid hosts (crun 1.8 refuses those). It outlives the kubelet, as containers do; the next kubelet finds it by its socket.
Reads and writes: `root` (kept over reboots) and `run` (not).
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from steersman.aio.clock import Clock
from steersman.containers import app_armor, syscalls
from steersman.containers.images import build
from steersman.containers.oci import cgroups, host, host_mounts, records

PAUSE_IMAGE = "localhost/pause:1"
NAMESPACE = "k8s.io"  # where containerd's CRI keeps everything
CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")
START_SECONDS = 20.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.02


class NotInstalled(RuntimeError):
    """containerd, its client or the CNI plugins are missing; the text says what to install."""


class Containerd:
    """`pod_cidr` is where pods' addresses come from. Mounts below `shared_dirs` (of volumes) must reach containers. `network`
    takes the calling thread into the network that containerd lives in. `registry_hosts`: a folder of hosts.toml files."""

    def __init__(
        self,
        root: Path,
        run: Path,
        pod_cidr: str,
        clock: Clock,
        *,
        shared_dirs: Sequence[Path] = (),
        network: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext,
        registry_hosts: str = "",
    ) -> None:
        self._registry_hosts = registry_hosts
        self._shared_dirs = shared_dirs
        self._network = network
        self._root = root
        self._run = run
        self._pod_cidr = pod_cidr
        self._clock = clock
        self.socket = run / "containerd.sock"

    async def start(self) -> None:
        """Idempotent. Raises NotInstalled, OSError or TimeoutError."""
        if self.pid:
            return
        paths = installed()
        await asyncio.to_thread(self._prepare, paths)
        await asyncio.to_thread(self._launch)
        async with self._clock.timeout(START_SECONDS):
            while not await self._answers():
                await self._clock.sleep(LOOK_SECONDS)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pause.tar")
            await asyncio.to_thread(build.build_pause, PAUSE_IMAGE, path)
            await self.load(path, "localhost/pause")

    async def load(self, path: str, name: str = "") -> None:
        """Add the images of an archive under their own names; with `name`, also by digest under that one."""
        digests = ("--digests", "--base-name", name) if name else ()
        await self._ctr("images", "import", *digests, path)

    @property
    def pid(self) -> int:
        """0: it does not run."""
        found = records.read(str(self._run / "containerd.json"))
        if found and records.process_start_ticks(found[0]) == found[1]:
            return int(found[0])
        return 0

    async def stop(self) -> None:
        """Containers go on running under their shims."""
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGTERM)
            async with self._clock.timeout(STOP_SECONDS):
                while self.pid:
                    await self._clock.sleep(LOOK_SECONDS)

    def cut(self, group: str) -> None:
        """As if the power went: it dies, and its shims, and every process of its containers (in the control group)."""
        pids = [self.pid, *_processes_naming(str(self.socket))]
        pids += cgroups.processes(cgroups.detect(Path("/proc/self/mountinfo").read_text()), group)
        for pid in filter(None, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def clear_away(self) -> None:
        """After `stop`: what it has mounted, and its working files. Images stay."""
        host_mounts.unmount_below(str(self._run))
        shutil.rmtree(self._run, ignore_errors=True)

    def _prepare(self, paths: "Paths") -> None:
        for folder in (self._root, self._run, self._run / "cni"):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self._run, *self._shared_dirs):
            host_mounts.ensure_shared(str(folder))
        (self._run / "config.toml").write_text(config(self._root, self._run, paths, self._registry_hosts))
        (self._run / "cni" / "10-steersman.conflist").write_text(network(self._pod_cidr, self._root / "addresses"))

    def _launch(self) -> None:
        """Through a small process that hides what has to be hidden, and becomes containerd."""
        path = str(self._run / "config.toml")
        for stray in _processes_naming(path):  # of a kubelet that was killed before it wrote the number down
            with contextlib.suppress(ProcessLookupError):
                os.kill(stray, signal.SIGKILL)
        command = [sys.executable, "-m", __name__, path, str(self._run / "containerd.log")]
        with self._network():
            pid = int(subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout)
        records.write(str(self._run / "containerd.json"), [pid, records.process_start_ticks(pid)])

    async def _answers(self) -> bool:
        if not self.pid:
            words = (self._run / "containerd.log").read_text(errors="replace")[-500:]
            raise OSError(f"containerd ended: {words}")
        if not self.socket.exists():
            return False
        try:
            await self._ctr("version")
        except OSError:
            return False
        return True

    async def _ctr(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            "ctr", "--address", str(self.socket), "--namespace", NAMESPACE, *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        _, said = await process.communicate()
        if process.returncode:
            raise OSError(f"ctr {' '.join(arguments)}: {said.decode(errors='replace').strip()}")


def _processes_naming(text: str) -> list[int]:
    """Those that have it in their command line: shims name the socket they talk to."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if text in (folder / "cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(folder.name))
    return found


class Paths:
    """Of the programs that are needed."""

    def __init__(self, runtime: str, plugins: str) -> None:
        self.runtime = runtime
        self.plugins = plugins


def installed() -> Paths:
    """Raises NotInstalled."""
    for program in ("containerd", "ctr"):
        if shutil.which(program) is None:
            raise NotInstalled(f"{program} is not installed: install the Debian package containerd")
    runtime = next(filter(None, map(shutil.which, host.RUNTIMES)), None)
    if runtime is None:
        raise NotInstalled("neither crun nor runc is installed")
    plugins = next((folder for folder in CNI_FOLDERS if os.path.exists(f"{folder}/ptp")), None)
    if plugins is None:
        raise NotInstalled("CNI plugins are not installed: install the Debian package containernetworking-plugins")
    return Paths(runtime, plugins)


def config(root: Path, run: Path, paths: Paths, registry_hosts: str = "") -> str:
    """containerd's own, with CRI on, for pods of this node only."""
    may_raise = bool(host.own_capabilities() >> host.CAP_SYS_RESOURCE & 1)
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = {_text(root)}
state = {_text(run / "state")}
[grpc]
  address = {_text(run / "containerd.sock")}
[ttrpc]
  address = {_text(run / "containerd.sock.ttrpc")}
{cri}]
  sandbox_image = {_text(PAUSE_IMAGE)}
  restrict_oom_score_adj = {str(not may_raise).lower()}
  disable_apparmor = {str(not app_armor.is_enabled()).lower()}
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
{cri}.cni]
  bin_dir = {_text(paths.plugins)}
  conf_dir = {_text(run / "cni")}
{cri}.containerd]
  default_runtime_name = {_text(Path(paths.runtime).name)}
{cri}.containerd.runtimes.{Path(paths.runtime).name}]
  runtime_type = "io.containerd.runc.v2"
{cri}.containerd.runtimes.{Path(paths.runtime).name}.options]
  BinaryName = {_text(paths.runtime)}
{cri}.registry]
  config_path = {_text(registry_hosts)}
"""


def network(pod_cidr: str, addresses: Path) -> str:
    """CNI: a pair of links for each pod and a route to it, without a bridge, as the embedded runtime's pods have."""
    plugins = [
        {
            "type": "ptp",
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": pod_cidr}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": str(addresses),
            },
        }
    ]
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    if shutil.which("iptables"):
        return json.dumps({"cniVersion": "0.4.0", "name": "steersman", "plugins": [*plugins, ports]})
    return json.dumps({"cniVersion": "0.4.0", "name": "steersman", "plugins": plugins})


def _text(value: object) -> str:
    return json.dumps(str(value))


def main(path: str, log: str) -> None:
    """Start containerd as nobody's child, and tell its number."""
    pid = os.fork()
    if pid:
        print(pid)
        return
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    hierarchy = cgroups.detect(Path("/proc/self/mountinfo").read_text())
    syscalls.unshare(syscalls.CLONE_NEWNS)
    if os.path.ismount("/sys/fs/cgroup"):
        syscalls.mount("none", "/sys/fs/cgroup", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    if hierarchy.unified:
        syscalls.unmount(hierarchy.unified)
    program = shutil.which("containerd")
    assert program is not None
    os.execv(program, [program, "--config", path])


if __name__ == "__main__":
    main(*sys.argv[1:])
