"""Where a cluster keeps things: what must survive a reboot below `data`, what must not below `run`."""

import dataclasses
import os
import pathlib

# The longest path of a Unix socket is 107 bytes on Linux (sockaddr_un); the deepest one below `run` needs this many.
SOCKET_SUFFIX_BYTES = 40
SOCKET_PATH_BYTES_MAX = 107


@dataclasses.dataclass(frozen=True, slots=True)
class Paths:
    data: pathlib.Path
    run: pathlib.Path

    @property
    def options(self) -> pathlib.Path:
        return self.data / "options.json"

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.data / "kubeconfig"

    @property
    def pki(self) -> pathlib.Path:
        return self.data / "pki"

    @property
    def store(self) -> pathlib.Path:
        return self.data / "store.db"

    @property
    def logs(self) -> pathlib.Path:
        return self.data / "logs"

    @property
    def images(self) -> pathlib.Path:
        return self.data / "images"

    @property
    def lock(self) -> pathlib.Path:
        return self.data / "lock"

    @property
    def control_socket(self) -> pathlib.Path:
        return self.run / "control.sock"

    @property
    def namespace_holder(self) -> pathlib.Path:
        return self.run / "holder.pid"

    def node_data(self, node: str) -> pathlib.Path:
        return self.data / "nodes" / node

    def node_run(self, node: str) -> pathlib.Path:
        return self.run / "nodes" / node

    def prepare(self) -> None:
        for path in (self.data, self.run, self.pki, self.logs, self.images):
            path.mkdir(parents=True, exist_ok=True)
        for path in (self.data, self.run, self.pki):
            path.chmod(0o700)


def of_cluster(name: str, data_dir: str | None = None) -> Paths:
    """System directories for root, the user's own (XDG) for everyone else."""
    home = pathlib.Path.home()
    if os.geteuid() == 0:
        data, run = pathlib.Path("/var/lib/steersman"), pathlib.Path("/run/steersman")
    else:
        data = pathlib.Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share") / "steersman"
        run = pathlib.Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/steersman-{os.geteuid()}") / "steersman"
    paths = Paths(pathlib.Path(data_dir).absolute() if data_dir else data / name, run / name)
    if len(os.fsencode(paths.run)) + SOCKET_SUFFIX_BYTES > SOCKET_PATH_BYTES_MAX:
        raise ValueError(f"the run directory {paths.run} is too long for Unix sockets: choose a shorter cluster name")
    return paths
