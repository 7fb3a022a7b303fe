"""Control groups, version 1 (also hybrid) and 2: where a container's figures stand, and taking its folders away.

Small imports only: the shim asks for OOM counts here. Paths of groups are relative, as in `steersman/node/kubepods/pod1/app`.
"""

import contextlib
import errno
import os
from typing import NamedTuple

from steersman.containers.runtime import MemoryGuard

WITH_SWAP = "memory.memsw.limit_in_bytes"  # version 1, where the kernel counts swap


class Hierarchy(NamedTuple):
    """`version` 0: none can be used (rootless). `mounts`: controller → mount point (version 1); version 2 has one: "" ."""

    version: int
    mounts: dict[str, str]
    unified: str = ""  # hybrid: where version 2 is mounted beside version 1

    @property
    def roots(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.mounts.values()))

    @property
    def counts_huge_pages(self) -> bool:
        return "hugetlb" in self.mounts or (
            self.version == 2 and "hugetlb" in _read(self.mounts[""] + "/cgroup.controllers")
        )

    def folder(self, controller: str, path: str) -> str:
        root = self.mounts.get("") or self.mounts.get(controller, "")
        return os.path.join(root, path.lstrip("/")) if root else ""


NONE = Hierarchy(0, {})


def folders(hierarchy: Hierarchy, path: str) -> dict[str, str]:
    """Of a group, by controller; empty: it is not there."""
    found = {name: os.path.join(mount, path.lstrip("/")) for name, mount in hierarchy.mounts.items()}
    return {name: folder for name, folder in found.items() if os.path.isdir(folder)}


def detect(mountinfo: str) -> Hierarchy:
    """Read from the text of /proc/self/mountinfo."""
    v1: dict[str, str] = {}
    unified = ""
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        point = left.split()[4]
        kind, _, options = right.split(" ")[:3]
        if kind == "cgroup":
            for option in options.split(","):
                if option not in ("rw", "ro", "xattr", "clone_children") and "release_agent" not in option:
                    v1.setdefault(option, point)
        elif kind == "cgroup2" and not unified:
            unified = point
    if v1:
        return Hierarchy(1, v1, unified=unified)
    return Hierarchy(2, {"": unified}) if unified else NONE


def is_writable(hierarchy: Hierarchy, root: str) -> bool:
    """Whether groups can be made below `root`; leaves `root` behind."""
    try:
        for mount in hierarchy.roots:
            os.makedirs(os.path.join(mount, root), exist_ok=True)
    except OSError:
        return False
    return hierarchy.version != 0


_PROCESSORS = ("cpuset.cpus", "cpuset.mems")


def hand_processors_down(hierarchy: Hierarchy, root: str) -> None:
    """Version 1: a new group has no processors, and takes nobody in before it has some. Those made below `root` from now on begin
    with what the group above has."""
    if hierarchy.version == 1 and "cpuset" in hierarchy.mounts:
        for file in _PROCESSORS:
            _fill(hierarchy.folder("cpuset", root), file)
        _write(os.path.join(hierarchy.folder("cpuset", root), "cgroup.clone_children"), "1")


def fill_processors(hierarchy: Hierarchy, path: str) -> None:
    """Where that has not happened: a group above is older, or somebody wants processors for himself alone."""
    folder = hierarchy.folder("cpuset", path)
    for file in _PROCESSORS:
        text = os.open(os.path.join(folder, file), os.O_RDONLY | os.O_CLOEXEC)
        try:
            is_empty = not os.read(text, 4096).strip()
        finally:
            os.close(text)
        if is_empty:
            _fill(folder, file)


def _fill(folder: str, file: str) -> str:
    """With that of the group above."""
    path = os.path.join(folder, file)
    text = _read(path)
    if not text.strip():
        text = _fill(os.path.dirname(folder), file)
        _write(path, text)
    return text


def create(hierarchy: Hierarchy, path: str, limits: dict[str, str]) -> None:
    """Make a group with limits: `limits` maps version-specific file names (as in `limit_files`) to text."""
    if hierarchy.version == 2:
        _enable_controllers(hierarchy, path)
    for name, text in limits.items():
        folder = hierarchy.folder(name.partition(".")[0], path)
        if folder:
            os.makedirs(folder, exist_ok=True)
            _set(os.path.join(folder, name), text)


