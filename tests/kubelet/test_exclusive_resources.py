"""Processors and memory of containers' own, on a node: over restarts, with devices, as the node's API tells them."""

from pathlib import Path
from typing import Any

import pytest

from steersman.kubelet import metrics, node_object
from steersman.kubelet.devices import Devices
from steersman.kubelet.exclusive_resources import ExclusiveResources
from steersman.kubelet.options import Options
from steersman.kubelet.topology import cpu_policy, hints, scopes
from steersman.kubelet.topology.checkpoints import CPU_FILE, Unusable
from steersman.kubelet.topology.hardware import Hardware, flat, parse
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.topology import machines
from tests.kubelet.topology.machines import GIB, asks, pod

RESERVED = {"kube_reserved": {"cpu": "500m"}}
SINGLE = scopes.Settings(hints.SINGLE)


def make(folder: Path, of: Hardware, devices: Devices | None = None, **about: Any) -> ExclusiveResources:
    options = Options(data_dir=folder, **{"cpu_policy": "static", **RESERVED, **about})
    return ExclusiveResources(options, lambda: of, devices)


def test_a_later_kubelet_knows(tmp_path: Path) -> None:
    first = make(tmp_path, flat(range(4)))
    assert first.admit(pod("a", asks("main", "2"))) == (None, True)
    again = make(tmp_path, flat(range(4)))
    assert (again.cpus_of("a", "main"), again.cpus_of("b", "any")) == ("1-2", "0,3")
    assert (again.is_exclusive("a", "main"), again.is_exclusive("a", "other")) == (True, False)
    again.keep_only([])
    assert again.cpus_of("b", "any") == "0-3"
    (tmp_path / CPU_FILE).write_text('{"policyName":"static","defaultCpuSet":"0-1","checksum":0}')
    with pytest.raises(Unusable, match="doesn't match"):
        make(tmp_path, flat(range(4)))


def test_without_policies_everyone_runs_anywhere(tmp_path: Path) -> None:
    def never() -> Hardware:
        raise AssertionError("nobody needs to know")

    free = ExclusiveResources(Options(data_dir=tmp_path), never)
    assert free.admit(pod("a", asks("main", "2"))) == (None, False)
    assert (free.cpus_of("a", "main"), free.memory_nodes_of("a", "main")) == ("", "")


def test_memory_too_is_set_aside(tmp_path: Path) -> None:
    about: dict[str, Any] = {
        "memory_policy": "Static",
        "system_reserved": {"memory": "1Gi"},
        "reserved_memory": {0: {"memory": GIB + (100 << 20)}},
        "topology": SINGLE,
    }
    first = make(tmp_path, machines.TWO_SOCKETS, **about)
    assert first.admit(pod("a", asks("main", "2", "1Gi"))) == (None, True)
    assert first.admit(pod("b", asks("main", "8", "1Gi"))) == (None, True), "a whole node"
    again = make(tmp_path, machines.TWO_SOCKETS, **about)
    assert (again.memory_nodes_of("a", "main"), again.memory_nodes_of("b", "main")) == ("0", "1")
    assert again.memory_nodes_of("c", "other") == ""
    [block] = again.own_memory("a", "main")
    assert block.bytes == GIB


@pytest.mark.parametrize(
    ("about", "wish"),
    [
        pytest.param({"reserved_cpus": parse("9")}, "has no CPU 9", id="a CPU that is not there"),
        pytest.param({"kube_reserved": {"cpu": "9"}}, "unable to reserve", id="more than there are"),
        pytest.param(
            {"memory_policy": "Static"},
            'the total amount "0" of type "memory" is not equal to the value "100Mi"',
            id="memory that nobody named",
        ),
        pytest.param(
            {"memory_policy": "Static", "reserved_memory": {7: {"memory": 100 << 20}}}, "NUMA node 7", id="no such node"
        ),
        pytest.param(
            {"topology": scopes.Settings(hints.SINGLE, nodes_most=1)}, "more than 1 NUMA Nodes", id="too many nodes"
        ),
    ],
)
def test_what_this_machine_cannot_do(tmp_path: Path, about: dict[str, Any], wish: str) -> None:
    with pytest.raises(Unusable, match=wish):
        make(tmp_path, machines.machine(sockets=2, cores=4), **about)


# --- devices -----------------------------------------------------------------------------------------------------------


def wants(name: str, cpu: str, count: int) -> Object:
    return asks(name, cpu, more={"example.com/thing": str(count)})


