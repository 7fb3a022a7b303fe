"""Claims from templates, and claims that nobody uses any more."""

from typing import Any

import pytest

from steersman.api import devices, kinds
from steersman.controllers.decision import Create, Delete, Emit, Patch, Update, UpdateStatus
from steersman.controllers.resource_claim.decide import SeenClaim, SeenPod, decide, generated_name
from steersman.meta.objects import Object

TEMPLATE: Object = {
    "metadata": {"name": "t", "namespace": "default"},
    "spec": {"metadata": {"labels": {"a": "b"}}, "spec": {"devices": {"requests": [{"name": "r"}]}}},
}


def pod(*claims: Object, phase: str = "Pending", node: str = "", **status: Any) -> Object:
    spec = {"resourceClaims": list(claims or ({"name": "gpu", "resourceClaimTemplateName": "t"},)), "nodeName": node}
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "pod-1"},
        "spec": spec,
        "status": {"phase": phase, **status},
    }


def claim(
    *consumers: str, allocated: bool = True, finalizers: tuple[str, ...] = (devices.FINALIZER,), **meta: Any
) -> Object:
    status: Object = {"allocation": {"devices": {}}} if allocated else {}
    if consumers:
        status["reservedFor"] = [{"resource": "pods", "name": "p", "uid": uid} for uid in consumers]
    metadata = {"name": "p-gpu-x", "namespace": "default", "uid": "c", "finalizers": list(finalizers), **meta}
    return {"metadata": metadata, "spec": {}, "status": status}


MADE = claim(annotations={devices.CLAIM_OF_POD: "gpu"})


def test_a_missing_claim_is_made_from_its_template():
    (action,) = decide(SeenPod(pod(), (), {"t": TEMPLATE})).actions
    assert isinstance(action, Create)
    assert action.kind is kinds.RESOURCE_CLAIM
    meta = action.obj["metadata"]
    assert (meta["generateName"], meta["labels"], meta["annotations"]) == (
        "p-gpu-",
        {"a": "b"},
        {devices.CLAIM_OF_POD: "gpu"},
    )
    assert meta["ownerReferences"][0]["uid"] == "pod-1"
    assert action.obj["spec"] == TEMPLATE["spec"]["spec"]


def test_a_template_that_is_not_there_is_told():
    (action,) = decide(SeenPod(pod(), (), {})).actions
    assert isinstance(action, Emit)
    assert (action.reason, action.message) == (
        "FailedResourceClaimCreation",
        'PodResourceClaim gpu: resource claim template "t": not found',
    )


def test_the_pod_is_told_the_name_of_its_claim_once():
    (action,) = decide(SeenPod(pod(), (MADE,), {"t": TEMPLATE})).actions
    assert isinstance(action, Patch)
    told = [{"name": "gpu", "resourceClaimName": "p-gpu-x"}]
    assert action.patch == {"status": {"resourceClaimStatuses": told}}
    assert decide(SeenPod(pod(resourceClaimStatuses=told), (MADE,), {"t": TEMPLATE})).actions == ()


@pytest.mark.parametrize("over", [pod(phase="Succeeded"), pod({"name": "own", "resourceClaimName": "mine"})])
def test_nothing_is_made_for_pods_that_need_nothing(over):
    assert decide(SeenPod(over, (), {"t": TEMPLATE})).actions == ()


@pytest.mark.parametrize(
    ("users", "kept"),
    [
        pytest.param({"pod-1": pod(node="n")}, True, id="a pod that runs"),
        pytest.param({"pod-1": pod(node="n", phase="Succeeded")}, False, id="a pod that is done"),
        pytest.param({}, False, id="a pod that is gone"),
    ],
)
def test_claims_are_kept_for_pods_that_use_them(users, kept):
    found = claim("pod-1")
    actions = decide(SeenClaim(found, users)).actions
    if kept:
        assert actions == ()
        return
    (action,) = actions
    assert isinstance(action, UpdateStatus)
    assert action.obj["status"] == {}


def test_one_of_two_users_leaves():
    (action,) = decide(SeenClaim(claim("pod-1", "pod-2"), {"pod-2": pod(node="n")})).actions
    assert isinstance(action, UpdateStatus)
    assert [one["uid"] for one in action.obj["status"]["reservedFor"]] == ["pod-2"]
    assert "allocation" in action.obj["status"]


def test_a_claim_that_holds_nothing_may_go():
    going = claim(allocated=False, deletionTimestamp="2026-01-01T00:00:00Z")
    (action,) = decide(SeenClaim(going, {})).actions
    assert isinstance(action, Update)
    assert action.obj["metadata"]["finalizers"] == []


def test_the_claim_of_a_pod_that_is_done_goes():
    (action,) = decide(SeenClaim(claim("pod-1"), {}, pod(phase="Failed"))).actions
    assert isinstance(action, Delete)


def test_consumers_of_other_kinds_are_left_alone():
    found = claim()
    found["status"]["reservedFor"] = [{"apiGroup": "x.test", "resource": "jobs", "name": "j", "uid": "u"}]
    assert decide(SeenClaim(found, {})).actions == ()


@pytest.mark.parametrize(
    ("pod_name", "claim", "expect"),
    [
        ("p", "c", "p-c-"),
        ("p" * 50, "c" * 6, f"{'p' * 50}-{'c' * 6}-"),
        ("p" * 63, "c" * 63, f"{'p' * 28}-{'c' * 28}-"),
        ("p" * 100, "c", f"{'p' * 55}--"),
    ],
)
def test_names_are_cut_in_both_parts(pod_name, claim, expect):
    assert generated_name(pod_name, claim) == expect
