"""What the machine is made of: processors in cores, caches, sockets and NUMA nodes; the nodes' memory.

`Hardware` is a value; `of_machine` reads /sys. Source of the rules: upstream's kubelet/cm/cpumanager/topology and cAdvisor.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from steersman.meta import quantities

SYSFS = Path("/sys/devices/system")
LOCAL_DISTANCE = 10
UNCORE_LEVEL = 3

Cpus = frozenset[int]
Nodes = frozenset[int]


@dataclasses.dataclass(frozen=True, slots=True)
class Cpu:
    """Where one processor (a thread) stands. `core` is the lowest number of the threads of its core; `cache` the last-level one."""

    core: int
    socket: int = 0
    numa: int = 0
    cache: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class NumaNode:
    """`huge_pages`: bytes by resource (hugepages-2Mi). `distances`: to each node, itself included, as the firmware tells them."""

    memory_bytes: int = 0
    huge_pages: Mapping[str, int] = dataclasses.field(default_factory=dict)
    distances: Mapping[int, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Hardware:
    cpus: Mapping[int, Cpu]
    nodes: Mapping[int, NumaNode]

    @property
    def everyone(self) -> Cpus:
        return frozenset(self.cpus)

    @property
    def cpus_per_core(self) -> int:
        return len(self.cpus) // len(self.grouped("core"))

    def count(self, level: str) -> int:
        return len(self.grouped(level))

    def grouped(self, level: str, among: Iterable[int] | None = None) -> dict[int, Cpus]:
        """Processors by the core, cache, socket or NUMA node that they are part of."""
        found: dict[int, set[int]] = {}
        for cpu in self.cpus if among is None else among:
            found.setdefault(self.place(level, cpu), set()).add(cpu)
        return {one: frozenset(cpus) for one, cpus in found.items()}

    def place(self, level: str, cpu: int) -> int:
        return LEVELS[level](self.cpus[cpu])

    def in_nodes(self, nodes: Iterable[int], among: Iterable[int] | None = None) -> Cpus:
        wanted = frozenset(nodes)
        return frozenset(cpu for cpu in (self.cpus if among is None else among) if self.cpus[cpu].numa in wanted)

    def sockets_of(self, nodes: Iterable[int]) -> frozenset[int]:
        return frozenset(self.cpus[cpu].socket for cpu in self.in_nodes(nodes))

    def mean_distance(self, nodes: Nodes) -> float:
        """Over all pairs, each node with itself too."""
        pairs = [self.nodes[a].distances.get(b, LOCAL_DISTANCE) for a in nodes for b in nodes]
        return sum(pairs) / len(pairs) if pairs else 0.0


LEVELS: dict[str, Callable[[Cpu], int]] = {
    "core": lambda cpu: cpu.core,
    "socket": lambda cpu: cpu.socket,
    "numa": lambda cpu: cpu.numa,
    "cache": lambda cpu: cpu.cache,
}


def flat(cpus: Iterable[int], memory_bytes: int = 0, huge_pages: Mapping[str, int] | None = None) -> Hardware:
    """A machine of one node whose processors are all alike."""
    node = NumaNode(memory_bytes, huge_pages or {}, {0: LOCAL_DISTANCE})
    return Hardware({cpu: Cpu(core=cpu) for cpu in cpus}, {0: node})


def of_machine(cpus: Iterable[int], memory_bytes: int, folder: Path = SYSFS) -> Hardware:
    """With the processors that this process may use. Machines without NUMA are one node of `memory_bytes`."""
    nodes = {int(one.name.removeprefix("node")): one for one in (folder / "node").glob("node[0-9]*")}
    numa = {cpu: node for node, path in nodes.items() for cpu in parse(_text(path / "cpulist"))}
    found = {cpu: _cpu(folder / f"cpu/cpu{cpu}", cpu, numa.get(cpu, 0)) for cpu in cpus}
    ids = sorted(nodes)
    here = {node: _node(path, ids, memory_bytes) for node, path in sorted(nodes.items())}
    return Hardware(found, here or {0: NumaNode(memory_bytes, {}, {0: LOCAL_DISTANCE})})


def _cpu(folder: Path, cpu: int, numa: int) -> Cpu:
    siblings = parse(_text(folder / "topology/thread_siblings_list")) or {cpu}
    socket = int(_text(folder / "topology/physical_package_id") or 0)
    caches = (one for one in folder.glob("cache/index*") if _text(one / "level") == str(UNCORE_LEVEL))
    cache = next((int(_text(one / "id") or socket) for one in caches), socket)
    return Cpu(min(siblings), max(0, socket), numa, cache)


def _node(folder: Path, ids: list[int], memory_bytes: int) -> NumaNode:
    lines = (line.split() for line in _text(folder / "meminfo").splitlines())
    memory = next((int(words[3]) * 1024 for words in lines if words[2] == "MemTotal:"), memory_bytes)
    distances = dict(zip(ids, map(int, _text(folder / "distance").split()), strict=False))
    pages = {}
    for one in folder.glob("hugepages/hugepages-*kB"):
        size = int(one.name.removeprefix("hugepages-").removesuffix("kB")) * 1024
        pages[f"hugepages-{quantities.of_bytes(size)}"] = size * int(_text(one / "nr_hugepages") or 0)
    return NumaNode(memory, pages, distances)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # not every kernel tells everything
        return ""


# --- lists of numbers, as the kernel writes them -----------------------------------------------------------------------


def parse(text: str) -> Cpus:
    """`0-2,5`. Raises ValueError."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return frozenset(found)


def show(numbers: Iterable[int]) -> str:
    parts: list[list[int]] = []
    for one in sorted(numbers):
        if parts and parts[-1][-1] == one - 1:
            parts[-1].append(one)
        else:
            parts.append([one])
    return ",".join(str(one[0]) if len(one) == 1 else f"{one[0]}-{one[-1]}" for one in parts)
