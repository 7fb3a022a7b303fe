"""A command's three streams: text and bytes out, bytes in, and whether a person sits at a terminal."""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO


class Streams:
    def __init__(self, stdin: BinaryIO, stdout: BinaryIO, stderr: BinaryIO) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr

    @classmethod
    def of_process(cls) -> "Streams":
        return cls(_buffer(sys.stdin, "rb"), _buffer(sys.stdout, "wb"), _buffer(sys.stderr, "wb"))

    def write(self, text: str | bytes) -> None:
        self.stdout.write(text.encode(errors="surrogateescape") if isinstance(text, str) else text)

    def write_error(self, text: str | bytes) -> None:
        self.stdout.flush()
        self.stderr.write(text.encode(errors="surrogateescape") if isinstance(text, str) else text)
        self.stderr.flush()

    def flush(self) -> None:
        self.stdout.flush()
        self.stderr.flush()

    def read(self) -> bytes:
        """Standard input to its end."""
        return self.stdin.read()

    @property
    def is_input_terminal(self) -> bool:
        return is_terminal(self.stdin)

    @property
    def is_output_terminal(self) -> bool:
        return is_terminal(self.stdout)

    def is_error_colored(self, environment: Mapping[str, str]) -> bool:
        """A terminal that shows colours, and nobody who said that they are not wanted."""
        return is_terminal(self.stderr) and "NO_COLOR" not in environment and environment.get("TERM") != "dumb"


class MemoryStreams(Streams):
    """For runs in process: what was written can be read."""

    def __init__(self, stdin: str | bytes = b"") -> None:
        self._out, self._err = io.BytesIO(), io.BytesIO()
        super().__init__(io.BytesIO(stdin.encode() if isinstance(stdin, str) else stdin), self._out, self._err)

    @property
    def out(self) -> str:
        return self._out.getvalue().decode()

    @property
    def err(self) -> str:
        return self._err.getvalue().decode()


def _buffer(stream: Any, mode: str) -> Any:
    """A stream that the shell closed (`>&-`) is None: nothing is read from it, and what is written is lost."""
    return stream.buffer if stream is not None else os.fdopen(os.open(os.devnull, os.O_RDWR), mode)


def is_terminal(stream: BinaryIO) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return os.isatty(stream.fileno())
    return False
