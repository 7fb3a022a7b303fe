"""Which pod goes first: one difference per case."""

import pytest

from steersman.controllers.replicaset import ranking
from tests.controllers import shapes


def pod(name, *, node="n", phase="Running", ready="2026-01-01T11:00:00Z", cost="", restarts=0, created="10:00:00"):
    told = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": ready}]
    annotations = {ranking.DELETION_COST: cost} if cost else {}
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "annotations": annotations,
            "creationTimestamp": f"2026-01-01T{created}Z",
        },
        "spec": {"nodeName": node},
        "status": {"phase": phase, "conditions": told, "containerStatuses": [{"restartCount": restarts}]},
    }


CASES = [
    pytest.param({"node": ""}, {}, id="not bound"),
    pytest.param({"phase": "Pending"}, {"ready": ""}, id="pending"),
    pytest.param({"phase": "Unknown", "ready": ""}, {"ready": ""}, id="unknown"),
    pytest.param({"ready": ""}, {}, id="not ready"),
    pytest.param({"cost": "-5"}, {}, id="cheaper to delete"),
    pytest.param({"cost": "nonsense"}, {"cost": "1"}, id="a cost that is no number counts as 0"),
    pytest.param({"node": "full"}, {}, id="doubled up on a node"),
    pytest.param({"ready": "2026-01-01T11:59:00Z"}, {}, id="ready for a shorter time"),
    pytest.param({"restarts": 3}, {}, id="more restarts"),
    pytest.param({"created": "11:59:00"}, {}, id="younger"),
]


@pytest.mark.parametrize(("first", "second"), CASES)
def test_the_first_goes(first, second):
    one, other = pod("z", **first), pod("a", **second)
    neighbours = {"n": 1, "full": 3}
    for order in ([one, other], [other, one]):
        assert ranking.pick(order, 1, neighbours, shapes.NOW) == [one]


def test_nearly_equal_ages_are_decided_by_uid():
    one, other = pod("a", created="10:00:00"), pod("b", created="10:00:30")
    assert ranking.pick([other, one], 1, {}, shapes.NOW) == [one]


def test_all_of_them():
    assert len(ranking.pick([pod("a"), pod("b")], 5, {}, shapes.NOW)) == 2
