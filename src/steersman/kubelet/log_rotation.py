"""Logs that do not fill the disk: a container's log is renamed away when it has grown large, and only the newest few are kept.

Source of sizes and names: upstream's containerLogMaxSize, containerLogMaxFiles and its log manager; old files are not
compressed, so that `kubectl logs` shows them too (`log_reader`).
"""

import datetime
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from steersman.aio.clock import Clock
from steersman.containers import runtime

_log = logging.getLogger(__name__)

FILE_MOST_BYTES = 10 * 1024 * 1024
FILES_MOST = 5  # the one that is written included
# Upstream looks every 10 s; a container that only writes fills 5 GB of a fast disk in that time.
LOOK_SECONDS = 2.0


class Writers(Protocol):
    """What a runtime knows of logs."""

    async def list_containers(self) -> Sequence[runtime.ContainerStatus]: ...
    async def reopen_log(self, container_id: str) -> None: ...


async def run(writers: Writers, clock: Clock) -> None:
    """Until cancelled."""
    while True:
        await clock.sleep(LOOK_SECONDS)
        await look(writers, clock.now())


async def look(writers: Writers, now: datetime.datetime) -> None:
    """Rotate every log that is too large. One that cannot be waits for the next look."""
    for one in await writers.list_containers():
        if one.state is runtime.State.RUNNING and one.log_path:
            path = Path(one.log_path)
            if _size(path) > FILE_MOST_BYTES:
                try:
                    await _rotate(path, one.id, writers, now)
                except (runtime.RuntimeFailure, OSError) as failure:
                    _log.warning("the log of container %s of pod %s stays large: %s", one.name, one.pod_uid, failure)


async def _rotate(path: Path, container_id: str, writers: Writers, now: datetime.datetime) -> None:
    """A log whose writer did not let go of it gets its name back: nothing that is written may be out of sight."""
    for old in sorted(path.parent.glob(f"{path.name}.*"))[: -(FILES_MOST - 2) or None]:
        old.unlink(missing_ok=True)
    rotated = path.with_name(f"{path.name}.{now:%Y%m%d-%H%M%S}")
    path.rename(rotated)
    try:
        await writers.reopen_log(container_id)
    except BaseException:
        if not path.exists():
            rotated.rename(path)
        raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
