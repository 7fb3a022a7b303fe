"""Processes exec'ed into containers: started by the shim, their streams held by us."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Sequence

from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.containers.oci import records, sessions, shim_client, spec
from steersman.containers.runtime import RuntimeFailure

DRAIN_SECONDS = 0.5  # for output of background processes that a finished exec leaves behind
OUTPUT_BYTES_MAX = 16 * 1024 * 1024  # of one stream of `run_to_end`, as in CRI
LOST_EXIT_CODE = 137  # of an exec whose shim was killed


class Execs:
    def __init__(self, client: shim_client.ShimClient, clock: Clock, run_dir: str) -> None:
        self._client = client
        self._clock = clock
        self._run_dir = run_dir
        self._running: dict[str, asyncio.Future[int]] = {}

    async def start(self, container_id: str, command: Sequence[str], *, stdin: bool, tty: bool) -> sessions.Session:
        """Raises RuntimeFailure (ExecError) with crun's words, for a missing command say."""
        one = _Exec(self._clock.uid().replace("-", ""), container_id, self._client, self._running)
        folder = os.path.join(self._run_dir, "execs", one.id)
        bundle = records.read(os.path.join(self._run_dir, "containers", container_id, records.CONFIG))
        os.mkdir(folder)
        try:
            records.write(os.path.join(folder, "process.json"), spec.exec_process(bundle["process"], command, tty=tty))
            return await (one.with_terminal(folder) if tty else one.with_pipes(folder, stdin=stdin))
        except BaseException as failed:
            await one.release()
            if isinstance(failed, shim_client.Refused | shim_client.ShimGone):
                raise RuntimeFailure("ExecError", str(failed), temporary=False) from failed
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)

    async def run_to_end(self, container_id: str, command: Sequence[str], timeout_seconds: float) -> runtime.ExecResult:
        """Raises TimeoutError; the process is then killed. 0 seconds: no limit."""
        async with self._clock.timeout(timeout_seconds) if timeout_seconds > 0 else contextlib.nullcontext():
            session = await self.start(container_id, command, stdin=False, tty=False)
            outputs = {sessions.STDOUT: bytearray(), sessions.STDERR: bytearray()}
            reader = asyncio.create_task(_collect(session, outputs), name="exec output")
            try:
                code = await session.wait()
                await asyncio.wait((reader,), timeout=DRAIN_SECONDS)
            finally:
                reader.cancel()
                await session.close()
        return runtime.ExecResult(code, bytes(outputs[sessions.STDOUT]), bytes(outputs[sessions.STDERR]))

    def exited(self, exec_id: str, code: int) -> None:
        done = self._running.get(exec_id)
        if done is not None and not done.done():
            done.set_result(code)

    def shim_lost(self) -> None:
        """Their parent is gone: nobody hears how they end."""
        for exec_id in tuple(self._running):
            self.exited(exec_id, LOST_EXIT_CODE)

    def close(self) -> None:
        for done in self._running.values():
            done.cancel()


class _Exec:
    def __init__(
        self, id_: str, container_id: str, client: shim_client.ShimClient, running: dict[str, asyncio.Future[int]]
    ) -> None:
        self.id = id_
        self._container_id = container_id
        self._client = client
        self._running = running
        self._done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        running[id_] = self._done

    async def with_pipes(self, folder: str, *, stdin: bool) -> sessions.Session:
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        (in_r, in_w), (out_r, out_w), (err_r, err_w) = pipes
        try:
            await self._ask((in_r, out_w, err_w), folder)
        except BaseException:
            for fd in (in_w, out_r, err_r):
                os.close(fd)
            raise
        finally:
            for fd in (in_r, out_w, err_w):
                os.close(fd)
        if not stdin:
            os.close(in_w)
            in_w = -1
        outputs = {sessions.STDOUT: out_r, sessions.STDERR: err_r}
        return sessions.Session(outputs, in_w, wait_exit=self.wait, release=self.release)

    async def with_terminal(self, folder: str) -> sessions.Session:
        receiver = sessions.ConsoleReceiver(folder)
        receiving = asyncio.create_task(receiver.receive(), name="exec terminal")
        try:
            await self._ask((), folder, receiver.path)
            terminal = await receiving
        finally:
            receiving.cancel()
            receiver.close()
        outputs = {sessions.STDOUT: terminal}
        return sessions.Session(outputs, terminal, terminal=terminal, wait_exit=self.wait, release=self.release)

    async def _ask(self, descriptors: Sequence[int], folder: str, console: str = "") -> None:
        await self._client.ask(
            "exec", descriptors, container=self._container_id, exec=self.id, folder=folder, console=console
        )

    async def wait(self) -> int:
        return await asyncio.shield(self._done)

    async def release(self) -> None:
        """Let go; what still runs is killed."""
        self._running.pop(self.id, None)
        if not self._done.done():
            self._done.cancel()
            with contextlib.suppress(shim_client.ShimGone, shim_client.Refused):
                await self._client.ask("exec_kill", exec=self.id)


async def _collect(session: sessions.Session, outputs: dict[int, bytearray]) -> None:
    """What is beyond the limit is read and dropped, so that the process can end."""
    while True:
        stream, data = await session.read()
        if stream == sessions.END:
            return
        room = OUTPUT_BYTES_MAX - len(outputs[stream])
        outputs[stream] += data[: max(0, room)]
