"""Exec, attach and port-forward of pods on paper."""

import asyncio
from collections.abc import Callable

from steersman.aio.clock import Clock
from steersman.containers.fake_behaviour import ExecAnswer
from steersman.serving.messages import Duplex

STDOUT, STDERR, END = 1, 2, 0


class FakeExec:
    """Answers what the behaviour says, once its seconds are over."""

    def __init__(self, answer: ExecAnswer, clock: Clock, *, tty: bool) -> None:
        self._answer = answer
        self._clock = clock
        self._tty = tty
        self._ends_at = clock.monotonic() + answer.seconds
        self._output = [(STDOUT, answer.stdout), (STDOUT if tty else STDERR, answer.stderr)]
        self.stdin = b""
        self.size: tuple[int, int] | None = None

    @property
    def tty(self) -> bool:
        return self._tty

    async def read(self) -> tuple[int, bytes]:
        await self._finish()
        while self._output:
            stream, data = self._output.pop(0)
            if data:
                return stream, data
        return END, b""

    async def write_stdin(self, data: bytes) -> None:
        self.stdin += data

    async def close_stdin(self) -> None:
        pass

    async def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    async def wait(self) -> int:
        await self._finish()
        return self._answer.exit_code

    async def close(self) -> None:
        self._output.clear()

    async def _finish(self) -> None:
        left = self._ends_at - self._clock.monotonic()
        if left > 0:
            await self._clock.sleep(left)


class FakeAttach:
    """Silent until the container ends."""

    def __init__(self, ended: asyncio.Event, exit_code: Callable[[], int], *, tty: bool) -> None:
        self._ended = ended
        self._exit_code = exit_code
        self._tty = tty
        self._closed = asyncio.Event()

    @property
    def tty(self) -> bool:
        return self._tty

    async def read(self) -> tuple[int, bytes]:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._ended, self._closed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return END, b""

    async def write_stdin(self, data: bytes) -> None:
        pass

    async def close_stdin(self) -> None:
        pass

    async def resize(self, width: int, height: int) -> None:
        pass

    async def wait(self) -> int:
        await self._ended.wait()
        return self._exit_code()

    async def close(self) -> None:
        self._closed.set()


class _Answering:
    """A connection that answers the same text to whoever says something, then ends."""

    def __init__(self, answer: bytes) -> None:
        self._pending: asyncio.Queue[bytes] = asyncio.Queue(2)
        self._answer = answer
        self._answered = False

    async def receive(self) -> bytes:
        return await self._pending.get()

    async def send(self, data: bytes) -> None:
        if data and not self._answered:
            self._answered = True
            self._pending.put_nowait(self._answer)
            self._pending.put_nowait(b"")

    async def close(self) -> None:
        if not self._answered:
            self._answered = True
            self._pending.put_nowait(b"")


def answer_connection(answer: bytes) -> Duplex:
    return _Answering(answer)
