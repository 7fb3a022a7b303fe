"""Processors of containers' own: who has them, what is shared, with each of the policy's options."""

from typing import Any

import pytest

from steersman.kubelet.topology import cpu_assignment, hardware, scopes
from steersman.kubelet.topology.cpu_policy import Draft, Options, State
from steersman.kubelet.topology.hardware import Hardware
from steersman.kubelet.topology.hints import Hint
from steersman.meta.objects import Object
from tests.kubelet import world
from tests.kubelet.topology import machines
from tests.kubelet.topology.machines import asks, pod


def state(of: Hardware = machines.FLAT, reserved: str = "0", **options: bool) -> State:
    return State(of, hardware.parse(reserved), Options(**options))


def admitted(before: State, one: Object, policy: str = "none", scope: str = "container") -> Any:
    """The state after, or (reason, message)."""
    draft = Draft(before, one)
    found = scopes.admit(one, scopes.Settings(policy, scope), before.hardware, [draft])
    return draft.result if isinstance(found, dict) else (found.reason, found.message)


def shown(after: State) -> dict[str, dict[str, str]]:
    return {uid: {name: hardware.show(cpus) for name, cpus in one.items()} for uid, one in after.taken.items()}


def test_whole_processors_of_guaranteed_pods() -> None:
    after = admitted(state(), pod("a", asks("one", "2"), asks("half", "1500m")))
    assert shown(after) == {"a": {"one": "1-2"}}
    assert after.shared == {0, 3, 4, 5, 6, 7}
    assert after.release("a") == state()


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(pod("b", world.container(resources={"requests": {"cpu": "2"}})), id="burstable"),
        pytest.param(pod("b", asks("c", "200m")), id="a part of one"),
        pytest.param(
            pod(
                "b",
                asks("c", "2"),
                resources={"limits": {"cpu": "3", "memory": "1Gi"}, "requests": {"cpu": "3", "memory": "1Gi"}},
            ),
            id="a pod with resources of its own",
        ),
    ],
)
def test_who_shares(one: Object) -> None:
    assert admitted(state(), one) == state()


def test_init_containers_lend_theirs() -> None:
    side = asks("side", "1", restartPolicy="Always")
    after = admitted(state(), pod("a", asks("main", "4"), inits=[asks("init", "3"), side]))
    taken = after.taken["a"]
    assert taken["side"] <= taken["init"], "what the init container had is used again"
    assert not taken["side"] & taken["main"], "a sidecar goes on beside the main containers"
    assert len(taken["main"] | taken["side"]) == 5


def test_too_many() -> None:
    text = "not enough cpus available to satisfy request: requested=8, available=7"
    wish = "UnexpectedAdmissionError", f"Allocate failed due to {text}, which is unexpected"
    assert admitted(state(), pod("a", asks("one", "8"))) == wish


def test_again_the_same() -> None:
    after = admitted(state(), pod("a", asks("one", "2")))
    assert admitted(after, pod("a", asks("one", "2"))) == after


@pytest.mark.parametrize(
    ("reserved", "cpu", "wish"),
    [
        pytest.param("0", "2", {"a": {"one": "1,5"}}, id="a core"),
        pytest.param(
            "0",
            "1",
            ("SMTAlignmentError", "SMT Alignment Error: requested 1 cpus not multiple cpus per core = 2"),
            id="half a core",
        ),
        pytest.param(
            "0-1",
            "6",
            (
                "SMTAlignmentError",
                "SMT Alignment Error: not enough free physical CPUs: available physical CPUs = 4, "
                "requested CPUs = 6, CPUs per core = 2",
            ),
            id="cores of which a thread is reserved are nobody's",
        ),
    ],
)
def test_full_cores_only(reserved: str, cpu: str, wish: Any) -> None:
    found = admitted(state(machines.SMT, reserved, full_cores=True), pod("a", asks("one", cpu)))
    assert (shown(found) if isinstance(found, State) else found) == wish


