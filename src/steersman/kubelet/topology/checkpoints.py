"""`cpu_manager_state` and `memory_manager_state`: who has what for itself, for a later kubelet. Pure.

Content and checksum are upstream's, so that either kubelet goes on with the other's files. The checksum is FNV-1a over what Go's
spew prints of the structure; the types' names are therefore part of the format.
"""

import json
from collections.abc import Mapping
from typing import Any

from steersman.kubelet.topology import cpu_policy, hardware, memory_policy
from steersman.kubelet.topology.memory_policy import Block, NodeState

CPU_FILE, MEMORY_FILE = "cpu_manager_state", "memory_manager_state"
CORRUPT = "checkpoint is corrupted"


class Unusable(Exception):
    """What the file says and what this kubelet was told do not go together: somebody has to decide, by removing the file."""


# --- processors --------------------------------------------------------------------------------------------------------

CpuEntries = dict[str, dict[str, hardware.Cpus]]


def show_cpus(policy: str, shared: hardware.Cpus, taken: Mapping[str, Mapping[str, hardware.Cpus]]) -> str:
    entries = {uid: {name: hardware.show(cpus) for name, cpus in one.items()} for uid, one in taken.items()}
    state: dict[str, Any] = {"policyName": policy, "defaultCpuSet": hardware.show(shared)}
    if entries:
        state["entries"] = entries
    return json.dumps({**state, "checksum": _cpu_checksum(state)}, separators=(",", ":"))


def read_cpus(text: str, state: cpu_policy.State) -> cpu_policy.State:
    """`state` with what was given. Raises Unusable."""
    found = _parsed(text)
    if found.get("checksum") and found["checksum"] != _cpu_checksum(found):
        raise Unusable(CORRUPT)
    if found.get("policyName") != "static":
        raise Unusable(f'configured policy "static" differs from state checkpoint policy "{found.get("policyName")}"')
    try:
        shared = hardware.parse(found.get("defaultCpuSet", ""))
        entries = {
            uid: {name: hardware.parse(cpus) for name, cpus in one.items()}
            for uid, one in (found.get("entries") or {}).items()
        }
    except (ValueError, AttributeError) as problem:
        raise Unusable(f"could not parse cpuset: {problem}") from problem
    _check_cpus(shared, entries, state)
    return state._replace(taken=entries)


def _check_cpus(shared: hardware.Cpus, entries: CpuEntries, state: cpu_policy.State) -> None:
    if not shared and not entries:
        return
    if not shared and not state.options.strict_reservation:  # (else all but the reserved ones may be somebody's own)
        raise Unusable("default cpuset cannot be empty")
    both = state.reserved & shared
    if state.options.strict_reservation and both:
        raise Unusable(
            f'some of strictly reserved cpus: "{hardware.show(both)}" are present in '
            f'defaultCpuSet: "{hardware.show(shared)}"'
        )
    if not state.options.strict_reservation and both != state.reserved:
        raise Unusable(
            f'not all reserved cpus: "{hardware.show(state.reserved)}" are present in '
            f'defaultCpuSet: "{hardware.show(shared)}"'
        )
    for uid, containers in entries.items():
        for name, cpus in containers.items():
            if cpus & shared:
                raise Unusable(
                    f'pod: {uid}, container: {name} cpuset: "{hardware.show(cpus)}" overlaps with '
                    f'default cpuset "{hardware.show(shared)}"'
                )
    known = shared.union(*(cpus for one in entries.values() for cpus in one.values()))
    if known != state.everyone:
        raise Unusable(
            f'current set of available CPUs "{hardware.show(state.everyone)}" doesn\'t match with '
            f'CPUs in state "{hardware.show(known)}"'
        )


def _cpu_checksum(state: Mapping[str, Any]) -> int:
    entries = _map({uid: _map(one) for uid, one in (state.get("entries") or {}).items()})
    return fnv1a(
        f"(*state.CPUManagerCheckpoint){{PolicyName:(string){state.get('policyName', '')} "
        f"DefaultCPUSet:(string){state.get('defaultCpuSet', '')} "
        f"Entries:(map[string]map[string]string){entries} Checksum:(checksum.Checksum)0}}"
    )


# --- memory ------------------------------------------------------------------------------------------------------------


def show_memory(state: memory_policy.State) -> str:
    machine = {str(node): _shown_node(found) for node, found in state.nodes().items()}
    entries = {
        uid: {name: [_shown_block(block) for block in blocks] for name, blocks in containers.items()}
        for uid, containers in state.taken.items()
    }
    shown: dict[str, Any] = {"policyName": "Static", "machineState": machine}
    if entries:
        shown["entries"] = entries
    return json.dumps({**shown, "checksum": _memory_checksum(shown)}, separators=(",", ":"))


