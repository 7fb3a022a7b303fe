"""The memory manager's Static policy: guaranteed pods have their memory and huge pages promised on as few NUMA nodes as can be, and
may use no other node's. Pure.

A node serves either allocations of itself alone or those of one group of nodes. Source: upstream's kubelet/cm/memorymanager.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from steersman.kubelet import qos
from steersman.kubelet.topology import hints
from steersman.kubelet.topology.hardware import Hardware, Nodes
from steersman.kubelet.topology.hints import Hint, Hints
from steersman.meta import objects, quantities
from steersman.meta.objects import Object

MEMORY = "memory"
Amounts = Mapping[str, int]


class NotPossible(Exception):
    """The text is upstream's."""

    def __init__(self, text: str) -> None:
        super().__init__(f"[memorymanager] {text}")


class Block(NamedTuple):
    """`bytes` of one resource, somewhere on these nodes."""

    nodes: Nodes
    resource: str
    bytes: int


class Table(NamedTuple):
    """Of one resource on one node, in bytes."""

    total: int
    system_reserved: int
    reserved: int = 0

    @property
    def allocatable(self) -> int:
        return self.total - self.system_reserved

    @property
    def free(self) -> int:
        return self.allocatable - self.reserved


class NodeState(NamedTuple):
    """`group`: with which nodes it serves."""

    tables: Mapping[str, Table]
    group: Nodes
    assignments: int = 0


class State(NamedTuple):
    """`reserved`: node → resource → bytes for the system. `taken`: uid → container → blocks."""

    hardware: Hardware
    reserved: Mapping[int, Amounts] = {}
    taken: Mapping[str, Mapping[str, tuple[Block, ...]]] = {}

    def release(self, uid: str) -> "State":
        return self._replace(taken={key: value for key, value in self.taken.items() if key != uid})

    def nodes(self) -> dict[int, NodeState]:
        """What is left on each node: follows from what was given."""
        found = {node: NodeState(dict(self._tables(node)), frozenset({node})) for node in self.hardware.nodes}
        for containers in self.taken.values():
            for blocks in containers.values():
                for block in blocks:
                    _fill(found, block)
        return found

    def allocatable(self) -> list[Block]:
        return [
            Block(frozenset({node}), name, table.allocatable)
            for node in self.hardware.nodes
            for name, table in self._tables(node)
            if table.allocatable
        ]

    def _tables(self, node: int) -> Iterator[tuple[str, Table]]:
        here, reserved = self.hardware.nodes[node], self.reserved.get(node, {})
        for name, size in here.huge_pages.items():
            yield name, Table(size, reserved.get(name, 0))
        yield MEMORY, Table(here.memory_bytes, reserved.get(MEMORY, 0) + sum(here.huge_pages.values()))


def _fill(nodes: dict[int, NodeState], block: Block) -> None:
    """The first node as far as it goes, then the next."""
    missing = block.bytes
    for node in sorted(block.nodes):
        was = nodes[node]
        table = was.tables[block.resource]
        part = min(missing, max(0, table.free))
        missing -= part
        tables = {**was.tables, block.resource: table._replace(reserved=table.reserved + part)}
        nodes[node] = NodeState(tables, block.nodes, was.assignments + 1)


