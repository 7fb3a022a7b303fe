"""The small process above all others: starts them, watches them, restarts them, stops them.

It imports what a part needs before it forks it and freezes the heap, so that children share memory, and a crashed part is back in
milliseconds, before its clients notice. While the first one starts, it imports what the others need. It runs no event loop and no
thread of its own: what forks must be single-threaded. A child that dies is started again after a delay that doubles while it
keeps dying.
"""

import ctypes
import dataclasses
import gc
import logging
import os
import pathlib
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping

import msgspec

from steersman.aio.clock import Clock
from steersman.cluster import control

log = logging.getLogger(__name__)

RESTART_SECONDS_MIN = 0.1
RESTART_SECONDS_MAX = 5.0
STEADY_SECONDS = 30.0  # a child that lived this long starts again with the shortest delay
STOP_SECONDS = 8.0  # from SIGTERM to SIGKILL
REQUEST_SECONDS_MAX = 2.0  # for a command line to send its one line
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(slots=True)
class Child:
    """One supervised process. `wanted` False means: stopped on purpose, leave it so."""

    name: str
    entry: Callable[[], None]
    prepare: Callable[[], None]
    wanted: bool = True
    pid: int = 0
    pidfd: int = -1
    restarts: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0
    delay_seconds: float = RESTART_SECONDS_MIN


# A command of the control socket; its answer goes back as it is.
Command = Callable[[control.Message], control.Message]


def _nothing() -> None:
    return


