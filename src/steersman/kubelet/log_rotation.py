"""Logs that do not fill the disk: a container's log is renamed away when it has grown large, and only the newest few are kept.

Source of sizes, names and order: upstream's containerLogMaxSize, containerLogMaxFiles, containerLogMaxWorkers and its log manager.
The newest of the old files stays as it is, since its writer may still hold it and readers follow it; older ones are compressed.
"""

import asyncio
import datetime
import gzip
import logging
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from steersman.aio.clock import Clock
from steersman.containers import runtime
from steersman.kubelet.options import Options

_log = logging.getLogger(__name__)

COMPRESSED, UNFINISHED = ".gz", ".tmp"
COPY_BYTES = 256 * 1024


class Writers(Protocol):
    """What a runtime knows of logs."""

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]: ...
    async def reopen_log(self, container_id: str) -> None: ...


async def run(writers: Writers, clock: Clock, options: Options) -> None:
    """Until cancelled."""
    while True:
        await clock.sleep(options.log_look_seconds)
        await look(writers, clock.now(), options)


async def look(writers: Writers, now: datetime.datetime, options: Options) -> None:
    """Rotate every log that is too large, a few at a time, and begin those anew that somebody removed. One that cannot be
    waits for the next look."""
    if options.log_most_bytes < 0:
        return
    slots = asyncio.Semaphore(options.log_workers)

    async def care_for(one: runtime.ContainerStatus) -> None:
        async with slots:
            path = Path(one.log_path)
            try:
                if not path.exists():
                    await writers.reopen_log(one.id)
                elif path.stat().st_size >= options.log_most_bytes:
                    await _rotate(path, one.id, writers, now, options.logs_most)
            except (runtime.RuntimeFailure, OSError) as failure:
                _log.warning("the log of container %s of pod %s is not rotated: %s", one.name, one.pod_uid, failure)

    running = [one for one in await writers.list_containers() if one.state is runtime.State.RUNNING and one.log_path]
    await asyncio.gather(*map(care_for, running))


async def _rotate(path: Path, container_id: str, writers: Writers, now: datetime.datetime, logs_most: int) -> None:
    """A log whose writer did not let go of it gets its name back: nothing that is written may be out of sight."""
    kept = _make_room(path, logs_most)
    if fresh := [one for one in kept if not one.name.endswith(COMPRESSED)]:
        await asyncio.to_thread(_compress, fresh)
    rotated = path.with_name(f"{path.name}.{now:%Y%m%d-%H%M%S}")
    path.rename(rotated)
    try:
        await writers.reopen_log(container_id)
    except BaseException:
        if not path.exists():
            rotated.rename(path)
        raise


def in_use(old: Iterable[Path]) -> list[Path]:
    """Of the files beside a log, oldest first, those that count: not what a compression left, nor what it has done."""
    names = {one.name for one in old}
    found = [one for one in old if not one.name.endswith(UNFINISHED) and f"{one.name}{COMPRESSED}" not in names]
    return sorted(found)


def _make_room(path: Path, logs_most: int) -> list[Path]:
    """For the one that is written and the one that is about to be renamed; what stays, oldest first."""
    every = list(path.parent.glob(f"{path.name}.*"))
    old = in_use(every)
    kept = old[max(0, len(old) - (logs_most - 2)) :]
    for one in set(every) - set(kept):
        one.unlink(missing_ok=True)
    return kept


def _compress(files: Iterable[Path]) -> None:
    """Under its new name it is whole or not there; the old one goes after that."""
    for file in files:
        half = file.with_name(f"{file.name}{UNFINISHED}")
        try:
            with file.open("rb") as source, half.open("wb") as target:
                os.fchmod(target.fileno(), file.stat().st_mode & 0o777)
                with gzip.GzipFile(filename="", fileobj=target, mode="wb") as packed:
                    shutil.copyfileobj(source, packed, COPY_BYTES)
            half.rename(file.with_name(f"{file.name}{COMPRESSED}"))
            file.unlink()
        finally:
            half.unlink(missing_ok=True)
