"""Processors and memory that containers have for themselves on this node: who has what, in files that a later kubelet reads.

Decisions are `topology`'s; without its policies everything here says "anywhere".
"""

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from steersman.kubelet import admission
from steersman.kubelet.devices import Devices
from steersman.kubelet.exclusive_metrics import Tally
from steersman.kubelet.metrics import Sample
from steersman.kubelet.options import Options
from steersman.kubelet.topology import checkpoints, cpu_policy, device_hints, hints, memory_policy, scopes
from steersman.kubelet.topology.checkpoints import Unusable
from steersman.kubelet.topology.cpu_assignment import NotEnough
from steersman.kubelet.topology.hardware import Cpus, Hardware, Nodes, show
from steersman.kubelet.topology.hints import Hint
from steersman.kubelet.topology.memory_policy import Block
from steersman.meta import objects, quantities
from steersman.meta.objects import Object


class ExclusiveResources:
    """`hardware` is asked for only where a policy needs it. Raises Unusable, where this machine cannot do what is configured or
    the files say otherwise."""

    def __init__(self, options: Options, hardware: Callable[[], Hardware], devices: Devices | None = None) -> None:
        self._options = options
        self._folder: Path = options.data_dir
        self._devices = devices or Devices()
        self._places: dict[str, dict[str, Hint]] = {}
        self._settings = options.topology
        self._cpus: cpu_policy.State | None = None
        self._memory: memory_policy.State | None = None
        self.has_own_memory = options.memory_policy == "Static"
        self.has_own_cpus = options.cpu_policy == "static"
        self._hardware: Hardware | None = None
        if self.has_own_cpus or self.has_own_memory or self._settings.policy != hints.NONE:
            self._hardware = hardware()
            _check(options, self._hardware)
        if self._hardware is not None and self.has_own_cpus:
            self._cpus = self._read_cpus(self._hardware)
        if self._hardware is not None and self.has_own_memory:
            self._memory = self._read_memory(self._hardware)
        self.tally = Tally(options.cpu_options, aligned=self._settings.policy == hints.SINGLE)

    # --- pods ----------------------------------------------------------------------------------------------------------

    def admit(self, pod: Object) -> tuple[admission.Refusal | None, bool]:
        """(why not, whether what is shared has changed): set aside what the pod may have for itself."""
        if self._hardware is None:
            return None, False
        uid, shared = objects.uid(pod), self.shared
        cpus = cpu_policy.Draft(self._cpus, pod) if self._cpus is not None else None
        memory = memory_policy.Draft(self._memory, pod) if self._memory is not None else None
        placed = device_hints.Draft(self._devices, pod, self._hardware.nodes)
        drafts = [one for one in (placed, cpus, memory) if one is not None]
        found = scopes.admit(pod, self._settings, self._hardware, drafts)
        self.tally.see(found, self._settings.scope, cpus, memory, self._hardware)
        if isinstance(found, admission.Refusal):
            return found, False
        self._places[uid] = found
        self._set(cpus.result if cpus else self._cpus, memory.result if memory else self._memory)
        return None, self.shared != shared

    def release(self, uid: str) -> bool:
        """Whether what is shared has changed."""
        shared = self.shared
        self._places.pop(uid, None)
        self._set(self._cpus and self._cpus.release(uid), self._memory and self._memory.release(uid))
        return self.shared != shared

    def keep_only(self, uids: Iterable[str]) -> None:
        """At start: pods that are gone have nothing any more."""
        here = set(uids)
        known = {*(self._cpus.taken if self._cpus else ()), *(self._memory.taken if self._memory else ())}
        for uid in known - here:
            self.release(uid)

    # --- who has what --------------------------------------------------------------------------------------------------

    def nodes_for_devices(self, uid: str, container: str) -> Nodes | None:
        """Where its devices should be; None: anywhere."""
        hint = self._places.get(uid, {}).get(container)
        return hint.nodes if hint is not None else None

    def is_exclusive(self, uid: str, container: str = "") -> bool:
        """The container (or any of the pod's) has processors of its own."""
        taken = self._cpus.taken.get(uid, {}) if self._cpus is not None else {}
        return container in taken if container else bool(taken)

    def own(self, uid: str, container: str) -> Cpus:
        """Those that nobody else has."""
        return self._cpus.taken.get(uid, {}).get(container, frozenset()) if self._cpus is not None else frozenset()

    def own_memory(self, uid: str, container: str) -> tuple[Block, ...]:
        return self._memory.taken.get(uid, {}).get(container, ()) if self._memory is not None else ()

    def for_one(self) -> Cpus:
        """Those that containers could have for themselves."""
        return self._cpus.hardware.everyone - self._cpus.reserved if self._cpus is not None else frozenset()

    def memory_for_one(self) -> list[Block]:
        return self._memory.allocatable() if self._memory is not None else []

    @property
    def shared(self) -> Cpus:
        return self._cpus.shared if self._cpus is not None else frozenset()

    def cpus_of(self, uid: str, container: str) -> str:
        """As control groups have it; empty: wherever the kernel likes."""
        return show(self.own(uid, container) or self.shared)

    def memory_nodes_of(self, uid: str, container: str) -> str:
        """The same for its memory."""
        blocks = self.own_memory(uid, container)
        return show(frozenset[int]().union(*(block.nodes for block in blocks)))

    def samples(self) -> Iterator[Sample]:
        return self.tally.samples(self._cpus)

    # --- files ---------------------------------------------------------------------------------------------------------

    def _read_cpus(self, hardware: Hardware) -> cpu_policy.State:
        options = self._options
        try:
            reserved = options.reserved_cpus or cpu_policy.reserve(
                hardware, reserved_count(options), options.cpu_options
            )
        except NotEnough as problem:
            raise Unusable(f"[cpumanager] unable to reserve the required amount of CPUs: {problem}") from problem
        state = cpu_policy.State(hardware, reserved, options.cpu_options)
        path = self._folder / checkpoints.CPU_FILE
        return checkpoints.read_cpus(path.read_text(), state) if path.exists() else state

    def _read_memory(self, hardware: Hardware) -> memory_policy.State:
        state = memory_policy.State(hardware, self._options.reserved_memory)
        path = self._folder / checkpoints.MEMORY_FILE
        return checkpoints.read_memory(path.read_text(), state) if path.exists() else state

    def _set(self, cpus: cpu_policy.State | None, memory: memory_policy.State | None) -> None:
        if cpus is not None and cpus is not self._cpus:
            self._cpus = cpus
            _write(self._folder / checkpoints.CPU_FILE, checkpoints.show_cpus("static", cpus.shared, cpus.taken))
        if memory is not None and memory is not self._memory:
            self._memory = memory
            _write(self._folder / checkpoints.MEMORY_FILE, checkpoints.show_memory(memory))


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def reserved_count(options: Options) -> int:
    """Whole processors, rounded up, that are kept for the system and Kubernetes."""
    asked = (one.get("cpu", "0") for one in (options.system_reserved, options.kube_reserved))
    return math.ceil(sum(quantities.millis(text) for text in asked) / cpu_policy.MILLIS)


