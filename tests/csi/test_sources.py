"""What a new volume may be filled with, and what is said when it may not."""

from typing import Any

import pytest

from steersman.csi import sources
from tests.controllers.volume_shapes import claim, reference, storage_class, volume

CLASS = storage_class(provisioner="d.x")
WISH = claim("copy", "2Gi", uid="c2")
SOURCE = claim("data", "1Gi", phase="Bound", volumeName="pv")
HANDLE = {"driver": "d.x", "volumeHandle": "h"}


def disk(phase="Bound", **more):
    return volume(phase=phase, **{"csi": HANDLE, "claimRef": reference(SOURCE), "hostPath": None, **more})


NOT_BOUND = "claim in dataSource not bound or invalid"
OF_CLAIMS = {
    "bound": (WISH, SOURCE, disk(), {"volume": {"volume_id": "h"}}),
    "waiting": (WISH, claim("data"), None, "the PVC DataSource data must have a status of Bound.  Got Pending"),
    "larger": (
        claim("copy", "500Mi"), SOURCE, disk(),
        "error, new PVC request must be greater than or equal in size to the specified PVC data source, requested "
        "524288000 but source is 1073741824",
    ),
    "of another driver": (WISH, SOURCE, disk(csi={"driver": "other", "volumeHandle": "h"}), NOT_BOUND),
    "of no driver": (WISH, SOURCE, disk(csi=None), NOT_BOUND),
    "its volume is gone": (WISH, SOURCE, None, NOT_BOUND),
    "its volume is another's": (WISH, SOURCE, disk(claimRef=reference(WISH)), NOT_BOUND),
    "a device": (
        WISH, SOURCE, disk(volumeMode="Block"),
        "the source PVC and destination PVCs must have the same volume mode for cloning.  Source is Block, but new PVC "
        "requested Filesystem",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("wish", "source", "of", "expect"), OF_CLAIMS.values(), ids=OF_CLAIMS.keys())
def test_claims(wish, source, of, expect):
    assert outcome(lambda: sources.of_claim(wish, CLASS, "data", source, of)) == expect


SNAPSHOT: Any = {
    "metadata": {"name": "s", "namespace": "default", "uid": "s1"},
    "status": {"readyToUse": True, "restoreSize": "1Gi"},
}
MEANT = {"uid": "s1", "namespace": "default", "name": "s"}
CONTENT: Any = {
    "metadata": {"name": "sc"},
    "spec": {"driver": "d.x", "volumeSnapshotRef": MEANT},
    "status": {"snapshotHandle": "h"},
}


def content(**spec):
    return {**CONTENT, "spec": {**CONTENT["spec"], **spec}}


def going(*finalizers):
    return {**SNAPSHOT, "metadata": {**SNAPSHOT["metadata"], "deletionTimestamp": "x", "finalizers": list(finalizers)}}


FOUND = {"snapshot": {"snapshot_id": "h"}}
PERMISSION = (
    "requested volume default/copy modifies the mode of the source volume but does not have permission to do so. "
    "snapshot.storage.kubernetes.io/allow-volume-mode-change annotation is not present on snapshotcontent sc"
)
VOUCHED = {
    **content(sourceVolumeMode="Block"),
    "metadata": {"name": "sc", "annotations": {sources.MODE_CHANGE: "true"}},
}
OF_SNAPSHOTS = {
    "ready": (WISH, SNAPSHOT, CONTENT, FOUND),
    "not there": (
        WISH, None, None,
        'error getting snapshot s from api server: volumesnapshots.snapshot.storage.k8s.io "s" not found',
    ),
    "not ready": (WISH, {**SNAPSHOT, "status": {"readyToUse": False}}, CONTENT, "snapshot s is not Ready"),
    "of no content": (WISH, SNAPSHOT, None, "snapshot s not bound"),
    "of another's content": (WISH, SNAPSHOT, content(volumeSnapshotRef={**MEANT, "uid": "s0"}), "snapshot s not bound"),
    "of another driver": (WISH, SNAPSHOT, content(driver="other"), "snapshot s not bound"),
    "without a handle": (WISH, SNAPSHOT, {**CONTENT, "status": {}}, "snapshot handle s is not available"),
    "larger": (
        claim("copy", "500Mi"), SNAPSHOT, CONTENT,
        "requested volume size 524288000 is less than the size 1073741824 for the source snapshot s",
    ),
    "going": (WISH, going(), CONTENT, "snapshot s is being deleted"),
    "going, and copied already": (WISH, going(sources.SOURCE_PROTECTION), CONTENT, FOUND),
    "a device": (WISH, SNAPSHOT, content(sourceVolumeMode="Block"), PERMISSION),
    "a device, and somebody vouches for it": (WISH, SNAPSHOT, VOUCHED, FOUND),
}  # fmt: skip


@pytest.mark.parametrize(("wish", "snapshot", "of", "expect"), OF_SNAPSHOTS.values(), ids=OF_SNAPSHOTS.keys())
def test_snapshots(wish, snapshot, of, expect):
    assert outcome(lambda: sources.of_snapshot(wish, CLASS, "s", snapshot, of)) == expect


def outcome(ask):
    try:
        return ask()
    except sources.SourceError as refused:
        return str(refused)


POPULATOR = {"apiGroup": "example.com", "kind": "Image", "name": "x"}
ELSEWHERE = {"kind": "PersistentVolumeClaim", "name": "x", "namespace": "other"}


@pytest.mark.parametrize(
    ("source", "is_known"),
    [(None, True), ({"kind": "PersistentVolumeClaim", "name": "x"}, True), (POPULATOR, False), (ELSEWHERE, False)],
)
def test_sources_of_others_are_left_to_them(source, is_known):
    assert sources.is_known(claim(dataSourceRef=source)) == is_known
