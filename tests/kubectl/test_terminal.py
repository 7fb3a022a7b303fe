"""The keyboard's side of a session."""

import asyncio
import contextlib
import io
import os
import signal
import struct
import termios
from collections.abc import Iterator
from fcntl import ioctl
from typing import BinaryIO

import pytest

from steersman.kubectl import sessions, terminal
from steersman.serving.channels import CommandFailed


@pytest.fixture
def screen() -> Iterator[tuple[int, BinaryIO]]:
    """A terminal: the end that plays the person, and the program's end as a stream."""
    person, program = os.openpty()
    with os.fdopen(program, "r+b", buffering=0) as stream:
        yield person, stream
    os.close(person)


def resize(handle: int, width: int, height: int) -> None:
    ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def test_a_terminal_is_as_it_was_before(screen: tuple[int, BinaryIO]) -> None:
    _, stream = screen
    before = termios.tcgetattr(stream.fileno())
    with contextlib.suppress(RuntimeError), terminal.raw(stream):
        assert not termios.tcgetattr(stream.fileno())[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        raise RuntimeError
    assert termios.tcgetattr(stream.fileno()) == before


async def test_the_size_and_its_changes(screen: tuple[int, BinaryIO]) -> None:
    person, stream = screen
    resize(person, 80, 24)
    sizes = terminal.sizes(stream)
    assert await anext(sizes) == (80, 24)
    resize(person, 100, 30)
    os.kill(os.getpid(), signal.SIGWINCH)
    assert await anext(sizes) == (100, 30)
    await sizes.aclose()


def test_what_is_no_terminal_has_no_size() -> None:
    assert terminal.size(io.BytesIO()) is None


async def test_input_from_a_pipe_and_from_memory() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream:
        source = terminal.Input(stream)
        os.write(writing, b"one")
        assert await source.receive() == b"one"
        os.write(writing, b"two")
        os.close(writing)
        assert await source.receive() == b"two"
        assert [await source.receive(), await source.receive()] == [b"", b""]
    memory = terminal.Input(io.BytesIO(b"x" * (terminal.PIECE_BYTES + 1)))
    assert [len(await memory.receive()) for _ in range(3)] == [terminal.PIECE_BYTES, 1, 0]


class Session:
    """Repeats its input in capitals; ends when the input does, or fails."""

    def __init__(self, code: int = 0, failure: str = "") -> None:
        self.code, self.failure = code, failure
        self.closed = False
        self._output: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()

    async def read(self) -> tuple[int, bytes]:
        return await self._output.get()

    async def write_stdin(self, data: bytes) -> None:
        await self._output.put((1, data.upper()))
        await self._output.put((2, b"!"))

    async def close_stdin(self) -> None:
        await self._output.put((0, b""))

    async def resize(self, width: int, height: int) -> None: ...

    async def wait(self) -> int:
        if self.failure:
            raise CommandFailed(self.failure)
        return self.code

    async def close(self) -> None:
        self.closed = True


async def test_bytes_go_both_ways_until_the_command_has_ended() -> None:
    pieces = [b"hello", b""]

    async def source() -> bytes:
        return pieces.pop(0)

    session, out, err = Session(code=3), bytearray(), bytearray()
    assert await sessions.move(session, source, out.extend, err.extend) == 3
    assert (bytes(out), bytes(err), session.closed) == (b"HELLO", b"!", True)


async def test_a_command_that_could_not_start_is_a_failure() -> None:
    async def source() -> bytes:
        return b""

    session = Session(failure="no such file")
    with pytest.raises(CommandFailed, match="no such file"):
        await sessions.move(session, source, bytearray().extend, bytearray().extend)
    assert session.closed