def _shown_node(found: NodeState) -> dict[str, Any]:
    tables = {
        name: {
            "total": table.total,
            "systemReserved": table.system_reserved,
            "allocatable": table.allocatable,
            "reserved": table.reserved,
            "free": table.free,
        }
        for name, table in sorted(found.tables.items())
    }
    return {"numberOfAssignments": found.assignments, "memoryMap": tables, "cells": sorted(found.group)}


def _shown_block(block: Block) -> dict[str, Any]:
    return {"numaAffinity": sorted(block.nodes), "type": block.resource, "size": block.bytes}


def read_memory(text: str, state: memory_policy.State) -> memory_policy.State:
    """`state` with what was given. Raises Unusable."""
    found = _parsed(text)
    try:
        if found.get("checksum") and found["checksum"] != _memory_checksum(found):
            raise Unusable(CORRUPT)
        if found.get("policyName") != "Static":
            raise Unusable(
                f'[memorymanager] configured policy "Static" differs from state checkpoint policy "{found.get("policyName")}"'
            )
        taken = {
            uid: {
                name: tuple(Block(frozenset(one["numaAffinity"]), one["type"], int(one["size"])) for one in blocks)
                for name, blocks in containers.items()
            }
            for uid, containers in (found.get("entries") or {}).items()
        }
        now = state._replace(taken=taken)
        expected = {str(node): _shown_node(one) for node, one in now.nodes().items()}
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise Unusable(CORRUPT) from problem
    if found.get("machineState") and not _is_same_machine(found["machineState"], expected):
        raise Unusable("[memorymanager] the expected machine state is different from the real one")
    return now


def _is_same_machine(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Nodes of a group may have filled in another order."""

    def fixed(found: dict[str, Any]) -> Any:
        return {
            node: (
                about["numberOfAssignments"],
                sorted(about["cells"]),
                {
                    name: (table["total"], table["systemReserved"], table["allocatable"])
                    for name, table in about["memoryMap"].items()
                },
            )
            for node, about in found.items()
        }

    return bool(fixed(one) == fixed(other))


def _memory_checksum(state: Mapping[str, Any]) -> int:
    machine = {int(node): _spewed_node(about) for node, about in (state.get("machineState") or {}).items()}
    entries = {
        uid: _map({name: f"[{' '.join(map(_spewed_block, blocks))}]" for name, blocks in containers.items()})
        for uid, containers in (state.get("entries") or {}).items()
    }
    return fnv1a(
        f"(*state.MemoryManagerCheckpoint){{PolicyName:(string){state.get('policyName', '')} "
        f"MachineState:(state.NUMANodeMap){_map(machine)} "
        f"Entries:(state.ContainerMemoryAssignments){_map(entries)} Checksum:(checksum.Checksum)0}}"
    )


def _spewed_node(about: Mapping[str, Any]) -> str:
    tables = {
        name: f"<*>{{TotalMemSize:(uint64){one['total']} SystemReserved:(uint64){one['systemReserved']} "
        f"Allocatable:(uint64){one['allocatable']} Reserved:(uint64){one['reserved']} Free:(uint64){one['free']}}}"
        for name, one in about["memoryMap"].items()
    }
    return (
        f"<*>{{NumberOfAssignments:(int){about['numberOfAssignments']} "
        f"MemoryMap:(map[v1.ResourceName]*state.MemoryTable){_map(tables)} Cells:([]int){_list(about['cells'])}}}"
    )


def _spewed_block(one: Mapping[str, Any]) -> str:
    nodes = _list(one["numaAffinity"])
    return f"{{NUMAAffinity:([]int){nodes} Type:(v1.ResourceName){one['type']} Size:(uint64){one['size']}}}"


# --- both --------------------------------------------------------------------------------------------------------------


def fnv1a(text: str) -> int:
    """32 bits."""
    found = 0x811C9DC5
    for byte in text.encode():
        found = ((found ^ byte) * 0x01000193) & 0xFFFFFFFF
    return found


def _map(found: Mapping[Any, str]) -> str:
    return f"map[{' '.join(f'{key}:{found[key]}' for key in sorted(found))}]"


def _list(found: list[int]) -> str:
    return f"[{' '.join(map(str, found))}]"


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as problem:
        raise Unusable(f"could not restore state from checkpoint: {problem}") from problem
    if not isinstance(found, dict):
        raise Unusable(CORRUPT)
    return found
