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
from steersman.kubelet.options import Options

_log = logging.getLogger(__name__)


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
    """Rotate every log that is too large. One that cannot be waits for the next look."""
    for one in await writers.list_containers():
        if one.state is runtime.State.RUNNING and one.log_path:
            path = Path(one.log_path)
            if _size(path) > options.log_most_bytes:
                try:
                    await _rotate(path, one.id, writers, now, options.logs_most)
                except (runtime.RuntimeFailure, OSError) as failure:
                    _log.warning("the log of container %s of pod %s stays large: %s", one.name, one.pod_uid, failure)


async def _rotate(path: Path, container_id: str, writers: Writers, now: datetime.datetime, logs_most: int) -> None:
    """A log whose writer did not let go of it gets its name back: nothing that is written may be out of sight."""
    for old in sorted(path.parent.glob(f"{path.name}.*"))[: -(logs_most - 2) or None]:
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
