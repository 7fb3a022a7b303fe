"""Read a container's log as `kubectl logs` wants it: the last lines, since a time, with timestamps, following.

The log is in CRI format (`containers.cri_log`): rotated files `N.log.*` and, at their end, `N.log`. Those that are compressed are
for collectors only, as upstream's.
"""

import dataclasses
import datetime
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from steersman.aio.clock import Clock
from steersman.kubelet import log_rotation
from steersman.meta import times

CHUNK_BYTES = 64 * 1024
# How often a followed log is looked at: below what a reader notices, and nothing beside what the writer costs.
FOLLOW_SECONDS = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class LogOptions:
    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    limit_bytes: int | None = None
    since: datetime.datetime | None = None
    stream: str = ""  # stdout, stderr or both


@dataclasses.dataclass(slots=True)
class _Formatter:
    """Records in, text out; remembers what was given so far."""

    options: LogOptions
    left: int | None = None
    fresh: dict[bytes, bool] = dataclasses.field(default_factory=dict)  # stream → at the start of a line

    def __post_init__(self) -> None:
        self.left = self.options.limit_bytes

    @property
    def is_full(self) -> bool:
        return self.left is not None and self.left <= 0

    def text(self, record: bytes) -> bytes:
        parts = record.split(b" ", 3)
        if len(parts) < 3:
            return b""  # not a record: a file that was cut off by a crash
        at, stream, tag = parts[:3]
        text = parts[3] if len(parts) == 4 else b""
        if self.options.stream and stream.decode() != self.options.stream:
            return b""
        if self.options.since is not None and not _is_since(at, self.options.since):
            return b""
        starts = self.fresh.get(stream, True)
        ends = tag.partition(b":")[0] != b"P"
        self.fresh[stream] = ends
        shown = (at + b" " if self.options.timestamps and starts else b"") + text + (b"\n" if ends else b"")
        if self.left is not None:
            shown = shown[: self.left]
            self.left -= len(shown)
        return shown


def _is_since(at: bytes, since: datetime.datetime) -> bool:
    try:
        return times.parse(at.decode()) >= since
    except ValueError:
        return False


async def read(path: Path, options: LogOptions, clock: Clock, is_over: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Pieces of text; following ends when `is_over()` (the container has ended) and all is read."""
    formatter = _Formatter(options)
    rotated = _rotated(path)
    offsets = _tail(rotated, path, options.tail_lines)
    for file, offset in offsets[:-1]:
        for piece in _pieces(file, offset, formatter):
            yield piece
    current = _Follower(*offsets[-1])
    try:
        while not formatter.is_full:
            over = is_over()  # asked before reading: what was written until then is read now
            piece = current.read(formatter)
            if piece:
                yield piece
            elif not options.follow or over:
                return
            else:
                await clock.sleep(FOLLOW_SECONDS)
    finally:
        current.close()


class _Follower:
    """The newest file, also when it is renamed away and begun anew."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path = path
        self._rest = b""
        self._offset = offset
        self._descriptor = -1

    def read(self, formatter: _Formatter) -> bytes:
        """Whole records of the next chunk; b"" when there is nothing (yet)."""
        while True:
            if self._descriptor < 0 and not self._open():
                return b""
            data = os.read(self._descriptor, CHUNK_BYTES)
            if not data:
                if not self._was_rotated():
                    return b""
                data = os.read(self._descriptor, CHUNK_BYTES)  # what came between the last look and the rotation
                if not data:
                    self.close()
                    continue
            lines = (self._rest + data).split(b"\n")
            self._rest = lines.pop()
            shown = b"".join(formatter.text(line) for line in lines)
            if shown or formatter.is_full:
                return shown

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> bool:
        try:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        os.lseek(self._descriptor, self._offset, os.SEEK_SET)
        self._offset = 0
        return True

    def _was_rotated(self) -> bool:
        try:
            return self._path.stat().st_ino != os.fstat(self._descriptor).st_ino
        except FileNotFoundError:
            return False


def _rotated(path: Path) -> list[Path]:
    """Older files of the same instance, oldest first (their names end in the time of rotation)."""
    if not path.parent.is_dir():
        return []
    found = log_rotation.in_use(list(path.parent.glob(f"{path.name}.*")))
    return [one for one in found if not one.name.endswith(log_rotation.COMPRESSED)]


def _tail(rotated: list[Path], path: Path, lines: int | None) -> list[tuple[Path, int]]:
    """Files to read, each from an offset, so that `lines` full records come (None: all)."""
    files = [*rotated, path]
    if lines is None:
        return [(file, 0) for file in files]
    chosen: list[tuple[Path, int]] = []
    for file in reversed(files):
        offset, found = _offset_of_last(file, lines, is_newest=file == path)
        chosen.insert(0, (file, offset))
        lines -= found
        if lines <= 0:
            break
    return chosen


def _offset_of_last(path: Path, lines: int, *, is_newest: bool) -> tuple[int, int]:
    """(offset where the last `lines` lines begin, how many there are). A partial record belongs to its line's end; at the end
    of the newest file that is still to come, and what there is counts as a line."""
    try:
        with path.open("rb") as file:
            return _offset_in(file, lines, is_newest=is_newest)
    except FileNotFoundError:  # not begun yet, or rotated in this moment
        return 0, 0


def _offset_in(file: BinaryIO, lines: int, *, is_newest: bool) -> tuple[int, int]:
    end = os.fstat(file.fileno()).st_size
    if lines <= 0:
        return end, 0
    found, tail = 0, b""
    while end > 0:
        start = max(0, end - CHUNK_BYTES)
        file.seek(start)
        tail = file.read(end - start) + tail
        end = start
        found, offset = _count_back(tail, lines, at_start=start == 0, is_newest=is_newest)
        if offset is not None:
            return start + offset, found
    return 0, found


def _count_back(tail: bytes, lines: int, *, at_start: bool, is_newest: bool) -> tuple[int, int | None]:
    """Go back over whole records; the offset in `tail` once the line before the wanted ones is seen."""
    found, position = 0, len(tail)
    while position > 0:
        begin = tail.rfind(b"\n", 0, position - 1) + 1
        if begin == 0 and not at_start:
            return found, None
        record = tail[begin:position]
        if _is_full(record) or (is_newest and position == len(tail)):
            if found == lines:
                return found, position
            found += 1
        position = begin
    return found, 0 if at_start else None


def _is_full(record: bytes) -> bool:
    parts = record.split(b" ", 3)
    return len(parts) >= 3 and parts[2].rstrip(b"\n").partition(b":")[0] != b"P"


def _pieces(path: Path, offset: int, formatter: _Formatter) -> Iterator[bytes]:
    follower = _Follower(path, offset)
    try:
        while not formatter.is_full and (piece := follower.read(formatter)):
            yield piece
    finally:
        follower.close()
