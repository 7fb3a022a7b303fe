"""The audit log: a file with an Event in each line, which is put aside when it has grown large.

Keeps true: no file larger than `max_bytes`, no more old ones than `backups_max` (0: all), none older than `age_days_max` (0: any).
Names of old files, and what is counted, as lumberjack's, whose flags upstream's are: `audit-2026-01-02T15-04-05.000.log`.
"""

import contextlib
import dataclasses
import datetime
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from steersman.aio.clock import Clock
from steersman.apiserver.audit import auditor, texts, truncation
from steersman.meta.objects import Object

log = logging.getLogger(__name__)

DEFAULT_BYTES = 100 * 2**20  # lumberjack's, where no size is asked for
STDOUT = "-"
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}")


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """`path` "-" is standard output. `event_bytes_max`: larger events lose their objects; 0: they do not."""

    path: str
    format: str = "json"
    max_bytes: int = 0
    backups_max: int = 0
    age_days_max: int = 0
    event_bytes_max: int = 0


class LogFile:
    """Events are in the file when `write` returns: upstream's blocking mode."""

    def __init__(self, options: Options, clock: Clock) -> None:
        """Raises OSError where there is no such folder to be made."""
        self._options = options
        self._clock = clock
        self._write_line: Callable[[Object], bytes] = auditor.line if options.format == "json" else texts.line
        self._max = options.max_bytes or DEFAULT_BYTES
        self._path = Path(options.path)
        self._file = -1
        self._size = 0
        self._open()

    def write(self, event: Object) -> None:
        cut = truncation.cut(event, self._options.event_bytes_max)
        if cut is None:
            return
        text = self._write_line(cut)
        try:
            if self._size and self._size + len(text) > self._max and self._options.path != STDOUT:
                self._rotate()
            self._size += os.write(self._file, text)
        except OSError as problem:
            log.error("an audit event is lost: %s", problem)

    async def run(self) -> None:
        """Nothing: all is written when it comes."""

    async def close(self) -> None:
        if self._file > 2:
            os.close(self._file)
            self._file = -1

    def _open(self) -> None:
        if self._options.path == STDOUT:
            self._file = sys.stdout.fileno()
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def _rotate(self) -> None:
        stamp = self._clock.now().strftime("%Y-%m-%dT%H-%M-%S.%f")[:-3]
        with contextlib.suppress(FileNotFoundError):  # somebody took it away
            self._path.rename(self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}"))
        before = self._file
        self._open()
        os.close(before)  # now: the number of a closed file is soon another file's, or a client's
        for path in superfluous(self._backups(), self._options, self._clock.now()):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def _backups(self) -> list[tuple[datetime.datetime, Path]]:
        found = []
        for path in self._path.parent.glob(f"{self._path.stem}-*{self._path.suffix}"):
            stamp = path.name[len(self._path.stem) + 1 : len(path.name) - len(self._path.suffix)]
            if _STAMP.fullmatch(stamp):
                found.append((datetime.datetime.strptime(f"{stamp}Z", "%Y-%m-%dT%H-%M-%S.%f%z"), path))
        return found


def superfluous(backups: list[tuple[datetime.datetime, Path]], options: Options, now: datetime.datetime) -> list[Path]:
    """Old files that are not to be kept. Pure."""
    newest = sorted(backups, reverse=True)
    many = newest[options.backups_max :] if options.backups_max else []
    old: list[tuple[datetime.datetime, Path]] = []
    if options.age_days_max:
        since = now - datetime.timedelta(days=options.age_days_max)
        old = [one for one in newest if one[0] < since]
    return sorted({path for _, path in (*many, *old)})
