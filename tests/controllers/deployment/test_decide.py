"""What a Deployment decides in a given situation: whole decisions, told in short."""

from typing import Any

import pytest

from steersman.api import kinds
from steersman.controllers.decision import Create, Delete, Failure, Patch, Update, UpdateStatus
from steersman.controllers.deployment import decide, template
from steersman.controllers.deployment.decide import Seen
from steersman.meta import objects, owners
from tests.controllers import shapes


def decided(seen) -> Any:
    """The decision, its actions not told apart by type."""
    return decide.decide(seen)


def deployment(replicas=3, status=None, annotations=None, **spec):
    found = shapes.deployment(replicas, **spec)
    found["metadata"] |= {"uid": "d", "resourceVersion": "9", "generation": 1, "annotations": annotations or {}}
    return {**found, "status": status or {}}


def replica_set(of, image, wanted, available=None, *, revision="1", created="10", desired=None, **meta):
    ready = wanted if available is None else available
    name = f"web-{image.replace(':', '')}"
    labels = {"app": "web", "pod-template-hash": name}
    size = of["spec"]["replicas"] if desired is None else desired
    annotations = {
        "deployment.kubernetes.io/revision": revision,
        "deployment.kubernetes.io/desired-replicas": str(size),
        "deployment.kubernetes.io/max-replicas": str(size + 1),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "resourceVersion": "5",
            "generation": 1,
            "creationTimestamp": f"2026-01-01T11:{created}:00Z",
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owners.make(of)],
            **meta,
        },
        "spec": {
            "replicas": wanted,
            "selector": {"matchLabels": labels},
            "template": shapes.template(image, **labels),
        },
        "status": {"replicas": wanted, "readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1},
    }


def told(action):
    """An action in a few words."""
    match action:
        case Create():
            return f"create {action.kind.kind} {action.obj['spec']['replicas']}"
        case Update():
            size = action.obj["spec"]["replicas"]
            return f"update {objects.name(action.obj)} {size}: {action.done.message if action.done else '-'}"
        case UpdateStatus():
            return f"status {action.when}"
        case Patch():
            return f"patch {action.name} {sorted(action.patch['metadata'])}"
        case Delete():
            return f"delete {action.name}"
        case _:
            return action.message


def check(seen, *expected, statuses=True):
    found = [told(action) for action in decided(seen).actions]
    if not statuses:
        found = [one for one in found if not one.startswith("status")]
    assert found == list(expected)


