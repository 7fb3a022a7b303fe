"""What the kernel counts for one container, beyond what runtimes tell: read from its control group and its processes.

Source: what upstream's kubelet has from cAdvisor (container/libcontainer/handler.go), for version 1 and 2 of control groups.
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from steersman.containers.runtime import Group

UNLIMITED_BYTES = 1 << 62  # the kernel's "no limit" of version 1 is above this
TICKS_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


class Stall(NamedTuple):
    """Pressure stall information: microseconds so far, and shares (%) of the last 10, 60 and 300 seconds."""

    total_us: int = 0
    avg10: float = 0.0
    avg60: float = 0.0
    avg300: float = 0.0


class Pressure(NamedTuple):
    """`some`: at least one task waited; `full`: all did."""

    some: Stall = Stall()
    full: Stall = Stall()


class Io(NamedTuple):
    """Of one device (major:minor): bytes and operations by kind (Read, Write)."""

    device: str
    bytes: Mapping[str, int]
    operations: Mapping[str, int]


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """Times in nanoseconds, amounts in bytes. `pressure` by resource (cpu, memory, io), where the kernel tells."""

    user_ns: int = 0
    system_ns: int = 0
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0
    shares: int = 0
    quota_us: int = 0
    period_us: int = 0
    cache: int = 0
    mapped_file: int = 0
    kernel: int = 0
    active_file: int = 0
    inactive_file: int = 0
    most: int = 0
    refused: int = 0
    limit: int = 0
    swap_limit: int = 0
    reservation: int = 0
    faults: int = 0
    major_faults: int = 0
    oom_kills: int = 0
    processes: int = 0
    threads: int = 0
    threads_most: int = 0
    descriptors: int = 0
    sockets: int = 0
    descriptors_most: int = 0
    io: tuple[Io, ...] = ()
    pressure: Mapping[str, Pressure] = dataclasses.field(default_factory=dict)


def read(group: Group) -> Figures:
    found = dataclasses.replace(
        _version_1(group) if group.version == 1 else _version_2(group), pressure=pressure(group)
    )
    descriptors = sockets = 0
    pids = _text(group, "memory", "cgroup.procs").split()
    for pid in pids:
        for target in _descriptors(pid):
            descriptors += 1
            sockets += target.startswith("socket:")
    threads = _text(group, "pids", "tasks" if group.version == 1 else "cgroup.threads").split()
    most = _text(group, "pids", "pids.max").strip()
    return dataclasses.replace(
        found,
        processes=len(pids),
        threads=len(threads),
        threads_most=int(most) if most.isdigit() else 0,
        descriptors=descriptors,
        sockets=sockets,
        descriptors_most=_open_files_most(pids[0]) if pids else 0,
    )


def _version_1(group: Group) -> Figures:
    cpu, memory = _fields(group, "cpu", "cpu.stat"), _fields(group, "memory", "memory.stat")
    times = _fields(group, "cpuacct", "cpuacct.stat")
    return Figures(
        user_ns=times.get("user", 0) * TICKS_NS,
        system_ns=times.get("system", 0) * TICKS_NS,
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_time", 0),
        shares=_number(group, "cpu", "cpu.shares"),
        quota_us=max(0, _number(group, "cpu", "cpu.cfs_quota_us")),
        period_us=_number(group, "cpu", "cpu.cfs_period_us"),
        cache=memory.get("total_cache", 0),
        mapped_file=memory.get("total_mapped_file", 0),
        kernel=_number(group, "memory", "memory.kmem.usage_in_bytes"),
        active_file=memory.get("total_active_file", 0),
        inactive_file=memory.get("total_inactive_file", 0),
        most=_number(group, "memory", "memory.max_usage_in_bytes"),
        refused=_number(group, "memory", "memory.failcnt"),
        limit=_limit(group, "memory.limit_in_bytes"),
        swap_limit=_limit(group, "memory.memsw.limit_in_bytes"),
        reservation=_limit(group, "memory.soft_limit_in_bytes"),
        faults=memory.get("total_pgfault", 0),
        major_faults=memory.get("total_pgmajfault", 0),
        oom_kills=_fields(group, "memory", "memory.oom_control").get("oom_kill", 0),
        io=tuple(_io_1(group)),
    )


def _version_2(group: Group) -> Figures:
    cpu, memory = _fields(group, "", "cpu.stat"), _fields(group, "", "memory.stat")
    quota, _, period = _text(group, "", "cpu.max").strip().partition(" ")
    weight = _number(group, "", "cpu.weight")
    events = _fields(group, "", "memory.events")
    return Figures(
        user_ns=cpu.get("user_usec", 0) * 1000,
        system_ns=cpu.get("system_usec", 0) * 1000,
        periods=cpu.get("nr_periods", 0),
        throttled_periods=cpu.get("nr_throttled", 0),
        throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        shares=2 + ((weight - 1) * 262142) // 9999 if weight else 0,
        quota_us=int(quota) if quota.isdigit() else 0,
        period_us=int(period) if period.isdigit() else 0,
        cache=memory.get("file", 0),
        mapped_file=memory.get("file_mapped", 0),
        kernel=memory.get("kernel", 0),
        active_file=memory.get("active_file", 0),
        inactive_file=memory.get("inactive_file", 0),
        most=_number(group, "", "memory.peak"),
        refused=events.get("max", 0),
        limit=_limit(group, "memory.max"),
        swap_limit=_limit(group, "memory.swap.max"),
        reservation=_limit(group, "memory.low"),
        faults=memory.get("pgfault", 0),
        major_faults=memory.get("pgmajfault", 0),
        oom_kills=events.get("oom_kill", 0),
        io=tuple(_io_2(group)),
    )


def _io_1(group: Group) -> Iterator[Io]:
    found: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
    for index, name in enumerate(("io_service_bytes", "io_serviced")):
        for line in _text(group, "blkio", f"blkio.throttle.{name}_recursive").splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in ("Read", "Write"):
                found.setdefault(words[0], ({}, {}))[index][words[1]] = int(words[2])
    for device, (size, operations) in found.items():
        yield Io(device, size, operations)


def _io_2(group: Group) -> Iterator[Io]:
    for line in _text(group, "", "io.stat").splitlines():
        device, *pairs = line.split()
        values = {key: int(value) for key, _, value in (pair.partition("=") for pair in pairs)}
        yield Io(
            device,
            {"Read": values.get("rbytes", 0), "Write": values.get("wbytes", 0)},
            {"Read": values.get("rios", 0), "Write": values.get("wios", 0)},
        )


# --- pressure ----------------------------------------------------------------------------------------------------------


def pressure(group: Group) -> dict[str, Pressure]:
    """Only of version 2; without, the kernel counts none for groups."""
    if group.version != 2:
        return {}
    texts = {name: _text(group, "", f"{name}.pressure") for name in ("cpu", "memory", "io")}
    return {name: parse_pressure(text) for name, text in texts.items() if text}


def of_machine() -> dict[str, Pressure]:
    texts = {name: _read(Path("/proc/pressure", name)) for name in ("cpu", "memory", "io")}
    return {name: parse_pressure(text) for name, text in texts.items() if text}


def parse_pressure(text: str) -> Pressure:
    """`some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and a line for `full`."""
    found = {}
    for line in text.splitlines():
        kind, *pairs = line.split()
        values = dict(pair.split("=") for pair in pairs)
        found[kind] = Stall(
            int(values["total"]), float(values["avg10"]), float(values["avg60"]), float(values["avg300"])
        )
    return Pressure(found.get("some", Stall()), found.get("full", Stall()))


# --- files -------------------------------------------------------------------------------------------------------------


def _descriptors(pid: str) -> list[str]:
    """What a process has open, as /proc names it."""
    found: list[str] = []
    try:
        for one in Path("/proc", pid, "fd").iterdir():
            found.append(str(one.readlink()))
    except OSError:  # it has ended, or closed what was listed
        return found
    return found


def _open_files_most(pid: str) -> int:
    lines = (
        line.split() for line in _read(Path("/proc", pid, "limits")).splitlines() if line.startswith("Max open files")
    )
    return next((int(words[3]) for words in lines if words[3].isdigit()), 0)


def _limit(group: Group, name: str) -> int:
    """0: none."""
    found = _number(group, "memory", name)
    return found if found < UNLIMITED_BYTES else 0


def _number(group: Group, controller: str, name: str) -> int:
    text = _text(group, controller, name).strip()
    return int(text) if text.lstrip("-").isdigit() else 0


def _fields(group: Group, controller: str, name: str) -> dict[str, int]:
    pairs = (line.partition(" ") for line in _text(group, controller, name).splitlines())
    return {key: int(value) for key, _, value in pairs if value.lstrip("-").isdigit()}


def _text(group: Group, controller: str, name: str) -> str:
    return _read(Path(group.folder(controller), name)) if group.folder(controller) else ""


def _read(path: Path) -> str:
    """Empty where it is not there (any more), or is not to be read."""
    try:
        return path.read_text()
    except OSError:
        return ""
