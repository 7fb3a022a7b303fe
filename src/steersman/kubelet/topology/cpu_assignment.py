"""Which of the free processors a container gets: whole NUMA nodes and sockets first, then caches, cores, single threads. Pure.

Source: upstream's kubelet/cm/cpumanager/cpu_assignment.go.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from steersman.kubelet.topology.hardware import Cpus, Hardware


class NotEnough(Exception):
    """The text is upstream's."""

    def __init__(self, wanted: int, available: int) -> None:
        super().__init__(f"not enough cpus available to satisfy request: requested={wanted}, available={available}")


class Style(NamedTuple):
    """`spread`: threads of different cores rather than whole cores. `by_cache`: as few last-level caches as can be."""

    spread: bool = False
    by_cache: bool = False


PACKED = Style()


def pack(hardware: Hardware, available: Cpus, count: int, style: Style = PACKED) -> Cpus:
    """As few large pieces as can be, each from where least is left. Raises NotEnough."""
    taking = _Taking(hardware, available, count)
    if len(available) < count:
        raise NotEnough(count, len(available))
    upper, lower = taking.order
    taking.take_whole(upper)
    taking.take_whole(upper, lower)
    if style.by_cache:
        taking.take_caches()
    if not style.spread:
        taking.take_whole(upper, lower, "core")
    taking.take_single(spread=style.spread)
    return frozenset(taking.taken)


class _Taking:
    """What is free, what was taken, how many are missing."""

    def __init__(self, hardware: Hardware, available: Cpus, count: int) -> None:
        self.hardware = hardware
        self.free = set(available)
        self.taken: set[int] = set()
        self.missing = count
        # What encloses what: sockets of several nodes, or nodes of one or more sockets.
        sockets_enclose = hardware.count("socket") < hardware.count("numa")
        self.order = ("socket", "numa") if sockets_enclose else ("numa", "socket")

    def take(self, cpus: Cpus) -> None:
        self.free -= cpus
        self.taken |= cpus
        self.missing -= len(cpus)

    def pieces(self, *levels: str) -> Iterator[tuple[int, Cpus]]:
        """What is free, in pieces of the last level within those above it; the smallest piece of each level first."""
        yield from self._pieces(frozenset(self.free), levels)

    def _pieces(self, cpus: Cpus, levels: Sequence[str]) -> Iterator[tuple[int, Cpus]]:
        level, *below = levels
        found = self.hardware.grouped(level, cpus)
        for one in sorted(found, key=lambda one: (len(found[one]), one)):
            if below:
                yield from self._pieces(found[one], below)
            else:
                yield one, found[one]

    def take_whole(self, *levels: str) -> None:
        sizes = {one: len(cpus) for one, cpus in self.hardware.grouped(levels[-1]).items()}
        for one, cpus in list(self.pieces(*levels)):
            if len(cpus) == sizes[one] and len(cpus) <= self.missing:
                self.take(cpus)

    def take_caches(self) -> None:
        if self.missing:
            self.take_whole("numa", "cache")
        for _, cpus in list(self.pieces("numa", "cache")):
            if self.missing:
                self._take_part_of_cache(cpus)

    def _take_part_of_cache(self, cpus: Cpus) -> None:
        """All that is missing, or nothing."""
        per_core = self.hardware.cpus_per_core
        cores = self.hardware.grouped("core", cpus)
        chosen = sorted(cores)[: math.ceil(self.missing / per_core)]
        found = sorted(cpu for core in chosen for cpu in cores[core])
        if self.missing % 2 and per_core > 1 and len(found) > self.missing:
            found = found[:-1]
        if len(found) == self.missing:
            self.take(frozenset(found))

    def take_single(self, *, spread: bool) -> None:
        upper, lower = self.order
        levels = ("numa", "socket") if spread and upper == "numa" else ("socket",) if spread else (upper, lower, "core")
        for _, cpus in list(self.pieces(*levels)):
            for cpu in sorted(cpus)[: max(0, self.missing)]:
                self.take(frozenset({cpu}))


# --- evenly over NUMA nodes --------------------------------------------------------------------------------------------


class _Choice(NamedTuple):
    """`each` from every node of `nodes`, the rest in groups from those of `rest`. `balance`: how uneven the machine is then."""

    nodes: tuple[int, ...]
    rest: tuple[int, ...]
    balance: float
    in_one_socket: bool


