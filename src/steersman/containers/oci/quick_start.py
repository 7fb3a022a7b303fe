"""Makes an ordinary container out of a thread of the shim, as `quick_plan` says, with a third of the system calls that crun makes.

A process of crun for each container reads twelve libraries, forks three times and copies every mount of the node to throw it away
again. Here a thread that ends right afterwards takes on, one after the other, all that the container's process is to be: control
groups, namespaces, root, user and capabilities belong to a thread in Linux. Its child (`embryo`) inherits them and executes the
program. Mounts are taken as descriptors into a namespace where nothing is mounted, and put together there. What goes wrong is
crun's to explain: it is asked to start the same container.

Keeps true: what a container of crun's sees, these see (tests/containers/test_quick_start.py holds one against the other).

On safety: paths inside the root filesystem are opened so that no link leads out of it (openat2); no folder of the node's
is open any more when the working directory and the program are looked up (CVE-2024-21626); the shim's own program lies on a mount
that cannot be written (CVE-2019-5736, `shim_client`).
"""

import _thread
import contextlib
import ctypes
import os
import resource
import signal
import stat
from collections.abc import Callable
from typing import Any, NamedTuple

from steersman.containers import mount_trees, syscalls
from steersman.containers.oci import cgroups, embryo, quick_mounts, shim_mounts

STARTING = "steersman-start"  # the name of the process before it has a program
_JOIN_SESSION_KEYRING = 1


class Numbers(NamedTuple):
    """Of system calls that differ between architectures. The C library has some of them, but changes all threads at once."""

    keyctl: int
    setgroups: int
    setresgid: int
    setresuid: int


NUMBERS = Numbers(250, 116, 119, 117)  # x86_64


class Ground(NamedTuple):
    """What the shim has ready: a mount namespace with nothing in it, the control groups, the machine's calls."""

    empty: int
    hierarchy: cgroups.Hierarchy
    numbers: Numbers


class Order(NamedTuple):
    """One container: its name, launch record, where its root filesystem is mounted meanwhile, and its streams. `pid_file` gets its
    process's number before that has a program: a shim that is killed then leaves word that the container has run."""

    name: str
    launch: dict[str, Any]
    root: str
    streams: tuple[int, int, int]
    pid_file: str


def prepare(config: Any) -> Ground | None:
    """Once for each shim. None: this machine cannot; crun makes all containers."""
    is_safe = os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY
    if not embryo.is_possible() or config.is_rootless or config.cgroups["version"] != 1 or not is_safe:
        return None
    try:
        os.close(mount_trees.clone("/dev/null"))
        empty = quick_mounts.empty_namespace(os.path.join(config.run_dir, shim_mounts.ROOTS))
    except OSError:
        return None
    return Ground(empty, cgroups.Hierarchy(1, config.cgroups["mounts"]), NUMBERS)


def start(ground: Ground, order: Order, kept: int, done: Callable[[int, str], None]) -> None:
    """`done` is called from another thread, with the new process, or 0 and what went wrong. It may use the descriptor `kept`."""

    def work() -> None:
        try:
            pid, failure = _make(ground, order, kept), ""
        except Exception as failed:
            pid, failure = 0, f"{type(failed).__name__}: {failed}"
        done(pid, failure)

    _thread.start_new_thread(work, ())


