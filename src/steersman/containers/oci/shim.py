"""The shim: the parent of a node's containers, in one small process that outlives the kubelet.

Keeps true: a started container's output reaches its log file and its exit code reaches its folder, whatever happens to the
kubelet; nothing here is needed for a container to go on running, and a new shim takes over what a killed one left.
Reads: container folders (`launch.json`). Writes: `started.json`, `exit.json`, log files.
Leaves to others: what to start and when (the kubelet), images, networks, cgroup removal (the runtime).

It has a mount namespace of its own, in which the containers' root filesystems are mounted and, on hybrid hosts, cgroup
version 2 is hidden (crun 1.8 refuses it). One thread, but for those that make a container (`quick_start`), and
few imports: `python -m steersman.containers.oci.shim JSON`.
"""

import collections
import contextlib
import fcntl
import functools
import json
import os
import queue
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from steersman.containers import syscalls
from steersman.containers.oci import protocol, quick_start, reaper, sealed, shim_mounts, shim_namespaces
from steersman.containers.oci.shim_container import Container, ExecProcess
from steersman.containers.oci.shim_log import FRAGMENT_SECONDS

SOCKET, LOCK = "shim.sock", "shim.lock"
IDLE_SECONDS = 60.0  # without containers and without a runtime that talks to it, a shim ends
LAUNCH_SECONDS = 5.0  # crun takes 10 ms; one that hangs must not keep all other containers waiting for long
LAUNCH_LOOK_SECONDS = 0.01
STARTING_MAX = 2 * (os.cpu_count() or 1)  # threads that make a container; half of their time the kernel makes them wait
OUTBOX_MAX = 4096  # packets that wait for a slow runtime; then it is cut off and lists again when it comes back


class Config(NamedTuple):
    """`runtime`: path of crun or runc, and its global flags."""

    run_dir: str
    runtime: tuple[str, ...]
    cgroups: dict[str, Any]
    is_rootless: bool = False
    idle_seconds: float = IDLE_SECONDS


