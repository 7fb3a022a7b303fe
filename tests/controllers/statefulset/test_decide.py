"""What a StatefulSet decides, in words; and that it never makes two pods of a name, nor more trouble than allowed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.api import kinds
from steersman.controllers import pods
from steersman.controllers.decision import Create, Delete, Patch, UpdateStatus
from steersman.controllers.statefulset import decide
from steersman.controllers.statefulset.decide import Seen
from steersman.meta import objects, owners
from tests.controllers import shapes
from tests.controllers.model import Model


def decided(seen) -> Any:
    return decide.decide(seen)


def stateful_set(replicas=3, image="web:1", status=None, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "web", "namespace": "default", "uid": "s", "resourceVersion": "7", "generation": 1},
        "spec": {
            "replicas": replicas,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 1}},
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "web"}},
            "template": shapes.template(image),
            **spec,
        },
        "status": status or {},
    }


def revision(of):
    """The revision of its present template."""
    [create, *_] = decided(Seen(of, [], [], shapes.NOW)).actions
    assert create.kind is kinds.CONTROLLER_REVISION
    meta = {**create.obj["metadata"], "uid": create.obj["metadata"]["name"], "resourceVersion": "1"}
    return {**create.obj, "metadata": meta}


OLD, NEW = revision(stateful_set(image="web:1")), {**revision(stateful_set(image="web:2")), "revision": 2}


def pod(number, of=OLD, *, ready=True, phase="Running", since=shapes.STAMP, **meta):
    name = f"web-{number}"
    labels = {
        "app": "web",
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(number),
        "controller-revision-hash": objects.name(of),
    }
    told = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}]
    meta = {"name": name, "namespace": "default", "uid": name, "resourceVersion": "1", "labels": labels, **meta}
    meta.setdefault("ownerReferences", [owners.make(stateful_set())])
    return {"metadata": meta, "spec": {"nodeName": "n"}, "status": {"phase": phase, "conditions": told}}


def told(found):
    words = []
    for action in found.actions:
        match action:
            case Create():
                words.append(f"create {action.obj['metadata']['name']}")
            case Delete():
                words.append(f"delete {action.name}")
            case Patch():
                words.append(f"{'own' if 'ownerReferences' in action.patch['metadata'] else 'label'} {action.name}")
    return words


GOING: Any = {"deletionTimestamp": shapes.STAMP}
TEMPLATES = [{"metadata": {"name": "data"}, "spec": {}}]


def test_a_claim_that_somebody_deleted_is_made_anew_while_its_pod_waits_for_it():
    of = stateful_set(replicas=1, volumeClaimTemplates=TEMPLATES)
    old = revision(of)
    for phase, expect in (("Pending", ["create data-web-0"]), ("Running", [])):
        waiting = pod(0, old, ready=False, phase=phase)
        assert told(decided(Seen(of, [waiting], [old], shapes.NOW))) == expect


PARALLEL: Any = {"podManagementPolicy": "Parallel"}
KEPT: Any = {"revisions": [OLD]}

CASES: Any = {
    "the first comes first": ({}, [], ["create web-0"]),
    "then the second": ({}, [pod(0)], ["create web-1"]),
    "not before the first is ready": ({}, [pod(0, ready=False)], []),
    "not before the first has been ready for long": ({"minReadySeconds": 10}, [pod(0)], []),
    "a gap is filled in order": ({}, [pod(0), pod(2)], ["create web-1"]),
    "one that goes is waited for": ({}, [pod(0, **GOING), pod(1), pod(2)], []),
    "one that ended is removed": ({}, [pod(0, phase="Failed"), pod(1), pod(2)], ["delete web-0"]),
    "not at once if its node refused it": (
        {},
        [pod(0, phase="Failed", creationTimestamp=shapes.STAMP), pod(1), pod(2)],
        [],
    ),
    "also if it ended well": ({}, [pod(0, phase="Succeeded"), pod(1), pod(2)], ["delete web-0"]),
    "all at once": (PARALLEL, [], ["create web-0", "create web-1", "create web-2"]),
    "the highest goes first": ({"replicas": 1}, [pod(0), pod(1), pod(2)], ["delete web-2"]),
    "one at a time": ({"replicas": 1}, [pod(0), pod(1), pod(2, **GOING)], []),
    "none while one that stays is ill": ({"replicas": 1}, [pod(0, ready=False), pod(1), pod(2)], []),
    "an ill one goes when it is the first": ({"replicas": 1}, [pod(0), pod(1, ready=False)], ["delete web-1"]),
    "else it is waited for": ({"replicas": 1}, [pod(0), pod(1, ready=False), pod(2, ready=False)], []),
    "all go at once": ({"replicas": 1, **PARALLEL}, [pod(0), pod(1), pod(2)], ["delete web-2", "delete web-1"]),
    "a later start": (
        {"ordinals": {"start": 1}, **PARALLEL}, [pod(0)], ["create web-1", "create web-2", "create web-3", "delete web-0"],
    ),
    "others' pods are let be": ({"replicas": 1}, [pod(0), {**pod(1), "metadata": {**pod(1)["metadata"], "name": "web-x"}}], []),
    "labels are put right": (
        {"replicas": 1}, [pod(0, labels={"app": "web", "controller-revision-hash": objects.name(OLD)})], ["label web-0"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "found", "expect"), CASES.values(), ids=CASES.keys())
def test_pods(spec, found, expect):
    assert told(decided(Seen(stateful_set(**spec), found, [OLD], shapes.NOW))) == expect


def rolling(**fields):
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": fields}}


BEFORE = {"currentRevision": objects.name(OLD)}
ALL = [pod(number) for number in range(4)]
ROLLS: Any = {
    "from the top": (rolling(partition=0), ALL, ["delete web-3"]),
    "one after the other": (rolling(partition=0), [*ALL[:3], pod(3, NEW)], ["delete web-2"]),
    "when that is available": (rolling(partition=0), [*ALL[:3], pod(3, NEW, ready=False)], []),
    "down to the partition": (rolling(partition=3), [*ALL[:3], pod(3, NEW)], []),
    "below the partition as before": (rolling(partition=2), [*ALL[:1], *ALL[2:]], ["create web-1"]),
    "several": (rolling(partition=0, maxUnavailable="50%"), ALL, ["delete web-3", "delete web-2"]),
    "several, one is out": (
        {**rolling(partition=0, maxUnavailable=2), **PARALLEL}, [*ALL[:3], pod(3, NEW, ready=False)], ["delete web-2"],
    ),
    "a broken one costs nothing": (
        {**rolling(partition=0), **PARALLEL}, [*ALL[:2], pod(2, ready=False), ALL[3]], ["delete web-2"],
    ),
    "when they are deleted": ({"updateStrategy": {"type": "OnDelete"}}, ALL, []),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "found", "expect"), ROLLS.values(), ids=ROLLS.keys())
def test_rolling(spec, found, expect):
    decision = decided(Seen(stateful_set(4, "web:2", BEFORE, **spec), found, [OLD, NEW], shapes.NOW))
    assert told(decision) == expect
    for action in decision.actions:
        if isinstance(action, Create):
            assert objects.labels(action.obj)["controller-revision-hash"] == objects.name(OLD)


def test_a_new_pod():
    claims = [{"metadata": {"name": "data"}, "spec": {}}]
    there = {"data-web-0": {"metadata": {"name": "data-web-0", "namespace": "default"}}}
    create = decided(Seen(stateful_set(volumeClaimTemplates=claims), [], [OLD], shapes.NOW, claims=there))
    [obj] = [one.obj for one in create.actions if isinstance(one, Create) and one.kind is kinds.POD]
    assert (obj["spec"]["hostname"], obj["spec"]["subdomain"]) == ("web-0", "db")
    assert obj["spec"]["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}]
    assert obj["metadata"]["ownerReferences"] == [owners.make(stateful_set())]


def test_a_name_that_is_taken():
    foreign = {**OLD, "metadata": {**OLD["metadata"], "ownerReferences": []}}
    found = decided(Seen(stateful_set(), [], [], shapes.NOW, taken=foreign))
    [action] = found.actions
    assert isinstance(action, UpdateStatus)
    assert action.obj["status"]["collisionCount"] == 1


def test_orphans_are_adopted_if_their_name_fits():
    orphans = [
        pod(0, ownerReferences=[]),
        {**pod(1), "metadata": {**pod(1, ownerReferences=[])["metadata"], "name": "other-1"}},
    ]
    found = decided(Seen(stateful_set(), [], [OLD], shapes.NOW, orphans=orphans, may_adopt=True))
    assert told(found) == ["own web-0"]


present = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(["old", "new"]), st.sampled_from(["ready", "unready", "failed"])),
    max_size=7,
    unique_by=lambda one: one[0],
)


@settings(max_examples=150, deadline=None)
@given(
    replicas=st.integers(0, 5),
    partition=st.integers(0, 3),
    policy=st.sampled_from(["OrderedReady", "Parallel"]),
    unavailable=st.integers(1, 3),
    start=st.integers(0, 2),
    before=present,
)
def test_it_gets_there_in_order_and_rests(replicas, partition, policy, unavailable, start, before):
    model = Model()
    spec: Any = {**rolling(partition=partition, maxUnavailable=unavailable), "ordinals": {"start": start}}
    of = model.add(kinds.STATEFUL_SET, stateful_set(replicas, "web:2", BEFORE, podManagementPolicy=policy, **spec))
    model.add(kinds.CONTROLLER_REVISION, {**OLD, "metadata": {**OLD["metadata"], "ownerReferences": [owners.make(of)]}})
    for number, which, how in before:
        phase = "Failed" if how == "failed" else "Running"
        made = pod(number, NEW if which == "new" else OLD, ready=how == "ready", phase=phase)
        made["metadata"]["ownerReferences"] = [owners.make(of)]
        model.add(kinds.POD, made)
    wanted = [f"web-{start + number}" for number in range(replicas)]

    def look():
        current = model.get(kinds.STATEFUL_SET, "default/web")
        return Seen(current, model.all(kinds.POD), model.all(kinds.CONTROLLER_REVISION), shapes.NOW)

    for _ in range(60):
        decision = decided(look())
        available = {
            objects.name(one) for one in model.all(kinds.POD) if pods.is_ready(one) and pods.phase(one) == "Running"
        }
        lost = [
            one.name
            for one in decision.actions
            if isinstance(one, Delete) and one.kind is kinds.POD and one.name in wanted
        ]
        taken = [name for name in lost if name in available]
        assert len(taken) <= unavailable
        if policy == "OrderedReady":
            assert sum(isinstance(one, Create) and one.kind is kinds.POD for one in decision.actions) <= 1
        model.apply(decision)
        for one in model.all(kinds.POD):  # what was made or was ill gets well
            told_of = [{"type": "Ready", "status": "True", "lastTransitionTime": shapes.STAMP}]
            if pods.phase(one) != "Failed":
                model.change(kinds.POD, {**one, "status": {"phase": "Running", "conditions": told_of}})
        if not decision.actions:
            break
    found = {objects.name(one): objects.labels(one)["controller-revision-hash"] for one in model.all(kinds.POD)}
    assert sorted(found) == wanted
    assert all(found[name] == objects.name(NEW) for name in wanted[partition:])
    assert decided(look()).actions == ()
