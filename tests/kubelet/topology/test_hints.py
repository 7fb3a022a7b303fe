"""Hints of several resources, merged by each policy."""

from collections.abc import Iterable

import pytest

from steersman.kubelet.topology import hints
from steersman.kubelet.topology.hardware import Hardware, NumaNode
from steersman.kubelet.topology.hints import BEST_EFFORT, RESTRICTED, SINGLE, Hint, Hints
from tests.kubelet.topology import machines

TWO, FOUR = machines.TWO_SOCKETS, machines.FOUR_NODES


def hint(nodes: Iterable[int] | None, preferred: bool = True) -> Hint:
    return Hint(None if nodes is None else frozenset(nodes), preferred)


def of(name: str, *found: Hint) -> Hints:
    return {name: found}


EITHER = (hint([0]), hint([1]), hint([0, 1], False))


@pytest.mark.parametrize(
    ("given", "best_effort", "restricted", "single"),
    [
        pytest.param([], (hint([0, 1]), True), (hint([0, 1]), True), (hint(None), True), id="nobody cares"),
        pytest.param(
            [{}, {"a": None}], (hint([0, 1]), True), (hint([0, 1]), True), (hint(None), True), id="nobody says"
        ),
        pytest.param(
            [{"a": []}],
            (hint([0, 1], False), True),
            (hint([0, 1], False), False),
            (hint(None, False), False),
            id="nowhere",
        ),
        pytest.param([of("a", *EITHER)], (hint([0]), True), (hint([0]), True), (hint([0]), True), id="either node"),
        pytest.param(
            [of("a", *EITHER), of("b", hint([1]), hint([0, 1], False))],
            (hint([1]), True),
            (hint([1]), True),
            (hint([1]), True),
            id="the node that suits both",
        ),
        pytest.param(
            [of("a", hint([0])), of("b", hint([1]))],
            (hint([0, 1], False), True),
            (hint([0, 1], False), False),
            (hint(None, False), False),
            id="one here, one there",
        ),
        pytest.param(
            [of("a", hint([0, 1]))],
            (hint([0, 1]), True),
            (hint([0, 1]), True),
            (hint(None, False), False),
            id="too large for one node",
        ),
        pytest.param(
            [of("a", hint([0, 1], False)), of("b", hint([1]))],
            (hint([1], False), True),
            (hint([1], False), False),
            (hint(None, False), False),
            id="one spread over both, though it need not be",
        ),
    ],
)
def test_policies(
    given: list[Hints], best_effort: tuple[Hint, bool], restricted: tuple[Hint, bool], single: tuple[Hint, bool]
) -> None:
    for policy, wish in ((BEST_EFFORT, best_effort), (RESTRICTED, restricted), (SINGLE, single)):
        assert hints.merge(policy, given, TWO) == wish, policy


def test_not_preferred_as_many_nodes_as_the_greatest_need() -> None:
    """One resource needs two nodes at least, so that one node alone is no better."""
    found, _ = hints.merge(
        BEST_EFFORT,
        [
            of("a", hint([0], False), hint([0, 1], False), hint([0, 1, 2], False)),
            of("b", hint([0, 1, 2, 3], False), hint([0, 1], False)),
        ],
        FOUR,
    )
    assert found == hint([0, 1], False)


@pytest.mark.parametrize(("closest", "wish"), [(False, [0, 1]), (True, [2, 3])])
def test_near_nodes_rather_than_low_numbers(closest: bool, wish: list[int]) -> None:
    near = {frozenset({2, 3}): 11, frozenset({2}): 10}
    distances = {a: {b: near.get(frozenset({a, b}), 10 if a == b else 30) for b in range(4)} for a in range(4)}
    here = Hardware(FOUR.cpus, {one: NumaNode(distances=distances[one]) for one in range(4)})
    pairs = [hint(nodes) for nodes in hints.sets_of_nodes(range(4)) if len(nodes) == 2]
    found, _ = hints.merge(BEST_EFFORT, [of("a", *pairs)], here, closest=closest)
    assert sorted(found.nodes or ()) == wish


def test_many_nodes_and_resources_take_no_time() -> None:
    """Upstream's combinations would be 255 to the third."""
    eight = machines.machine(sockets=8, cores=1)
    every = [hint(nodes, len(nodes) == 1) for nodes in hints.sets_of_nodes(range(8))]
    found = [of(name, *every) for name in "abc"]
    assert hints.merge(RESTRICTED, found, eight) == (hint([0]), True)
