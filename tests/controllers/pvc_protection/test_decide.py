"""Which claims stay while they are being deleted."""

import pytest

from steersman.api import volumes
from steersman.controllers.decision import Patch
from steersman.controllers.pv_protection import decide as volume_protection
from steersman.controllers.pvc_protection import decide
from steersman.controllers.pvc_protection.decide import Seen
from tests.controllers import shapes
from tests.controllers.volume_shapes import claim, volume

GOING = {"deletionTimestamp": shapes.STAMP, "finalizers": ["x/y", volumes.CLAIM_PROTECTION]}
OWNED = {"ownerReferences": [{"kind": "Pod", "name": "p", "uid": "p", "controller": True}]}


def pod(node="n", phase="Running", *, going_seconds=None, **source):
    spec = {"volumes": [{"name": "data", **source}], **({"nodeName": node} if node else {})}
    meta = {"name": "p", "uid": "p", "namespace": "default"}
    if going_seconds is not None:
        meta |= {"deletionTimestamp": shapes.STAMP, "deletionGracePeriodSeconds": going_seconds}
    return {"metadata": meta, "spec": spec, "status": {"phase": phase}}


NAMED = {"persistentVolumeClaim": {"claimName": "data"}}
CASES = {
    "protected": (claim(meta={"finalizers": [volumes.CLAIM_PROTECTION]}), [], None),
    "made without": (claim(), [], [volumes.CLAIM_PROTECTION]),
    "going, unused": (claim(meta=GOING), [], ["x/y"]),
    "going, used": (claim(meta=GOING), [pod(**NAMED)], None),
    "used by one that has ended": (claim(meta=GOING), [pod(phase="Succeeded", **NAMED)], None),
    "used by one without a node": (claim(meta=GOING), [pod("", **NAMED)], ["x/y"]),
    "another claim is used": (claim(meta=GOING), [pod(persistentVolumeClaim={"claimName": "z"})], ["x/y"]),
    "ephemeral": (claim("p-data", meta=GOING | OWNED), [pod(ephemeral={})], None),
    "ephemeral, ended": (claim("p-data", meta=GOING | OWNED), [pod(phase="Failed", ephemeral={})], None),
    "ephemeral, ending": (claim("p-data", meta=GOING | OWNED), [pod(going_seconds=9, ephemeral={})], None),
    "ephemeral, shut down": (claim("p-data", meta=GOING | OWNED), [pod(going_seconds=0, ephemeral={})], ["x/y"]),
    "shut down": (claim(meta=GOING), [pod(phase="Failed", going_seconds=0, **NAMED)], None),
    "of the pod itself": (claim(meta=GOING | OWNED), [pod(phase="Failed", going_seconds=1, **NAMED)], None),
    "of the pod itself, shut down": (claim(meta=GOING | OWNED), [pod(going_seconds=0, **NAMED)], ["x/y"]),
    "done": (claim(meta={"deletionTimestamp": shapes.STAMP, "finalizers": ["x/y"]}), [], None),
}


@pytest.mark.parametrize(("of", "pods", "expect"), CASES.values(), ids=CASES.keys())
def test_claims(of, pods, expect):
    assert _finalizers(decide.decide(Seen(of, pods)).actions) == expect


VOLUMES = {
    "protected": (volume(meta={"finalizers": [volumes.VOLUME_PROTECTION]}), None),
    "made without": (volume(), [volumes.VOLUME_PROTECTION]),
    "going, bound": (volume(phase="Bound", meta=GOING | {"finalizers": [volumes.VOLUME_PROTECTION]}), None),
    "going, free": (volume(meta=GOING | {"finalizers": [volumes.VOLUME_PROTECTION, "a/b"]}), ["a/b"]),
}


@pytest.mark.parametrize(("of", "expect"), VOLUMES.values(), ids=VOLUMES.keys())
def test_volumes(of, expect):
    assert _finalizers(volume_protection.decide(volume_protection.Seen(of)).actions) == expect


def _finalizers(actions):
    if not actions:
        return None
    [patch] = actions
    assert isinstance(patch, Patch)
    return patch.patch["metadata"]["finalizers"]