class Supervisor:
    def __init__(self, clock: Clock, control_socket: pathlib.Path, logs: pathlib.Path) -> None:
        self._clock = clock
        self._socket_path = control_socket
        self._logs = logs
        self._children: dict[str, Child] = {}
        self._commands: dict[str, Command] = {"stop": self._stop_command}
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self.stop_message: control.Message = {}  # what `stop` asked for; empty after a signal

    def add(
        self, name: str, entry: Callable[[], None], prepare: Callable[[], None] = _nothing, *, wanted: bool = True
    ) -> None:
        """`entry` runs in the forked child until it is done or killed; `prepare` once before, in the supervisor."""
        self._children[name] = Child(name, entry, prepare, wanted)

    def command(self, name: str, function: Command) -> None:
        self._commands[name] = function

    def children(self) -> Iterator[Child]:
        return iter(self._children.values())

    def run(self, on_started: Callable[[], None] = lambda: None) -> None:
        """Returns after `stop` or a signal, when every child is dead."""
        listener = control.listen(self._socket_path)
        wake = self._catch_signals()
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._serve(listener))
        self._selector.register(wake, selectors.EVENT_READ, lambda: self._signalled(wake))
        for child in self._children.values():
            child.prepare()
            gc.collect()
            gc.freeze()
            if child.wanted:
                self._start(child)
        on_started()
        while not self._stopping:
            for key, _ in self._selector.select(self._seconds_to_next_restart()):
                key.data()
            self._restart_due()
        self._stop_all()
        listener.close()
        self._socket_path.unlink(missing_ok=True)

    def start_child(self, name: str) -> None:
        child = self._children[name]
        child.wanted = True
        if not child.pid:
            child.delay_seconds = RESTART_SECONDS_MIN
            self._start(child)

    def kill_child(self, name: str) -> None:
        """SIGKILL, and do not start again: a machine that lost its power."""
        child = self._children[name]
        child.wanted = False
        if child.pid:
            signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
            self._reap(child)

    def signal_child(self, name: str, number: signal.Signals) -> None:
        """Ask it to end by itself, and do not start it again."""
        child = self._children[name]
        child.wanted = False
        if child.pid:
            signal.pidfd_send_signal(child.pidfd, number)

    def take_back(self, name: str, number: signal.Signals) -> bool:
        """Tell a child that was asked to end, and has not ended yet, to go on. False: there is no such."""
        child = self._children[name]
        if not child.pid or child.wanted:
            return False
        child.wanted = True
        signal.pidfd_send_signal(child.pidfd, number)
        return True

    # --- one child ---

    def _start(self, child: Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(child, parent)  # does not return
        child.pid = pid
        child.pidfd = os.pidfd_open(pid)
        child.started_at = self._clock.monotonic()
        child.restart_at = 0.0
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._exited(child))
        log.info("started %s as process %d", child.name, pid)

    def _become(self, child: Child, parent: int) -> None:
        """In the new process: undo what is the supervisor's, run the part, end without unwinding the parent's stack."""
        code = 1
        try:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)  # the supervisor died before it was asked to tell
            _libc.prctl(PR_SET_NAME, f"stm-{child.name}"[:15].encode())
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            self._selector.close()
            redirect_output(self._logs / f"{child.name}.log")
            child.entry()
            code = 0
        except KeyboardInterrupt:
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _exited(self, child: Child) -> None:
        code = self._reap(child)
        if not child.wanted or self._stopping:
            return
        lived = self._clock.monotonic() - child.started_at
        if lived > STEADY_SECONDS:
            child.delay_seconds = RESTART_SECONDS_MIN
        child.restart_at = self._clock.monotonic() + child.delay_seconds
        log.warning(
            "%s ended (exit code %d after %.1f s); again in %.1f s", child.name, code, lived, child.delay_seconds
        )
        child.delay_seconds = min(RESTART_SECONDS_MAX, child.delay_seconds * 2)
        child.restarts += 1

    def _reap(self, child: Child) -> int:
        self._selector.unregister(child.pidfd)
        _, status = os.waitpid(child.pid, 0)
        os.close(child.pidfd)
        child.pid, child.pidfd = 0, -1
        return os.waitstatus_to_exitcode(status)

    # --- all children ---

    def _seconds_to_next_restart(self) -> float | None:
        waiting = [child.restart_at for child in self._children.values() if child.restart_at]
        return max(0.0, min(waiting) - self._clock.monotonic()) if waiting else None

    def _restart_due(self) -> None:
        now = self._clock.monotonic()
        for child in self._children.values():
            if child.restart_at and child.restart_at <= now and child.wanted and not self._stopping:
                self._start(child)

    def _stop_all(self) -> None:
        """SIGTERM in reverse order of starting, SIGKILL for who does not listen."""
        for child in reversed(list(self._children.values())):
            child.wanted = False
            if child.pid:
                signal.pidfd_send_signal(child.pidfd, signal.SIGTERM)
        deadline = self._clock.monotonic() + STOP_SECONDS
        while any(child.pid for child in self._children.values()):
            left = deadline - self._clock.monotonic()
            if left <= 0:
                break
            for key, _ in self._selector.select(left):
                key.data()
        for child in self._children.values():
            if child.pid:
                log.warning("%s did not end within %.0f s", child.name, STOP_SECONDS)
                signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
                self._reap(child)

    # --- signals and commands ---

    def _catch_signals(self) -> socket.socket:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        self._wake_writer = writer  # kept open for as long as signals may come
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return reader

    def _signalled(self, wake: socket.socket) -> None:
        wake.recv(64)
        self._stopping = True

    def _serve(self, listener: socket.socket) -> None:
        """One request, answered before the next: commands are few, and none waits for long."""
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(REQUEST_SECONDS_MAX)
            try:
                line = control.read_line(connection)
                connection.sendall(msgspec.json.encode(self._answer(line)) + b"\n")
            except OSError as error:
                log.warning("a control connection failed: %s", error)

    def _answer(self, line: bytes) -> control.Message:
        try:
            message = msgspec.json.decode(line, type=dict)
            return self._commands[message["command"]](message)
        except (msgspec.DecodeError, KeyError) as error:
            return {"error": f"not a command: {error}"}
        except Exception as error:
            log.exception("a command failed")
            return {"error": str(error) or type(error).__name__}

    def _stop_command(self, message: control.Message) -> control.Message:
        self._stopping = True
        self.stop_message = message
        return {"pid": os.getpid()}

    def statistics(self) -> list[Mapping[str, object]]:
        return [
            {"name": c.name, "pid": c.pid, "running": bool(c.pid), "wanted": c.wanted, "restarts": c.restarts}
            for c in self._children.values()
        ]


def redirect_output(path: pathlib.Path) -> None:
    """Standard output and error of this process go to the end of a file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for target in (1, 2):
        os.dup2(descriptor, target)
    os.close(descriptor)