def test_the_first_replica_set():
    of = deployment()
    seen = Seen(of, [], shapes.NOW)
    name = template.new_name(of)
    check(seen, "create ReplicaSet 3", "patch web ['annotations']", "status done")
    create = decided(seen).actions[0]
    assert create.done.message == f"Scaled up replica set {name} from 0 to 3"
    assert create.obj["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "web",
            "uid": "d",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    mark = objects.labels(create.obj)["pod-template-hash"]
    assert name == f"web-{mark}"
    assert create.obj["spec"]["selector"] == {"matchLabels": {"app": "web", "pod-template-hash": mark}}
    assert objects.annotations(create.obj) == {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }


def test_the_status_told_of_a_new_replica_set_counts_it():
    of = deployment(progressDeadlineSeconds=600)
    *_, done = decided(Seen(of, [], shapes.NOW)).actions
    assert isinstance(done, UpdateStatus)
    assert done.obj["status"]["unavailableReplicas"] == 3
    assert shapes.condition(done.obj, "Progressing")["reason"] == "NewReplicaSetCreated"


ROLLING = [
    pytest.param(
        [("web:0", 4, 4)],
        ["create ReplicaSet 1"],
        id="a new template: as many as the surge allows",
    ),
    pytest.param(
        [("web:0", 4, 4), ("web:1", 1, 0)],
        ["update web-web0 3: Scaled down replica set web-web0 from 4 to 3"],
        id="one may be unavailable",
    ),
    pytest.param(
        [("web:0", 3, 3), ("web:1", 1, 0)],
        ["update web-web1 2: Scaled up replica set web-web1 from 1 to 2"],
        id="room for one more",
    ),
    pytest.param([("web:0", 3, 3), ("web:1", 2, 0)], [], id="waits for new pods"),
    pytest.param(
        [("web:0", 3, 3), ("web:1", 2, 1)],
        ["update web-web0 2: Scaled down replica set web-web0 from 3 to 2"],
        id="one became available: one old may go",
    ),
    pytest.param(
        [("web:0", 3, 1), ("web:1", 2, 2)],
        ["update web-web0 1: Scaled down replica set web-web0 from 3 to 1"],
        id="unhealthy old pods go at once",
    ),
    pytest.param(
        [("web:0", 1, 1), ("web:1", 4, 4)],
        ["update web-web0 0: Scaled down replica set web-web0 from 1 to 0"],
        id="the last old pod",
    ),
    pytest.param([("web:0", 0, 0), ("web:1", 4, 4)], [], id="done"),
]


@pytest.mark.parametrize(("present", "expected"), ROLLING)
def test_rolling_update_of_four(present, expected):
    of = deployment(4, annotations={"deployment.kubernetes.io/revision": "2"})
    sets = [
        replica_set(of, image, wanted, available, revision=str(number + 1), created=str(10 + number))
        for number, (image, wanted, available) in enumerate(present)
    ]
    check(Seen(of, sets, shapes.NOW), *expected, statuses=False)


SCALING = [
    pytest.param(6, [("web:1", 3, 3)], {"web-web1": 6}, id="the only one grows"),
    pytest.param(0, [("web:1", 3, 3)], {"web-web1": 0}, id="down to nothing"),
    pytest.param(10, [("web:0", 2, 2), ("web:1", 2, 1)], {"web-web0": 6, "web-web1": 7}, id="both in proportion"),
]


@pytest.mark.parametrize(("replicas", "present", "expected"), SCALING)
def test_scaling(replicas, present, expected):
    of = deployment(replicas, annotations={"deployment.kubernetes.io/revision": str(len(present))})
    sets = [
        replica_set(of, image, wanted, available, revision=str(number + 1), desired=3, created=str(10 + number))
        for number, (image, wanted, available) in enumerate(present)
    ]
    found = decided(Seen(of, sets, shapes.NOW)).actions
    assert {objects.name(one.obj): one.obj["spec"]["replicas"] for one in found if isinstance(one, Update)} == expected


def test_a_paused_deployment_starts_no_rollout():
    of = deployment(paused=True, progressDeadlineSeconds=600)
    old = replica_set(of, "web:0", 3)
    decision = decided(Seen(of, [old], shapes.NOW))
    [status] = decision.actions
    progressing = shapes.condition(status.obj, "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("Unknown", "DeploymentPaused")


def test_a_taken_name_is_avoided_by_another_hash():
    of = deployment()
    stranger = {"metadata": {"name": template.new_name(of), "uid": "x"}, "spec": {}}
    [status] = decided(Seen(of, [], shapes.NOW, taken=stranger)).actions
    assert status.obj["status"]["collisionCount"] == 1
    assert template.new_name(status.obj) != template.new_name(of)


def test_a_refused_replica_set_is_told():
    of = deployment(progressDeadlineSeconds=600)
    failure = Failure("create", kinds.REPLICA_SET.resource, "no quota")
    actions = decided(Seen(of, [], shapes.NOW, failure=failure)).actions
    refused = next(one for one in actions if isinstance(one, UpdateStatus) and one.when == "refused")
    found = shapes.condition(refused.obj, "Progressing")
    assert found["reason"] == "ReplicaSetCreateError"
    assert found["message"] == f'Failed to create new replica set "{template.new_name(of)}": no quota'


def test_it_selects_nothing_by_selecting_everything():
    of = deployment(selector={})
    decision = decided(Seen(of, [], shapes.NOW))
    assert told(decision.actions[0]) == "This deployment is selecting all pods. A non-empty selector is required."


def test_a_terminating_deployment_only_tells_its_status():
    of = deployment()
    of["metadata"]["deletionTimestamp"] = shapes.STAMP
    check(Seen(of, [replica_set(of, "web:0", 3)], shapes.NOW), "status always")
