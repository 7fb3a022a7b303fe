"""What the provisioner of `local-path` makes of claims, and what becomes of its volumes."""

from typing import Any

import pytest

from steersman.api import local_path, volumes
from steersman.controllers.decision import Create, Delete, Emit, Patch
from steersman.controllers.local_path import decide
from steersman.controllers.local_path.decide import SeenClaim, SeenStart, SeenVolume
from steersman.meta import objects
from tests.controllers import shapes
from tests.controllers.volume_shapes import WAITS, claim, storage_class, volume

CHOSEN: Any = {"annotations": {volumes.SELECTED_NODE: "n1"}}
CLASS = storage_class("local-path", local_path.PROVISIONER, **WAITS)
NODE = {
    "metadata": {"name": "n1", "labels": {"kubernetes.io/hostname": "host1"}, "annotations": {local_path.ROOT: "/data"}}
}
OURS: Any = {
    "annotations": {volumes.PROVISIONED_BY: local_path.PROVISIONER},
    "labels": {local_path.NODE: "n1"},
    "finalizers": [volumes.VOLUME_PROTECTION, local_path.FINALIZER],
}
KEPT = OURS | {"deletionTimestamp": shapes.STAMP}
GOING = KEPT | {"finalizers": [local_path.FINALIZER]}
LET_GO: Any = [("patch", {"metadata": {"finalizers": None}})]
RELEASED: Any = {"phase": "Released", "persistentVolumeReclaimPolicy": "Delete"}


def asked(answer: str) -> Any:
    """The node after it was asked to remove the folder of `pv`."""
    annotations = {local_path.ROOT: "/data", f"{local_path.WISH}pv": answer}
    return {"metadata": {"name": "n1", "uid": "n1", "annotations": annotations}}


def seen_volume(meta: Any, node: Any = NODE, **spec: Any) -> SeenVolume:
    return SeenVolume("pv", volume(meta=meta, **{"local": {"path": "/data/pv_default_data"}, **spec}), node)


def wanted(**more):
    return claim(storageClassName="local-path", meta=CHOSEN | more.pop("meta", {}), **more)


def failed(why):
    return [("ProvisioningFailed", f'failed to provision volume with StorageClass "local-path": {why}')]


BLOCK = "rancher.io/local-path does not support block volume provisioning"
MODES = "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes"
CASES = {
    "no class yet": (SeenStart(None), [("create", "local-path")]),
    "there is one of the name": (SeenStart(CLASS), []),
    "made": (
        SeenClaim(wanted(), CLASS, NODE),
        [
            ("Provisioning", 'External provisioner is provisioning volume for claim "default/data"'),
            ("create", "pvc-c1"),
        ],
    ),
    "made already": (SeenClaim(wanted(), CLASS, NODE, volume("pvc-c1")), []),
    "going": (SeenClaim(wanted(meta={"deletionTimestamp": shapes.STAMP}), CLASS, NODE), []),
    "the class is gone": (SeenClaim(wanted(), None, NODE), []),
    "no node was chosen": (
        SeenClaim(claim(storageClassName="local-path"), CLASS),
        failed("configuration error, no node was specified"),
    ),
    "the node is gone": (
        SeenClaim(wanted(), CLASS),
        [
            ("patch", {"metadata": {"annotations": {volumes.SELECTED_NODE: None}}}),
            ("ProvisioningFailed", 'failed to get target node: nodes "n1" not found'),
        ],
    ),
    "many writers": (SeenClaim(wanted(accessModes=["ReadWriteMany"]), CLASS, NODE), failed(MODES)),
    "block": (SeenClaim(wanted(volumeMode="Block"), CLASS, NODE), failed(BLOCK)),
    "data source": (
        SeenClaim(wanted(dataSourceRef={"kind": "PersistentVolumeClaim", "name": "x"}), CLASS, NODE),
        failed("a volume of local-path cannot be filled from a data source"),
    ),
    "selector": (
        SeenClaim(wanted(selector={"matchLabels": {"a": "b"}}), CLASS, NODE),
        failed("claim.Spec.Selector is not supported"),
    ),
    "in use": (seen_volume(OURS, phase="Bound"), []),
    "released": (seen_volume(OURS, **RELEASED), [("delete", "pv")]),
    "released, kept": (seen_volume(OURS, phase="Released"), []),
    "others have a say in it": (seen_volume(KEPT, **RELEASED), []),
    "its node is asked": (seen_volume(GOING, **RELEASED), [("patch", local_path.wish("pv", "wished"))]),
    "its node has work to do": (seen_volume(GOING, asked("wished"), **RELEASED), []),
    "its node cannot": (
        seen_volume(GOING, asked("failed: busy"), **RELEASED),
        [("VolumeFailedDelete", "busy")],
    ),
    "its node has done it": (seen_volume(GOING, asked("done"), **RELEASED), LET_GO),
    "its folder is nobody's to remove": (
        seen_volume(GOING, local={"path": "/etc/pv_x"}, **RELEASED),
        [("VolumeFailedDelete", "/etc/pv_x is not a folder that was made for this volume in /data")],
    ),
    "its folder stays": (seen_volume(GOING, phase="Released", persistentVolumeReclaimPolicy="Retain"), LET_GO),
    "its node is gone": (seen_volume(GOING, None, **RELEASED), LET_GO),
    "let go": (seen_volume(GOING | {"finalizers": ["other"]}, asked("done"), **RELEASED), []),
    "gone": (SeenVolume("pv", None, asked("done")), [("patch", local_path.wish("pv", None))]),
    "gone, and nothing is left of it": (SeenVolume("pv", None, None), []),
    "a later one of the name": (
        seen_volume(OURS, asked("done"), phase="Bound"),
        [("patch", local_path.wish("pv", None))],
    ),
}


@pytest.mark.parametrize(("seen", "expect"), CASES.values(), ids=CASES.keys())
def test_decisions(seen, expect):
    found: list[Any] = []
    for action in decide.decide(seen).actions:
        match action:
            case Emit():
                found.append((action.reason, action.message))
            case Create():
                found.append(("create", objects.name(action.obj)))
            case Patch():
                found.append(("patch", action.patch))
            case Delete():
                found.append(("delete", action.name))
    assert found == expect


def made(of, storage_class=CLASS):
    [create] = [one for one in decide.decide(SeenClaim(of, storage_class, NODE)).actions if isinstance(one, Create)]
    return create.obj


def test_a_volume_is_a_folder_of_its_node_set_aside_for_its_claim():
    found = made(wanted())
    assert found["spec"]["local"] == {"path": "/data/pvc-c1_default_data"}
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["host1"]}]}
    assert found["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"] == [term]
    assert volumes.is_for(found, wanted())
    assert found["metadata"]["labels"] == {local_path.NODE: "n1"}
    assert found["metadata"]["finalizers"] == [local_path.FINALIZER]


def test_the_kind_of_volume_is_the_claims_or_the_classs():
    by_class = CLASS | {"metadata": {"name": "local-path", "annotations": {local_path.DEFAULT_VOLUME_TYPE: "hostPath"}}}
    assert made(wanted(), by_class)["spec"]["hostPath"]["type"] == "DirectoryOrCreate"
    asked = claim(meta={"annotations": CHOSEN["annotations"] | {local_path.VOLUME_TYPE: "local"}})
    assert "local" in made(asked, by_class)["spec"]