def things(*nodes: int) -> Devices:
    found = Devices()
    names = [f"thing-{index}" for index in range(len(nodes))]
    found.health["example.com/thing"] = dict.fromkeys(names, "Healthy")
    found.nodes["example.com/thing"] = {name: frozenset({node}) for name, node in zip(names, nodes, strict=True)}
    return found


@pytest.mark.parametrize(
    ("placed", "one", "wish"),
    [
        pytest.param((1, 1), pod("a", wants("c", "2", 1)), {1}, id="processors beside the devices"),
        pytest.param((0, 1, 1), pod("a", wants("c", "2", 2)), {1}, id="where there are enough devices"),
        pytest.param((0, 1), pod("a", wants("c", "2", 2)), None, id="devices on two nodes"),
        pytest.param((0, 0), pod("a", wants("c", "8", 1)), None, id="devices and processors on two nodes"),
        pytest.param(
            (1,), pod("a", wants("c", "1", 1), inits=[wants("i", "1", 1)]), {1}, id="an init container's device again"
        ),
    ],
)
def test_devices_and_processors_on_one_node(tmp_path: Path, placed: tuple[int, ...], one: Object, wish: Any) -> None:
    here = make(tmp_path, machines.TWO_SOCKETS, things(*placed), topology=SINGLE)
    refusal, _ = here.admit(one)
    if wish is None:
        assert refusal is not None
        assert (refusal.reason, refusal.message) == (
            "TopologyAffinityError",
            "Resources cannot be allocated with Topology locality",
        )
        assert here.shared == machines.TWO_SOCKETS.everyone
    else:
        assert refusal is None
        assert here.nodes_for_devices("a", "c") == wish
        assert set(machines.TWO_SOCKETS.grouped("numa", here.own("a", "c"))) == wish


def test_devices_that_say_nothing_may_be_anywhere(tmp_path: Path) -> None:
    found = things(0)
    found.nodes.clear()
    here = make(tmp_path, machines.TWO_SOCKETS, found, topology=SINGLE)
    assert here.admit(pod("a", wants("c", "8", 1)))[0] is None


# --- figures -----------------------------------------------------------------------------------------------------------


def figures(here: ExclusiveResources) -> dict[str, float]:
    lines = [line for line in metrics.text(here.samples()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_figures(tmp_path: Path) -> None:
    here = make(tmp_path, machines.SMT, cpu_options=cpu_policy.Options(full_cores=True, by_cache=True), topology=SINGLE)
    before = figures(here)
    assert before["kubelet_cpu_manager_pinning_requests_total"] == 0
    assert before["kubelet_cpu_manager_shared_pool_size_millicores"] == 8000
    assert here.admit(pod("a", asks("main", "2")))[0] is None
    refusal, _ = here.admit(pod("b", asks("main", "1")))
    assert refusal is not None
    assert refusal.reason == "SMTAlignmentError"
    assert here.admit(pod("c", world.container("shares")))[0] is None
    after = figures(here)
    assert {name.removeprefix("kubelet_"): value for name, value in after.items() if value} == {
        "cpu_manager_pinning_requests_total": 2,
        "cpu_manager_pinning_errors_total": 1,
        "topology_manager_admission_requests_total": 3,
        "topology_manager_admission_errors_total": 1,
        'container_aligned_compute_resources_count{boundary="numa_node",scope="container"}': 2,
        'container_aligned_compute_resources_count{boundary="physical_cpu",scope="container"}': 1,
        'container_aligned_compute_resources_count{boundary="uncore_cache",scope="container"}': 1,
        'container_aligned_compute_resources_failure_count{boundary="numa_node",scope="container"}': 1,
        "cpu_manager_shared_pool_size_millicores": 6000,
        "cpu_manager_exclusive_cpu_allocation_count": 2,
        'cpu_manager_allocation_per_numa{numa_node="0"}': 2,
    }
    here.release("a")
    assert figures(here)["kubelet_cpu_manager_shared_pool_size_millicores"] == 8000


@pytest.mark.parametrize("policy", ["none", "static"])
def test_a_node_says_whether_it_can_resize_guaranteed_pods(policy: str, tmp_path: Path) -> None:
    told = node_object.declared_features(Options(tmp_path, cpu_policy=policy))
    assert told == sorted(told)
    assert ("GuaranteedQoSPodCPUResize" in told) == (policy == "none")
