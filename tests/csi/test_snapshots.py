"""Which class a snapshot gets, what is made for it, and what it says of that."""

from typing import Any

import pytest

from steersman.csi.snapshots import contents, definitions
from tests.controllers.volume_shapes import claim, volume

BOUND = {"pv.kubernetes.io/bind-completed": "yes"}
CLAIM = claim("data", phase="Bound", volumeName="pv", meta={"annotations": BOUND})
DISK = volume(csi={"driver": "d.x", "volumeHandle": "h"}, hostPath=None)


def snapshot(**spec: Any) -> Any:
    meta = {"name": "s", "namespace": "default", "uid": "u", "resourceVersion": "5"}
    return {"metadata": meta, "spec": {"source": {"persistentVolumeClaimName": "data"}, **spec}}


def snapshot_class(name: str = "c", driver: str = "d.x", *, default: bool = True, **parameters: Any) -> Any:
    meta = {"name": name, "annotations": {contents.IS_DEFAULT: "true"} if default else {}}
    return {"metadata": meta, "driver": driver, "deletionPolicy": "Delete", "parameters": parameters}


def outcome(ask):
    try:
        return ask()
    except contents.RefusedError as why:
        return why.reason, str(why)


NO_DEFAULT = ("SetDefaultSnapshotClassFailed", "Failed to set default snapshot class with error ")
CLASSES = {
    "the default": (snapshot(), [snapshot_class("a", default=False), snapshot_class("b")], "b"),
    "of its driver": (snapshot(), [snapshot_class("a", "other"), snapshot_class("b")], "b"),
    "named": (snapshot(volumeSnapshotClassName="a"), [snapshot_class("a", default=False), snapshot_class("b")], "a"),
}


@pytest.mark.parametrize(("of", "classes", "name"), CLASSES.values(), ids=CLASSES.keys())
def test_classes(of, classes, name):
    assert contents.class_for(of, classes, "d.x")["metadata"]["name"] == name


def test_classes_that_cannot_be_chosen():
    none = outcome(lambda: contents.class_for(snapshot(), [], "d.x"))
    assert none == (NO_DEFAULT[0], f"{NO_DEFAULT[1]}cannot find default snapshot class")
    several = outcome(lambda: contents.class_for(snapshot(), [snapshot_class("a"), snapshot_class("b")], "d.x"))
    assert several == (NO_DEFAULT[0], f"{NO_DEFAULT[1]}2 default snapshot classes were found")
    reason, text = outcome(lambda: contents.class_for(snapshot(volumeSnapshotClassName="x"), [], "d.x"))
    assert (reason, "failed to retrieve snapshot class x" in text) == ("GetSnapshotClassFailed", True)


SECRET: Any = {
    "csi.storage.k8s.io/snapshotter-secret-name": "n",
    "csi.storage.k8s.io/snapshotter-secret-namespace": "ns",
}


def test_a_content_says_whose_it_is_and_what_of():
    chosen = snapshot_class(**SECRET, kind="fast")
    made = contents.content_for(snapshot(), chosen, CLAIM, DISK)
    assert (made["metadata"]["name"], made["spec"]["source"]) == ("snapcontent-u", {"volumeHandle": "h"})
    assert (made["spec"]["deletionPolicy"], made["spec"]["sourceVolumeMode"]) == ("Delete", "Filesystem")
    assert contents.is_for(made, snapshot())
    assert not contents.is_for(made, {**snapshot(), "metadata": {**snapshot()["metadata"], "uid": "later"}})
    assert contents.deletion_secret(made) == {"name": "n", "namespace": "ns"}
    assert contents.request(made, chosen, {}) == {
        "source_volume_id": "h",
        "name": "snapshot-u",
        "secrets": {},
        "parameters": {"kind": "fast"},
    }


BEGUN = "Failed to create snapshot content with error "
REFUSED = {
    "no claim": (None, None, "snapshot controller failed to update s on API server: cannot get claim from snapshot"),
    "unbound": (claim("data"), None, "the PVC data is not yet bound to a PV, will not attempt to take a snapshot"),
    "of another driver": (CLAIM, volume(), "driver of the PV pv is not that of class c"),
}


@pytest.mark.parametrize(("of", "disk", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_refusals(of, disk, why):
    found = outcome(lambda: contents.content_for(snapshot(), snapshot_class(), of, disk))
    assert found == ("SnapshotContentCreationFailed", f"{BEGUN}{why}")


def test_definitions_have_upstreams_names():
    names = [one["metadata"]["name"] for one in definitions.all_definitions()]
    kinds = (definitions.CLASS, definitions.CONTENT, definitions.SNAPSHOT)
    assert names == [f"{kind.plural}.{kind.group}" for kind in kinds]