def _check(options: Options, hardware: Hardware) -> None:
    """What only a look at the machine can tell. Raises Unusable."""
    topology = options.topology
    if topology.policy != hints.NONE and len(hardware.nodes) > topology.nodes_most:
        raise Unusable(f"unsupported on machines with more than {topology.nodes_most} NUMA Nodes")
    if options.cpu_options.by_socket and hardware.count("socket") > hardware.count("numa"):
        raise Unusable(
            "Align by socket is not compatible with hardware where number of sockets are more than number of NUMA"
        )
    if missing := options.reserved_cpus - hardware.everyone:
        raise Unusable(f"reservedSystemCPUs: this machine has no CPU {show(missing)}")
    if options.memory_policy == "Static":
        _check_reserved_memory(options, hardware)


def _check_reserved_memory(options: Options, hardware: Hardware) -> None:
    """The nodes' shares add up to what is kept from pods."""
    kept = {memory_policy.MEMORY: options.eviction.reserved("memory.available", total_memory(hardware))}
    for reservation in (options.system_reserved, options.kube_reserved):
        for name, amount in reservation.items():
            if name == memory_policy.MEMORY or name.startswith("hugepages-"):
                kept[name] = kept.get(name, 0) + int(quantities.whole(amount))
    if unknown := options.reserved_memory.keys() - hardware.nodes.keys():
        raise Unusable(
            f"the reserved memory configuration references a NUMA node {min(unknown)} that does not exist on this machine"
        )
    shares: dict[str, int] = {}
    for amounts in options.reserved_memory.values():
        for name, size in amounts.items():
            shares[name] = shares.get(name, 0) + size
    for name in {**kept, **shares}:
        if kept.get(name, 0) != shares.get(name, 0):
            raise Unusable(
                f'the total amount "{quantities.of_bytes(shares.get(name, 0))}" of type "{name}" is not equal to the value '
                f'"{quantities.of_bytes(kept.get(name, 0))}" determined by Node Allocatable feature'
            )


def total_memory(hardware: Hardware) -> int:
    return sum(node.memory_bytes for node in hardware.nodes.values())
