"""The CPU manager's static policy: containers of guaranteed pods that ask for whole processors have them for themselves; everyone
else shares what is left. Pure.

Source: upstream's kubelet/cm/cpumanager (policy_static.go, policy_options.go).
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from steersman.kubelet import qos
from steersman.kubelet.topology import cpu_assignment, hints
from steersman.kubelet.topology.cpu_assignment import Style
from steersman.kubelet.topology.hardware import Cpus, Hardware, Nodes
from steersman.kubelet.topology.hints import Hint, Hints
from steersman.meta import objects, quantities
from steersman.meta.objects import Object

MILLIS = 1000


class NotAligned(Exception):
    """Whole cores are demanded (full-pcpus-only) and cannot be had. The text is upstream's."""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """`full_cores`: no two containers on one core. `strict_reservation`: nobody runs on reserved processors, not even who shares.
    `by_socket`: close together is what is in one socket. The others say which are taken first."""

    full_cores: bool = False
    across_nodes: bool = False
    by_socket: bool = False
    across_cores: bool = False
    strict_reservation: bool = False
    by_cache: bool = False


# The names that users know, which field each is, and which are alpha.
OPTIONS = {
    "full-pcpus-only": "full_cores",
    "distribute-cpus-across-numa": "across_nodes",
    "align-by-socket": "by_socket",
    "distribute-cpus-across-cores": "across_cores",
    "strict-cpu-reservation": "strict_reservation",
    "prefer-align-cpus-by-uncorecache": "by_cache",
}
ALPHA_OPTIONS = ("align-by-socket", "distribute-cpus-across-cores")
EXCLUDE_EACH_OTHER = (
    ("full-pcpus-only", "distribute-cpus-across-cores"),
    ("distribute-cpus-across-numa", "distribute-cpus-across-cores"),
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-cores"),
    ("prefer-align-cpus-by-uncorecache", "distribute-cpus-across-numa"),
)


class State(NamedTuple):
    """`reserved` are for the system first: nobody has them alone. `taken`: uid → container → processors."""

    hardware: Hardware
    reserved: Cpus
    options: Options = Options()
    taken: Mapping[str, Mapping[str, Cpus]] = {}

    @property
    def everyone(self) -> Cpus:
        """All that pods may run on."""
        return self.hardware.everyone - self.reserved if self.options.strict_reservation else self.hardware.everyone

    @property
    def shared(self) -> Cpus:
        used = (cpus for containers in self.taken.values() for cpus in containers.values())
        return self.everyone.difference(*used)

    def release(self, uid: str) -> "State":
        return self._replace(taken={key: value for key, value in self.taken.items() if key != uid})


def reserve(hardware: Hardware, count: int, options: Options) -> Cpus:
    """The processors that the system has where nobody has named them. Raises cpu_assignment.NotEnough."""
    return _take(hardware, options, hardware.everyone, count)


class Draft:
    """What one pod's containers get, one after the other; init containers' processors are used again by those after them."""

    def __init__(self, state: State, pod: Object) -> None:
        self._state = state
        self._pod = pod
        self._known = state.taken.get(objects.uid(pod), {})
        self._can = qos.pod_class(pod) == "Guaranteed" and not qos.has_own_resources(pod)
        self._free = state.shared - state.reserved
        self._again: Cpus = frozenset()
        self.given: dict[str, Cpus] = {}
        self.asked = self.failed = 0

    @property
    def result(self) -> State:
        if not self.given:
            return self._state
        return self._state._replace(taken={**self._state.taken, objects.uid(self._pod): self.given})

    def hints(self, container: Object) -> Hints:
        count = self._wanted(container)
        if not count:
            return {}
        if (own := self._known.get(container["name"])) is not None:
            return {"cpu": self._hints(own, frozenset(), count) if len(own) == count else []}
        return {"cpu": self._hints(self._free, self._again, count)}

    def pod_hints(self) -> Hints:
        spec, sidecars, peak = self._pod["spec"], 0, 0
        for one in spec.get("initContainers") or ():
            if one.get("restartPolicy") == "Always":
                sidecars += self._wanted(one)
            else:
                peak = max(peak, sidecars + self._wanted(one))
        count = max(peak, sidecars + sum(map(self._wanted, spec["containers"])))
        if not count:
            return {}
        own = frozenset[int]().union(*self._known.values())
        if len(own) == count:
            return {"cpu": self._hints(own, frozenset(), count)}
        return {"cpu": self._hints(self._free, own, count)}

    def allocate(self, container: Object, hint: Hint, *, once: bool) -> None:
        """`once`: it ends before the next one begins. Raises cpu_assignment.NotEnough, NotAligned."""
        count = self._wanted(container)
        if not count:
            return
        self.asked, self.failed = self.asked + 1, self.failed + 1
        if (found := self._known.get(container["name"])) is None:
            self._check_cores(count)
            found = self._choose(count, hint.nodes)
        self.failed -= 1
        self.given[container["name"]] = found
        self._free -= found
        self._again = self._again | found if once else self._again - found

    def _wanted(self, container: Object) -> int:
        return whole(container) if self._can else 0

    def _check_cores(self, count: int) -> None:
        hardware, per_core = self._state.hardware, self._state.hardware.cpus_per_core
        if not self._state.options.full_cores:
            return
        if count % per_core:
            raise NotAligned(f"SMT Alignment Error: requested {count} cpus not multiple cpus per core = {per_core}")
        cores = hardware.grouped("core")
        kept = frozenset[int]().union(*(cores[hardware.place("core", cpu)] for cpu in self._state.reserved))
        available = len((self._free | self._again) - kept)
        if count > available:
            raise NotAligned(
                f"SMT Alignment Error: not enough free physical CPUs: available physical CPUs = {available}, "
                f"requested CPUs = {count}, CPUs per core = {per_core}"
            )

    def _choose(self, count: int, nodes: Nodes | None) -> Cpus:
        """Those close together first, then any."""
        hardware, options = self._state.hardware, self._state.options
        allowed, found = self._free | self._again, frozenset[int]()
        if nodes is not None:
            near = hardware.in_nodes(nodes, allowed)
            if options.by_socket:
                sockets = hardware.sockets_of(nodes)
                near = frozenset(cpu for cpu in allowed if hardware.place("socket", cpu) in sockets)
            found = _take(hardware, options, near, min(count, len(near)))
        return found | _take(hardware, options, allowed - found, count - len(found))

    def _hints(self, free: Cpus, must: Cpus, count: int) -> list[Hint]:
        hardware = self._state.hardware

        def is_enough(nodes: Nodes) -> bool:
            return len(hardware.in_nodes(nodes)) >= count

        def fits(nodes: Nodes) -> bool:
            return hardware.in_nodes(nodes, must) == must and len(hardware.in_nodes(nodes, free | must)) >= count

        found = hints.generate(hardware.grouped("numa"), is_enough, fits)
        if not self._state.options.by_socket:
            return found
        least = min(
            (len(nodes) for nodes in hints.sets_of_nodes(hardware.grouped("numa")) if is_enough(nodes)), default=0
        )
        return [hint if hint.preferred else Hint(hint.nodes, self._in_few_sockets(hint, least)) for hint in found]

    def _in_few_sockets(self, hint: Hint, least: int) -> bool:
        hardware = self._state.hardware
        per_socket = hardware.count("numa") // hardware.count("socket")
        if not per_socket:
            return False
        return len(hardware.sockets_of(hint.nodes or ())) == -(-least // per_socket)


def whole(container: Object) -> int:
    """How many processors it asks for, if these are whole ones."""
    found = container.get("resources") or {}
    text = (found.get("requests") or {}).get("cpu") or (found.get("limits") or {}).get("cpu") or "0"
    millis = int(quantities.millis(str(text)))
    return millis // MILLIS if millis % MILLIS == 0 else 0


def _take(hardware: Hardware, options: Options, available: Cpus, count: int) -> Cpus:
    if not count:
        return frozenset()
    style = Style(spread=options.across_cores, by_cache=options.by_cache)
    if options.across_nodes:
        group = hardware.cpus_per_core if options.full_cores else 1
        return cpu_assignment.distribute(hardware, available, count, group, style, by_socket=options.by_socket)
    return cpu_assignment.pack(hardware, available, count, style)
