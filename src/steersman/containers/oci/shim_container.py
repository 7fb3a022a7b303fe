"""One container, and one exec'ed process, as the shim sees them."""

import contextlib
import datetime
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from steersman.containers import syscalls
from steersman.containers.oci import (
    cgroups,
    crun_state,
    protocol,
    quick_start,
    reaper,
    records,
    shim_mounts,
    shim_terminal,
)
from steersman.containers.oci.shim_log import Listener, LogFile, Stream

if TYPE_CHECKING:
    from steersman.containers.oci.shim import Peer, Shim

Reply = Callable[..., None]


class Container:
    """created → running → exited; `pid` is set while it runs."""

    def __init__(self, shim: "Shim", name: str) -> None:
        self.id = name
        self.pid = 0
        self.streams: list[Stream] = []
        self._shim = shim
        self._folder = os.path.join(shim.config.run_dir, "containers", name)
        self._root = os.path.join(shim.config.run_dir, shim_mounts.ROOTS, name)
        self._pidfd = -1
        self._ticks = 0
        self._as_started: dict[str, Any] = {}
        self._stdin = -1
        self._is_starting = False
        self._is_forgotten = False
        self.launch: dict[str, Any] = {"cgroup": "", "tty": False}
        self.log = LogFile("")

    @property
    def is_running(self) -> bool:
        return self.pid > 0 or self._is_starting

    @property
    def has_fragment(self) -> bool:
        return any(stream.fragment_since is not None for stream in self.streams)

    # Start

    def start(self, reply: Reply) -> None:
        if self.is_running:
            raise RuntimeError("it runs already")
        self.launch = self._read_launch()
        self.log = LogFile(self.launch["log_path"])
        self._is_starting = True
        terminal = shim_terminal.Console(self._folder) if self.launch["tty"] else None
        ours = self._open_fifos() if terminal is None else (_null(), _null(), _null())
        order = quick_start.Order(self.id, self.launch, self._root, ours, self._path(records.PID))

        def tried(pid: int, failure: str) -> None:
            if pid:
                _close(ours)
                self._settle(reply, terminal, pid=pid)
            else:
                print(f"{self.id} is left to crun: {failure}", file=sys.stderr)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(order.pid_file)
                shim_mounts.make_mountable_again(self.launch)
                self._start_by_crun(ours, terminal, reply)

        if not self._shim.start_quickly(order, tried):
            self._start_by_crun(ours, terminal, reply)

    def _start_by_crun(
        self, ours: tuple[int, int, int], terminal: "shim_terminal.Console | None", reply: Reply
    ) -> None:
        arguments = ["run", "-d", "--bundle", self._folder, "--pid-file", self._path(records.PID)]
        if terminal is not None:
            arguments += ["--console-socket", terminal.path]
        arguments.append(self.id)

        def settle(failure: str) -> None:
            try:
                self._settle(reply, terminal, failure=failure)
            finally:
                shim_mounts.unmount_root(self._root)

        def done(status: int) -> None:
            settle("" if os.waitstatus_to_exitcode(status) == 0 else runtime_error(self._path("crun.log"), status))

        log = ["--log", self._path("crun.log"), "--log-format", "json"]
        try:
            shim_mounts.mount_root(self.launch, self._root)
            shim_mounts.mount_images(self.launch, self._root)
            shim_mounts.mount_volumes(self.launch, self._root)
            self._shim.spawn([*log, *arguments], ours, self._folder, done)
        except Exception as failed:
            settle(str(failed))
        finally:
            _close(ours)

    def _settle(
        self, reply: Reply, terminal: "shim_terminal.Console | None", *, pid: int = 0, failure: str = ""
    ) -> None:
        """It runs (`pid` 0: crun has written down as what), or did not start."""
        self._is_starting = False
        try:
            if failure:
                raise RuntimeError(failure)
            reply({"ok": self._started(terminal, pid or self._pid_told_by_crun())})
        except Exception as failed:
            self._close_streams()
            reply({"error": str(failed)})
        finally:
            if terminal is not None:
                terminal.close()
            if self._is_forgotten:  # while it was made (a volume that did not answer for long)
                self.forget()

    def _pid_told_by_crun(self) -> int:
        with open(self._path(records.PID)) as file:
            return int(file.read())

    def _started(self, terminal: "shim_terminal.Console | None", pid: int) -> dict[str, Any]:
        self.pid = pid
        self._started_at = _now()
        ticks = records.process_start_ticks(self.pid)
        keeper = 0
        if terminal is not None:
            fd = terminal.receive()
            keeper = shim_terminal.keep(fd, self.pid)
            self._shim.on_exit(keeper, lambda status: None)
            os.set_blocking(fd, False)
            self._add_stream(Stream("stdout", fd, self.log, is_terminal=True))
        started = {"pid": self.pid, "ticks": ticks, "started_at": self._started_at, "keeper": keeper}
        records.write(self._path(records.STARTED), started)
        self._as_started = started
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(self.pid)
        self._shim.on_exit(self.pid, self._exited)  # calls at once if it has ended already
        return started

    def _open_fifos(self) -> tuple[int, int, int]:
        """The container's three descriptors. Outputs are opened for reading too, so that a writer without a shim waits
        instead of dying of SIGPIPE."""
        outputs = []
        for name in ("stdout", "stderr"):
            path = self._path(name)
            with contextlib.suppress(FileExistsError):
                os.mkfifo(path, 0o600)
            outputs.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))
            self._watch_fifo(name)
        return (self._open_stdin(), outputs[0], outputs[1])

    def _open_stdin(self) -> int:
        if not self.launch["stdin"]:
            return _null()
        path = self._path("stdin")
        with contextlib.suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        if not self.launch["stdin_once"]:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)  # no end of file, ever
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._stdin = os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # its end of file is when we close this
        os.set_blocking(reading, True)
        return reading

    def _watch_fifo(self, name: str) -> None:
        fd = os.open(self._path(name), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._add_stream(Stream(name, fd, self.log, is_terminal=False))

    def _add_stream(self, stream: Stream) -> None:
        self.streams.append(stream)
        self._shim.watch(stream.fd, select.EPOLLIN | select.EPOLLET, self.pump)

    # Running

    def pump(self) -> None:
        try:
            for stream in self.streams:
                if stream.fd >= 0 and stream.read_ready():
                    self._shim.call_again(self)
        finally:
            self._shim.note_fragment(self)

    def flush_fragments(self, older_than: float) -> None:
        try:
            for stream in self.streams:
                is_old = stream.fragment_since is not None and stream.fragment_since <= older_than
                if is_old and stream.flush_fragment():
                    self._shim.call_again(self)
        finally:
            self._shim.note_fragment(self)

    def send_signal(self, number: int) -> None:
        """SIGKILL goes to everything in the container: where the process namespace is shared, the death of its first
        process does not end the others."""
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)
        if number == signal.SIGKILL:
            self._kill_group()

    def attach(self, descriptors: list[int], reply: Reply) -> None:
        if not self.pid:
            raise RuntimeError("it is not running")
        for stream, fd in zip(self.streams, descriptors, strict=False):
            stream.listeners.append(Listener(os.dup(fd)))
        terminal = [s.fd for s in self.streams[:1]] if self.launch["tty"] else []
        reply({"ok": True}, *terminal)

    def make_known_to_crun(self) -> None:
        crun_state.ensure(
            self._shim.crun_dir, self.id, self._folder, self._as_started, self.launch["cgroup"], self._root
        )

    def close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1

    # End

    def _exited(self, status: int | None) -> None:
        """`status` as waitpid gives it; None: nobody knows."""
        if self._is_forgotten:
            return
        if self.launch.get("shares_processes"):
            self._kill_group()
        ending = self._ending(status)
        self._close_streams()
        self.pid = 0
        records.write(self._path(records.EXIT), ending)
        shim_mounts.unmount_root(self._root)
        self._shim.tell_all({"event": "exited", "container": self.id, **ending})

    def _ending(self, status: int | None) -> dict[str, Any]:
        code = 0 if status is None else os.waitstatus_to_exitcode(status)
        group = self.launch["cgroup"]
        oom = code != 0 and bool(group) and cgroups.oom_kills(self._hierarchy(), group) > 0
        return {
            "code": 128 - code if code < 0 else code,
            "signal": -code if code < 0 else 0,
            "at": _now(),
            "oom": oom,
            "unknown": status is None,
        }

    def forget(self) -> None:
        """Let go of everything; what still runs is killed, and its end is nobody's business any more."""
        self._is_forgotten = True
        self.send_signal(signal.SIGKILL)
        self._close_streams()
        shim_mounts.unmount_root(self._root)

    def _close_streams(self) -> None:
        for stream in self.streams:
            if stream.fd >= 0:
                self._shim.unwatch(stream.fd)
                stream.finish()
        self.streams.clear()
        self._shim.note_fragment(self)
        self.log.close()
        self.close_stdin()
        if self._pidfd >= 0:
            self._shim.unwatch(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1

    def _kill_group(self) -> None:
        for pid in cgroups.processes(self._hierarchy(), self.launch["cgroup"]):
            if pid != os.getpid():  # a thread of ours that has made it may be in there still
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    # After a restart of the shim

    def adopt(self) -> bool:
        """Take over a container that an earlier shim started; False: there is nothing to take over."""
        started = records.read(self._path(records.STARTED)) or self._started_unrecorded()
        if started is None or os.path.exists(self._path(records.EXIT)):
            return False
        self.launch = self._read_launch()
        self.log = LogFile(self.launch["log_path"])
        self._as_started = started
        self._started_at = started["started_at"]
        self._reopen_streams(started)
        self.pid = started["pid"]
        with contextlib.suppress(ProcessLookupError):
            self._pidfd = os.pidfd_open(self.pid)
        self._ticks = started["ticks"]
        if self._pidfd < 0 or records.process_start_ticks(self.pid) != self._ticks:
            self._exited(self._told_by_reaper())
        else:
            self._shim.watch(self._pidfd, select.EPOLLIN, self._adopted_ended)
        self.pump()
        return True

    def _started_unrecorded(self) -> dict[str, Any] | None:
        """The earlier shim was killed between the start and writing it down. It may have ended since, and did start all the
        same: nobody may start it again."""
        try:
            with open(self._path(records.PID)) as file:
                pid = int(file.read())
        except (FileNotFoundError, ValueError):
            pid = 0
        if self._waits_in_vain(pid) or not pid:
            return None
        started = {"pid": pid, "ticks": records.process_start_ticks(pid), "started_at": _now(), "keeper": 0}
        records.write(self._path(records.STARTED), started)
        return started

    def _waits_in_vain(self, pid: int) -> bool:
        """Whether `pid` has no program yet, and nobody is left to give it one: that, or any other such one of the container's, is
        killed."""
        launch = records.read(self._path(records.LAUNCH))
        if not launch or launch.get("plan") is None or self._shim.is_crun_s(self.id):
            return False
        waiting = [
            one
            for one in cgroups.processes(self._hierarchy(), launch["cgroup"])
            if records.process_name(one) == quick_start.STARTING
        ]
        for one in waiting:
            os.kill(one, signal.SIGKILL)
        if pid in waiting:
            os.unlink(self._path(records.PID))
        return pid in waiting

    def _reopen_streams(self, started: dict[str, Any]) -> None:
        if self.launch["tty"]:
            fd = shim_terminal.take_back(started["keeper"])
            if fd >= 0:
                os.set_blocking(fd, False)
                self._add_stream(Stream("stdout", fd, self.log, is_terminal=True))
            return
        for name in ("stdout", "stderr"):
            self._watch_fifo(name)

    def _adopted_ended(self) -> None:
        """It is not our child: the kernel tells how it ended, or the reaper that has it."""
        status = syscalls.exit_status_of(self._pidfd, self.pid)
        told = self._told_by_reaper()
        self._exited(told if status is None else status)

    def _told_by_reaper(self) -> int | None:
        return reaper.status_of(self._folder, self._ticks)

    # Small things

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _read_launch(self) -> dict[str, Any]:
        launch = records.read(self._path(records.LAUNCH))
        if launch is None:
            raise FileNotFoundError(f"no container {self.id}")
        assert isinstance(launch, dict)
        return launch

    def _hierarchy(self) -> cgroups.Hierarchy:
        return cgroups.Hierarchy(self._shim.config.cgroups["version"], self._shim.config.cgroups["mounts"])


class ExecProcess:
    """A process exec'ed into a container; its streams are the runtime's own pipes or terminal, passed through."""

    def __init__(self, shim: "Shim", container: Container, peer: "Peer", name: str) -> None:
        self._shim = shim
        self._container = container
        self._peer = peer
        self._name = name
        self._pidfd = -1
        self._is_unwanted = False

    def start(self, request: protocol.Message, descriptors: list[int], reply: Reply) -> None:
        if not self._container.pid:
            raise RuntimeError("container is not running")
        self._container.make_known_to_crun()
        folder = request["folder"]
        pid_file, log = os.path.join(folder, "pid"), os.path.join(folder, "crun.log")
        arguments = ["--log", log, "--log-format", "json", "exec", "-d", "--pid-file", pid_file]
        arguments += ["--process", os.path.join(folder, "process.json")]
        if request.get("console"):
            arguments += ["--console-socket", request["console"]]
        streams = tuple(descriptors) if len(descriptors) == 3 else (_null(), _null(), _null())

        def done(status: int) -> None:
            if os.waitstatus_to_exitcode(status) != 0:
                self._peer.execs.discard(self._name)
                self._shim.execs.pop(self._name, None)
                reply({"error": runtime_error(log, status)})
                return
            with open(pid_file) as file:
                pid = int(file.read())
            with contextlib.suppress(ProcessLookupError):
                self._pidfd = os.pidfd_open(pid)
            reply({"ok": {"pid": pid}})
            if self._is_unwanted:
                self.kill()
            self._shim.on_exit(pid, self._exited)

        self._peer.execs.add(self._name)
        self._shim.execs[self._name] = self
        try:
            self._shim.spawn([*arguments, self._container.id], streams, folder, done)  # type: ignore[arg-type]
        finally:
            if len(descriptors) != 3:
                for fd in streams:
                    os.close(fd)

    def kill(self) -> None:
        self._is_unwanted = True
        if self._pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _exited(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        self._peer.execs.discard(self._name)
        self._shim.execs.pop(self._name, None)
        event = {"event": "exec_exited", "exec": self._name, "code": 128 - code if code < 0 else code}
        self._shim.send(self._peer, event, [])


def runtime_error(log: str, status: int) -> str:
    """The last error that crun or runc wrote."""
    message = ""
    with contextlib.suppress(FileNotFoundError), open(log) as file:
        for line in file:
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if entry.get("level") in ("error", "fatal"):
                    message = entry.get("msg", "")
    return message or f"the OCI runtime ended with {os.waitstatus_to_exitcode(status)}"


def _close(descriptors: tuple[int, ...]) -> None:
    for fd in set(descriptors):
        os.close(fd)


def _null() -> int:
    return os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()
