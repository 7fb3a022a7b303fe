"""Silence, taints, and what a lost node means for its pods."""

from typing import Any

import pytest

from steersman.controllers.decision import Emit, Patch, UpdateStatus
from steersman.controllers.node_lifecycle import decide
from steersman.controllers.node_lifecycle.decide import Seen
from tests.controllers import shapes


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def node(ready="True", taints=(), unschedulable=False, **others):
    told = [{"type": name, "status": status} for name, status in others.items()]
    if ready:
        told.append({"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T11:00:00Z"})
    spec: dict[str, object] = {"taints": [{"key": key, "effect": effect} for key, effect in taints]}
    if unschedulable:
        spec["unschedulable"] = True
    meta = {"name": "n", "uid": "n", "resourceVersion": "2", "creationTimestamp": "2026-01-01T10:00:00Z"}
    return {"metadata": meta, "spec": spec, "status": {"conditions": told}}


def pod(since="2026-01-01T10:30:00Z", ready="True"):
    told = [{"type": "Ready", "status": ready, "lastTransitionTime": since}]
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "p", "resourceVersion": "3"},
        "status": {"conditions": told},
    }


def look(one, silent=1.0, pods=()):
    return decided(Seen(one, silent, 8.0, shapes.NOW, pods))


def taints(decision):
    for action in decision.actions:
        if isinstance(action, Patch) and "spec" in action.patch:
            return [(one["key"].rpartition("/")[2], one["effect"]) for one in action.patch["spec"]["taints"] or ()]
    return None


NOT_READY = ("node.kubernetes.io/not-ready", "NoSchedule")

CASES = [
    pytest.param(node(), None, id="healthy"),
    pytest.param(node("False"), [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")], id="says it is not ready"),
    pytest.param(node(taints=[NOT_READY]), [], id="ready again"),
    pytest.param(node(taints=[("mine", "NoSchedule"), NOT_READY]), [("mine", "NoSchedule")], id="others' taints stay"),
    pytest.param(node(MemoryPressure="True"), [("memory-pressure", "NoSchedule")], id="short of memory"),
    pytest.param(node(unschedulable=True), [("unschedulable", "NoSchedule")], id="cordoned"),
    pytest.param(node(""), None, id="has not reported yet"),
    pytest.param(
        node("False", taints=[NOT_READY]), [("not-ready", "NoSchedule"), ("not-ready", "NoExecute")], id="new"
    ),
    pytest.param(node("", taints=[NOT_READY]), [], id="says nothing: upstream's takes away what nobody told"),
]


@pytest.mark.parametrize(("one", "expected"), CASES)
def test_taints(one, expected):
    assert taints(look(one)) == expected


def test_a_node_that_comes_and_goes_is_told_of():
    [come] = decided(Seen(node(), 1.0, 8.0, shapes.NOW, is_new=True)).actions
    [gone] = decided(decide.SeenGone(node())).actions
    assert [(one.reason, one.message) for one in (come, gone)] == [
        ("RegisteredNode", "Node n event: Registered Node n in Controller"),
        ("RemovingNode", "Node n event: Removing Node n from Controller"),
    ]


def test_a_healthy_node_is_looked_at_again_when_its_grace_is_over():
    decision = look(node(), silent=3.0)
    assert decision.actions == ()
    assert decision.again_after_seconds == pytest.approx(5.05)


def test_a_silent_node():
    decision = look(node(), silent=9.0, pods=[pod(), pod(ready="False")])
    status, taint, event, dropped = decision.actions
    assert isinstance(status, UpdateStatus)
    for name in decide.REPORTED:
        found = shapes.condition(status.obj, name)
        assert found["status"] == "Unknown"
        known = name == "Ready"
        assert found["reason"] == ("NodeStatusUnknown" if known else "NodeStatusNeverUpdated")
    assert taints(decision) == [("unreachable", "NoSchedule"), ("unreachable", "NoExecute")]
    assert taint.patch["spec"]["taints"][0]["timeAdded"] == shapes.STAMP
    assert isinstance(event, Emit)
    assert event.message == "Node n status is now: NodeNotReady"
    assert dropped.patch["status"]["conditions"][0]["status"] == "False"
    assert decision.again_after_seconds is None


def test_deciding_again_changes_nothing():
    first = look(node(), silent=9.0)
    status, taint = first.actions[:2]
    after = {**status.obj, "spec": taint.patch["spec"]}
    assert look(after, silent=10.0).actions == ()


def test_a_kubelet_that_reports_a_pod_later_knows_better():
    one = node("False", taints=[NOT_READY, (NOT_READY[0], "NoExecute")])
    assert look(one, pods=[pod("2026-01-01T11:30:00Z")]).actions == ()
