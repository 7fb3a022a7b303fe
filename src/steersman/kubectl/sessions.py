"""A remote session beside the user's streams: bytes both ways until the command has ended.

Reads: standard input (when asked to), the terminal's size. Writes: standard output and error.
Leaves to others: which pod and container, the handshake (`client.upgrades`), what is said when it fails (`problems`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from steersman.client.http_connection import Unreachable
from steersman.kubectl import terminal
from steersman.kubectl.streams import Streams
from steersman.serving import spdy
from steersman.serving.channels import STDERR, Session

Write = Callable[[bytes], None]
Source = Callable[[], Awaitable[bytes]]  # b"" at the end


async def run(
    session: Session,
    streams: Streams,
    *,
    stdin: bool,
    is_raw: bool = False,
    redraw: bool = False,
) -> int:
    """The command's exit code. Raises CommandFailed.

    `redraw`: tell a size that is wrong first, so that whoever draws in the terminal draws anew (attach).
    """
    source = terminal.Input(streams.stdin).receive if stdin else None
    with terminal.raw(streams.stdin) if is_raw else contextlib.nullcontext():
        resizing = asyncio.create_task(_resize(session, streams, redraw=redraw)) if is_raw else None
        try:
            return await move(session, source, write_to(streams), write_errors_to(streams))
        finally:
            if resizing is not None:
                resizing.cancel()
                await asyncio.wait([resizing])


async def move(session: Session, source: Source | None, out: Write, err: Write) -> int:
    """Until the command has ended: its exit code. Raises CommandFailed."""
    feeding = asyncio.create_task(_feed(session, source)) if source is not None else None
    try:
        while True:
            stream, data = await session.read()
            if stream == 0:
                return await session.wait()
            (err if stream == STDERR else out)(data)
    finally:
        if feeding is not None:
            feeding.cancel()
            await asyncio.wait([feeding])
        with contextlib.suppress(OSError, Unreachable, spdy.Closed):
            await session.close()


def write_to(streams: Streams) -> Write:
    def write(data: bytes) -> None:
        streams.write(data)
        streams.flush()

    return write


def write_errors_to(streams: Streams) -> Write:
    return streams.write_error


async def _feed(session: Session, source: Source) -> None:
    with contextlib.suppress(OSError, Unreachable, spdy.Closed):  # the command may have ended before its input
        while data := await source():
            await session.write_stdin(data)
        await session.close_stdin()


async def _resize(session: Session, streams: Streams, *, redraw: bool) -> None:
    with contextlib.suppress(OSError, Unreachable, spdy.Closed):
        async with contextlib.aclosing(terminal.sizes(streams.stdout)) as sizes:
            async for width, height in sizes:
                if redraw:
                    redraw = False
                    await session.resize(width + 1, height + 1)
                await session.resize(width, height)
