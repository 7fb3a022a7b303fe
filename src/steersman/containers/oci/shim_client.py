"""The runtime's side of the shim: starts it when it is not there, asks it, hears from it.

Keeps true: a question is answered or fails with `ShimGone`; after a shim was lost, the next question starts a new one, which
takes over the containers.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from steersman.aio.clock import Clock
from steersman.containers import mount_trees
from steersman.containers.oci import protocol, readiness

SOCKET_NAME = "shim.sock"
START_SECONDS = 10.0  # a shim is there after some 50 ms; longer on a very busy machine
START_PAUSE_SECONDS = 0.005  # another shim may just be ending
REQUEST_SECONDS = 120.0  # of all requests `start` takes longest: crun below a full disk or a frozen cgroup
SEND_WAITING_MAX = 1024  # requests that wait for a slow shim


class ShimGone(ConnectionError):
    """The shim ended while it was asked, or cannot be started."""


class Refused(Exception):
    """The shim's answer was an error; its text is crun's or the kernel's."""


class ShimClient:
    def __init__(
        self, run_dir: str, config: dict[str, Any], clock: Clock, on_event: Callable[[protocol.Message], None]
    ) -> None:
        self._run_dir = run_dir
        self._config = config
        self._clock = clock
        self._on_event = on_event
        self._sock: socket.socket | None = None
        self._answers: dict[int, asyncio.Future[tuple[Any, list[int]]]] = {}
        self._outbox: list[tuple[protocol.Message, list[int]]] = []
        self._last_id = 0
        self._connecting = asyncio.Lock()
        self.lost = asyncio.Event()  # set when a connection broke; the runtime then looks at all containers again

    async def ask(self, do: str, descriptors: Sequence[int] = (), **arguments: Any) -> Any:
        answer, passed = await self.ask_for_descriptors(do, descriptors, **arguments)
        for descriptor in passed:
            os.close(descriptor)
        return answer

    async def ask_for_descriptors(
        self, do: str, descriptors: Sequence[int] = (), **arguments: Any
    ) -> tuple[Any, list[int]]:
        """Raises Refused or ShimGone. `descriptors` stay the caller's."""
        await self.connect()
        if len(self._outbox) >= SEND_WAITING_MAX:
            raise ShimGone("the shim does not keep up")
        self._last_id += 1
        number = self._last_id
        future: asyncio.Future[tuple[Any, list[int]]] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        self._outbox.append(({"id": number, "do": do, **arguments}, [os.dup(fd) for fd in descriptors]))
        self._send_waiting()
        try:
            async with self._clock.timeout(REQUEST_SECONDS):
                return await future
        finally:
            self._answers.pop(number, None)

    async def connect(self) -> None:
        """Idempotent. Starts a shim when none listens."""
        if self._sock is not None:
            return
        async with self._connecting:
            if self._sock is None:
                self._use(await self._reach())

    async def shut_down(self) -> None:
        """End the shim, and wait until it has ended. Containers it still has would be orphans."""
        known = await self.ask("list")
        processes = [os.pidfd_open(pid) for pid in (known["pid"], *known["reapers"])]
        try:
            await self.ask("shutdown")
            async with self._clock.timeout(START_SECONDS):
                for process in processes:
                    await readiness.wait_readable(process)
        finally:
            for process in processes:
                os.close(process)
            self.close()

    def close(self) -> None:
        self._disconnect(ShimGone("the runtime was closed"))

    async def _reach(self) -> socket.socket:
        path = os.path.join(self._run_dir, SOCKET_NAME)
        deadline = self._clock.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError):
                return protocol.connect(path)
            if self._clock.monotonic() > deadline:
                raise ShimGone(f"the shim did not start within {START_SECONDS:.0f} s: {self._last_words()}")
            code = await asyncio.to_thread(self._start)
            if code:
                raise ShimGone(f"the shim ended with {code}: {self._last_words()}")
            await self._clock.sleep(START_PAUSE_SECONDS)

    def _start(self) -> int:
        """The process returns as soon as the shim listens; the shim itself is then nobody's child, in its own session, so
        that nothing that ends the kubelet ends it too."""
        with open(os.path.join(self._run_dir, "shim.log"), "ab") as log, _read_only(sys.executable) as program:
            return subprocess.run(
                [sys.executable, "-m", "steersman.containers.oci.shim", json.dumps(self._config)],
                executable=program,
                env={
                    **os.environ,
                    "MALLOC_ARENA_MAX": "1",
                },  # its threads are short and take turns: 64 MB each would be wasted
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ).returncode

    def _last_words(self) -> str:
        with contextlib.suppress(OSError), open(os.path.join(self._run_dir, "shim.log")) as log:
            return log.read()[-2000:].strip()
        return ""

    def _use(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        asyncio.get_running_loop().add_reader(sock.fileno(), self._receive)

    def _receive(self) -> None:
        while self._sock is not None:
            try:
                message, passed = protocol.receive(self._sock)
            except BlockingIOError:
                return
            except OSError:
                message, passed = None, []
            if message is None:
                self._disconnect(ShimGone("the shim is gone"))
                self.lost.set()
                return
            self._handle(message, passed)

    def _handle(self, message: protocol.Message, descriptors: list[int]) -> None:
        future = self._answers.get(message["id"]) if "id" in message else None
        if future is not None and not future.done():
            if "error" in message:
                future.set_exception(Refused(message["error"]))
            else:
                future.set_result((message["ok"], descriptors))
                return
        for descriptor in descriptors:
            os.close(descriptor)
        if "event" in message:
            self._on_event(message)

    def _send_waiting(self) -> None:
        if self._sock is None:
            return
        loop = asyncio.get_running_loop()
        while self._outbox:
            message, passed = self._outbox[0]
            try:
                protocol.send(self._sock, message, passed)
            except BlockingIOError:
                loop.add_writer(self._sock.fileno(), self._send_waiting)
                return
            except OSError:
                self._disconnect(ShimGone("the shim is gone"))
                self.lost.set()
                return
            self._outbox.pop(0)
            for descriptor in passed:
                os.close(descriptor)
        loop.remove_writer(self._sock.fileno())

    def _disconnect(self, why: ShimGone) -> None:
        if self._sock is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._sock.fileno())
            loop.remove_writer(self._sock.fileno())
            self._sock.close()
            self._sock = None
        for _, descriptors in self._outbox:
            for descriptor in descriptors:
                os.close(descriptor)
        self._outbox.clear()
        for future in self._answers.values():
            if not future.done():
                future.set_exception(why)


@contextlib.contextmanager
def _read_only(program: str) -> Iterator[str]:
    """The same file by a mount of its own that cannot be written: containers are made in the shim, and one whose program is
    `#!/proc/self/exe` would reach the node's interpreter (CVE-2019-5736). Where that cannot be had, the shim makes none."""
    try:
        mounted = mount_trees.clone(program)
    except OSError:
        yield program
        return
    try:
        mount_trees.set_attributes(mounted, mount_trees.RDONLY)
        yield f"/proc/{os.getpid()}/fd/{mounted}"
    finally:
        os.close(mounted)
