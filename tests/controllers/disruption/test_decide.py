"""What a budget's status says, and when it says it."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.controllers.decision import Emit
from steersman.controllers.disruption import decide
from steersman.controllers.disruption.decide import Scale, Seen, SeenTarget
from tests.controllers import shapes


def budget(status=None, **spec):
    meta = {"name": "b", "namespace": "default", "uid": "b", "resourceVersion": "1", "generation": 2}
    spec.setdefault("selector", {"matchLabels": {"app": "web"}})
    return {"metadata": meta, "spec": spec, "status": status or {}}


def pod(name, owner="rs", *, ready=True, terminating=False, **status):
    meta = {"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}}
    if owner:
        meta["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "uid": owner, "controller": True}]
    if terminating:
        meta["deletionTimestamp"] = shapes.STAMP
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"metadata": meta, "spec": {}, "status": {"phase": "Running", "conditions": conditions, **status}}


def web(count, **more):
    return [pod(f"p{number}", **more) for number in range(count)]


def decided(found, pods, scales=None, now=shapes.NOW, rivals=None):
    """(status written, reasons of events); the status is None when nothing is written."""
    seen = Seen(found, pods, scales if scales is not None else {"rs": Scale("web", len(pods))}, now, rivals or {})
    actions = decide.decide(seen).actions
    events = [one.reason for one in actions if isinstance(one, Emit)]
    statuses = [one.obj["status"] for one in actions if not isinstance(one, Emit)]  # type: ignore[union-attr]
    assert len(statuses) <= 1
    return (statuses[0] if statuses else None), events


def numbers(status):
    return tuple(status[name] for name in ("currentHealthy", "desiredHealthy", "expectedPods", "disruptionsAllowed"))


CASES = {
    "a number that must stay": (budget(minAvailable=2), web(3), None, (3, 2, 3, 1)),
    "a share that must stay": (budget(minAvailable="90%"), web(10), None, (10, 9, 10, 1)),
    "a share of pods that are not there yet": (
        budget(minAvailable="50%"),
        web(2),
        {"rs": Scale("web", 5)},
        (2, 3, 5, 0),
    ),
    "a number that may go": (budget(maxUnavailable=1), web(3), None, (3, 2, 3, 1)),
    "a share that may go is rounded up": (budget(maxUnavailable="10%"), web(3), None, (3, 2, 3, 1)),
    "more may go than there are": (budget(maxUnavailable=5), web(3), None, (3, 0, 3, 3)),
    "not ready": (budget(minAvailable=1), [*web(1), pod("x", ready=False)], None, (1, 1, 2, 0)),
    "terminating": (budget(minAvailable=1), [*web(1), pod("x", terminating=True)], None, (1, 1, 2, 0)),
    "fewer than there must be": (budget(minAvailable=5), web(3), None, (3, 5, 3, 0)),
    "two owners": (
        budget(maxUnavailable="50%"),
        [*web(2), pod("x", "other")],
        {"rs": Scale("web", 2), "other": Scale("db", 4)},
        (3, 3, 6, 0),
    ),
    "nothing said": (budget(), web(2), None, (2, 0, 0, 0)),
    "no pods": (budget(minAvailable=0), [], None, (0, 0, 0, 0)),
}


@pytest.mark.parametrize(("found", "pods", "scales", "expect"), CASES.values(), ids=CASES.keys())
def test_numbers(found, pods, scales, expect):
    status, _ = decided(found, pods, scales)
    assert status is not None
    assert numbers(status) == expect
    assert status["observedGeneration"] == 2
    word = "True" if expect[3] else "False"
    reason = "SufficientPods" if expect[3] else "InsufficientPods"
    [condition] = status["conditions"]
    assert condition == {
        "type": "DisruptionAllowed", "status": word, "reason": reason, "message": "", "observedGeneration": 2,
        "lastTransitionTime": shapes.STAMP,
    }  # fmt: skip
    assert decided({**found, "status": status}, pods, scales) == (None, [])


def test_what_cannot_be_counted_allows_nothing():
    for scale, why in ((None, 'found no controllers for pod "p0"'), ("jobs.batch does not implement", "jobs.batch")):
        before = {"disruptionsAllowed": 3, "currentHealthy": 3}
        status, events = decided(budget(before, maxUnavailable=1), web(1), {"rs": scale})
        assert status is not None
        assert status["disruptionsAllowed"] == 0
        condition = status["conditions"][0]
        assert (condition["status"], condition["reason"]) == ("False", "SyncFailed")
        assert condition["message"].startswith(why)
        assert events == ["CalculateExpectedPodCountFailed"]
        assert decided(budget(status, maxUnavailable=1), web(1), {"rs": scale}) == (None, [])


def test_what_users_are_told():
    assert decided(budget(minAvailable=1), [], {})[1] == ["NoPods"]
    assert decided(budget(maxUnavailable=1), [pod("p", "")], {})[1] == ["UnmanagedPods"]
    rivals = {"p0": ["b", "c"]}
    assert decided(budget(minAvailable=1), web(1), rivals=rivals)[1] == ["MultiplePodDisruptionBudgets"]
    assert decided(budget(minAvailable=1), web(1), rivals={"p0": ["a", "b"]})[1] == []


def test_an_evicted_pod_counts_no_more_until_it_should_be_gone():
    since = {"disruptedPods": {"p0": shapes.STAMP, "gone": shapes.STAMP}}
    status, _ = decided(budget(since, minAvailable=1), web(3))
    assert status is not None
    assert numbers(status) == (2, 1, 3, 1)
    assert status["disruptedPods"] == {"p0": shapes.STAMP}
    later = shapes.NOW + datetime.timedelta(seconds=121)
    status, events = decided(budget(status, minAvailable=1), web(3), now=later)
    assert status is not None
    assert numbers(status) == (3, 1, 3, 2)
    assert "disruptedPods" not in status
    assert events == ["NotDeleted"]


def target(status="True", reason="EvictionByEvictionAPI", **more):
    condition = {"type": "DisruptionTarget", "status": status, "reason": reason, "lastTransitionTime": shapes.STAMP}
    return pod("p", conditions=[condition], **more)


def test_a_pod_that_was_to_go_and_did_not():
    soon = decide.decide(SeenTarget(target(), shapes.NOW))
    assert (soon.actions, soon.again_after_seconds) == ((), 121.0)
    later = shapes.NOW + datetime.timedelta(minutes=2)
    [action] = decide.decide(SeenTarget(target(), later)).actions
    assert action.kind is kinds.POD  # type: ignore[union-attr]
    [condition] = action.obj["status"]["conditions"]  # type: ignore[union-attr]
    assert (condition["status"], condition.get("reason")) == ("False", None)
    for other in (
        target("False"),
        target(reason="TerminationByKubelet"),
        target(terminating=True),
        target(phase="Failed"),
    ):
        assert decide.decide(SeenTarget(other, later)).actions == ()


@given(
    st.integers(0, 8), st.integers(0, 8), st.sampled_from(["minAvailable", "maxUnavailable"]),
    st.one_of(st.integers(0, 10), st.integers(0, 100).map("{}%".format)),
)  # fmt: skip
def test_never_below_what_must_be_healthy(ready, others, field, amount):
    pods = [*web(ready), *(pod(f"x{number}", ready=False) for number in range(others))]
    status, _ = decided(budget(**{field: amount}), pods)
    assert status is not None
    healthy, desired, _, allowed = numbers(status)
    assert allowed == 0 or healthy - allowed >= desired