class Draft:
    """What one pod's containers get, one after the other; what init containers had is used again by those after them."""

    def __init__(self, state: State, pod: Object) -> None:
        self._state = state
        self._pod = pod
        self._uid = objects.uid(pod)
        self._known = state.taken.get(self._uid, {})
        self._can = qos.pod_class(pod) == "Guaranteed" and not qos.has_own_resources(pod)
        self._inits = [
            one["name"] for one in pod["spec"].get("initContainers") or () if one.get("restartPolicy") != "Always"
        ]
        self.given: dict[str, tuple[Block, ...]] = {}
        self.asked = self.failed = 0

    @property
    def result(self) -> State:
        if not self.given:
            return self._state
        return self._state._replace(taken={**self._state.taken, self._uid: self.given})

    def hints(self, container: Object) -> Hints:
        if not self._can:
            return {}
        wanted = requested(container)
        if (own := self._known.get(container["name"])) is not None:
            return _told_again(own, wanted)
        return self._hints(wanted)

    def pod_hints(self) -> Hints:
        if not self._can:
            return {}
        wanted = _requested_by_pod(self._pod)
        if self._known:
            return _told_again(next(iter(self._known.values())), wanted)
        return self._hints(wanted)

    def allocate(self, container: Object, hint: Hint, *, once: bool) -> None:
        """Raises NotPossible."""
        if not self._can:
            return
        name = container["name"]
        self.asked, self.failed = self.asked + 1, self.failed + 1
        if (found := self._known.get(name)) is None:
            wanted = requested(container)
            nodes = self._nodes_for(wanted, hint)
            found = tuple(Block(nodes, resource, size) for resource, size in wanted.items())
        self.failed -= 1
        for block in found:
            self._use_again(name, block)
        self.given[name] = found

    def _use_again(self, name: str, block: Block) -> None:
        """What is given anew is taken from init containers that have ended by then."""
        left = block.bytes
        for init in self._inits:
            if init == name or init not in self.given:
                return
            kept = []
            for one in self.given[init]:
                part = min(left, one.bytes) if one[:2] == block[:2] else 0
                left -= part
                kept.append(one._replace(bytes=one.bytes - part))
            self.given[init] = tuple(kept)

    def _reusable(self, nodes: Nodes, resource: str) -> int:
        blocks = (block for init in self._inits for block in self.given.get(init, ()))
        return sum(block.bytes for block in blocks if block[:2] == (nodes, resource))

    def _nodes_for(self, wanted: Amounts, hint: Hint) -> Nodes:
        machine = self.result.nodes()
        best = hint
        if best.nodes is None:
            found = self._hints(wanted).get(MEMORY)
            if not found:
                raise NotPossible(
                    "failed to get the default NUMA affinity, no NUMA nodes with enough memory is available"
                )
            best = _best(found)
            if hint.preferred and not best.preferred:
                raise NotPossible("failed to find the default preferred hint")
        assert best.nodes is not None, "hints of memory name their nodes"
        if not _fits(machine, best.nodes, wanted):
            larger = [one for one in self._hints(wanted).get(MEMORY) or () if one.nodes and best.nodes <= one.nodes]
            if not larger:
                raise NotPossible("failed to find NUMA nodes to extend the current topology hint")
            extended = _best(larger)
            if best.preferred and not extended.preferred:
                raise NotPossible("failed to find the extended preferred hint")
            best = extended
        assert best.nodes is not None
        if not _may_serve(machine, best.nodes):
            raise NotPossible("preferred hint violates NUMA node allocation")
        return best.nodes

    def _hints(self, wanted: Amounts) -> Hints:
        """The same for all resources of memory; none at all where it fits nowhere (the allocation then says why)."""
        machine = self.result.nodes()

        def is_enough(nodes: Nodes) -> bool:
            return all(
                sum(_table(machine, node, name).allocatable for node in nodes) >= size for name, size in wanted.items()
            )

        def fits(nodes: Nodes) -> bool:
            alone = len(nodes) > 1 or all(len(machine[node].group) == 1 for node in nodes)
            again = {name: max(0, size - self._reusable(nodes, name)) for name, size in wanted.items()}
            return is_enough(nodes) and alone and _may_serve(machine, nodes) and _fits(machine, nodes, again)

        found = hints.generate(machine, is_enough, fits)
        return dict.fromkeys(wanted, found) if found else {}


def _may_serve(machine: Mapping[int, NodeState], nodes: Nodes) -> bool:
    """Several nodes together only if they serve nobody yet, or serve together already."""
    return len(nodes) == 1 or all(not machine[node].assignments or machine[node].group == nodes for node in nodes)


def _fits(machine: Mapping[int, NodeState], nodes: Nodes, wanted: Amounts) -> bool:
    return all(sum(_table(machine, node, name).free for node in nodes) >= size for name, size in wanted.items())


def _table(machine: Mapping[int, NodeState], node: int, resource: str) -> Table:
    return machine[node].tables.get(resource, Table(0, 0))


def _best(found: Iterable[Hint]) -> Hint:
    """Preferred ones first, then few nodes, then low numbers."""
    return min(found, key=lambda hint: (not hint.preferred, len(hint.nodes or ()), sorted(hint.nodes or ())))


def _told_again(blocks: Iterable[Block], wanted: Amounts) -> Hints:
    """Where it lies already, as after a restart of the kubelet."""
    own = {block.resource: block for block in blocks}
    if {name: block.bytes for name, block in own.items()} != dict(wanted):
        return {}
    return {name: [Hint(block.nodes, preferred=True)] for name, block in own.items()}


def requested(container: Object) -> dict[str, int]:
    found = container.get("resources") or {}
    asked = {**(found.get("limits") or {}), **(found.get("requests") or {})}
    return {
        name: int(quantities.whole(str(amount)))
        for name, amount in asked.items()
        if name == MEMORY or name.startswith(qos.HUGE_PAGES)
    }


def _requested_by_pod(pod: Object) -> dict[str, int]:
    spec, sidecars, peak = pod["spec"], dict[str, int](), dict[str, int]()
    for one in spec.get("initContainers") or ():
        for name, size in requested(one).items():
            if one.get("restartPolicy") == "Always":
                sidecars[name] = sidecars.get(name, 0) + size
            else:
                peak[name] = max(peak.get(name, 0), sidecars.get(name, 0) + size)
    lasting: dict[str, int] = {}
    for one in spec["containers"]:
        for name, size in requested(one).items():
            lasting[name] = lasting.get(name, 0) + size
    return {name: max(peak.get(name, 0), size + sidecars.get(name, 0)) for name, size in lasting.items()}
