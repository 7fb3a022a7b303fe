"""Where a cluster keeps things: what must survive a reboot below `data`, what must not below `run`."""

import dataclasses
import fcntl
import os
import pathlib
import re

# The longest path of a Unix socket is 107 bytes on Linux (sockaddr_un); the deepest one below `run` needs this many.
SOCKET_SUFFIX_BYTES = 40
SOCKET_PATH_BYTES_MAX = 107
# Names of folders, control groups and kubeconfig contexts: nothing that leads out of a folder or needs quoting.
NAME = re.compile(r"[A-Za-z0-9]([-_.A-Za-z0-9]*[A-Za-z0-9])?")


@dataclasses.dataclass(frozen=True, slots=True)
class Paths:
    data: pathlib.Path
    run: pathlib.Path

    @property
    def options(self) -> pathlib.Path:
        return self.data / "options.json"

    @property
    def membership(self) -> pathlib.Path:
        """There where this machine joined another one's cluster."""
        return self.data / "joined.json"

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
    def ingress(self) -> pathlib.Path:
        """The files of the proxy for Ingresses, as long as it runs."""
        return self.run / "ingress"

    @property
    def ingress_certificate(self) -> pathlib.Path:
        return self.data / "ingress" / "default.pem"

    @property
    def namespace_holder(self) -> pathlib.Path:
        return self.run / "holder.pid"

    @property
    def data_link(self) -> pathlib.Path:
        """Points at `data` from its first start until it is purged or the machine is: the name alone then finds the cluster."""
        return self.run / "data"

    def in_use(self) -> "Paths":
        """With the data directory of the cluster of this name that was started last, whatever was asked for."""
        if self.data_link.is_symlink():
            return dataclasses.replace(self, data=self.data_link.readlink())
        return self

    def others(self) -> "list[Paths]":
        """Of other clusters of this machine, also of those that are stopped or that it joined, as far as they are found."""
        links = [link for link in self.run.parent.glob("*/data") if link.is_symlink()]
        kept = (
            path for name in (self.options.name, self.membership.name) for path in self.data.parent.glob(f"*/{name}")
        )
        folders = {link.readlink() for link in links} | {path.parent for path in kept}
        return [Paths(folder, self.run.parent / folder.name) for folder in sorted(folders - {self.data})]

    def holds_other_things(self) -> bool:
        """Whether `data` is somebody else's folder: neither a cluster's nor empty. A purge would delete it all."""
        return self.data.is_dir() and not self.lock.exists() and any(self.data.iterdir())

    def node_data(self, node: str) -> pathlib.Path:
        return self.data / "nodes" / node

    def node_run(self, node: str) -> pathlib.Path:
        return self.run / "nodes" / node

    def prepare(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.lock.touch(0o600)  # before all else: from here on `data` is seen to be a cluster's, also by a second `up`
        for path in (self.data, self.run, self.pki, self.logs, self.images):
            path.mkdir(parents=True, exist_ok=True)
        for path in (self.data, self.pki):
            path.chmod(0o700)
        self.run.chmod(0o711)  # root file systems lie below: users of pods with a user namespace are nobody out here

    def remember_data(self) -> None:
        """From now on the name alone finds the data. Only for who holds the lock: a start that was refused must not
        lead a later `down --purge` to somebody else's folder."""
        self.data_link.unlink(missing_ok=True)
        self.data_link.symlink_to(self.data)


def check_name(name: str) -> str:
    """The name. Raises ValueError where it can be no cluster's."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} can be no cluster's name: use letters, digits and, between them, '-', '_' and '.'")
    return name


def of_cluster(name: str, data_dir: str | None = None) -> Paths:
    """System directories for root, the user's own (XDG) for everyone else. Without `data_dir`, where it was started last."""
    check_name(name)
    home = pathlib.Path.home()
    if os.geteuid() == 0:
        data, run = pathlib.Path("/var/lib/steersman"), pathlib.Path("/run/steersman")
    else:
        data = pathlib.Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share") / "steersman"
        run = pathlib.Path(os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/steersman-{os.geteuid()}") / "steersman"
    paths = Paths(pathlib.Path(data_dir).absolute() if data_dir else data / name, run / name)
    if len(os.fsencode(paths.run)) + SOCKET_SUFFIX_BYTES > SOCKET_PATH_BYTES_MAX:
        raise ValueError(f"the run directory {paths.run} is too long for Unix sockets: choose a shorter cluster name")
    return paths if data_dir else paths.in_use()


def is_locked(lock: pathlib.Path) -> bool:
    """Whether processes of a cluster hold it."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
