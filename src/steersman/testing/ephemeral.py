"""`steersman up --ephemeral -- COMMAND`: a cluster that lives as long as a command, with KUBECONFIG set for it.

Keeps true: the command's exit code is ours, signals reach it once, and nothing of the cluster is left. Without real nodes
the cluster is in this process, in memory; with them it is one of its own processes in a folder of its own.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steersman.serving import listeners

# What is passed on. From the terminal (Ctrl-C, Ctrl-\, a hang-up) the command gets them itself: it is in the same group.
PASSED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
NOT_FOUND = 127  # as a shell says it
NOT_EXECUTABLE = 126
KILLED = 128


def run(command: Sequence[str], flags: Mapping[str, Any]) -> int:
    """The command's exit code; 128 + N when signal N ended it."""
    if flags.get("nodes"):
        with _own_processes(flags) as kubeconfig, _signals_held():
            return _run(command, kubeconfig)
    with _signals_held(), _in_this_process(flags) as kubeconfig:
        return _run(command, kubeconfig)


@contextlib.contextmanager
def _in_this_process(flags: Mapping[str, Any]) -> Iterator[pathlib.Path]:
    from steersman.api import schema
    from steersman.testing.cluster import Cluster

    fake_nodes = flags.get("fake_nodes")
    release = flags.get("kubernetes_version") or schema.RELEASE
    name = flags.get("name", "steersman")
    with Cluster(nodes=1 if fake_nodes is None else fake_nodes, name=name, kubernetes_version=release) as cluster:
        yield cluster.kubeconfig


@contextlib.contextmanager
def _own_processes(flags: Mapping[str, Any]) -> Iterator[pathlib.Path]:
    from steersman.cluster import down, up

    folder = pathlib.Path(tempfile.mkdtemp(prefix="steersman-ephemeral-"))
    name, data, kubeconfig = f"ephemeral-{os.getpid()}", str(folder / "data"), folder / "kubeconfig"
    with listeners.tcp("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    wanted = {"store": "memory", **{key: value for key, value in flags.items() if value is not None}}
    wanted.pop("name", None)
    try:
        # The command's output is the only one on standard output.
        with contextlib.redirect_stdout(sys.stderr):
            failed = up.run(
                name,
                data,
                {**wanted, "port": flags.get("port") or port},
                kubeconfig=str(kubeconfig),
                detach=True,
                example_images=True,
            )
        if failed:
            raise SystemExit(failed)
        yield kubeconfig
    finally:
        with contextlib.redirect_stdout(sys.stderr):
            down.run(name, data, purge=True)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Signals wait to be taken, in this thread and all that it starts."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *PASSED_ON})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(command: Sequence[str], kubeconfig: pathlib.Path) -> int:
    """With signals held; the command has none of that."""
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    try:
        pid = os.posix_spawnp(
            command[0], [*command], environment, setsigmask=[], setsigdef=[*PASSED_ON, signal.SIGPIPE]
        )
    except OSError as problem:
        print(f"steersman: {command[0]}: {problem.strerror}", file=sys.stderr)
        return NOT_FOUND if isinstance(problem, FileNotFoundError) else NOT_EXECUTABLE
    while True:
        seen = signal.sigwaitinfo({signal.SIGCHLD, *PASSED_ON})
        if seen.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else KILLED - code
        elif seen.si_code <= 0:  # sent by a process, and not by the terminal
            os.kill(pid, seen.si_signo)
