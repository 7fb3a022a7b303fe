"""Memory of containers' own on NUMA nodes."""

from typing import Any

import pytest

from steersman.kubelet.topology import scopes
from steersman.kubelet.topology.memory_policy import Block, Draft, State
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.topology import machines
from tests.kubelet.topology.machines import GIB, asks, pod

START = State(machines.TWO_SOCKETS, {0: {"memory": GIB}})  # 7 and 8 GiB


def admitted(before: State, one: Object, policy: str = "none", scope: str = "container") -> Any:
    draft = Draft(before, one)
    found = scopes.admit(one, scopes.Settings(policy, scope), before.hardware, [draft])
    return draft.result if isinstance(found, dict) else (found.reason, found.message)


def block(size: int, *nodes: int, of: str = "memory") -> Block:
    return Block(frozenset(nodes), of, size)


def free(state: State, of: str = "memory") -> list[int]:
    return [one.tables[of].free for one in state.nodes().values()]


@pytest.mark.parametrize("policy", ["none", "best-effort", "restricted", "single-numa-node"])
def test_on_the_first_node_that_has_it(policy: str) -> None:
    after = admitted(START, pod("a", asks("one", "1", "2Gi")), policy)
    assert after.taken == {"a": {"one": (block(2 * GIB, 0),)}}
    assert free(after) == [5 * GIB, 8 * GIB]
    second = admitted(after, pod("b", asks("one", "1", "6Gi")), policy)
    assert second.taken["b"]["one"] == (block(6 * GIB, 1),)
    assert second.release("b").release("a") == START


def test_larger_than_a_node() -> None:
    big = pod("a", asks("one", "1", "10Gi"))
    after = admitted(START, big, "restricted")
    assert after.taken["a"]["one"] == (block(10 * GIB, 0, 1),)
    assert free(after) == [0, 5 * GIB]
    assert [one.group for one in after.nodes().values()] == [{0, 1}, {0, 1}]
    assert admitted(START, big, "single-numa-node")[0] == "TopologyAffinityError"


def test_nodes_serve_alone_or_together() -> None:
    """Who has one node for itself is not disturbed by who needs two, and the other way round."""
    alone = admitted(START, pod("a", asks("one", "1", "1Gi")))
    text = "failed to get the default NUMA affinity, no NUMA nodes with enough memory is available"
    wish = "UnexpectedAdmissionError", f"Allocate failed due to [memorymanager] {text}, which is unexpected"
    assert admitted(alone, pod("b", asks("one", "1", "10Gi"))) == wish
    together = admitted(START, pod("a", asks("one", "1", "10Gi")))
    small = pod("b", asks("one", "1", "1Gi"))
    assert admitted(together, small).taken["b"]["one"] == (block(GIB, 0, 1),), "where nobody minds"
    assert admitted(together, small, "restricted")[0] == "TopologyAffinityError"
    assert admitted(together, pod("b", asks("one", "1", "9Gi")))[0] == "UnexpectedAdmissionError", "5 GiB are left"


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(pod("b", world.container(resources={"requests": {"memory": "1Gi"}})), id="burstable"),
        pytest.param(
            pod(
                "b",
                asks("c", "1"),
                resources={"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}},
            ),
            id="a pod with resources of its own",
        ),
    ],
)
def test_who_has_none(one: Object) -> None:
    assert admitted(START, one, "single-numa-node") == START


def test_init_containers_lend_theirs() -> None:
    inits = [asks("init", "1", "3Gi"), asks("side", "1", "1Gi", restartPolicy="Always")]
    after = admitted(START, pod("a", asks("main", "1", "4Gi"), inits=inits))
    assert free(after) == [2 * GIB, 8 * GIB], "5 GiB in all: the sidecar's and the main container's"
    assert after.taken["a"]["init"] == (block(0, 0),)


def test_huge_pages_beside_memory() -> None:
    pages = State(machines.machine(sockets=2, cores=2, pages={"hugepages-2Mi": GIB}))
    assert free(pages) == [7 * GIB] * 2
    assert free(pages, "hugepages-2Mi") == [GIB] * 2
    after = admitted(pages, pod("a", asks("one", "1", "1Gi", more={"hugepages-2Mi": "512Mi"})), "single-numa-node")
    assert set(after.taken["a"]["one"]) == {block(GIB, 0), block(512 << 20, 0, of="hugepages-2Mi")}
    too_much = pod("b", asks("one", "1", "1Gi", more={"hugepages-2Mi": "3Gi"}))
    assert admitted(after, too_much)[0] == "UnexpectedAdmissionError"


def test_the_whole_pod_on_one_node() -> None:
    two = pod("a", asks("one", "1", "4Gi"), asks("two", "1", "4Gi"))
    taken = admitted(START, two, "single-numa-node", "pod").taken["a"]
    assert {one.nodes for blocks in taken.values() for one in blocks} == {frozenset({1})}


def test_allocatable() -> None:
    assert START.allocatable() == [block(7 * GIB, 0), block(8 * GIB, 1)]
