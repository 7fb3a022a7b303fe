"""A supervisor as a process of its own, which outlives the command that started it."""

import ctypes
import os
import pathlib
import signal
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from steersman.cluster import start
from steersman.cluster.paths import Paths
from steersman.cluster.supervisor import redirect_output

Started = Callable[[], None]

_ARGUMENTS_START = (
    45  # of /proc/PID/stat, counted behind the name: where the arguments are in memory (proc_pid_stat(5))
)


def fork(where: Paths, supervise: Callable[[Started], None], title: str = "") -> tuple[int, str]:
    """(process id, "") once every process is started, or (0, what went wrong). `supervise` runs in the new process; it calls what
    it is given when all are started, and raises start.CannotStart. `title` hides the command line it was forked from."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        redirect_output(where.logs / "supervisor.log")
        if title:
            show_as(title)
        _become(supervise, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        line = pipe.readline()
    if line:
        message = msgspec.json.decode(line)
        return pid, message.get("error", "")
    return 0, f"The supervisor did not start. See {where.logs / 'supervisor.log'}."


def show_as(title: str) -> None:
    """What lists of processes have for this process and its children from now on: a command line may hold a token, and everybody on
    the machine can read it."""
    words = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(words[_ARGUMENTS_START]), int(words[_ARGUMENTS_START + 1])
    text = title.encode()[: max(0, end - start - 1)]
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


def _become(supervise: Callable[[Started], None], writer: int) -> None:
    """In the new process; does not return."""
    code = 1

    def report(**message: Any) -> None:
        os.write(writer, msgspec.json.encode(message) + b"\n")
        os.close(writer)

    try:
        supervise(lambda: report(started=True))
        code = 0
    except start.CannotStart as problem:
        report(error=str(problem))
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(code)