def update(hierarchy: Hierarchy, path: str, limits: dict[str, str]) -> None:
    """New limits for a group that is there. Version 1 counts memory with swap beside memory, and no order of writing suits
    both a higher and a lower limit: first the one that makes room."""
    memory = limits.get("memory.limit_in_bytes")
    with_swap = os.path.join(hierarchy.folder("memory", path), WITH_SWAP)
    if memory and os.path.exists(with_swap):
        order = (WITH_SWAP, "memory.limit_in_bytes")
        is_lower = int(memory) < _number(_read(with_swap))
        rest = {name: text for name, text in limits.items() if name != "memory.limit_in_bytes"}
        limits = dict.fromkeys(reversed(order) if is_lower else order, memory) | rest
    for name, text in limits.items():
        _set(os.path.join(hierarchy.folder(name.partition(".")[0], path), name), text)


def limit_files(
    version: int,
    *,
    cpu_shares: int = 0,
    cpu_quota_us: int = 0,
    cpu_period_us: int = 100_000,
    memory_bytes: int = 0,
    pids: int = 0,
    cpus: str = "",
    memory_nodes: str = "",
) -> dict[str, str]:
    """The files of a group and what to write: 0 (and "") leaves a limit alone."""
    files: dict[str, str] = {}
    if version == 1:
        if cpu_shares:
            files["cpu.shares"] = str(cpu_shares)
        if cpu_quota_us:
            files["cpu.cfs_period_us"] = str(cpu_period_us)
            files["cpu.cfs_quota_us"] = str(cpu_quota_us)
        if memory_bytes:
            files["memory.limit_in_bytes"] = str(memory_bytes)
    elif version == 2:
        if cpu_shares:
            files["cpu.weight"] = str(weight(cpu_shares))
        if cpu_quota_us:
            files["cpu.max"] = f"{cpu_quota_us} {cpu_period_us}"
        if memory_bytes:
            files["memory.max"] = str(memory_bytes)
    if pids and version:
        files["pids.max"] = str(pids)
    if cpus and version:
        files["cpuset.cpus"] = cpus
    if memory_nodes and version:
        files["cpuset.mems"] = memory_nodes
    return files


GUARDS = ("memory.min", "memory.low", "memory.high")
_NO_GUARD = ("0", "max")


def guard_files(version: int, guard: MemoryGuard | None) -> dict[str, str]:
    """None leaves it alone. Version 1 has no such files."""
    if version != 2 or guard is None:
        return {}
    texts = (str(guard.min_bytes), str(guard.low_bytes), str(guard.high_bytes or "max"))
    return dict(zip(GUARDS, texts, strict=True))


def unified(guard: MemoryGuard, *, killed_together: bool) -> dict[str, str]:
    """What a container begins with, of version 2's own."""
    found = {name: text for name, text in guard_files(2, guard).items() if text not in _NO_GUARD}
    return {**found, "memory.oom.group": "1"} if killed_together else found


_CPU_LIMIT = {1: ("cpu.cfs_quota_us", "-1"), 2: ("cpu.max", "max")}  # the file, and what stands for no limit


def lift_cpu_limit(hierarchy: Hierarchy, path: str) -> str:
    """What it was, for `set_cpu_limit`; empty where there was none, or is no group."""
    name, unlimited = _CPU_LIMIT.get(hierarchy.version, ("", ""))
    text = _read(os.path.join(hierarchy.folder("cpu", path), name)).strip() if name else ""
    if not text or text.startswith(unlimited):
        return ""
    set_cpu_limit(hierarchy, path, unlimited)
    return text


def set_cpu_limit(hierarchy: Hierarchy, path: str, text: str) -> None:
    name, _ = _CPU_LIMIT[hierarchy.version]
    with contextlib.suppress(FileNotFoundError):
        _write(os.path.join(hierarchy.folder("cpu", path), name), text)


def weight(shares: int) -> int:
    """Version 1's cpu.shares (2 … 262144) as version 2's cpu.weight (1 … 10000), the kubelet's and runc's way."""
    return 1 + ((max(2, min(shares, 262144)) - 2) * 9999) // 262142


def remove(hierarchy: Hierarchy, path: str) -> bool:
    """Take a group and what is below it away, everywhere. False: busy, as groups are for a moment after their last
    process has ended; try again."""
    gone = True
    for root in hierarchy.roots:
        for where, _, _ in os.walk(os.path.join(root, path.lstrip("/")), topdown=False):
            gone &= _remove_one(where)
    return gone


