import datetime

from steersman.meta import conditions, owners

EARLY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LATE = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def test_the_time_moves_only_with_the_status():
    first = conditions.set([], conditions.make("Ready", "False", "Starting"), EARLY)
    same = conditions.set(first, conditions.make("Ready", "False", "StillStarting"), LATE)
    assert same == [
        {"type": "Ready", "status": "False", "reason": "StillStarting", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    ]
    changed = conditions.set(same, conditions.make("Ready", "True"), LATE)
    assert changed == [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-02T00:00:00Z"}]


def test_inputs_stay_and_order_is_kept():
    before = conditions.set([], conditions.make("A", "True"), EARLY)
    both = conditions.set(before, conditions.make("B", "True"), EARLY)
    after = conditions.set(both, conditions.make("A", "False"), LATE)
    assert [one["type"] for one in after] == ["A", "B"]
    assert before[0]["status"] == "True"
    assert [one["type"] for one in conditions.remove(after, "A")] == ["B"]


def test_asking_an_object():
    obj = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert conditions.is_true(obj, "Ready")
    assert not conditions.is_false(obj, "Ready")
    assert conditions.status(obj, "Other") == ""
    assert conditions.get({}, "Ready") is None


def test_owners():
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web", "uid": "u1"}}
    pod = {"metadata": {"ownerReferences": [owners.make(owner)]}}
    assert owners.controller_of(pod) == {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": "u1",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert owners.is_controlled_by(pod, owner)
    assert owners.is_owned_by(pod, owner)
    loose = {"metadata": {"ownerReferences": [owners.make(owner, controller=False, block=False)]}}
    assert owners.controller_of(loose) is None
    assert owners.controller_uid(loose) == ""
    assert owners.is_owned_by(loose, owner)
    assert not owners.is_owned_by({"metadata": {}}, owner)
