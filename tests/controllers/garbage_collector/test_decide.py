"""What the garbage collector decides for one object, by the state of its owners and its own finalizers."""

from typing import Any

import pytest

from steersman.api import kinds
from steersman.controllers.decision import Delete, Patch
from steersman.controllers.garbage_collector import decide
from steersman.controllers.garbage_collector.decide import Dependant, Owner, Seen, State


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def obj(name="x", *, owners=(), finalizers=(), terminating=False, blocks=True):
    meta = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "4"}
    if owners:
        meta["ownerReferences"] = [{"uid": uid, "name": uid, "blockOwnerDeletion": blocks} for uid in owners]
    if finalizers:
        meta["finalizers"] = list(finalizers)
    if terminating:
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta}


def told(action):
    match action:
        case Delete():
            return f"delete {action.name} {action.propagation} at {action.resource_version}"
        case Patch():
            [(field, value)] = action.patch["metadata"].items()
            names = [one["uid"] if isinstance(one, dict) else one for one in value or ()]
            return f"{action.name}: {field} {names}"


S, A, W, U = State.SOLID, State.ABSENT, State.WAITING, State.UNKNOWN

OWNERS = [
    pytest.param({"a": S}, {}, [], id="its owner exists"),
    pytest.param({"a": A}, {}, ["delete x Background at 4"], id="its owner is gone"),
    pytest.param({"a": A, "b": A}, {}, ["delete x Background at 4"], id="both owners are gone"),
    pytest.param({"a": A, "b": S}, {}, ["x: ownerReferences ['b']"], id="one of two is gone"),
    pytest.param({"a": W, "b": S}, {}, ["x: ownerReferences ['b']"], id="one waits, one stays"),
    pytest.param({"a": A, "b": U}, {}, ["x: ownerReferences ['b']"], id="who cannot be told keeps it"),
    pytest.param({"a": U}, {}, [], id="an unknown kind"),
    pytest.param({"a": W}, {}, ["delete x Background at 4"], id="its owner waits for it"),
    pytest.param({"a": A}, {"finalizers": ["orphan"]}, ["delete x Orphan at 4"], id="its own dependants stay"),
    pytest.param(
        {"a": A}, {"finalizers": ["foregroundDeletion"]}, ["delete x Foreground at 4"], id="its own dependants first"
    ),
]


@pytest.mark.parametrize(("states", "more", "expected"), OWNERS)
def test_owners(states, more, expected):
    seen = Seen(kinds.POD, obj(owners=states, **more), [Owner(uid, state) for uid, state in states.items()])
    assert [told(action) for action in decided(seen).actions] == expected


TERMINATING = [
    pytest.param([], [], [], id="nothing to wait for"),
    pytest.param(["foregroundDeletion"], [], ["x: finalizers []"], id="foreground, no dependants left"),
    pytest.param(["foregroundDeletion"], [obj("y", owners=["x"])], [], id="foreground, one blocks"),
    pytest.param(
        ["foregroundDeletion", "mine"],
        [obj("y", owners=["x"], blocks=False)],
        ["x: finalizers ['mine']"],
        id="foreground, one that does not block",
    ),
    pytest.param(["orphan"], [obj("y", owners=["x", "z"])], ["y: ownerReferences ['z']"], id="orphan: free them"),
    pytest.param(["orphan"], [], ["x: finalizers []"], id="orphan: all are free"),
]


@pytest.mark.parametrize(("finalizers", "dependants", "expected"), TERMINATING)
def test_terminating(finalizers, dependants, expected):
    found = [Dependant(kinds.POD, one) for one in dependants]
    seen = Seen(kinds.POD, obj(finalizers=finalizers, terminating=True), dependants=found)
    assert [told(action) for action in decided(seen).actions] == expected


def test_foreground_goes_down_the_tree():
    seen = Seen(kinds.POD, obj(owners=["a"]), [Owner("a", W)], [Dependant(kinds.POD, obj("child", owners=["x"]))])
    assert [told(action) for action in decided(seen).actions] == ["delete x Foreground at 4"]


def test_two_that_wait_for_each_other_are_freed():
    circle = obj("y", owners=["x"], finalizers=["foregroundDeletion"], terminating=True)
    seen = Seen(kinds.POD, obj(owners=["y"]), [Owner("y", W)], [Dependant(kinds.POD, circle)])
    unblock, delete = decided(seen).actions
    assert unblock.patch["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] is False
    assert told(delete) == "delete x Foreground at 4"
