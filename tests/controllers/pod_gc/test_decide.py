"""Which pods are removed because nobody else will."""

from typing import Any

import pytest

from steersman.controllers.decision import Delete, Patch
from steersman.controllers.pod_gc import decide
from steersman.controllers.pod_gc.decide import SeenEnded, SeenPod
from tests.controllers import shapes


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def pod(name="p", *, node="n", phase="Running", terminating=False, created="10:00:00", **status):
    meta = {
        "name": name,
        "namespace": "default",
        "uid": name,
        "resourceVersion": "1",
        "creationTimestamp": f"2026-01-01T{created}Z",
    }
    if terminating:
        meta["deletionTimestamp"] = shapes.STAMP
    return {"metadata": meta, "spec": {"nodeName": node} if node else {}, "status": {"phase": phase, **status}}


def node(ready="True", *taints):
    return {
        "metadata": {"name": "n"},
        "spec": {"taints": [{"key": key, "effect": "NoExecute"} for key in taints]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


DEAD = node("Unknown", decide.OUT_OF_SERVICE)

CASES = [
    pytest.param(pod(), node(), None, [], id="a healthy node"),
    pytest.param(pod(terminating=True), node("Unknown"), None, [], id="terminating on a silent node: it may come back"),
    pytest.param(pod(terminating=True), DEAD, None, ["fail", "delete"], id="terminating on a node declared dead"),
    pytest.param(pod(), DEAD, None, [], id="running on a node declared dead"),
    pytest.param(pod(), None, 1.0, [], id="its node is gone since a moment"),
    pytest.param(pod(), None, 5.0, ["fail", "delete"], id="its node is gone"),
    pytest.param(pod(phase="Succeeded"), None, 5.0, ["delete"], id="ended on a node that is gone"),
    pytest.param(
        pod(node="", terminating=True, phase="Pending"), None, None, ["fail", "delete"], id="never had a node"
    ),
    pytest.param(pod(node="", phase="Pending"), None, None, [], id="waits for a node"),
]


@pytest.mark.parametrize(("one", "on", "missing", "expected"), CASES)
def test_single_pods(one, on, missing, expected):
    found = decided(SeenPod(one, on, missing, 5.0, shapes.NOW)).actions
    words = {Patch: "fail", Delete: "delete"}
    assert [words[type(action)] for action in found] == expected
    assert all(action.grace_seconds == 0 for action in found if isinstance(action, Delete))


def test_the_quarantine_is_waited_for():
    decision = decided(SeenPod(pod(), None, 2.0, 5.0, shapes.NOW))
    assert decision.again_after_seconds == 3.0


def test_too_many_ended_pods():
    ended = [
        pod("young", phase="Failed", created="11:00:00"),
        pod("old", phase="Succeeded", created="09:00:00"),
        pod("evicted", phase="Failed", created="12:00:00", reason="Evicted"),
    ]
    assert [one.name for one in decided(SeenEnded(ended, 1)).actions] == ["evicted", "old"]
    assert decided(SeenEnded(ended, 3)).actions == ()
    assert decided(SeenEnded(ended, 0)).actions == ()
