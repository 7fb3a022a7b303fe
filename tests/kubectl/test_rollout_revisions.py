"""Revisions of a rollout, and the way back."""

from typing import Any

import pytest

from steersman.kubectl import rollout_revisions
from steersman.kubectl.rollout_progress import REVISION, RolloutError
from steersman.kubectl.rollout_revisions import CHANGE_CAUSE

OWNER = [{"kind": "Deployment", "name": "web", "uid": "1", "controller": True}]


def template(image: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": "web", **labels}}, "spec": {"containers": [{"name": "a", "image": image}]}}


def replica_set(number: int, image: str, cause: str = "", **annotations: str) -> dict[str, Any]:
    annotations = {REVISION: str(number), **({CHANGE_CAUSE: cause} if cause else {}), **annotations}
    meta = {"name": f"web-{number}", "ownerReferences": OWNER, "annotations": annotations}
    return {"metadata": meta, "spec": {"template": template(image, **{"pod-template-hash": "x"})}}


def controller_revision(number: int, image: str) -> dict[str, Any]:
    data = {"spec": {"template": {"$patch": "replace", **template(image)}}}
    return {"metadata": {"name": f"r{number}", "ownerReferences": OWNER}, "revision": number, "data": data}


DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "web", "uid": "1", "annotations": {REVISION: "10", "mine": "stays not", CHANGE_CAUSE: "new"}},
    "spec": {"template": template("v2")},
}
STRANGER = {"metadata": {"name": "x", "annotations": {REVISION: "9"}}, "spec": {"template": template("v9")}}
SETS = [replica_set(9, "v1", "first", kept="yes"), replica_set(10, "v2"), STRANGER]


def test_the_table() -> None:
    revisions = rollout_revisions.of_replica_sets(DEPLOYMENT, SETS)
    assert rollout_revisions.table(revisions) == ("REVISION  CHANGE-CAUSE\n9         first\n10        <none>\n")
    kept = rollout_revisions.of_controller_revisions(
        DEPLOYMENT, [controller_revision(2, "b"), controller_revision(1, "a")]
    )
    assert rollout_revisions.table(kept) == "REVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n"
    assert rollout_revisions.table([]) == "No rollout history found."


def test_one_revision() -> None:
    revisions = rollout_revisions.of_replica_sets(DEPLOYMENT, SETS)
    first = rollout_revisions.numbered(revisions, 9)
    assert first.template["metadata"]["annotations"] == {CHANGE_CAUSE: "first"}
    with pytest.raises(RolloutError, match="unable to find the specified revision"):
        rollout_revisions.numbered(revisions, 3)
    kept = rollout_revisions.of_controller_revisions(DEPLOYMENT, [controller_revision(2, "b")])
    assert rollout_revisions.numbered(kept, 2).template == template("b")


def test_which_revision_is_meant() -> None:
    revisions = rollout_revisions.of_replica_sets(DEPLOYMENT, SETS)
    assert rollout_revisions.pick("Deployment", "web", revisions, 0).number == 9
    assert rollout_revisions.pick("Deployment", "web", revisions, 10).number == 10
    for number in (-1, 3):
        with pytest.raises(RolloutError, match=rf"^unable to find specified revision {number} in history$"):
            rollout_revisions.pick("Deployment", "web", revisions, number)
    with pytest.raises(RolloutError, match=r'^no rollout history found for deployment "web"$'):
        rollout_revisions.pick("Deployment", "web", revisions[:1], 0)
    with pytest.raises(RolloutError, match=r"^no last revision to roll back to$"):
        rollout_revisions.pick("DaemonSet", "web", revisions[:1], 0)


def test_what_is_so_already() -> None:
    first, second = rollout_revisions.of_replica_sets(DEPLOYMENT, SETS)
    assert rollout_revisions.is_current(DEPLOYMENT, second)
    assert not rollout_revisions.is_current(DEPLOYMENT, first)


def test_the_patch_brings_template_and_annotations_but_not_the_numbers() -> None:
    first, _ = rollout_revisions.of_replica_sets(DEPLOYMENT, SETS)
    assert rollout_revisions.patch(DEPLOYMENT, first) == [
        {"op": "replace", "path": "/spec/template", "value": template("v1")},
        {
            "op": "replace",
            "path": "/metadata/annotations",
            "value": {REVISION: "10", CHANGE_CAUSE: "first", "kept": "yes"},
        },
    ]
    kept = controller_revision(1, "a")
    (revision,) = rollout_revisions.of_controller_revisions(DEPLOYMENT, [kept])
    assert rollout_revisions.patch({**DEPLOYMENT, "kind": "DaemonSet"}, revision) == kept["data"]