def remove_empty_parents(hierarchy: Hierarchy, path: str, stop: str) -> None:
    """Remove the groups above `path` as long as they are empty, up to and including `stop`."""
    stop = stop.strip("/")
    for root in hierarchy.roots:
        current = path.strip("/")
        while current and (current == stop or current.startswith(stop + "/")):
            try:
                os.rmdir(os.path.join(root, current))
            except FileNotFoundError:
                pass
            except OSError:
                break
            current = os.path.dirname(current)


def processes(hierarchy: Hierarchy, path: str) -> list[int]:
    """Every process in the group and below it."""
    if not hierarchy.version or not path:
        return []
    found: list[int] = []
    folder = hierarchy.folder("memory", path) or hierarchy.folder("pids", path)
    for where, _, files in os.walk(folder):
        if "cgroup.procs" in files:
            found += [int(line) for line in _read(os.path.join(where, "cgroup.procs")).split()]
    return found


def oom_kills(hierarchy: Hierarchy, path: str) -> int:
    """How many of the group's processes the kernel killed for want of memory."""
    if hierarchy.version == 1:
        return _field(_read(os.path.join(hierarchy.folder("memory", path), "memory.oom_control")), "oom_kill")
    if hierarchy.version == 2:
        return _field(_read(os.path.join(hierarchy.folder("memory", path), "memory.events")), "oom_kill")
    return 0


class Use(NamedTuple):
    """`cpu_ns` and faults are totals so far; the working set is the memory without what could be dropped at once."""

    cpu_ns: int = 0
    memory_bytes: int = 0
    working_set_bytes: int = 0
    rss_bytes: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    swap_bytes: int = 0
    processes: int = 0


def usage(hierarchy: Hierarchy, path: str) -> Use:
    memory = hierarchy.folder("memory", path)
    if hierarchy.version == 1:
        cpu_ns = _number(_read(os.path.join(hierarchy.folder("cpuacct", path), "cpuacct.usage")))
        used = _number(_read(os.path.join(memory, "memory.usage_in_bytes")))
        stat, names = _fields(_read(os.path.join(memory, "memory.stat"))), _STAT_NAMES_1
        swap = stat.get("total_swap", 0)
    elif hierarchy.version == 2:
        cpu_ns = _field(_read(os.path.join(hierarchy.folder("cpu", path), "cpu.stat")), "usage_usec") * 1000
        used = _number(_read(os.path.join(memory, "memory.current")))
        stat, names = _fields(_read(os.path.join(memory, "memory.stat"))), _STAT_NAMES_2
        swap = _number(_read(os.path.join(memory, "memory.swap.current")))
    else:
        return Use()
    processes = _number(_read(os.path.join(hierarchy.folder("pids", path), "pids.current")))
    inactive, rss, faults, major_faults = (stat.get(name, 0) for name in names)
    return Use(cpu_ns, used, max(0, used - inactive), rss, faults, major_faults, swap, processes)


_STAT_NAMES_1 = ("total_inactive_file", "total_rss", "total_pgfault", "total_pgmajfault")
_STAT_NAMES_2 = ("inactive_file", "anon", "pgfault", "pgmajfault")


def _enable_controllers(hierarchy: Hierarchy, path: str) -> None:
    """Version 2: every group above must hand the controllers down."""
    current = hierarchy.mounts[""]
    for part in path.strip("/").split("/"):
        available = _read(os.path.join(current, "cgroup.controllers")).split()
        wanted = [f"+{name}" for name in ("cpu", "memory", "pids", "io", "cpuset", "hugetlb") if name in available]
        _write(os.path.join(current, "cgroup.subtree_control"), " ".join(wanted))
        current = os.path.join(current, part)
        os.makedirs(current, exist_ok=True)


def _remove_one(folder: str) -> bool:
    try:
        os.rmdir(folder)
    except FileNotFoundError:
        return True
    except OSError as refused:
        if refused.errno in (errno.EBUSY, errno.ENOTEMPTY):
            return False
        raise
    return True


def _set(path: str, text: str) -> None:
    """A guard that is to go need not be there: not every kernel, nor every group, has each."""
    if os.path.basename(path) not in GUARDS or text not in _NO_GUARD or os.path.exists(path):
        _write(path, text)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _read(path: str) -> str:
    """Empty when the group is gone."""
    try:
        with open(path) as file:
            return file.read()
    except OSError as refused:
        if refused.errno in (errno.ENOENT, errno.ENODEV):
            return ""
        raise


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _fields(text: str) -> dict[str, int]:
    pairs = (line.partition(" ") for line in text.splitlines())
    return {key: int(value) for key, _, value in pairs}


def _number(text: str) -> int:
    return int(text) if text.strip() else 0
