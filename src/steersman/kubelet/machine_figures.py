"""What the whole machine uses, and single processes of it: what upstream's kubelet has from the root control group."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from steersman.containers import runtime
from steersman.containers.oci import pod_network
from steersman.kubelet import container_figures
from steersman.kubelet.container_figures import TICKS_NS, Pressure

KIB = 1024
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """Of a machine or of processes; `cpu_ns` and faults are totals so far."""

    cpu_ns: int = 0
    memory_bytes: int = 0
    working_set_bytes: int = 0
    rss_bytes: int = 0
    page_faults: int = 0
    major_page_faults: int = 0
    swap_bytes: int = 0
    swap_available_bytes: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Machine:
    use: Use
    booted_at: float  # seconds since 1970
    interfaces: tuple[runtime.InterfaceUsage, ...] = ()
    pressure: Mapping[str, Pressure] = dataclasses.field(default_factory=dict)


def of_machine() -> Machine:
    stat = [line.split() for line in _text("stat").splitlines()]
    times = next(words for words in stat if words[0] == "cpu")
    user, nice, system, _, _, irq, soft_irq, stolen = (int(word) for word in times[1:9])
    booted = next(int(words[1]) for words in stat if words[0] == "btime")
    memory = {words[0].rstrip(":"): int(words[1]) * KIB for words in map(str.split, _text("meminfo").splitlines())}
    events = {words[0]: int(words[1]) for words in map(str.split, _text("vmstat").splitlines())}
    used = memory["MemTotal"] - memory["MemFree"]
    use = Use(
        cpu_ns=(user + nice + system + irq + soft_irq + stolen) * TICKS_NS,
        memory_bytes=used,
        working_set_bytes=max(0, used - memory.get("Inactive(file)", 0)),
        rss_bytes=memory.get("AnonPages", 0),
        page_faults=events.get("pgfault", 0),
        major_page_faults=events.get("pgmajfault", 0),
        swap_bytes=memory.get("SwapTotal", 0) - memory.get("SwapFree", 0),
        swap_available_bytes=memory.get("SwapFree", 0),
    )
    return Machine(use, booted, pod_network.interfaces_of(os.getpid()), container_figures.of_machine())


def of_processes(pids: Iterable[int]) -> Use:
    """Together; those that have ended count nothing."""
    found = Use()
    for pid in pids:
        try:
            words = _text(f"{pid}/stat").rpartition(")")[2].split()
            resident = int(_text(f"{pid}/statm").split()[1]) * PAGE_BYTES
        except OSError:
            continue
        found = Use(
            cpu_ns=found.cpu_ns + (int(words[11]) + int(words[12])) * TICKS_NS,
            memory_bytes=found.memory_bytes + resident,
            working_set_bytes=found.working_set_bytes + resident,
            rss_bytes=found.rss_bytes + resident,
            page_faults=found.page_faults + int(words[7]),
            major_page_faults=found.major_page_faults + int(words[9]),
        )
    return found


def _text(path: str) -> str:
    return Path("/proc", path).read_text()
