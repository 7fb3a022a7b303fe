"""A power cut: every process that a runtime started dies at once, without anybody writing down that it did."""

import os
import signal
from pathlib import Path

from steersman.containers.oci import reaper, records, shim, statuses
from steersman.containers.runtime import State


def cut(run_dir: Path) -> None:
    """Kill the shim and its reapers first, so that they cannot note what follows, then the first process of every container and
    of every shared process namespace: the kernel takes the others along. Nothing there is fine."""
    for pid in reaper.living(str(run_dir)):
        kill(pid)
    kill(_number(run_dir / shim.LOCK))
    for folder in run_dir.glob("containers/*"):
        record = statuses.read_container(str(folder))
        if record is not None:
            status = statuses.container_status(str(folder), record)
            if status.state is State.RUNNING:
                kill(status.pid)
    for path in run_dir.glob("sandboxes/*/pause.json"):
        pause = records.read(str(path))
        if pause:
            pid, ticks = pause
            if records.process_start_ticks(pid) == ticks:
                kill(pid)


def kill(pid: int) -> None:
    if pid > 0:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _number(path: Path) -> int:
    try:
        return int(path.read_text() or 0)
    except FileNotFoundError:
        return 0
