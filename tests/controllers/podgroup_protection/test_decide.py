"""How long a PodGroup stays that is being deleted."""

import pytest

from steersman.api import pod_groups
from steersman.controllers.decision import Patch
from steersman.controllers.podgroup_protection import decide
from steersman.controllers.podgroup_protection.decide import Seen
from tests.controllers import shapes


def group(*finalizers, going=True):
    meta = {"name": "g", "namespace": "default", "uid": "g", "finalizers": list(finalizers)}
    return {"metadata": meta | ({"deletionTimestamp": shapes.STAMP} if going else {})}


def member(phase):
    return {"metadata": {"name": "p", "namespace": "default"}, "spec": {}, "status": {"phase": phase}}


OURS = pod_groups.PROTECTION
CASES = {
    "stays": (group(OURS, going=False), [], ()),
    "going, used": (group(OURS), [member("Succeeded"), member("Pending")], ()),
    "going, all have ended": (group("x/y", OURS), [member("Succeeded"), member("Failed")], (["x/y"],)),
    "going, without pods": (group(OURS), [], (None,)),
    "going for others": (group("x/y"), [], ()),
}


@pytest.mark.parametrize(("of", "pods", "expect"), CASES.values(), ids=CASES.keys())
def test_groups(of, pods, expect):
    actions = decide.decide(Seen(of, pods)).actions
    assert tuple(one.patch["metadata"]["finalizers"] for one in actions if isinstance(one, Patch)) == expect
