"""Small files that outlive every process: written whole or not at all. Small imports only: the shim uses this.

A container's folder holds `record.json` (what it is; by the runtime), `launch.json` (how to start it; by the runtime),
`config.json` (OCI; by the runtime), `started.json` (pid, by the shim), `exit.json` (how it ended; by the shim) and, where it
outlived its shim, `reaped.json` (by the reaper).
"""

import json
import os
from typing import Any

RECORD, LAUNCH, CONFIG, STARTED, EXIT, PID, REAPED = (
    "record.json",
    "launch.json",
    "config.json",
    "started.json",
    "exit.json",
    "pid",
    "reaped.json",
)


def write(path: str, value: Any) -> None:
    temporary = path + ".new"
    with open(temporary, "wb", buffering=0) as file:
        file.write(json.dumps(value, separators=(",", ":")).encode())  # `json.dump` would not use the encoder in C
    os.rename(temporary, path)


def read(path: str) -> Any:
    """None when there is no such file."""
    try:
        with open(path) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def process_start_ticks(pid: int, *, ended_too: bool = False) -> int:
    """When a process started, in ticks since boot: with it a pid names one process for ever. 0: no such process; with
    `ended_too`, one that nobody has waited for yet counts."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in (b"Z", b"X") and not ended_too else int(fields[19])


def process_name(pid: int) -> str:
    """As the kernel knows it; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
