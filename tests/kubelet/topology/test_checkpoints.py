"""Files that either kubelet reads: upstream's content, upstream's checksums."""

import json
from typing import Any

import pytest

from steersman.kubelet.topology import checkpoints, cpu_policy, memory_policy
from steersman.kubelet.topology.checkpoints import Unusable
from steersman.kubelet.topology.hardware import Hardware, NumaNode, flat, parse
from tests.kubelet.topology import machines

CPUS = cpu_policy.State(flat(range(8)), parse("0"))
STRICT = CPUS._replace(options=cpu_policy.Options(strict_reservation=True))


def test_checksums_are_upstreams() -> None:
    """Figures that upstream's kubelet wrote, or expects in its own tests."""
    assert json.loads(checkpoints.show_cpus("none", frozenset(), {}))["checksum"] == 1353318690
    two = {"pod": {"container1": parse("4-6"), "container2": parse("1-3")}}
    assert json.loads(checkpoints.show_cpus("none", parse("1-3"), two))["checksum"] == 3610638499
    table = {"total": 2048, "systemReserved": 512, "allocatable": 1536, "reserved": 512, "free": 1024}
    state = {
        "policyName": "static",
        "machineState": {"0": {"numberOfAssignments": 0, "memoryMap": {"memory": table}, "cells": []}},
        "entries": {"pod": {"container1": [{"numaAffinity": [0], "type": "memory", "size": 512}]}},
    }
    assert checkpoints._memory_checksum(state) == 4215593881


def test_processors_come_back() -> None:
    taken = {"a": {"one": parse("1-2")}, "b": {"two": parse("5")}}
    for state in (CPUS, STRICT):
        now = state._replace(taken=taken)
        assert checkpoints.read_cpus(checkpoints.show_cpus("static", now.shared, taken), state) == now


def test_nothing_needs_to_be_shared_where_reserved_processors_are_nobody_s() -> None:
    now = STRICT._replace(taken={"a": {"one": parse("1-7")}})
    assert checkpoints.read_cpus(checkpoints.show_cpus("static", now.shared, now.taken), STRICT) == now


def cpu_file(**about: Any) -> str:
    return json.dumps({"policyName": "static", "defaultCpuSet": "0-7", "checksum": 0, **about})


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        pytest.param("{", "could not restore state from checkpoint", id="no JSON"),
        pytest.param(cpu_file(checksum=17), "checkpoint is corrupted", id="another checksum"),
        pytest.param(
            cpu_file(policyName="none"),
            'configured policy "static" differs from state checkpoint policy "none"',
            id="another policy",
        ),
        pytest.param(cpu_file(defaultCpuSet="x"), "could not parse cpuset", id="no processors"),
        pytest.param(
            cpu_file(defaultCpuSet="", entries={"a": {"one": "1"}}),
            "default cpuset cannot be empty",
            id="nothing shared",
        ),
        pytest.param(
            cpu_file(defaultCpuSet="1-7", entries={"a": {"one": "0"}}),
            'not all reserved cpus: "0" are present in defaultCpuSet: "1-7"',
            id="a reserved one was given away",
        ),
        pytest.param(
            cpu_file(entries={"a": {"one": "3"}}),
            'pod: a, container: one cpuset: "3" overlaps with default cpuset "0-7"',
            id="shared and taken",
        ),
        pytest.param(
            cpu_file(defaultCpuSet="0-3"),
            'current set of available CPUs "0-7" doesn\'t match with CPUs in state "0-3"',
            id="another machine",
        ),
    ],
)
def test_processors_that_do_not_fit(text: str, wish: str) -> None:
    with pytest.raises(Unusable, match=wish):
        checkpoints.read_cpus(text, CPUS)


def test_strictly_reserved_processors_that_were_shared() -> None:
    wish = 'some of strictly reserved cpus: "0" are present in defaultCpuSet: "0-7"'
    with pytest.raises(Unusable, match=wish):
        checkpoints.read_cpus(cpu_file(), STRICT)


MEMORY = memory_policy.State(machines.TWO_SOCKETS, {0: {"memory": 1 << 30}})


def test_memory_comes_back() -> None:
    block = memory_policy.Block(frozenset({0, 1}), "memory", 9 << 30)
    now = MEMORY._replace(taken={"a": {"one": (block,)}})
    text = checkpoints.show_memory(now)
    assert checkpoints.read_memory(text, MEMORY) == now
    shown = json.loads(text)["machineState"]["0"]
    assert (shown["cells"], shown["numberOfAssignments"], shown["memoryMap"]["memory"]["free"]) == ([0, 1], 1, 0)


@pytest.mark.parametrize(
    ("change", "wish"),
    [
        ({"checksum": 1}, "checkpoint is corrupted"),
        (
            {"checksum": 0, "policyName": "None"},
            'configured policy "Static" differs from state checkpoint policy "None"',
        ),
        ({"checksum": 0, "entries": {"a": {"one": [{"size": 1}]}}}, "checkpoint is corrupted"),
    ],
)
def test_memory_that_does_not_fit(change: dict[str, Any], wish: str) -> None:
    text = json.dumps({**json.loads(checkpoints.show_memory(MEMORY)), **change})
    with pytest.raises(Unusable, match=wish):
        checkpoints.read_memory(text, MEMORY)


def test_memory_of_another_machine() -> None:
    smaller = Hardware(machines.TWO_SOCKETS.cpus, {0: NumaNode(1 << 30), 1: NumaNode(1 << 30)})
    with pytest.raises(Unusable, match="the expected machine state is different from the real one"):
        checkpoints.read_memory(checkpoints.show_memory(MEMORY), MEMORY._replace(hardware=smaller))
