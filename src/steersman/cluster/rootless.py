"""A machine of one's own without root: one user namespace that holds the whole cluster.

Inside, the user is root over a private set of mounts, network devices and host name, so every part runs there as it does
for real root. The namespaces must outlive a kill -9 of every Steersman process (containers go on running in them), so a
plain `sleep` holds them open, and the next start enters them again instead of making new ones.

Ids: with newuidmap and an entry in /etc/subuid the namespace has 65,536 ids; otherwise one, and then files in images keep
their owner only in name.
"""

import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import subprocess

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
# The user namespace first: it gives the right to enter the others.
NAMESPACES = (
    ("user", CLONE_NEWUSER),
    ("mnt", CLONE_NEWNS),
    ("net", CLONE_NEWNET),
    ("ipc", CLONE_NEWIPC),
    ("uts", CLONE_NEWUTS),
)
MS_REC = 0x4000
MS_PRIVATE = 0x40000
MS_SHARED = 0x100000
IDS = 65_536
_libc = ctypes.CDLL(None, use_errno=True)


def enter(holder_file: pathlib.Path) -> None:
    """Make this single-threaded process root of the cluster's user namespace, a new one where none is held."""
    pid = holder(holder_file)
    if pid:
        _join(pid)
    else:
        _create()
        # Not called steersman, and no child of it: it shall be there when everything else was killed.
        process = subprocess.Popen(
            ["sleep", "infinity"],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        holder_file.write_text(f"{process.pid} {_started_at(process.pid)}\n")
        process.returncode = 0  # never waited for: it outlives this process on purpose


def is_inside() -> bool:
    """Whether this process is in a user namespace: there not every id exists."""
    return pathlib.Path("/proc/self/uid_map").read_text().split() != ["0", "0", str(2**32 - 1)]


def holder(holder_file: pathlib.Path) -> int:
    """The process that holds the namespaces, 0 where there is none (any more)."""
    try:
        pid, started_at = holder_file.read_text().split()
    except (FileNotFoundError, ValueError):
        return 0
    return int(pid) if _started_at(int(pid)) == started_at else 0


def release(holder_file: pathlib.Path) -> None:
    """Let the namespaces go: they end with the last process in them."""
    pid = holder(holder_file)
    if pid:
        os.kill(pid, signal.SIGKILL)
    holder_file.unlink(missing_ok=True)


def _create() -> None:
    uid, gid = os.geteuid(), os.getegid()
    mapper = _IdMapper(os.getpid(), uid)
    flags = 0
    for _, flag in NAMESPACES:
        flags |= flag
    _check(_libc.unshare(flags), "unshare")
    if not mapper.map_ids():
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "mount --make-rprivate /")


def _join(pid: int) -> None:
    for name, flag in NAMESPACES:
        descriptor = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _check(_libc.setns(descriptor, flag), f"setns {name}")
        finally:
            os.close(descriptor)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


class _IdMapper:
    """newuidmap and newgidmap must be run from outside, by a process that was there before the namespace."""

    def __init__(self, target: int, uid: int) -> None:
        self._pid = 0
        ranges = [_subordinate_range(path, uid) for path in ("/etc/subuid", "/etc/subgid")]
        if not (shutil.which("newuidmap") and shutil.which("newgidmap") and all(ranges)):
            return
        read_end, self._go = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._go)
            os.read(read_end, 1)
            commands = [
                [tool, str(target), "0", str(own), "1", "1", str(first), str(IDS)]
                for tool, own, first in zip(("newuidmap", "newgidmap"), (uid, os.getegid()), ranges, strict=True)
            ]
            os._exit(max(subprocess.run(command, check=False).returncode for command in commands))
        os.close(read_end)

    def map_ids(self) -> bool:
        """False where the machine has no subordinate ids for this user."""
        if not self._pid:
            return False
        os.close(self._go)
        _, status = os.waitpid(self._pid, 0)
        return os.waitstatus_to_exitcode(status) == 0


def _subordinate_range(path: str, uid: int) -> int:
    """The first of the user's subordinate ids, 0 without (or with too few)."""
    try:
        name = pwd.getpwuid(uid).pw_name
        lines = pathlib.Path(path).read_text().splitlines()
    except (KeyError, FileNotFoundError):
        return 0
    for line in lines:
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in (name, str(uid)) and count.isdigit() and int(count) >= IDS:
            return int(first)
    return 0


def _started_at(pid: int) -> str:
    """Start time in clock ticks since boot: with the pid it names one process for ever. "" where there is none."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[19]


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