class Peer:
    """A connected runtime."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.outbox: list[tuple[protocol.Message, list[int]]] = []
        self.execs: set[str] = set()


class Shim:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.containers: dict[str, Container] = {}
        self.execs: dict[str, ExecProcess] = {}
        self._peers: dict[int, Peer] = {}
        self._poll = select.epoll()
        self._ready: dict[int, Callable[[], None]] = {}
        self._again: set[Container] = set()
        self._unfinished: set[Container] = set()  # that have written a part of a line
        self._children: dict[int, Callable[[int], None]] = {}
        self._unclaimed: dict[int, tuple[int, float]] = {}
        self._launches = 0
        self._program = sealed.Program(config.runtime[0])
        self._ground = quick_start.prepare(config)
        self._started: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._waiting: collections.deque[Callable[[], None]] = collections.deque()
        self._threads: dict[str, float] = {}  # containers that threads make, since when
        self._idle_since = time.monotonic()
        self._stopping = False

    @property
    def crun_dir(self) -> str:
        return os.path.join(self.config.run_dir, "crun")

    def is_crun_s(self, container: str) -> bool:
        """Whether crun was asked to make it."""
        return os.path.exists(os.path.join(self.crun_dir, container))

    # The loop

    def serve(self, listener: socket.socket) -> None:
        self._wake_on_children()
        listener.setblocking(False)
        self.watch(listener.fileno(), select.EPOLLIN, lambda: self._accept(listener))
        self._adopt()
        while not self._stopping:
            self._turn()
        os.unlink(os.path.join(self.config.run_dir, SOCKET))

    def _turn(self) -> None:
        for fd, _ in self._poll.poll(self._wait_seconds()):
            if call := self._ready.get(fd):
                _survive(call)
        for container in tuple(self._again):
            self._again.discard(container)
            _survive(container.pump)
        if self._unfinished:
            self._flush_old_fragments()
        self._start_waiting()
        self._end_when_idle()

    def watch(self, fd: int, events: int, call: Callable[[], None]) -> None:
        self._poll.register(fd, events)
        self._ready[fd] = call

    def unwatch(self, fd: int) -> None:
        if self._ready.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def call_again(self, container: Container) -> None:
        """More output may wait: give the others their turn first."""
        self._again.add(container)

    def note_fragment(self, container: Container) -> None:
        """What it has written may have begun or finished a line."""
        if container.has_fragment:
            self._unfinished.add(container)
        else:
            self._unfinished.discard(container)

    def _wait_seconds(self) -> float:
        if self._again:
            return 0
        if self._waiting:
            return LAUNCH_SECONDS
        return FRAGMENT_SECONDS if self._unfinished else self.config.idle_seconds

    def _flush_old_fragments(self) -> None:
        before = time.monotonic() - FRAGMENT_SECONDS
        for container in tuple(self._unfinished):
            _survive(functools.partial(container.flush_fragments, before))

    def _end_when_idle(self) -> None:
        is_idle = not self._peers and not any(c.is_running for c in self.containers.values()) and not self._children
        now = time.monotonic()
        if not is_idle:
            self._idle_since = now
        elif now - self._idle_since >= self.config.idle_seconds:
            self._stopping = True

    # Children

    def _wake_on_children(self) -> None:
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._wake = writing

        def reap() -> None:
            with contextlib.suppress(BlockingIOError):
                os.read(reading, 4096)
            self._reap()
            while not self._started.empty():
                _survive(self._started.get())

        self.watch(reading, select.EPOLLIN, reap)

    def _reap(self) -> None:
        """Every child that has ended, known or not: processes of a container whose zombies nobody takes would keep its
        PID 1 from ever ending."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._children.pop(pid, None)
            if ended is not None:
                _survive(functools.partial(ended, status))
            elif self._launches:
                self._unclaimed[pid] = (status, time.time())

    def on_exit(self, pid: int, call: Callable[[int], None]) -> None:
        """Call with the wait status when the child `pid` has ended; at once when that has happened."""
        if pid in self._unclaimed:
            call(self._unclaimed.pop(pid)[0])
        else:
            self._children[pid] = call

    def spawn(self, arguments: list[str], streams: tuple[int, int, int], cwd: str, done: Callable[[int], None]) -> None:
        """Run crun; `done` gets its wait status. What it leaves behind becomes a child of ours."""
        command = [*self.config.runtime, *arguments]
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(streams)]
        pid = os.posix_spawn(
            self._program.path,
            command,
            os.environ,
            file_actions=actions,
            setsigmask=(),
            setsigdef=(signal.SIGCHLD, signal.SIGPIPE),
        )
        self._launches += 1

        def ended(status: int) -> None:
            self._launches -= 1
            try:
                done(status)
            finally:
                if not self._launches:
                    self._unclaimed.clear()

        self.on_exit(pid, ended)

    def start_quickly(self, order: quick_start.Order, done: Callable[[int, str], None]) -> bool:
        """False: not here. `done` gets the container's process, or 0 and what went wrong."""
        if self._ground is None or order.launch.get("plan") is None:
            return False
        self._waiting.append(functools.partial(self._start_quickly, self._ground, order, done))
        self._start_waiting()
        return True

    def _start_waiting(self) -> None:
        """One that hangs (a volume whose server does not answer) keeps the others waiting for a moment only."""
        while self._waiting and self._busy_threads() < STARTING_MAX:
            self._waiting.popleft()()

    def _busy_threads(self) -> int:
        return sum(time.monotonic() - since < LAUNCH_SECONDS for since in self._threads.values())

    def _start_quickly(
        self, ground: quick_start.Ground, order: quick_start.Order, done: Callable[[int, str], None]
    ) -> None:
        self._launches += 1
        self._threads[order.name] = time.monotonic()

        def ended(pid: int, failure: str) -> None:
            del self._threads[order.name]
            self._launches -= 1
            try:
                done(pid, failure)
            finally:
                if not self._launches:
                    self._unclaimed.clear()
                self._start_waiting()

        def tell(pid: int, failure: str) -> None:
            self._started.put(functools.partial(ended, pid, failure))
            os.write(self._wake, b"+")

        quick_start.start(ground, order, self._wake, tell)

    # Requests

    def _accept(self, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.setblocking(False)
        peer = Peer(sock)
        self._peers[sock.fileno()] = peer
        self.watch(sock.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLET, lambda: self._talk(peer))
        self._talk(peer)

    def _talk(self, peer: Peer) -> None:
        self._send_waiting(peer)
        while peer.sock.fileno() >= 0:
            try:
                request, descriptors = protocol.receive(peer.sock)
            except BlockingIOError:
                return
            except OSError:
                request, descriptors = None, []
            if request is None:
                self._drop(peer)
                return
            self._answer(peer, request, descriptors)

    def _answer(self, peer: Peer, request: protocol.Message, descriptors: list[int]) -> None:
        def reply(answer: protocol.Message, *passed: int) -> None:
            self.send(peer, {"id": request["id"], **answer}, list(passed))

        try:
            handle = getattr(self, "_do_" + str(request["do"]))
            handle(peer, request, descriptors, reply)
        except Exception as failed:
            traceback.print_exc()
            reply({"error": f"{request.get('do')}: {failed}"})
        finally:
            for descriptor in descriptors:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            descriptors.clear()

    def send(self, peer: Peer, message: protocol.Message, descriptors: list[int]) -> None:
        """Never blocks; `descriptors` are ours to keep."""
        if peer.sock.fileno() < 0:
            return
        peer.outbox.append((message, [os.dup(fd) for fd in descriptors]))
        self._send_waiting(peer)
        if len(peer.outbox) > OUTBOX_MAX:
            self._drop(peer)

    def tell_all(self, event: protocol.Message) -> None:
        for peer in tuple(self._peers.values()):
            self.send(peer, event, [])

    def _send_waiting(self, peer: Peer) -> None:
        while peer.outbox and peer.sock.fileno() >= 0:
            message, descriptors = peer.outbox[0]
            try:
                protocol.send(peer.sock, message, descriptors)
            except BlockingIOError:
                return
            except OSError:
                self._drop(peer)
                return
            peer.outbox.pop(0)
            for descriptor in descriptors:
                os.close(descriptor)

    def _drop(self, peer: Peer) -> None:
        """The runtime is gone: its execs end, its containers go on."""
        fd = peer.sock.fileno()
        if fd < 0:
            return
        self.unwatch(fd)
        self._peers.pop(fd, None)
        peer.sock.close()
        for _, descriptors in peer.outbox:
            for descriptor in descriptors:
                os.close(descriptor)
        for exec_id in peer.execs:
            if process := self.execs.get(exec_id):
                process.kill()

    def _container(self, request: protocol.Message) -> Container:
        return self.containers[request["container"]]

    def _do_list(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        parents = [pid for pid in (os.getppid(),) if pid in reaper.living(self.config.run_dir)]
        reply(
            {
                "ok": {
                    "pid": os.getpid(),
                    "reapers": parents,
                    "running": [c.id for c in self.containers.values() if c.is_running],
                }
            }
        )

    def _do_start(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        name = request["container"]
        if name not in self.containers:
            self.containers[name] = Container(self, name)
        self.containers[name].start(reply)

    def _do_signal(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        self._container(request).send_signal(int(request["signal"]))
        reply({"ok": True})

    def _do_forget(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        container = self.containers.pop(request["container"], None)
        if container is not None:
            self._again.discard(container)
            container.forget()
        reply({"ok": True})

    def _do_exec(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        process = ExecProcess(self, self._container(request), peer, request["exec"])
        process.start(request, descriptors, reply)

    def _do_exec_kill(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        if process := self.execs.get(request["exec"]):
            process.kill()
        reply({"ok": True})

    def _do_attach(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        """Two descriptors (stdout, stderr) get copies; the answer carries the terminal where there is one."""
        self._container(request).attach(descriptors, reply)

    def _do_close_stdin(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        self._container(request).close_stdin()
        reply({"ok": True})

    def _do_reopen(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        self._container(request).log.reopen()
        reply({"ok": True})

    def _do_pause(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        """PID 1 of a process namespace that a pod's containers share."""
        pid = shim_mounts.start_pause_process()
        self.on_exit(pid, lambda status: None)
        reply({"ok": {"pid": pid}})

    def _do_hold(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        """A process in namespaces of a pod with its own users, until they are pinned."""
        holder, pause = shim_namespaces.start_holder(request["wanted"])
        for pid in filter(None, (holder, pause)):
            self.on_exit(pid, lambda status: None)
        reply({"ok": {"holder": holder, "pause": pause}})

    def _do_shutdown(
        self, peer: Peer, request: protocol.Message, descriptors: list[int], reply: Callable[..., None]
    ) -> None:
        reply({"ok": True})
        self._stopping = True

    # After a restart

    def _adopt(self) -> None:
        self._await_launches_of_the_dead()
        folder = os.path.join(self.config.run_dir, "containers")
        for name in os.listdir(folder):
            container = Container(self, name)
            if container.adopt():
                self.containers[name] = container

    def _await_launches_of_the_dead(self) -> None:
        """An earlier shim was killed, but what it had launched goes on: a container that comes up after we looked would be
        nobody's, and would be started twice."""
        program, home = self.config.runtime[0].encode(), self.config.run_dir.encode()
        deadline = time.monotonic() + LAUNCH_SECONDS
        while time.monotonic() < deadline and _runs(program, home):
            time.sleep(LAUNCH_LOOK_SECONDS)


def _runs(program: bytes, about: bytes) -> bool:
    """Whether any process is this program with `about` in its arguments."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
                if words[0] == program and any(about in word for word in words):
                    return True
    return False


def _survive(call: Callable[[], None]) -> None:
    """One container's trouble (a full disk, say) must not end the parent of all the others: it is written to the log."""
    try:
        call()
    except Exception:
        traceback.print_exc()


def run(config: Config, *, detach: bool = False) -> int:
    """Serve until told to stop; with `detach`, return once it listens and serve in an orphaned process. 0 also when another
    shim already serves this folder."""
    lock = os.open(os.path.join(config.run_dir, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    path = os.path.join(config.run_dir, SOCKET)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = protocol.listen(path, socket.SOCK_SEQPACKET)
    shim_mounts.enter_own_namespace(config)
    if detach:
        if os.fork():
            return 0
        reaper.fork(config.run_dir, close=(lock, listener.fileno()))
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    # Nothing is ignored: that would be so in containers, too. Whoever started us may have ignored more (nohup, a shell's `&`).
    for number in {number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN}:
        signal.signal(number, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, lambda *_: None)
    with contextlib.suppress(OSError):
        syscalls.set_process_name("steersman-shim")
    syscalls.become_subreaper()
    Shim(config).serve(listener)
    return 0


def main(argv: list[str]) -> int:
    return run(Config(**json.loads(argv[0])), detach=True)


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))
