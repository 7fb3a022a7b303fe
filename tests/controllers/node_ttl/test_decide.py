"""How long nodes may keep what they have read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.controllers.node_ttl import decide
from steersman.controllers.node_ttl.decide import Seen
from tests.controllers import shapes


def node(name, ttl=None, created="2026-01-01T11:00:00Z"):
    annotations = {} if ttl is None else {decide.ANNOTATION: ttl}
    return {"metadata": {"name": name, "uid": name, "creationTimestamp": created, "annotations": annotations}}


def told(nodes, step=0) -> Any:
    decision: Any = decide.decide(Seen(nodes, step, shapes.NOW))
    return {one.name: one.patch["metadata"]["annotations"][decide.ANNOTATION] for one in decision.actions}


def test_all_nodes_are_told_the_same():
    assert told([node("a"), node("b", "0"), node("c", "15")]) == {"a": "0", "c": "0"}
    assert told([node("a", "0"), node("b", "15")], 1) == {"a": "15"}


def test_those_that_join_together_are_told_together():
    decision = decide.decide(Seen([node("a", created="2026-01-01T11:59:57Z")], 0, shapes.NOW))
    assert (decision.actions, decision.again_after_seconds) == ((), 2.0)


@pytest.mark.parametrize(
    ("before", "count", "after"),
    [(0, 100, 0), (0, 101, 1), (1, 90, 1), (1, 89, 0), (0, 5000, 4), (4, 1800, 4), (4, 1799, 3), (4, 0, 0)],
)
def test_steps(before, count, after):
    assert decide.step(before, count) == after


@given(st.lists(st.integers(0, 6000), max_size=30))
def test_the_count_is_always_within_the_step(counts):
    step = 0
    for count in counts:
        step = decide.step(step, count)
        low, high, _ = decide.STEPS[step]
        assert low <= count <= high
