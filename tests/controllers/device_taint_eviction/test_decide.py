"""Who leaves a tainted device and when; what rules say of it."""

import datetime

import pytest

from steersman.controllers.decision import Delete, Emit, Patch, UpdateStatus
from steersman.controllers.device_taint_eviction import decide, rule_status
from steersman.controllers.device_taint_eviction.decide import Seen, Tainted
from steersman.controllers.device_taint_eviction.rule_status import SeenRule
from steersman.meta import conditions, times
from tests.controllers import shapes

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


def pod(node="n", phase="Running", **meta):
    made = {"name": "p", "namespace": "default", "uid": "p", **meta}
    return {"metadata": made, "spec": {"nodeName": node} if node else {}, "status": {"phase": phase}}


def taint(seconds_ago=60, **more):
    added = times.format_seconds(NOW - datetime.timedelta(seconds=seconds_ago))
    return {"key": "broken", "value": "yes", "effect": "NoExecute", "timeAdded": added, **more}


def tolerating(seconds=None, **more):
    return {"key": "broken", "operator": "Exists", **more} | ({} if seconds is None else {"tolerationSeconds": seconds})


CASES = {
    "no taint": ([], False, None),
    "not tolerated": ([Tainted(taint(), [])], True, None),
    "tolerated": ([Tainted(taint(), [tolerating()])], False, None),
    "tolerated by value": ([Tainted(taint(), [{"key": "broken", "operator": "Equal", "value": "yes"}])], False, None),
    "another value": ([Tainted(taint(), [{"key": "broken", "operator": "Equal", "value": "no"}])], True, None),
    "another key": ([Tainted(taint(), [{"key": "x", "operator": "Exists"}])], True, None),
    "another effect": ([Tainted(taint(), [tolerating(effect="NoSchedule")])], True, None),
    "for some time": ([Tainted(taint(), [tolerating(90)])], False, 30),
    "no longer": ([Tainted(taint(), [tolerating(59)])], True, None),
    "never less than nothing": ([Tainted(taint(0), [tolerating(-5)])], True, None),
    "the shortest": ([Tainted(taint(), [tolerating(90), tolerating(70)])], False, 10),
    "of several taints the first": ([Tainted(taint(), [tolerating(90)]), Tainted(taint(key="x"), [])], True, None),
}


@pytest.mark.parametrize(("taints", "goes", "again"), CASES.values(), ids=CASES.keys())
def test_who_goes(taints, goes, again):
    found = decide.decide(Seen(pod(), taints, NOW))
    assert any(isinstance(one, Delete) for one in found.actions) == goes
    assert found.again_after_seconds == again


@pytest.mark.parametrize(
    "of", [pod(""), pod(phase="Succeeded"), pod(deletionTimestamp=shapes.STAMP)], ids=["no node", "ended", "going"]
)
def test_who_stays_alone(of):
    assert decide.decide(Seen(of, [Tainted(taint(), [])], NOW)).actions == ()


def test_what_is_told():
    told, patch, gone = decide.decide(Seen(pod(), [Tainted(taint(), [])], NOW)).actions
    assert isinstance(told, Emit)
    assert (told.type, told.reason, told.message) == ("Normal", "DeviceTaintManagerEviction", "Marking for deletion")
    assert isinstance(patch, Patch)
    [condition] = patch.patch["status"]["conditions"]
    assert condition["reason"] == "DeletionByDeviceTaintManager"
    assert condition["message"] == "Device Taint manager: deleting due to NoExecute taint"
    assert isinstance(gone, Delete)
    assert gone.uid == "p"
    [cancelled] = decide.decide(Seen(pod(), [], NOW, awaited=True)).actions
    assert isinstance(cancelled, Emit)
    assert cancelled.message == "Cancelling deletion"


def rule(effect, *, generation=1, told=None, seconds_ago=0):
    meta = {"name": "r", "uid": "r", "generation": generation}
    found = {"metadata": meta, "spec": {"taint": {"key": "k", "effect": effect}, "deviceSelector": {}}}
    if told is not None:
        stamp = times.format_seconds(NOW - datetime.timedelta(seconds=seconds_ago))
        found["status"] = {
            "conditions": [{"type": "EvictionInProgress", "observedGeneration": 1, "lastTransitionTime": stamp, **told}]
        }
    return found


ONCE = "This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."
RULES = {
    "nobody": ({}, "NoExecute", ("False", "NotStarted", "")),
    "one": (
        {"pending": 1, "namespaces": 1},
        "NoExecute",
        ("True", "PodsPendingEviction", "1 pod needs to be evicted in 1 namespace."),
    ),
    "many": (
        {"pending": 3, "namespaces": 2, "evicted": 1},
        "NoExecute",
        (
            "True",
            "PodsPendingEviction",
            "3 pods need to be evicted in 2 different namespaces. 1 pod evicted since starting the controller.",
        ),
    ),
    "done": ({"evicted": 2}, "NoExecute", ("False", "Completed", "2 pods evicted since starting the controller.")),
    "another effect": ({}, "NoSchedule", ("False", "OtherEffect", "Eviction only happens for the NoExecute effect.")),
    "as if": (
        {"pending": 1, "namespaces": 1, "published": 2, "allocated": 1},
        "None",
        (
            "False",
            "NoEffect",
            "2 published devices selected. 1 allocated device selected. 1 pod would be evicted in 1 namespace "
            f"if the effect was NoExecute. {ONCE}",
        ),
    ),
}


@pytest.mark.parametrize(("numbers", "effect", "expected"), RULES.values(), ids=RULES.keys())
def test_what_a_rule_says(numbers, effect, expected):
    [action] = rule_status.decide(SeenRule(rule(effect), NOW, **numbers)).actions
    assert isinstance(action, UpdateStatus)
    condition = conditions.get(action.obj, "EvictionInProgress")
    assert condition is not None
    assert (condition["status"], condition["reason"], condition["message"]) == expected
    again = rule_status.decide(SeenRule(action.obj, NOW + datetime.timedelta(minutes=1), **numbers))
    assert again.actions == ()


def test_it_is_not_told_too_often():
    lately = rule("NoExecute", told={"status": "True"}, seconds_ago=4)
    found = rule_status.decide(SeenRule(lately, NOW))
    assert (found.actions, found.again_after_seconds) == ((), 6)
    assert rule_status.decide(SeenRule({**lately, "metadata": {**lately["metadata"], "generation": 2}}, NOW)).actions
    assert not rule_status.decide(SeenRule(rule("None", told={"status": "False"}, seconds_ago=90), NOW)).actions
