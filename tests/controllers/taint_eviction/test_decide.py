"""Who stays on a tainted node, and for how long."""

import datetime
from typing import Any

import pytest

from steersman.controllers.taint_eviction import decide
from steersman.controllers.taint_eviction.decide import Seen, Taint
from tests.controllers import shapes


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def toleration(**fields):
    return {"key": "lost", "operator": "Exists", "effect": "NoExecute", **fields}


def taint(key="lost", value="", seconds_ago=2.0):
    return Taint(key, value, shapes.NOW - datetime.timedelta(seconds=seconds_ago))


def pod(*tolerations):
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "p", "resourceVersion": "1"},
        "spec": {"nodeName": "n", "tolerations": list(tolerations)},
        "status": {"phase": "Running"},
    }


CASES = [
    pytest.param([], [taint()], -2.0, id="not tolerated"),
    pytest.param([toleration()], [taint()], None, id="for ever"),
    pytest.param([toleration(tolerationSeconds=5)], [taint()], 3.0, id="for some time"),
    pytest.param([toleration(tolerationSeconds=-1)], [taint()], -2.0, id="negative means at once"),
    pytest.param(
        [toleration(tolerationSeconds=9), toleration(tolerationSeconds=5)], [taint()], 3.0, id="the shortest counts"
    ),
    pytest.param([toleration(key="other")], [taint()], -2.0, id="another key"),
    pytest.param([toleration(effect="NoSchedule")], [taint()], -2.0, id="another effect"),
    pytest.param([toleration(effect="")], [taint()], None, id="every effect"),
    pytest.param([{"operator": "Exists"}], [taint(), taint("b")], None, id="everything"),
    pytest.param([toleration(operator="Equal", value="x")], [taint(value="x")], None, id="equal value"),
    pytest.param([toleration(operator="Equal", value="x")], [taint(value="y")], -2.0, id="other value"),
    pytest.param([toleration()], [taint(), taint("b", seconds_ago=1.0)], -1.0, id="one of two"),
]


@pytest.mark.parametrize(("tolerations", "taints", "expected"), CASES)
def test_seconds_left(tolerations, taints, expected):
    assert decide.seconds_left(pod(*tolerations), taints, shapes.NOW) == expected


def test_an_eviction_is_told_and_marked():
    event, mark, delete = decided(Seen(pod(), [taint()], shapes.NOW)).actions
    assert (event.reason, event.message) == ("TaintManagerEviction", "Marking for deletion Pod default/p")
    assert mark.patch["status"]["conditions"][0]["reason"] == "DeletionByTaintManager"
    assert (delete.name, delete.uid) == ("p", "p")


def test_it_comes_back_when_a_tolerance_ends():
    decision = decided(Seen(pod(toleration(tolerationSeconds=5)), [taint()], shapes.NOW))
    assert (decision.actions, decision.again_after_seconds) == ((), 3.0)


def test_a_pod_on_its_way_out_is_left_alone():
    one = pod()
    one["metadata"]["deletionTimestamp"] = shapes.STAMP
    assert decided(Seen(one, [taint()], shapes.NOW)).actions == ()


def test_a_pod_whose_time_was_counted_is_told_that_it_may_stay():
    [event] = decided(Seen(pod(), [], shapes.NOW, awaited=True)).actions
    assert (event.reason, event.message) == ("TaintManagerEviction", "Cancelling deletion of Pod default/p")
    assert decided(Seen(pod(), [], shapes.NOW)).actions == ()
    assert decided(Seen(pod(toleration(tolerationSeconds=5)), [taint()], shapes.NOW, awaited=True)).actions == ()
