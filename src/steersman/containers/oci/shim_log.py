"""Container output: from FIFOs or a terminal into a log file in CRI format, and to whoever is attached.

A FIFO's bytes are first copied with tee(2), written to the log, and only then taken out. So a shim that is killed at any
moment loses nothing; a line may at worst stand in the log twice. An unfinished line stays in the FIFO until it is finished,
or too long, or old: then it is written as a partial record.

Small imports only (the shim). Writes: the log file.
"""

import fcntl
import os
import time

from steersman.containers import syscalls

CHUNK_BYTES = 65536  # a FIFO's capacity
PARTIAL_BYTES = 16384  # longer lines are cut into partial records of this size, as containerd does
FRAGMENT_SECONDS = 0.5  # an unfinished line older than this is written as it is (a prompt, a progress bar)
ROUNDS_MAX = 8  # chunks of one container before the others have their turn
LISTENER_BACKLOG_BYTES_MAX = 1 << 20  # an attached reader further behind is cut off


class LogFile:
    """Opened for appending; reopened when the kubelet has rotated it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1
        self.reopen()

    def reopen(self) -> None:
        self.close()
        if self.path:
            try:
                self._fd = self._open()
            except FileNotFoundError:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                self._fd = self._open()

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def write(self, data: bytes) -> None:
        while data and self._fd >= 0:
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Listener:
    """An attached reader: gets a copy of all output from now on, never holds the container up."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._waiting = b""

    def offer(self, data: bytes) -> bool:
        """False: it is gone or too far behind."""
        self._waiting += data
        try:
            while self._waiting:
                self._waiting = self._waiting[os.write(self.fd, self._waiting) :]
        except BlockingIOError:
            return len(self._waiting) <= LISTENER_BACKLOG_BYTES_MAX
        except OSError:
            return False
        return True

    def close(self) -> None:
        os.close(self.fd)


class Stream:
    """One output of one container. `read_ready` is to be called when the descriptor has become readable (edge)."""

    def __init__(self, name: str, fd: int, log: LogFile, *, is_terminal: bool) -> None:
        self.name = name.encode()
        self.fd = fd
        self.log = log
        self.listeners: list[Listener] = []
        self.fragment_since: float | None = None
        self._is_terminal = is_terminal
        self._scratch: tuple[int, int] | None = None if is_terminal else _scratch_pipe()

    def read_ready(self) -> bool:
        """Move what waits; True: there may be more, call again soon."""
        read = self._read_terminal if self._is_terminal else self._read_fifo
        return all(read() for _ in range(ROUNDS_MAX))

    def flush_fragment(self) -> bool:
        """Write an unfinished line as a partial record; True: there may be more."""
        self._read_fifo(take_fragment=True)
        return self.read_ready()

    def finish(self) -> None:
        """The container has ended: take everything that is left. An unfinished line stays one, as containerd has it: readers
        add no newline that the container did not write (it would be part of its termination message)."""
        while self.read_ready():
            pass
        if self.fragment_since is not None:
            self._read_fifo(take_fragment=True)
        for listener in self.listeners:
            listener.close()
        self.listeners.clear()
        os.close(self.fd)
        self.fd = -1

    def _read_terminal(self) -> bool:
        try:
            data = os.read(self.fd, CHUNK_BYTES)
        except OSError:  # EIO: the other end is closed; EAGAIN: nothing waits
            return False
        if data:
            self.log.write(_records(self.name, data))
            self._copy(data)
        return bool(data)

    def _read_fifo(self, *, take_fragment: bool = False) -> bool:
        assert self._scratch is not None
        try:
            size = syscalls.tee(self.fd, self._scratch[1], CHUNK_BYTES)
        except BlockingIOError:
            return False
        if size == 0:
            return False
        data = os.read(self._scratch[0], size)
        end = _whole_length(data)
        if end == 0 and (take_fragment or self.listeners):
            end = len(data)
        self.fragment_since = self.fragment_since or time.monotonic()  # also when writing fails: tried again later
        if end:
            self.log.write(_records(self.name, data[:end]))
            self._copy(data[:end])
            _take(self.fd, end)
        if end:
            self.fragment_since = None if end == size else time.monotonic()
        return end > 0

    def _copy(self, data: bytes) -> None:
        for listener in [one for one in self.listeners if not one.offer(data)]:
            listener.close()
            self.listeners.remove(listener)


_scratch: tuple[int, int] | None = None


def _scratch_pipe() -> tuple[int, int]:
    """One for all streams: it is empty whenever nobody is between tee and read."""
    global _scratch
    if _scratch is None:
        _scratch = os.pipe()
        fcntl.fcntl(_scratch[1], fcntl.F_SETPIPE_SZ, CHUNK_BYTES * 2)
    return _scratch


def _take(fd: int, size: int) -> None:
    while size > 0:
        size -= len(os.read(fd, size))


def _whole_length(data: bytes) -> int:
    """How much of `data` can be written now: all finished lines, or of one long line its full pieces."""
    end = data.rfind(b"\n") + 1
    return end or len(data) - len(data) % PARTIAL_BYTES


def _records(stream: bytes, data: bytes) -> bytes:
    """CRI records for `data`; the text after the last newline, if any, is a partial one."""
    head = _timestamp() + b" " + stream + b" "
    if len(data) <= PARTIAL_BYTES and data.count(b"\n") == 1 and data.endswith(b"\n"):
        return head + b"F " + data
    out: list[bytes] = []
    lines = data.split(b"\n")
    rest = lines.pop()
    full, partial = head + b"F ", head + b"P "
    for line in lines:
        while len(line) > PARTIAL_BYTES:
            out += (partial, line[:PARTIAL_BYTES], b"\n")
            line = line[PARTIAL_BYTES:]
        out += (full, line, b"\n")
    while rest:
        out += (partial, rest[:PARTIAL_BYTES], b"\n")
        rest = rest[PARTIAL_BYTES:]
    return b"".join(out)


def _timestamp() -> bytes:
    """RFC 3339 with nanoseconds."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    t = time.gmtime(seconds)
    return b"%04d-%02d-%02dT%02d:%02d:%02d.%09dZ" % (*t[:6], nanoseconds)