@pytest.mark.parametrize(
    ("of", "options", "cpu", "wish"),
    [
        pytest.param(machines.SMT, {}, "2", "1,5", id="packed: a core"),
        pytest.param(machines.SMT, {"across_cores": True}, "2", "1-2", id="across cores"),
        pytest.param(machines.TWO_SOCKETS, {}, "8", "4-7,12-15", id="packed: a socket"),
        pytest.param(machines.TWO_SOCKETS, {"across_nodes": True}, "10", "1-2,4-6,8-10,12-13", id="across NUMA nodes"),
        pytest.param(
            machines.TWO_SOCKETS,
            {"across_nodes": True, "full_cores": True},
            "10",
            "1-2,4-6,9-10,12-14",
            id="across NUMA nodes, whole cores",
        ),
        pytest.param(machines.CACHES, {}, "4", "1-4", id="packed: over two caches"),
        pytest.param(machines.CACHES, {"by_cache": True}, "4", "4-7", id="in one cache"),
    ],
)
def test_which_ones(of: Hardware, options: dict[str, bool], cpu: str, wish: str) -> None:
    after = admitted(state(of, "0", **options), pod("a", asks("one", cpu)))
    assert after.taken["a"]["one"] == hardware.parse(wish)


def test_strictly_reserved_processors_are_not_shared() -> None:
    before = state(reserved="0-1", strict_reservation=True)
    assert hardware.show(before.shared) == "2-7"
    assert hardware.show(admitted(before, pod("a", asks("one", "2"))).shared) == "4-7"


@pytest.mark.parametrize(
    ("policy", "cpu", "wish"),
    [
        pytest.param("best-effort", "7", "1-3,8-11", id="a node"),
        pytest.param("single-numa-node", "8", "4-7,12-15", id="the node that has as many"),
        pytest.param("best-effort", "9", None, id="more than a node has"),
        pytest.param(
            "single-numa-node", "9", "TopologyAffinityError", id="more than a node has, where one is demanded"
        ),
        pytest.param("restricted", "9", None, id="more than a node has: two are as few as can be"),
    ],
)
def test_topology_policies(policy: str, cpu: str, wish: str | None) -> None:
    found = admitted(state(machines.TWO_SOCKETS), pod("a", asks("one", cpu)), policy)
    if not isinstance(found, State):
        assert found == (wish, "Resources cannot be allocated with Topology locality")
    elif wish is None:
        assert len(found.taken["a"]["one"]) == int(cpu)
    else:
        assert found.taken["a"]["one"] == hardware.parse(wish)


def test_restricted_refuses_two_nodes_where_one_would_do() -> None:
    first = admitted(state(machines.TWO_SOCKETS), pod("a", asks("one", "5")), "restricted")
    second = admitted(first, pod("b", asks("one", "6")), "restricted")
    assert hardware.show(second.taken["b"]["one"]) == "4-6,12-14"
    assert admitted(second, pod("c", asks("one", "3")), "restricted")[0] == "TopologyAffinityError"
    assert len(admitted(second, pod("c", asks("one", "3")), "best-effort").taken["c"]["one"]) == 3


def test_the_whole_pod_on_one_node() -> None:
    before = state(machines.TWO_SOCKETS)
    two = pod("a", asks("one", "4"), asks("two", "4"))
    hw = machines.TWO_SOCKETS
    by_container = admitted(before, two, "single-numa-node").taken["a"]
    assert {len(hw.grouped("numa", cpus)) for cpus in by_container.values()} == {1}
    assert len(hw.grouped("numa", by_container["one"] | by_container["two"])) == 2, "7 are left on the first node"
    by_pod = admitted(before, two, "single-numa-node", "pod").taken["a"]
    assert set(hw.grouped("numa", by_pod["one"] | by_pod["two"])) == {1}
    nine = pod("a", asks("one", "4"), asks("two", "5"))
    assert admitted(before, nine, "single-numa-node", "pod")[0] == "TopologyAffinityError"


def test_close_together_is_one_socket() -> None:
    """Two nodes of one socket are as good as one (align-by-socket)."""
    by_node = Draft(state(machines.FOUR_NODES), one := pod("a", asks("one", "4")))
    by_socket = Draft(state(machines.FOUR_NODES, by_socket=True), one)
    both = Hint(frozenset({0, 1}), preferred=True)
    hints = [
        {hint.nodes: hint.preferred for hint in draft.hints(asks("one", "4"))["cpu"] or ()}
        for draft in (by_node, by_socket)
    ]
    assert [found[both.nodes] for found in hints] == [False, True]
    assert hints[1][frozenset({1, 2})] is False, "of two sockets"


def test_counts_of_a_pod() -> None:
    draft = Draft(state(), pod("a", asks("one", "2"), inits=[asks("init", "9")]))
    with pytest.raises(cpu_assignment.NotEnough):
        draft.allocate(asks("init", "9"), Hint(None, preferred=False), once=True)
    assert (draft.asked, draft.failed) == (1, 1)