def distribute(
    hardware: Hardware, available: Cpus, count: int, group: int = 1, style: Style = PACKED, *, by_socket: bool = False
) -> Cpus:
    """From as few NUMA nodes as can give alike, `group` processors at a time. Raises NotEnough."""
    if count % group:
        return pack(hardware, available, count, style)
    if len(available) < count:
        raise NotEnough(count, len(available))
    if not count:
        return frozenset()
    taking = _Taking(hardware, available, count)
    nodes = [one for one, _ in taking.pieces(*taking.order[: taking.order.index("numa") + 1])]
    groups = math.ceil(count / group)
    per_node = math.ceil(math.ceil(len(hardware.cpus) / group) / hardware.count("numa"))
    for some in range(math.ceil(groups / per_node), min(groups, len(nodes)) + 1):
        best: _Choice | None = None
        for combination in itertools.combinations(nodes, some):
            found = _weigh(hardware, available, count, group, nodes, combination, by_socket=by_socket)
            if found is not None and (best is None or _is_better(found, best, by_socket=by_socket)):
                best = found
        if best is not None:
            return _take_evenly(taking, best, count, group, style)
    return pack(hardware, available, count, style)


def _is_better(new: _Choice, best: _Choice, *, by_socket: bool) -> bool:
    if by_socket and new.in_one_socket != best.in_one_socket:
        return new.in_one_socket
    return new.balance < best.balance


def _weigh(
    hardware: Hardware,
    available: Cpus,
    count: int,
    group: int,
    nodes: Sequence[int],
    combination: tuple[int, ...],
    *,
    by_socket: bool,
) -> _Choice | None:
    """None: these nodes cannot give it."""
    free = {node: len(hardware.in_nodes([node], available)) for node in nodes}
    if sum(free[node] // group * group for node in combination) < count:
        return None
    each = count // len(combination) // group * group
    if by_socket:
        each = min(each, *(free[node] // group * group for node in combination))
    if any(free[node] < each for node in combination):
        return None
    left = {node: free[node] - (each if node in combination else 0) for node in nodes}
    rest = count - each * len(combination)
    together = len(hardware.sockets_of(combination)) == 1
    if not rest:
        return _Choice(combination, (), _deviation(left.values()), together)
    givers = [node for node in combination if left[node] >= group]
    best: _Choice | None = None
    for some in range(len(givers), 0, -1):
        for subset in itertools.combinations(givers, some):
            after = _after_rest(left, subset, rest, group)
            if after is not None and (best is None or _deviation(after.values()) < best.balance):
                best = _Choice(combination, subset, _deviation(after.values()), together)
    return best


def _after_rest(left: dict[int, int], subset: Sequence[int], rest: int, group: int) -> dict[int, int] | None:
    if sum(left[node] // group for node in subset) * group < rest:
        return None
    after = dict(left)
    for node in itertools.cycle(subset):
        if rest <= 0:
            break
        if after[node] >= group:
            after[node] -= group
            rest -= group
    return after


def _take_evenly(taking: _Taking, choice: _Choice, count: int, group: int, style: Style) -> Cpus:
    hardware, packed = taking.hardware, Style(style.spread)
    free = {node: len(hardware.in_nodes([node], taking.free)) // group * group for node in choice.nodes}
    each = min(count // len(choice.nodes) // group * group, *free.values())
    for node in choice.nodes:
        taking.take(pack(hardware, hardware.in_nodes([node], taking.free), each, packed))
    for node in itertools.cycle(choice.rest or choice.nodes):
        if taking.missing <= 0:
            break
        here = hardware.in_nodes([node], taking.free)
        if len(here) >= group:
            taking.take(pack(hardware, here, group, packed))
    return frozenset(taking.taken)


def _deviation(values: Iterable[int]) -> float:
    """Rounded as upstream does, so that equal balances are equal."""
    numbers = list(values)
    mean = _rounded(sum(numbers) / len(numbers))
    return _rounded(math.sqrt(sum((one - mean) ** 2 for one in numbers) / len(numbers)))


def _rounded(value: float) -> float:
    return math.floor(value * 1000 + 0.5) / 1000