def _make(ground: Ground, order: Order, kept: int) -> int:
    plan = order.launch["plan"]
    process = plan["process"]
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    syscalls.set_process_name(STARTING)
    syscalls.unshare(syscalls.CLONE_FILES | syscalls.CLONE_FS)
    # The shim's lock above all: a process that outlives the shim, and waits for its program, would keep the next one out.
    _close_all_but({*order.streams, kept, ground.empty})
    record = os.open(order.pid_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    groups = _join_groups(ground.hierarchy, plan)
    tree, trees = quick_mounts.take(order.launch, order.root, groups)
    for path in plan["namespaces"]:
        _join(path)
    syscalls.setns(ground.empty, syscalls.CLONE_NEWNS)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    os.umask(0)
    root, null = quick_mounts.put_together(ground.hierarchy, plan, tree, trees)
    _take_streams(order.streams, null, process["user"])
    _become(ground, order, process)
    _limit(process)
    with embryo.Embryo(own_processes=plan["own_processes"]) as made:
        likelihood = os.open(f"/proc/{made.pid}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(likelihood, str(process["oomScoreAdj"]).encode())  # to be a victim when memory runs out
        quick_mounts.add_processes(root, null, made.proc, plan)
        quick_mounts.enter(root)
        _run(made, process, {kept, record}, record)
        return made.pid


# Control groups


def _join_groups(hierarchy: cgroups.Hierarchy, plan: dict[str, Any]) -> dict[str, int]:
    """Made with limits before anything runs in them; by where their hierarchies are mounted."""
    folders = {mount: _make_group(os.path.join(mount, plan["group"])) for mount in hierarchy.roots}
    if "cpuset" in hierarchy.mounts:
        cgroups.fill_processors(hierarchy, plan["group"])
    for file, texts in (*plan["devices"], *((file, [text]) for file, text in plan["limits"].items())):
        folder = folders[hierarchy.mounts[file.partition(".")[0]]]
        with contextlib.suppress(FileNotFoundError) if file == cgroups.WITH_SWAP else contextlib.nullcontext():
            _write(folder, file, texts)
    for folder in folders.values():
        _write(folder, "tasks", ["0"])  # only this thread, for which the kernel waits for nobody
    return folders


def _make_group(path: str) -> int:
    try:
        _make_folder(path)
    except FileNotFoundError:  # the first container of its pod
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _make_folder(path)
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _make_folder(path: str) -> None:
    with contextlib.suppress(FileExistsError):  # another container of the pod was faster, or it is not the first try
        os.mkdir(path)


def _write(folder: int, file: str, texts: list[str]) -> None:
    """One after the other: each is a rule."""
    fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        for text in texts:
            os.write(fd, text.encode())
    finally:
        os.close(fd)


# The process itself


def _take_streams(streams: tuple[int, int, int], null: int, user: dict[str, Any]) -> None:
    """They become the container's user's, who may open them again by /dev/stdout. The null device is the container's own."""
    device = os.fstat(null).st_rdev
    for number, stream in enumerate(streams):
        found = os.fstat(stream)
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == device:
            stream = null
        os.fchown(stream, user["uid"], user["gid"])
        os.dup2(stream, number)


def _become(ground: Ground, order: Order, process: dict[str, Any]) -> None:
    """What the program is to be. The thread goes on with its own capabilities: which of them a program has, execve decides."""
    user, numbers = process["user"], ground.numbers
    with contextlib.suppress(OSError):  # out of keys, or a kernel without: as crun, it goes on with the node's
        syscalls.call(numbers.keyctl, _JOIN_SESSION_KEYRING, ctypes.c_char_p(order.name.encode()))
    os.umask(user["umask"])
    syscalls.keep_capabilities()
    syscalls.bound_capabilities(process["capabilities"])
    groups = user.get("additionalGids", ())
    syscalls.call(numbers.setgroups, len(groups), (ctypes.c_uint32 * len(groups))(*groups))
    syscalls.call(numbers.setresgid, *(user["gid"],) * 3)
    syscalls.call(numbers.setresuid, *(user["uid"],) * 3)
    syscalls.take_capabilities()
    if process["noNewPrivileges"]:
        syscalls.give_up_new_privileges()


def _run(made: embryo.Embryo, process: dict[str, Any], kept: set[int], record: int) -> None:
    """Only streams, pipes and plain files are open when paths of the container's own are followed."""
    _close_all_but(kept | made.descriptors)
    os.chdir(process["cwd"])
    os.getcwd()  # raises where that is not below the root
    variables = [one.encode() for one in process["env"]]
    arguments = [one.encode() for one in process["args"]]
    program = _found(arguments[0], variables)
    os.write(record, str(made.pid).encode())
    made.run(program, arguments, variables)


def _close_all_but(kept: set[int]) -> None:
    low = 3
    for fd in sorted(kept):
        if low < fd:
            os.closerange(low, fd)
        low = max(low, fd + 1)
    os.closerange(low, 1 << 20)


def _limit(process: dict[str, Any]) -> None:
    """Limits of containers are the shim's from then on: they are all the same."""
    for limit in process["rlimits"]:
        kind, wanted = getattr(resource, limit["type"]), (limit["soft"], limit["hard"])
        if resource.getrlimit(kind) != wanted:
            resource.setrlimit(kind, wanted)


def _found(program: bytes, variables: list[bytes]) -> bytes:
    if b"/" in program:
        return program
    path = next((one[5:] for one in variables if one.startswith(b"PATH=")), b"")
    for folder in path.split(b":"):
        file = os.path.join(folder, program)
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.stat(file).st_mode) and os.access(file, os.X_OK):
                return file
    raise FileNotFoundError(program)


def _join(path: str) -> None:
    syscalls.setns(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
