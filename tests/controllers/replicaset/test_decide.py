"""What a ReplicaSet decides: counts, adoption, status; and that it always ends with the wanted pods and then rests."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.controllers import pods
from steersman.controllers.decision import Create, Delete, Failure, Patch, UpdateStatus
from steersman.controllers.replicaset import decide
from steersman.controllers.replicaset.decide import Seen
from steersman.meta import objects, owners
from tests.controllers import shapes
from tests.controllers.model import Model


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def replica_set(replicas=3, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "default", "uid": "rs", "resourceVersion": "7", "generation": 2},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": shapes.template(),
            **spec,
        },
    }


def pod(name, *, owner=None, phase="Running", ready=True, since=shapes.STAMP, labels=None, **meta):
    told = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}]
    found = {
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1"},
        "spec": {"nodeName": "n"},
        "status": {"phase": phase, "conditions": told},
    }
    found["metadata"] |= {"labels": labels or {"app": "web"}, **meta}
    if owner:
        found["metadata"]["ownerReferences"] = [owners.make(owner)]
    return found


def told(decision):
    """Everything but the status, in a few words."""
    words = []
    for action in decision.actions:
        match action:
            case Create():
                words.append("create")
            case Delete():
                words.append(f"delete {action.name}")
            case Patch():
                words.append(f"{'adopt' if action.patch['metadata']['ownerReferences'] else 'release'} {action.name}")
    return words


def status(decision):
    return next((one.obj["status"] for one in decision.actions if isinstance(one, UpdateStatus)), None)


OF = replica_set()

CASES = [
    pytest.param([], [], ["create"] * 3, id="none yet"),
    pytest.param([pod("a", owner=OF)], [], ["create"] * 2, id="two missing"),
    pytest.param([pod("a", owner=OF), pod("b", owner=OF), pod("c", owner=OF)], [], [], id="just right"),
    pytest.param(
        [pod(name, owner=OF, ready=name != "c") for name in "abcd"],
        [],
        ["delete c"],
        id="one too many: the unready one",
    ),
    pytest.param(
        [pod("a", owner=OF), pod("b", owner=OF), pod("c", owner=OF, phase="Failed")], [], ["create"], id="one failed"
    ),
    pytest.param(
        [pod("a", owner=OF), pod("b", owner=OF), pod("c", owner=OF, phase="Failed", creationTimestamp=shapes.STAMP)],
        [],
        [],
        id="one was refused just now",
    ),
    pytest.param(
        [pod("a", owner=OF), pod("c", owner=OF, phase="Failed", creationTimestamp=shapes.STAMP)],
        [],
        ["create"],
        id="one was refused just now, and another is missing",
    ),
    pytest.param(
        [pod("a", owner=OF), pod("b", owner=OF), pod("c", owner=OF, deletionTimestamp=shapes.STAMP)],
        [],
        ["create"],
        id="one is on its way out",
    ),
    pytest.param([], [pod("a"), pod("b")], ["adopt a", "adopt b", "create"], id="orphans are adopted"),
    pytest.param([], [pod("a", labels={"app": "other"})], ["create"] * 3, id="others' orphans are not"),
    pytest.param(
        [pod("a", owner=OF, labels={"app": "debug"})], [], ["release a", *["create"] * 3], id="relabelled: let go"
    ),
]


@pytest.mark.parametrize(("owned", "orphans", "expected"), CASES)
def test_pods(owned, orphans, expected):
    decision = decided(Seen(OF, owned, shapes.NOW, orphans, may_adopt=True))
    assert told(decision) == expected


def test_nothing_is_adopted_without_a_live_look():
    decision = decided(Seen(OF, [], shapes.NOW, [pod("a")], may_adopt=False))
    assert told(decision) == ["create"] * 3


def test_a_terminating_replica_set_leaves_its_pods_to_the_garbage_collector():
    of = replica_set()
    of["metadata"]["deletionTimestamp"] = shapes.STAMP
    assert told(decided(Seen(of, [pod("a", owner=of)], shapes.NOW, [pod("b")], may_adopt=True))) == []


def test_a_new_pod():
    of = replica_set()
    of["spec"]["template"]["metadata"]["annotations"] = {"note": "x"}
    create = decided(Seen(of, [], shapes.NOW)).actions[0]
    assert create.obj == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": "web-",
            "namespace": "default",
            "labels": {"app": "web"},
            "annotations": {"note": "x"},
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": "web",
                    "uid": "rs",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    assert (create.done.reason, create.done.message) == ("SuccessfulCreate", "Created pod: {name}")
    assert (create.refused.reason, create.refused.message) == ("FailedCreate", "Error creating: {error}")


def test_no_more_than_a_burst_at_once():
    assert len(told(decided(Seen(replica_set(800), [], shapes.NOW)))) == 500


def test_status_counts():
    of = replica_set(5, minReadySeconds=10)
    owned = [
        pod("long", owner=of, since="2026-01-01T11:59:50Z"),
        pod("just", owner=of, since="2026-01-01T11:59:57Z"),
        pod("not", owner=of, ready=False),
        pod("going", owner=of, deletionTimestamp=shapes.STAMP),
    ]
    owned[2]["metadata"]["labels"] = {"app": "web", "more": "yes"}
    of["spec"]["template"]["metadata"]["labels"] = {"app": "web", "more": "yes"}
    decision = decided(Seen(of, owned, shapes.NOW))
    assert status(decision) == {
        "replicas": 3,
        "fullyLabeledReplicas": 1,
        "readyReplicas": 2,
        "availableReplicas": 1,
        "terminatingReplicas": 1,
        "observedGeneration": 2,
    }
    assert decision.again_after_seconds == 7.0


def test_a_refused_pod_is_told_until_it_works():
    failure = Failure("create", kinds.POD.resource, "exceeded quota")
    told_so = status(decided(Seen(OF, [], shapes.NOW, failure=failure)))
    found = shapes.condition({"status": told_so}, "ReplicaFailure")
    assert (found["status"], found["reason"], found["message"]) == ("True", "FailedCreate", "exceeded quota")
    after = {**OF, "status": told_so}
    assert "conditions" not in status(decided(Seen(after, [], shapes.NOW)))


@given(
    wanted=st.integers(0, 8),
    present=st.lists(
        st.tuples(st.booleans(), st.sampled_from(["Running", "Pending", "Failed"]), st.booleans()), max_size=10
    ),
)
def test_it_reaches_its_count_and_rests(wanted, present):
    model = Model()
    of = model.add(kinds.REPLICA_SET, replica_set(wanted))
    for index, (ready, phase, adopted) in enumerate(present):
        model.add(kinds.POD, pod(f"p{index}", owner=of if adopted else None, phase=phase, ready=ready))

    def look():
        found = model.all(kinds.POD)
        owned = [one for one in found if owners.is_controlled_by(one, of)]
        orphans = [one for one in found if owners.controller_of(one) is None]
        return Seen(model.get(kinds.REPLICA_SET, "default/web"), owned, shapes.NOW, orphans, may_adopt=True)

    created = 0
    for _ in range(4):
        decision = decided(look())
        created += told(decision).count("create")
        model.apply(decision)
    live = [one for one in model.all(kinds.POD) if pods.is_active(one) and owners.is_controlled_by(one, of)]
    assert len(live) == wanted
    alive_before = sum(phase != "Failed" for _, phase, _ in present)
    assert created == max(0, wanted - alive_before)
    assert decided(look()).actions == ()
    assert objects.name(model.get(kinds.REPLICA_SET, "default/web")) == "web"
